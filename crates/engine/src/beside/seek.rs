//! The thread for what takes longer: checksums and unpacking. Frames are named without it meanwhile, and again when it has
//! found something.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};
use elf::{Elf, ReadAt};
use flate2::Crc;
use inspect::Proc;
use symbolize::mini;

use crate::aside::{Aside, Asked, Lost};
use crate::files::FileCounts;
use crate::namer::NamerEvent;
use crate::program_file::ProgramFile;

use super::Beside;
use super::fetch::FetchRequest;
use super::search::{Left, Search};

/// What a program's look for debug files may take. A checksum is made of a gigabyte in a second or two.
const PATIENCE: Duration = Duration::from_secs(30);
/// No checksum is made of a larger file.
const LARGEST_LINKED: u64 = 4 << 30;
/// So many threads are left to themselves at a time; then nothing is looked for.
const MOST_LOST: usize = 4;

/// A program whose debug file was not found at once.
#[derive(Debug)]
pub(crate) struct SeekRequest {
    pub(crate) file: u64,
    pub(crate) code: Arc<ProgramFile>,
    pub(crate) left: Left,
}

/// Runs until the requests end. What has no debug information after that goes to `fetch`, if there is somebody to ask.
pub(crate) fn run(
    requests: &Receiver<SeekRequest>,
    namer: &Sender<NamerEvent>,
    fetch: Option<&Sender<FetchRequest>>,
    counts: &FileCounts,
) {
    let mut worker = None;
    let mut lost = Lost::new([MOST_LOST; 2]);
    for request in requests {
        let file = request.file;
        let wish = fetch.zip(FetchRequest::of(&request));
        let wanted = move || {
            let full = wish.is_some_and(|(fetch, wish)| fetch.try_send(wish).is_err_and(|error| error.is_full()));
            if full {
                tracing::debug!("too many programs without debug information; one is not asked for");
            }
        };
        let left = &request.left;
        if (left.linked.is_empty() && !left.packed) || lost.is_full(()) {
            wanted();
            continue;
        }
        let start = || {
            let counts = counts.clone();
            Aside::start("debug files", || look_all(counts))
        };
        match worker.get_or_insert_with(start).ask(request, PATIENCE) {
            Asked::Answered(Some(beside)) => {
                let told = beside.debug.as_ref().is_some_and(has_dwarf);
                if namer.send(NamerEvent::Beside(file, beside)).is_err() {
                    return;
                }
                if !told {
                    wanted();
                }
            }
            Asked::Answered(None) | Asked::Gone => wanted(),
            Asked::Late => {
                tracing::warn!("a debug file does not answer; its program has the names without it");
                lost.add((), worker.take());
                wanted();
            }
        }
    }
}

fn look_all(counts: FileCounts) -> Option<impl FnMut(SeekRequest) -> Option<Beside>> {
    let mut proc = Proc::open().ok()?;
    Some(move |request| look(&mut proc, &request, &counts))
}

/// A linked file with the right checksum, else names that are packed into the program.
pub(super) fn look(proc: &mut Proc, request: &SeekRequest, counts: &FileCounts) -> Option<Beside> {
    let left = &request.left;
    let right = |(_, file): &&(_, Arc<ProgramFile>)| checksum(file).is_ok_and(|sum| sum == left.checksum);
    let mut search = Search { proc, tgid: left.tgid, path: &left.path, counts };
    if let Some((path, file)) = left.linked.iter().find(right) {
        return Some(search.with_debug(path, Arc::clone(file)));
    }
    if !left.packed {
        return None;
    }
    let (elf, _) = Elf::parse(&*request.code).ok()?;
    match mini::unpack(&elf, tempfile::tempfile) {
        Ok(names) => {
            let debug = names.map(|file| Arc::new(ProgramFile::from(file)));
            Some(Beside { debug, ..search.with_nothing() })
        }
        Err(error) => {
            tracing::debug!(path = %left.path.display(), %error, "packed names cannot be used");
            None
        }
    }
}

fn has_dwarf(file: &Arc<ProgramFile>) -> bool {
    Elf::parse(&**file).is_ok_and(|(elf, _)| elf.section(".debug_info").is_some())
}

/// The CRC-32 of a whole file.
fn checksum(file: &ProgramFile) -> io::Result<u32> {
    if file.size()? > LARGEST_LINKED {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let (mut sum, mut piece, mut at) = (Crc::new(), vec![0; 256 << 10], 0);
    loop {
        let count = ReadAt::read_at(file, at, &mut piece)?;
        if count == 0 || at > LARGEST_LINKED {
            return Ok(sum.sum());
        }
        sum.update(&piece[..count]);
        at += count as u64;
    }
}
