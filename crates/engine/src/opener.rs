//! Opens files as soon as they are seen, so that they can be named when their process is gone.
//!
//! An open can block for as long as a FUSE file system likes: a thread of its own does it, and one that does not answer in
//! time is left to itself. Its file stays without names; another thread goes on with the next.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};
use elf::Elf;
use inspect::proc::OpenError;
use inspect::{Avma, Identity, MappedFile, Proc};

use crate::aside::{Aside, Asked, Lost};
use crate::beside::Beside;
use crate::beside::search::{Left, Search};
use crate::beside::seek::SeekRequest;
use crate::files::FileCounts;
use crate::namer::NamerEvent;
use crate::program_file::ProgramFile;
use crate::rows::{BuildRequest, PAUSE, RowRequest, Wish, seconds};

/// A file as the kernel side tells it from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct FileKey {
    pub(crate) ino: u64,
    pub(crate) dev: u32,
    pub(crate) version: u32,
}

/// Asks for a file to be opened through a process that has it mapped.
#[derive(Debug)]
pub(crate) struct OpenRequest {
    pub(crate) file: u64,
    pub(crate) key: FileKey,
    pub(crate) tgid: u32,
    pub(crate) start: u64,
    pub(crate) end: u64,
    /// The path within its file system, as far as the kernel told.
    pub(crate) path: Option<String>,
    pub(crate) wish: Wish,
}

/// What was learned about a file.
#[derive(Debug)]
pub(crate) struct OpenedFile {
    pub(crate) file: u64,
    pub(crate) path: PathBuf,
    /// In hexadecimal; empty when it has none.
    pub(crate) build_id: Arc<str>,
    /// Open for reading; `None` when it could not be reached in time.
    pub(crate) handle: Option<Arc<ProgramFile>>,
    pub(crate) segments: Vec<CodeSegment>,
    pub(crate) beside: Beside,
    /// What there is to do for its debug file.
    pub(crate) left: Option<Left>,
}

/// A loadable segment with code.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CodeSegment {
    pub(crate) offset: u64,
    pub(crate) address: u64,
    pub(crate) size: u64,
}

/// How long an open may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// A file that was tried so often, and not reached, has no unwind rows.
const MOST_TRIES: u32 = 3;
/// So many threads are left to themselves at a time, and so many for files of one device; others of it, or all others, have no
/// names until some have come back.
const MOST_LOST: [usize; 2] = [16, 8];

/// Runs until the requests end.
pub(crate) fn run(
    requests: &Receiver<OpenRequest>,
    namer: &Sender<NamerEvent>,
    rows: &Sender<RowRequest>,
    seeker: &Sender<SeekRequest>,
    counts: &FileCounts,
) {
    let mut worker = None;
    let mut lost = Lost::new(MOST_LOST);
    for request in requests {
        let unreached = OpenedFile::unreached(&request);
        let (pid, key, wish) = (request.tgid, request.key, Arc::clone(&request.wish));
        let mut ask = |request| {
            if lost.is_full(key.dev) {
                return Asked::Gone;
            }
            let asked = worker
                .get_or_insert_with(|| {
                    Aside::start("files", {
                        let counts = counts.clone();
                        || open_all(counts)
                    })
                })
                .ask(request, PATIENCE);
            if matches!(asked, Asked::Late) {
                lost.add(key.dev, worker.take());
            }
            asked
        };
        // One that does not answer costs each try dearly.
        let (mut pause, mut most_tries) = (0, MOST_TRIES);
        let mut opened = match ask(request) {
            Asked::Answered(opened) => opened,
            Asked::Gone => unreached,
            Asked::Late => {
                (pause, most_tries) = (PAUSE, 1);
                tracing::warn!(pid, path = %unreached.path.display(), "a file does not answer; its code has no names");
                unreached
            }
        };
        if let Some(file) = &opened.handle {
            let (file, path) = (Arc::clone(file), opened.path.clone());
            let request = BuildRequest { key, file, path, wish: Arc::clone(&wish) };
            if rows.try_send(RowRequest::Build(request)).is_err_and(|error| error.is_full()) {
                tracing::warn!(path = %opened.path.display(), "too many new files at once; one stays without unwind rows for a while");
                wish.not_reached(seconds());
            }
        } else if wish.not_reached(seconds() + pause) >= most_tries {
            // The kernel side sends no more stacks of it, which nobody could go on with.
            _ = rows.try_send(RowRequest::Absent(key, wish));
        }
        let (file, left) = (opened.file, opened.left.take());
        let seek = left.zip(opened.handle.clone()).map(|(left, code)| SeekRequest { file, code, left });
        if namer.send(NamerEvent::File(opened)).is_err() {
            return;
        }
        if seek.is_some_and(|seek| seeker.try_send(seek).is_err_and(|error| error.is_full())) {
            tracing::debug!("too many programs without names at once; a debug file is not looked for");
        }
    }
}

