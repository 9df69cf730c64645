//! Reads `/proc`, and files through it; nothing else in the workspace does.

use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{Mode, OFlags, RawDir};
use rustix::io::Errno;

use crate::namespace::{HOST_PID_NAMESPACE, Visibility, inode};
use crate::process::{Missing, ProcessKey};
use crate::stat;

mod backing;
mod facts;
mod open;

pub use backing::Backing;
pub use facts::{Facts, Wanted};
pub use open::{Identity, MappedFile, OpenError, Reached};

/// A text in `/proc` longer than this is not read: the longest real ones, the maps of a process at the kernel's limit of
/// 65,530 mappings, take a tenth of it.
const LONGEST_TEXT: usize = 64 << 20;

/// What [`Proc::stream`] reads at once; the kernel makes such texts a page at a time.
const PIECE: usize = 16 << 10;

/// The read buffer is given back to the system when a text made it grow past this.
const KEPT_BUFFER: usize = 256 << 10;

/// An open `/proc` and a buffer that every read uses again; each thread has its own.
#[derive(Debug)]
pub struct Proc {
    root: OwnedFd,
    buffer: Vec<u8>,
}

impl Proc {
    /// Opens `/proc`.
    pub fn open() -> Result<Self, Missing> {
        Self::open_at(Path::new("/proc"))
    }

