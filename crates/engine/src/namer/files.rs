//! The files that frames lie in, and their symbols while these are needed.

use std::sync::Arc;

use hashbrown::{HashMap, HashSet};

use crate::beside::Beside;
use crate::files::{FileCounts, Opening};
use crate::opener::{CodeSegment, OpenedFile};
use crate::program_file::ProgramFile;

/// A file that was seen.
#[derive(Debug)]
pub(crate) struct SeenFile {
    /// The last part of its path; what the page and a server show.
    pub(crate) name: Arc<str>,
    pub(crate) build_id: Arc<str>,
    pub(crate) handle: Option<Arc<ProgramFile>>,
    pub(crate) segments: Vec<CodeSegment>,
    pub(crate) beside: Beside,
}

/// Files by number. One that is still being opened is not there.
#[derive(Default)]
pub(crate) struct Files {
    seen: HashMap<u64, SeenFile>,
    /// Those that were to be closed before they came.
    early: HashSet<u64>,
    open: usize,
    counts: FileCounts,
}

impl Files {
    pub(crate) fn new(counts: FileCounts) -> Self {
        Self { counts, ..Self::default() }
    }

    /// Takes a file. True if it is to be closed again, once what waits for it has its names.
    pub(crate) fn add(&mut self, opened: OpenedFile) -> bool {
        let number = opened.file;
        let reached = opened.handle.is_some();
        let path = opened.path.to_string_lossy();
        let file = SeenFile {
            name: Arc::from(path.strip_suffix(" (deleted)").unwrap_or(&path)),
            build_id: opened.build_id,
            handle: opened.handle,
            segments: opened.segments,
            beside: opened.beside,
        };
        self.seen.insert(number, file);
        self.open += usize::from(reached);
        self.counts.set_open(self.open);
        self.counts.count(if reached { Opening::Opened } else { Opening::Unreached });
        self.early.remove(&number)
    }

    /// Takes what was found for a file later. False where the file is not there.
    pub(crate) fn set_beside(&mut self, number: u64, beside: Beside) -> bool {
        self.seen.get_mut(&number).map(|file| file.beside = beside).is_some()
    }

    pub(crate) fn get(&self, number: u64) -> Option<&SeenFile> {
        self.seen.get(&number)
    }

    /// Closes a file, or sees to it that it is closed when it comes.
    pub(crate) fn close(&mut self, number: u64) {
        match self.seen.remove(&number) {
            Some(file) => {
                self.open -= usize::from(file.handle.is_some());
                self.counts.set_open(self.open);
            }
            None => _ = self.early.insert(number),
        }
    }

    /// A place in this file has no name, because the file was not reached.
    pub(crate) fn count_nameless(&self) {
        self.counts.count_nameless();
    }
}
