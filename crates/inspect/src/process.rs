//! Which process, and why a fact about it is not there.

use rustix::io::Errno;

/// One run of one program: a process id alone is used again, together with the start time it is not.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ProcessKey {
    /// The thread group id as the host sees it.
    pub tgid: u32,
    /// When it started, in clock ticks since boot (field 22 of `/proc/PID/stat`).
    pub start_time: u64,
}

/// Why a fact is not there.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Missing {
    /// The caller did not ask for it.
    #[error("not asked for")]
    NotAsked,
    /// The process has ended, or is a zombie that has given this fact back already.
    #[error("the process is gone")]
    Gone,
    /// A process of this kind has no such fact: a kernel thread has no executable.
    #[error("a kernel thread has none")]
    KernelThread,
    /// The kernel refuses to tell us.
    #[error("permission denied")]
    Denied,
    /// The kernel's answer could not be understood.
    #[error("the kernel's answer was not understood")]
    Garbled,
    /// Anything else the system said.
    #[error("{0}")]
    Failed(Errno),
}

impl From<Errno> for Missing {
    fn from(errno: Errno) -> Self {
        match errno {
            Errno::NOENT | Errno::SRCH => Self::Gone,
            Errno::ACCESS | Errno::PERM => Self::Denied,
            other => Self::Failed(other),
        }
    }
}
