//! The files that frames lie in, and their symbols while these are needed.

use std::fs::File;
use std::sync::Arc;

use crate::opener::{CodeSegment, OpenedFile};

/// A file that was seen.
#[derive(Debug)]
pub(crate) struct SeenFile {
    /// The last part of its path; what the page and a server show.
    pub(crate) name: Arc<str>,
    pub(crate) build_id: Arc<str>,
    pub(crate) handle: Option<Arc<File>>,
    pub(crate) segments: Vec<CodeSegment>,
}

/// Files by number. One that is still being opened is not there.
#[derive(Default)]
pub(crate) struct Files(Vec<Option<SeenFile>>);

impl Files {
    pub(crate) fn add(&mut self, opened: OpenedFile) {
        let number = opened.file as usize;
        if self.0.len() <= number {
            self.0.resize_with(number + 1, || None);
        }
        let path = opened.path.to_string_lossy();
        self.0[number] = Some(SeenFile {
            name: Arc::from(path.strip_suffix(" (deleted)").unwrap_or(&path)),
            build_id: opened.build_id,
            handle: opened.handle.map(Arc::new),
            segments: opened.segments,
        });
    }

    pub(crate) fn get(&self, number: u32) -> Option<&SeenFile> {
        self.0.get(number as usize)?.as_ref()
    }
}
