//! Servers that have the debug files of programs by build id, and what came of asking them.
//!
//! The engine knows no protocol: whoever starts it hands in what asks. It is asked on a thread of its own, about one file at a time.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A server of debug files.
pub trait DebugServer: Send {
    /// Writes the debug file of this build id, in hexadecimal, to `into`. May wait, but not without limit.
    fn get(&mut self, build_id: &str, into: &mut (dyn Write + Send)) -> Reply;
}

/// What a server said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The file was written, as far as the server knows.
    Sent,
    /// It has no such file.
    Absent,
    /// The file is larger than wanted.
    TooLarge,
    /// It did not answer, or not with a file. The reason is for the log.
    Failed(String),
}

/// The servers, in the order in which they are asked, and where their files are kept.
pub struct DebugServers {
    /// Not one where nothing is to be asked.
    pub servers: Vec<Box<dyn DebugServer>>,
    /// The folder. It is made if it is not there.
    pub folder: PathBuf,
    /// How many bytes all files may take.
    pub bytes: u64,
}

/// What came of a request to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Asked {
    /// It sent the file.
    Found,
    /// It has none.
    Absent,
    /// It sent something else, or the file of another build.
    Wrong,
    /// The file is too large.
    TooLarge,
    /// There was no answer.
    Failed,
}

impl Asked {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 5] = [Self::Found, Self::Absent, Self::Wrong, Self::TooLarge, Self::Failed];

    /// The name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::Absent => "absent",
            Self::Wrong => "wrong",
            Self::TooLarge => "too_large",
            Self::Failed => "failed",
        }
    }
}

/// Requests to servers of debug files, shared with whoever shows them.
#[derive(Clone, Debug, Default)]
pub struct DebugServerCounts(Arc<[AtomicU64; Asked::ALL.len()]>);

impl DebugServerCounts {
    /// Requests of which this came.
    pub fn requests(&self, asked: Asked) -> u64 {
        self.0[asked as usize].load(Relaxed)
    }

    pub(crate) fn count(&self, asked: Asked) {
        self.0[asked as usize].fetch_add(1, Relaxed);
    }
}
