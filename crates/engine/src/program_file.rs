//! A file of a program or of its debug information, open for reading.
//!
//! What lies on this machine is read at once. What a process or another machine answers for (FUSE, NFS, …) is read by a thread
//! aside: a file that does not answer in time is not read any more, and costs its own names and rows and nothing else.

use std::cell::RefCell;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Sender, bounded};
use elf::ReadAt;
use inspect::{Backing, MappedFile};

use crate::aside::{Aside, Asked, Lost};
use crate::files::FileCounts;

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_millis(800);
/// How long all answers for one file may take, and so much more for each part of the time that it is open.
const AT_FIRST: Duration = Duration::from_secs(2);
const PART: u32 = 10;
/// So many threads of one that reads are left to themselves at a time, and so many for files of one device.
const MOST_LOST: [usize; 2] = [8, 2];
/// So many bytes are asked for at once.
const PIECE: usize = 256 << 10;
/// So many files wait to be closed; others stay open.
const TO_CLOSE: usize = 1024;

/// The file.
#[derive(Debug)]
pub(crate) struct ProgramFile(Kind);

#[derive(Debug)]
enum Kind {
    Near(File),
    Far(Far),
}

/// A file that may not answer.
#[derive(Debug)]
struct Far {
    /// Is there until it drops.
    file: Option<Arc<File>>,
    path: PathBuf,
    device: u64,
    opened: Instant,
    /// Nanoseconds that were waited for it.
    waited: AtomicU64,
    silent: AtomicBool,
    counts: FileCounts,
}

impl ProgramFile {
    /// A file that was reached by a path. What overlayfs has may be anywhere.
    pub(crate) fn reached(found: MappedFile, counts: &FileCounts) -> Self {
        let near = found.backing == Backing::Local;
        Self::of(found, near, counts)
    }

    /// A file that is mapped from this device, as the kernel numbers it: that of the file behind overlayfs.
    pub(crate) fn mapped(found: MappedFile, device: u32, counts: &FileCounts) -> Self {
        // Disks have a major number.
        let on_disk = device >> 20 != 0;
        let near = found.backing == Backing::Local || found.backing == Backing::Other && on_disk;
        Self::of(found, near, counts)
    }

    fn of(found: MappedFile, near: bool, counts: &FileCounts) -> Self {
        if near {
            return Self(Kind::Near(found.file));
        }
        let device = found.identity.device;
        Self::far(found.file, found.path, u64::from(device.major) << 32 | u64::from(device.minor), counts.clone())
    }

    fn far(file: File, path: PathBuf, device: u64, counts: FileCounts) -> Self {
        let (file, waited, silent) = (Some(Arc::new(file)), AtomicU64::new(0), AtomicBool::new(false));
        Self(Kind::Far(Far { file, path, device, opened: Instant::now(), waited, silent, counts }))
    }

    /// True once it did not answer: nothing is to be had of it any more.
    pub(crate) fn is_silent(&self) -> bool {
        matches!(&self.0, Kind::Far(far) if far.silent.load(Relaxed))
    }

    /// What its file system says of it.
    pub(crate) fn metadata(&self) -> io::Result<Metadata> {
        match &self.0 {
            Kind::Near(file) => file.metadata(),
            Kind::Far(far) => match far.ask(Wanted::Metadata)? {
                Answer::Metadata(metadata) => Ok(metadata),
                Answer::Bytes(_) => Err(io::ErrorKind::InvalidData.into()),
            },
        }
    }
}

/// A file of this machine.
impl From<File> for ProgramFile {
    fn from(file: File) -> Self {
        Self(Kind::Near(file))
    }
}

impl ReadAt for ProgramFile {
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let far = match &self.0 {
            Kind::Near(file) => return ReadAt::read_at(file, offset, into),
            Kind::Far(far) => far,
        };
        let mut done = 0;
        for piece in into.chunks_mut(PIECE) {
            let wanted = Wanted::Bytes { offset: offset.saturating_add(done as u64), most: piece.len() };
            let Answer::Bytes(bytes) = far.ask(wanted)? else { return Err(io::ErrorKind::InvalidData.into()) };
            let (filled, rest) = piece.split_at_mut(bytes.len().min(piece.len()));
            filled.copy_from_slice(&bytes[..filled.len()]);
            done += filled.len();
            if !rest.is_empty() {
                break;
            }
        }
        Ok(done)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.metadata()?.size())
    }
}

/// What is asked of a file.
enum Wanted {
    Bytes { offset: u64, most: usize },
    Metadata,
}

enum Answer {
    Bytes(Vec<u8>),
    Metadata(Metadata),
}

type Question = (Arc<File>, Wanted);

fn answer((file, wanted): Question) -> io::Result<Answer> {
    match wanted {
        Wanted::Metadata => file.metadata().map(Answer::Metadata),
        Wanted::Bytes { offset, most } => {
            let mut bytes = vec![0; most];
            let count = ReadAt::read_at(&*file, offset, &mut bytes)?;
            bytes.truncate(count);
            Ok(Answer::Bytes(bytes))
        }
    }
}

/// What reads for one thread.
struct Reader {
    aside: Option<Aside<Question, io::Result<Answer>>>,
    lost: Lost<u64>,
}

thread_local! {
    static READER: RefCell<Reader> = RefCell::new(Reader { aside: None, lost: Lost::new(MOST_LOST) });
}

impl Far {
    fn ask(&self, wanted: Wanted) -> io::Result<Answer> {
        let Some(file) = self.file.as_ref().filter(|_| !self.silent.load(Relaxed)) else { return Err(silence()) };
        let begun = Instant::now();
        let asked = READER.with_borrow_mut(|reader| {
            if reader.lost.is_full(self.device) {
                return Asked::Late;
            }
            let aside = reader.aside.get_or_insert_with(|| Aside::start("distant files", || Some(answer)));
            let asked = aside.ask((Arc::clone(file), wanted), PATIENCE);
            match asked {
                Asked::Late => reader.lost.add(self.device, reader.aside.take()),
                // The next question starts another one.
                Asked::Gone => reader.aside = None,
                Asked::Answered(_) => {}
            }
            asked
        });
        let now = begun.elapsed().as_nanos() as u64;
        let waited = self.waited.fetch_add(now, Relaxed) + now;
        let patience = AT_FIRST + self.opened.elapsed() / PART;
        match asked {
            Asked::Answered(answer) if u128::from(waited) < patience.as_nanos() => answer,
            Asked::Gone => Err(io::ErrorKind::Other.into()),
            Asked::Answered(_) | Asked::Late => {
                if !self.silent.swap(true, Relaxed) {
                    self.counts.count_silent();
                    let path = self.path.display();
                    tracing::warn!(%path, "the file system of a file does not answer in time; its code has no names or unwind rows");
                }
                Err(silence())
            }
        }
    }
}

fn silence() -> io::Error {
    io::ErrorKind::TimedOut.into()
}

impl Drop for Far {
    /// To close a file is a question too.
    fn drop(&mut self) {
        static CLOSER: OnceLock<Sender<Arc<File>>> = OnceLock::new();
        let Some(file) = self.file.take() else { return };
        let closer = CLOSER.get_or_init(|| {
            let (files, closed) = bounded(TO_CLOSE);
            let run = move || closed.into_iter().for_each(drop);
            if let Err(error) = thread::Builder::new().name("close".into()).spawn(run) {
                tracing::error!(%error, "cannot start a thread; files of network file systems stay open");
            }
            files
        });
        if let Err(error) = closer.try_send(file) {
            std::mem::forget(error.into_inner());
        }
    }
}
