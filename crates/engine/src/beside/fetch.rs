//! The threads that ask servers for debug files. One keeps what is wanted and when to ask for it; the other asks and waits.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, after, bounded, never, select};
use elf::Elf;
use hashbrown::HashMap;
use inspect::Proc;

use crate::debug_server::{Asked, DebugServerCounts, DebugServers, Reply};
use crate::files::FileCounts;
use crate::namer::NamerEvent;
use crate::program_file::ProgramFile;

use super::Beside;
use super::kept::Kept;
use super::search::{Search, hexadecimal};
use super::seek::SeekRequest;

/// That no server has a file is believed for so long.
const ABSENT: Duration = Duration::from_secs(3600);
/// After a failure the same file is asked for again.
const AGAIN: Duration = Duration::from_secs(300);
/// A server that failed is asked for nothing.
const REST: Duration = Duration::from_secs(60);
/// Programs that wait for their turn; no more are taken.
const MOST_WAITING: usize = 4096;
/// Build ids of which it is remembered that there is nothing; then all are forgotten.
const MOST_KNOWN: usize = 16_384;

/// A program whose debug file is not on this host.
#[derive(Debug)]
pub(crate) struct FetchRequest {
    pub(crate) file: u64,
    /// Gone when nobody wants names of it any more.
    pub(crate) code: Weak<ProgramFile>,
    pub(crate) tgid: u32,
    /// In hexadecimal.
    pub(crate) build_id: String,
}

impl FetchRequest {
    /// That for a program whose look ends, if it has a build id and lacks what a server may have.
    pub(super) fn of(seek: &SeekRequest) -> Option<Self> {
        let build_id = seek.left.build_id.clone()?;
        Some(Self { file: seek.file, code: Arc::downgrade(&seek.code), tgid: seek.left.tgid, build_id })
    }
}

/// What came of a request.
enum Outcome {
    Found(Beside),
    /// Nothing before this.
    Later(Instant),
}

/// Runs until the requests end. What waits for a server then is left to itself.
pub(crate) fn run(
    requests: &Receiver<FetchRequest>,
    namer: &Sender<NamerEvent>,
    servers: DebugServers,
    counts: DebugServerCounts,
    files: FileCounts,
) {
    let (questions, asked) = bounded::<FetchRequest>(1);
    let (reply, answers) = bounded(1);
    let work = move || {
        let Some(mut fetcher) = Fetcher::new(servers, counts, files) else { return };
        for request in asked {
            let outcome = fetcher.fetch(&request.build_id, request.tgid);
            if reply.send((request, outcome)).is_err() {
                return;
            }
        }
    };
    if let Err(error) = thread::Builder::new().name("debuginfod".into()).spawn(work) {
        tracing::error!(%error, "cannot start a thread; no debug file is asked for");
        return;
    }
    let mut waiting: VecDeque<FetchRequest> = VecDeque::new();
    let mut later: Vec<(Instant, FetchRequest)> = Vec::new();
    let mut busy = false;
    loop {
        let now = Instant::now();
        waiting.extend(later.extract_if(.., |(due, _)| *due <= now).map(|(_, request)| request));
        while !busy && let Some(request) = waiting.pop_front() {
            if request.code.strong_count() > 0 {
                if questions.send(request).is_err() {
                    return;
                }
                busy = true;
            }
        }
        let due = later.iter().map(|(due, _)| *due).min();
        let due = due.map_or_else(never, |due| after(due.saturating_duration_since(now)));
        select! {
            recv(requests) -> request => match request {
                Ok(request) if waiting.len() + later.len() < MOST_WAITING => waiting.push_back(request),
                Ok(_) => tracing::debug!("too many programs without debug information; one is not asked for"),
                Err(_) => return,
            },
            recv(answers) -> answer => match answer {
                Ok((request, Outcome::Found(beside))) => {
                    busy = false;
                    if namer.send(NamerEvent::Beside(request.file, beside)).is_err() {
                        return;
                    }
                }
                Ok((request, Outcome::Later(due))) => {
                    busy = false;
                    later.push((due, request));
                }
                Err(_) => return,
            },
            recv(due) -> _ => {}
        }
    }
}

