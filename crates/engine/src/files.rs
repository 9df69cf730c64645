//! What became of the files that frames lie in, counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What became of the wish to open a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Opening {
    /// It is open, and its frames can be named.
    Opened,
    /// It could not be reached: its process and its name were gone, or the system refused.
    Unreached,
    /// It was not asked for: too many files were new at once.
    NotAsked,
}

/// Why a file was closed and forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Closed {
    /// No interval held a frame of it for ten minutes.
    Unused,
    /// Room was needed for others.
    Limit,
}

impl Opening {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 3] = [Self::Opened, Self::Unreached, Self::NotAsked];

    /// The name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Unreached => "unreached",
            Self::NotAsked => "not_asked",
        }
    }
}

impl Closed {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 2] = [Self::Unused, Self::Limit];

    /// The name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unused => "unused",
            Self::Limit => "limit",
        }
    }
}

/// Counts of files, shared with whoever shows them.
#[derive(Clone, Debug, Default)]
pub struct FileCounts(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    openings: [AtomicU64; Opening::ALL.len()],
    closed: [AtomicU64; Closed::ALL.len()],
    open: AtomicU64,
    nameless: AtomicU64,
    silent: AtomicU64,
}

impl FileCounts {
    /// Files for which the wish to open them ended so.
    pub fn openings(&self, outcome: Opening) -> u64 {
        self.0.openings[outcome as usize].load(Relaxed)
    }

    /// Files that were closed for this reason.
    pub fn closed(&self, reason: Closed) -> u64 {
        self.0.closed[reason as usize].load(Relaxed)
    }

    /// Files that are open now.
    pub fn open(&self) -> u64 {
        self.0.open.load(Relaxed)
    }

    /// Places in the code that have no name because their file was not reached.
    pub fn nameless(&self) -> u64 {
        self.0.nameless.load(Relaxed)
    }

    /// Files that are not read any more, because their file system did not answer in time.
    pub fn silent(&self) -> u64 {
        self.0.silent.load(Relaxed)
    }

    pub(crate) fn count(&self, outcome: Opening) {
        self.0.openings[outcome as usize].fetch_add(1, Relaxed);
    }

    pub(crate) fn count_closed(&self, reason: Closed) {
        self.0.closed[reason as usize].fetch_add(1, Relaxed);
    }

    pub(crate) fn count_nameless(&self) {
        self.0.nameless.fetch_add(1, Relaxed);
    }

    pub(crate) fn count_silent(&self) {
        self.0.silent.fetch_add(1, Relaxed);
    }

    pub(crate) fn set_open(&self, files: usize) {
        self.0.open.store(files as u64, Relaxed);
    }
}

/// The most files that are held open: 4,096, or half of what this process may open.
pub(crate) fn most_open() -> usize {
    most_open_of(rustix::process::getrlimit(rustix::process::Resource::Nofile).current)
}

fn most_open_of(limit: Option<u64>) -> usize {
    const MOST: usize = 4096;
    limit.and_then(|limit| usize::try_from(limit / 2).ok()).map_or(MOST, |half| half.clamp(16, MOST))
}

#[cfg(test)]
mod tests {
    use super::most_open_of;

    #[test]
    fn files_leave_half_of_the_descriptors_to_others() {
        assert_eq!([None, Some(65_536), Some(1024), Some(8)].map(most_open_of), [4096, 4096, 512, 16]);
    }
}
