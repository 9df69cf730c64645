//! The files with debug information that belong to a program, and where they are looked for.
//!
//! ```text
//!  opener, while the process lives ──search──▶ Beside: by build id, by debug link; in the process's root, then on the host
//!                │ what takes longer
//!                ▼
//!  debug files thread: checksums of linked files, packed names ──▶ namer, which then names again
//!                │ what is not on the host, if there are servers to ask        ▲
//!                ▼                                                             │
//!  debug servers thread: by build id, into a folder that is kept ──────────────┘
//! ```

pub(crate) mod fetch;
mod kept;
pub(crate) mod search;
pub(crate) mod seek;

use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use dwarf::Files;
use elf::debug_link::AlternateLink;
use inspect::Proc;

use crate::aside::{Aside, Asked};
use crate::files::FileCounts;
use crate::program_file::ProgramFile;

/// How long a compiler's path may take to open.
const PATIENCE: Duration = Duration::from_secs(2);

/// What was found for a program.
#[derive(Clone, Debug, Default)]
pub(crate) struct Beside {
    /// What was stripped from it.
    pub(crate) debug: Option<Arc<ProgramFile>>,
    /// What `dwz` took out of that.
    pub(crate) alternate: Option<Arc<ProgramFile>>,
    /// All its split units, in one file.
    pub(crate) package: Option<Arc<ProgramFile>>,
    /// A process that has the program: compilers' paths are looked for in its root.
    pub(crate) tgid: u32,
    /// One of the compilers' paths did not answer: no other one is opened.
    pub(crate) silent: Arc<AtomicBool>,
    pub(crate) counts: FileCounts,
}

impl Files<Arc<ProgramFile>> for Beside {
    fn scratch(&self) -> io::Result<File> {
        tempfile::tempfile()
    }

    /// The number of the unit tells whether it is the right file, so a process that took over the number does no harm.
    fn split(&self, path: &[u8]) -> Option<Arc<ProgramFile>> {
        if self.silent.load(Relaxed) {
            return None;
        }
        let path = Path::new(std::ffi::OsStr::from_bytes(path)).to_owned();
        let (tgid, counts) = (self.tgid, self.counts.clone());
        let opener = Aside::start("split units", move || {
            let mut proc = Proc::open().ok()?;
            Some(move |path: PathBuf| {
                let found = search::roots(tgid).find_map(|tgid| proc.open_root_relative(tgid, &path).ok());
                found.map(|found| Arc::new(ProgramFile::reached(found, &counts)))
            })
        });
        match opener.ask(path, PATIENCE) {
            Asked::Answered(file) => file,
            Asked::Gone => None,
            Asked::Late => {
                tracing::warn!(
                    pid = tgid,
                    "a file of debug information does not answer; its program has the names without"
                );
                self.silent.store(true, Relaxed);
                None
            }
        }
    }

    fn package(&self) -> Option<Arc<ProgramFile>> {
        self.package.clone()
    }

    fn alternate(&self, _: &AlternateLink) -> Option<Arc<ProgramFile>> {
        self.alternate.clone()
    }
}

#[cfg(test)]
mod tests;