/// What asks, on the thread for it.
struct Fetcher {
    servers: DebugServers,
    kept: Kept,
    proc: Proc,
    counts: DebugServerCounts,
    files: FileCounts,
    /// By server, until when it is asked for nothing.
    resting: Vec<Option<Instant>>,
    /// Build ids of which there is nothing, until then.
    nothing: HashMap<String, Instant>,
}

impl Fetcher {
    fn new(servers: DebugServers, counts: DebugServerCounts, files: FileCounts) -> Option<Self> {
        let kept = Kept::open(&servers.folder, servers.bytes).inspect_err(|error| {
            tracing::error!(folder = %servers.folder.display(), %error, "cannot keep debug files; none is asked for");
        });
        let resting = vec![None; servers.servers.len()];
        Some(Self {
            kept: kept.ok()?,
            proc: Proc::open().ok()?,
            servers,
            counts,
            files,
            resting,
            nothing: HashMap::new(),
        })
    }

    /// The debug file of a program and, if that leads to another one, this too.
    fn fetch(&mut self, id: &str, tgid: u32) -> Outcome {
        let debug = match self.file(id) {
            Ok(debug) => Arc::new(ProgramFile::from(debug)),
            Err(due) => return Outcome::Later(due),
        };
        // Only the host has what belongs to it.
        let folder: PathBuf = self.servers.folder.join(id);
        let mut search =
            Search { proc: &mut self.proc, tgid: std::process::id(), path: Path::new("/"), counts: &self.files };
        let mut beside = search.with_debug(&folder, Arc::clone(&debug));
        beside.tgid = tgid;
        let link = Elf::parse(&*debug).ok().and_then(|(elf, _)| elf.alternate_link());
        if let Some(link) = link.filter(|_| beside.alternate.is_none()) {
            beside.alternate =
                self.file(&hexadecimal(&link.build_id)).ok().map(|file| Arc::new(ProgramFile::from(file)));
        }
        Outcome::Found(beside)
    }

    /// The file of a build id, or when to ask again.
    fn file(&mut self, id: &str) -> Result<File, Instant> {
        if let Some(file) = self.kept.get(id) {
            return Ok(file);
        }
        let now = Instant::now();
        if let Some(due) = self.nothing.get(id).filter(|due| **due > now) {
            return Err(*due);
        }
        let mut pause = ABSENT;
        for server in 0..self.resting.len() {
            if self.resting[server].is_some_and(|until| until > Instant::now()) {
                pause = AGAIN;
                continue;
            }
            let (asked, file) = self.ask(server, id);
            self.counts.count(asked);
            match (asked, file) {
                (Asked::Failed, _) => {
                    self.resting[server] = Some(Instant::now() + REST);
                    pause = AGAIN;
                }
                (_, Some(file)) => return Ok(file),
                _ => {}
            }
        }
        if self.nothing.len() >= MOST_KNOWN {
            self.nothing.clear();
        }
        let due = Instant::now() + pause;
        self.nothing.insert(id.to_owned(), due);
        Err(due)
    }

    fn ask(&mut self, server: usize, id: &str) -> (Asked, Option<File>) {
        let failed = |error: &io::Error| {
            tracing::warn!(%error, "a debug file cannot be kept");
            (Asked::Failed, None)
        };
        let mut coming = match self.kept.begin() {
            Ok(coming) => coming,
            Err(error) => return failed(&error),
        };
        match self.servers.servers[server].get(id, &mut coming) {
            Reply::Sent => match coming.finish(id) {
                Ok(Some(file)) => {
                    tracing::debug!(build_id = id, "debug file fetched");
                    (Asked::Found, Some(file))
                }
                Ok(None) => {
                    tracing::warn!(build_id = id, "a server of debug files sent something else");
                    (Asked::Wrong, None)
                }
                Err(error) => failed(&error),
            },
            Reply::Absent => (Asked::Absent, None),
            Reply::TooLarge => {
                tracing::warn!(build_id = id, "a debug file is too large to be fetched");
                (Asked::TooLarge, None)
            }
            Reply::Failed(error) => {
                tracing::warn!(
                    build_id = id,
                    error,
                    "a server of debug files does not answer; it is left alone for a minute"
                );
                (Asked::Failed, None)
            }
        }
    }
}

#[cfg(test)]
mod tests;