/// What opens, on the thread for it.
fn open_all(counts: FileCounts) -> Option<impl FnMut(OpenRequest) -> OpenedFile> {
    match Proc::open() {
        Ok(mut proc) => Some(move |request| open(&mut proc, request, &counts)),
        Err(_) => {
            tracing::error!("cannot open /proc; no file can be named. Mount /proc.");
            None
        }
    }
}

impl OpenedFile {
    fn unreached(request: &OpenRequest) -> Self {
        Self {
            file: request.file,
            path: request.path.as_deref().map(PathBuf::from).unwrap_or_default(),
            build_id: Arc::from(""),
            handle: None,
            segments: Vec::new(),
            beside: Beside::default(),
            left: None,
        }
    }
}

fn open(proc: &mut Proc, request: OpenRequest, counts: &FileCounts) -> OpenedFile {
    let mapped = proc.open_mapped(request.tgid, Avma(request.start), Avma(request.end));
    let mapped = mapped.and_then(|found| sampled(found, &request, true)).or_else(|error| {
        // The process may be gone while its program is still there under the same name.
        let path = request.path.as_deref().map(Path::new).ok_or_else(|| error.clone())?;
        let found = proc.open_root_relative(std::process::id(), path)?;
        sampled(found, &request, false).map_err(|_| error)
    });
    match mapped {
        Ok(mapped) => {
            let (path, identity) = (mapped.path.clone(), mapped.identity);
            let file = ProgramFile::mapped(mapped, request.key.dev, counts);
            let (segments, build_id, (beside, left)) = match Elf::parse(&file) {
                Ok((elf, _)) => {
                    let path = path.to_string_lossy();
                    let path = Path::new(path.strip_suffix(" (deleted)").unwrap_or(&path));
                    let mut search = Search { proc, tgid: request.tgid, path, counts };
                    (code_segments(&elf), elf.build_id(), search.find(&elf, identity))
                }
                Err(_) => Default::default(),
            };
            OpenedFile {
                file: request.file,
                path,
                build_id: build_id.map_or_else(|| Arc::from(""), |id| Arc::from(id.to_string())),
                handle: Some(Arc::new(file)),
                segments,
                beside,
                left,
            }
        }
        Err(error) => {
            tracing::debug!(pid = request.tgid, path = request.path, %error, "file not reached");
            OpenedFile::unreached(&request)
        }
    }
}

/// The file if it is the one that was sampled, and in that state. Another program may be at the same place by now.
fn sampled(found: MappedFile, request: &OpenRequest, mapped: bool) -> Result<MappedFile, OpenError> {
    match is_sampled(&found.identity, request.key) {
        Some(true) => Ok(found),
        None if mapped => Ok(found),
        _ => Err(OpenError::Replaced { tgid: request.tgid, path: found.path }),
    }
}

/// Whether a file is the one of the key; nothing where that cannot be told: overlayfs has other numbers than the file behind it.
fn is_sampled(identity: &Identity, key: FileKey) -> Option<bool> {
    let device = identity.device.major << 20 | identity.device.minor;
    let version = identity.generation.map(|generation| abi::rows::file_version(identity.changed as u64, generation));
    match version {
        Some(version) => Some((identity.inode, version) == (key.ino, key.version)),
        None => (device == key.dev).then_some(identity.inode == key.ino),
    }
}

fn code_segments<R>(elf: &Elf<R>) -> Vec<CodeSegment> {
    let code = elf.segments().iter().filter(|segment| segment.is_code());
    code.map(|s| CodeSegment { offset: s.offset.0, address: s.address.0, size: s.file_size }).collect()
}

#[cfg(test)]
mod tests {
    use inspect::Device;

    use super::*;

    #[test]
    fn a_file_is_taken_only_in_the_state_in_which_it_was_sampled() {
        let device = Device { major: 8, minor: 1 };
        let identity = Identity { device, inode: 7, size: 1, modified: 1, changed: 99, generation: Some(5) };
        let key = FileKey { ino: 7, dev: 8 << 20 | 1, version: abi::rows::file_version(99, 5) };
        assert_eq!(is_sampled(&identity, key), Some(true));
        assert_eq!(is_sampled(&Identity { changed: 100, ..identity }, key), Some(false), "written to since");
        assert_eq!(
            is_sampled(&Identity { generation: Some(6), ..identity }, key),
            Some(false),
            "another with the inode"
        );
        assert_eq!(is_sampled(&Identity { inode: 8, ..identity }, key), Some(false));

        let untold = Identity { generation: None, ..identity };
        let elsewhere = Device { major: 0, minor: 40 };
        assert_eq!(is_sampled(&untold, key), Some(true));
        assert_eq!(is_sampled(&Identity { inode: 8, ..untold }, key), Some(false));
        assert_eq!(is_sampled(&Identity { device: elsewhere, inode: 8, ..untold }, key), None);
        assert_eq!(is_sampled(&Identity { device: elsewhere, ..identity }, key), Some(true), "a volume of btrfs");
    }
}
