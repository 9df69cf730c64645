//! Files that were set aside: kept as long as there is room, for who wants to look into them.

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::partition::first_time;

/// A damaged file.
pub(crate) struct Aside {
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
    /// When it was last written to, in Unix milliseconds.
    pub(crate) modified: i64,
}

/// The damaged files in a folder, those that were written to longest ago first.
pub(crate) fn files(folder: &Path) -> VecDeque<Aside> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<Aside> = entries.filter_map(|entry| aside(&entry)).collect();
    files.sort_by(|a, b| (a.modified, &a.path).cmp(&(b.modified, &b.path)));
    files.into()
}

pub(crate) fn bytes(files: &VecDeque<Aside>) -> u64 {
    files.iter().map(|file| file.bytes).sum()
}

fn aside(entry: &fs::DirEntry) -> Option<Aside> {
    first_time(entry.file_name().to_str()?.strip_suffix(".damaged")?)?;
    let metadata = entry.metadata().ok()?;
    let modified = metadata.modified().ok()?.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let modified = i64::try_from(modified.as_millis()).unwrap_or(i64::MAX);
    Some(Aside { path: entry.path(), bytes: metadata.len(), modified })
}