    /// Opens a `/proc` that is mounted elsewhere, as `/host/proc` in a container.
    pub fn open_at(path: &Path) -> Result<Self, Missing> {
        let root = rustix::fs::open(path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        Ok(Self { root, buffer: vec![0; 4096] })
    }

    /// The ids of all processes, in no order. Kernel threads are among them.
    pub fn processes(&self) -> Result<Vec<u32>, Missing> {
        numbered_entries(self.root.as_fd(), ".")
    }

    /// The thread ids of a process.
    pub fn threads(&self, tgid: u32) -> Result<Vec<u32>, Missing> {
        numbered_entries(self.root.as_fd(), &format!("{tgid}/task"))
    }

    /// The key of the process that has this id now.
    pub fn key(&mut self, tgid: u32) -> Result<ProcessKey, Missing> {
        let text = read_small(self.root.as_fd(), &format!("{tgid}/stat"), &mut self.buffer)?;
        let stat = stat::parse(text).ok_or(Missing::Garbled)?;
        Ok(ProcessKey { tgid, start_time: stat.start_time })
    }

    /// The name of one thread.
    pub fn thread_name(&mut self, tgid: u32, tid: u32) -> Result<String, Missing> {
        let text = read_small(self.root.as_fd(), &format!("{tgid}/task/{tid}/comm"), &mut self.buffer)?;
        Ok(String::from_utf8_lossy(text.strip_suffix(b"\n").unwrap_or(text)).into_owned())
    }

    /// The text of a process's maps, for [`crate::maps::Maps`]; empty for a kernel thread.
    pub fn maps(&mut self, tgid: u32) -> Result<&[u8], Missing> {
        read(self.root.as_fd(), &format!("{tgid}/maps"), &mut self.buffer)
    }

    /// The text of a file at the top, as `kallsyms` or `modules`, handed to `piece` in pieces as the kernel gives them.
    pub fn stream(&mut self, name: &str, mut piece: impl FnMut(&[u8])) -> Result<(), Missing> {
        let file = open_for_reading(self.root.as_fd(), name)?;
        self.buffer.resize(self.buffer.len().max(PIECE), 0);
        loop {
            match rustix::io::read(&file, &mut self.buffer[..]) {
                Ok(0) => return Ok(()),
                Ok(count) => piece(&self.buffer[..count]),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    /// Whether this `/proc` shows the host's processes under the numbers that the kernel will give us.
    ///
    /// The number of the host's pid namespace is fixed in the kernel; a sandbox that emulates Linux may lie about it.
    pub fn visibility(&self) -> Visibility {
        let link = |name: &str| rustix::fs::readlinkat(&self.root, name, Vec::new()).ok();
        let shown_pid: Option<i32> = link("self").and_then(|link| link.to_str().ok()?.parse().ok());
        if shown_pid != Some(rustix::process::getpid().as_raw_nonzero().get()) {
            // Of another namespace than ours: that of the host serves as well, and only there has the kernel its threads.
            let is_host = shown_pid.is_some() && self.has_kernel_threads();
            return if is_host { Visibility::Host } else { Visibility::ForeignProc };
        }
        match link("self/ns/pid").and_then(|link| inode(link.as_bytes())) {
            Some(HOST_PID_NAMESPACE) => Visibility::Host,
            Some(inode) => Visibility::Nested { inode },
            None => Visibility::Unknown,
        }
    }

    /// Whether process 2 is `kthreadd`, the parent of all threads of the kernel.
    fn has_kernel_threads(&self) -> bool {
        let mut buffer = vec![0; 4096];
        let text = read_small(self.root.as_fd(), "2/stat", &mut buffer).ok();
        text.and_then(stat::parse).is_some_and(|stat| stat.kernel_thread)
    }

    /// The directory of a process. What is read through it is of this process or nothing, even when its id is used again.
    fn directory(&self, tgid: u32) -> Result<OwnedFd, Missing> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(rustix::fs::openat(&self.root, tgid.to_string(), flags, Mode::empty())?)
    }

    /// The directory of a process that has its memory: that of another thread when the first one has ended.
    fn living_directory(&mut self, tgid: u32) -> Result<OwnedFd, Missing> {
        let directory = self.directory(tgid)?;
        let stat = read_small(directory.as_fd(), "stat", &mut self.buffer).ok().and_then(stat::parse);
        let has_ended = stat.is_some_and(|stat| stat.has_ended());
        Ok(if has_ended { self.other_thread(tgid).unwrap_or(directory) } else { directory })
    }

    /// The directory of a thread that lives, of a process whose first thread has ended. A thread's number leads to a directory
    /// as complete as a process's, though no listing shows it.
    fn other_thread(&mut self, tgid: u32) -> Option<OwnedFd> {
        let threads = self.threads(tgid).ok()?;
        threads.into_iter().filter(|thread| *thread != tgid).find_map(|thread| {
            let directory = self.directory(thread).ok()?;
            let stat = stat::parse(read_small(directory.as_fd(), "stat", &mut self.buffer).ok()?)?;
            (!stat.has_ended()).then_some(directory)
        })
    }
}

fn open_for_reading(directory: BorrowedFd<'_>, name: &str) -> Result<OwnedFd, Errno> {
    rustix::fs::openat(directory, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
}

/// Reads a text of many parts, as maps, whose end only an empty read tells.
fn read<'b>(directory: BorrowedFd<'_>, name: &str, buffer: &'b mut Vec<u8>) -> Result<&'b [u8], Missing> {
    read_until(directory, name, buffer, |count, _| count == 0)
}

/// Reads a text that the kernel makes in one go, so that a read which does not fill the buffer is the last.
fn read_small<'b>(directory: BorrowedFd<'_>, name: &str, buffer: &'b mut Vec<u8>) -> Result<&'b [u8], Missing> {
    read_until(directory, name, buffer, |count, room| count < room)
}

fn read_until<'b>(
    directory: BorrowedFd<'_>,
    name: &str,
    buffer: &'b mut Vec<u8>,
    is_last: impl Fn(usize, usize) -> bool,
) -> Result<&'b [u8], Missing> {
    let file = open_for_reading(directory, name)?;
    if buffer.len() > KEPT_BUFFER {
        buffer.truncate(KEPT_BUFFER);
        buffer.shrink_to_fit();
    }
    let mut length = 0;
    loop {
        if length == buffer.len() {
            if length >= LONGEST_TEXT {
                return Err(Missing::Garbled);
            }
            buffer.resize(length * 2, 0);
        }
        match rustix::io::read(&file, &mut buffer[length..]) {
            Ok(count) => {
                let room = buffer.len() - length;
                length += count;
                if is_last(count, room) {
                    return Ok(&buffer[..length]);
                }
            }
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// The entries of a directory whose names are numbers.
fn numbered_entries(parent: BorrowedFd<'_>, name: &str) -> Result<Vec<u32>, Missing> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = rustix::fs::openat(parent, name, flags, Mode::empty())?;
    let mut buffer = [MaybeUninit::uninit(); 16 << 10];
    let mut entries = RawDir::new(directory, &mut buffer);
    let mut numbers = Vec::new();
    while let Some(entry) = entries.next() {
        if let Ok(name) = entry?.file_name().to_str()
            && let Ok(number) = name.parse()
        {
            numbers.push(number);
        }
    }
    Ok(numbers)
}

#[cfg(test)]
mod tests;
