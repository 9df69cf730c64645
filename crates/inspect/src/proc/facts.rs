//! Chosen facts of one process, in as few system calls as each takes.

use std::ffi::OsString;
use std::ops::BitOr;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;

use crate::namespace;
use crate::process::{Missing, ProcessKey};
use crate::{stat, status};

use super::{Proc, read_small};

/// A set of facts to read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wanted(u16);

impl Wanted {
    /// Only what costs nothing more: the key, the name, the number of threads, whether it is a kernel thread.
    pub const BASE: Self = Self(0);
    /// The link to the executable.
    pub const EXE: Self = Self(1);
    /// The working directory.
    pub const CWD: Self = Self(1 << 1);
    /// The arguments.
    pub const COMMAND_LINE: Self = Self(1 << 2);
    /// The real user id.
    pub const USER: Self = Self(1 << 3);
    /// The id that the process itself knows.
    pub const NAMESPACE_PID: Self = Self(1 << 4);
    /// The text for [`crate::cgroup`].
    pub const CGROUP: Self = Self(1 << 5);
    /// The inode of its pid namespace.
    pub const PID_NAMESPACE: Self = Self(1 << 6);
    /// The inode of its mount namespace.
    pub const MOUNT_NAMESPACE: Self = Self(1 << 7);
    /// Everything.
    pub const ALL: Self = Self((1 << 8) - 1);

    /// True when this set has any fact of the other.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

impl BitOr for Wanted {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// What was learned about one process; each fact that is not there says why.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Which run of which process.
    pub key: ProcessKey,
    /// The name of the main thread, at most 15 bytes.
    pub comm: String,
    /// True for a thread of the kernel, which has neither executable nor arguments.
    pub kernel_thread: bool,
    /// How many threads it has.
    pub threads: u32,
    /// The link to its executable, ` (deleted)` kept.
    pub exe: Result<PathBuf, Missing>,
    /// Its working directory.
    pub cwd: Result<PathBuf, Missing>,
    /// Its arguments joined by one space; empty ones are lost. Empty for a kernel thread.
    pub command_line: Result<String, Missing>,
    /// The user who started it (the real id).
    pub real_uid: Result<u32, Missing>,
    /// What it itself calls its process id: the innermost of its pid namespaces.
    pub namespace_pid: Result<u32, Missing>,
    /// The text of its cgroup file.
    pub cgroup: Result<String, Missing>,
    /// The inode of its pid namespace.
    pub pid_namespace: Result<u64, Missing>,
    /// The inode of its mount namespace.
    pub mount_namespace: Result<u64, Missing>,
}

impl Proc {
    /// Reads the wanted facts of one process; `Err` says why not even its key could be read, most often because it is gone.
    ///
    /// System calls: 5 for the process and its key, then for each fact 1 (links) or 3 (texts); user and namespace pid share one text.
    pub fn facts(&mut self, tgid: u32, wanted: Wanted) -> Result<Facts, Missing> {
        let mut directory = self.directory(tgid)?;
        let stat = stat::parse(read_small(directory.as_fd(), "stat", &mut self.buffer)?).ok_or(Missing::Garbled)?;
        let (kernel_thread, orphaned) = (stat.kernel_thread, stat.has_ended() && stat.threads > 1);
        let mut facts = Facts {
            key: ProcessKey { tgid, start_time: stat.start_time },
            comm: String::from_utf8_lossy(stat.comm).into_owned(),
            kernel_thread,
            threads: stat.threads,
            exe: Err(Missing::NotAsked),
            cwd: Err(Missing::NotAsked),
            command_line: Err(Missing::NotAsked),
            real_uid: Err(Missing::NotAsked),
            namespace_pid: Err(Missing::NotAsked),
            cgroup: Err(Missing::NotAsked),
            pid_namespace: Err(Missing::NotAsked),
            mount_namespace: Err(Missing::NotAsked),
        };
        // The first thread has ended and given its memory back; others run on.
        if orphaned && let Some(other) = self.other_thread(tgid) {
            directory = other;
        }
        let (directory, buffer) = (directory.as_fd(), &mut self.buffer);
        if wanted.has(Wanted::EXE) {
            facts.exe = if kernel_thread { Err(Missing::KernelThread) } else { link(directory, "exe").map(path) };
        }
        if wanted.has(Wanted::CWD) {
            facts.cwd = link(directory, "cwd").map(path);
        }
        if wanted.has(Wanted::COMMAND_LINE) {
            facts.command_line = read_small(directory, "cmdline", buffer).map(joined_arguments);
        }
        if wanted.has(Wanted::USER | Wanted::NAMESPACE_PID) {
            let status = read_small(directory, "status", buffer).map(status::parse);
            if wanted.has(Wanted::USER) {
                facts.real_uid = status.and_then(|status| status.real_uid.ok_or(Missing::Garbled));
            }
            if wanted.has(Wanted::NAMESPACE_PID) {
                facts.namespace_pid = status.and_then(|status| status.namespace_pid.ok_or(Missing::Garbled));
            }
        }
        if wanted.has(Wanted::CGROUP) {
            facts.cgroup =
                read_small(directory, "cgroup", buffer).map(|text| String::from_utf8_lossy(text).into_owned());
        }
        let namespace = |name| namespace::inode(&link(directory, name)?).ok_or(Missing::Garbled);
        if wanted.has(Wanted::PID_NAMESPACE) {
            facts.pid_namespace = namespace("ns/pid");
        }
        if wanted.has(Wanted::MOUNT_NAMESPACE) {
            facts.mount_namespace = namespace("ns/mnt");
        }
        Ok(facts)
    }
}

fn link(directory: BorrowedFd<'_>, name: &str) -> Result<Vec<u8>, Missing> {
    Ok(rustix::fs::readlinkat(directory, name, Vec::new())?.into_bytes())
}

fn path(bytes: Vec<u8>) -> PathBuf {
    PathBuf::from(OsString::from_vec(bytes))
}

/// The arguments, each ended by a NUL in the text, joined by one space.
fn joined_arguments(text: &[u8]) -> String {
    let mut line = String::with_capacity(text.len());
    for argument in text.split(|&b| b == 0).filter(|argument| !argument.is_empty()) {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(&String::from_utf8_lossy(argument));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_joined_by_one_space() {
        for (text, expect) in [
            (&b"java\0-jar\0x.jar\0"[..], "java -jar x.jar"),
            (b"sh\0-c\0\0a b\0", "sh -c a b"),
            (b"nginx: worker process\0\0\0\0", "nginx: worker process"),
            (b"bad\xff\0", "bad\u{fffd}"),
            (b"no end", "no end"),
            (b"", ""),
        ] {
            assert_eq!(joined_arguments(text), expect);
        }
    }
}
