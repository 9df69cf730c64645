//! The handle that the rest of the program holds.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use abi::Counter;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use crate::account::Account;
use crate::batch::Sink;
use crate::beside::{fetch, seek};
use crate::budget::{Budget, ShedCounts, Watch};
use crate::cache::CacheLimits;
use crate::command::{Command, SessionId};
use crate::debug_server::{DebugServerCounts, DebugServers};
use crate::files::FileCounts;
use crate::kernel::{Kernel, KernelCounters, KernelError, RowMaps, Waker};
use crate::process::{self, ProcessChange};
use crate::repair::MOST_HELD;
use crate::rows::{Asker, RowCounts};
use crate::sampler::{Others, Sampler, now};
use crate::session::{Settings, Shared};
use crate::symbol_cache::{SymbolCache, SymbolCounts};
use crate::target::TargetChange;
use crate::{namer, opener, rows};

/// Commands that wait for the sampler thread. It reads them several times a second; a full queue makes the sender wait.
const COMMANDS: usize = 256;
/// Windows and files that wait to be named. A window that finds the queue full is lost and counted.
const TO_NAME: usize = 64;
/// Files that wait for their unwind rows: as many as may be open.
const TO_BUILD: usize = 4096;
/// Files that wait to be opened.
const TO_OPEN: usize = 1024;
/// Programs whose debug files are looked for.
const TO_SEEK: usize = 1024;
/// How long the threads may take to end.
const STOP_WAIT: Duration = Duration::from_secs(10);

/// Why the engine did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The kernel side did not load.
    #[error(transparent)]
    Kernel(#[from] KernelError),
    /// A thread could not be made.
    #[error("cannot start a thread")]
    Thread(#[from] std::io::Error),
}

/// What the kernel side gives to others when it is loaded.
type Loaded = (Waker, u64, Option<Box<dyn RowMaps>>);

/// The running engine. Clones share it; it stops when [`stop`](Self::stop) is called.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

struct Inner {
    commands: Sender<Command>,
    wake: Waker,
    map_bytes: u64,
    totals: Totals,
    files: FileCounts,
    rows: RowCounts,
    shed: ShedCounts,
    caches: CacheLimits,
    symbols: SymbolCounts,
    debug_servers: DebugServerCounts,
    sessions: AtomicU64,
    threads: std::sync::Mutex<Vec<JoinHandle<()>>>,
    /// Closes when all threads have ended.
    ended: Receiver<()>,
}

/// Totals of the kernel side as they were last read.
#[derive(Clone)]
pub(crate) struct Totals(Arc<[AtomicU64; Counter::ALL.len()]>);

impl Default for Totals {
    fn default() -> Self {
        Self(Arc::new(std::array::from_fn(|_| AtomicU64::new(0))))
    }
}

impl Totals {
    pub(crate) fn set(&self, counters: &KernelCounters) {
        for (total, value) in self.0.iter().zip(counters.0) {
            total.store(value, Relaxed);
        }
    }
}

/// What the engine holds.
#[derive(Clone, Copy, Debug)]
pub struct Status {
    /// Kernel memory of the maps, in bytes.
    pub map_bytes: u64,
}

impl Engine {
    /// Starts the threads, which keep to the budget. `kernel` is called on the sampler thread and makes the kernel side; this waits for it.
    ///
    /// # Errors
    /// What `kernel` says, or that a thread could not be made.
    pub fn start(
        budget: Budget,
        kernel: impl FnOnce() -> Result<Box<dyn Kernel>, KernelError> + Send + 'static,
    ) -> Result<Self, StartError> {
        Self::start_with(budget, None, kernel)
    }

    /// The same, with servers that are asked for the debug information that is not on this host.
    ///
    /// # Errors
    /// As above.
    pub fn start_with(
        budget: Budget,
        servers: Option<DebugServers>,
        kernel: impl FnOnce() -> Result<Box<dyn Kernel>, KernelError> + Send + 'static,
    ) -> Result<Self, StartError> {
        let (commands, orders) = bounded(COMMANDS);
        let (to_namer, named) = bounded(TO_NAME);
        let (to_opener, opened) = bounded(TO_OPEN);
        let (to_rows, to_build) = bounded(TO_BUILD);
        let (to_seeker, to_seek) = bounded(TO_SEEK);
        let rows = RowCounts::default();
        let (to_repaired, repaired) = bounded(MOST_HELD);
        let asker = Asker { requests: to_rows.clone(), repaired, counts: rows.clone() };
        let (loaded, answer) = bounded::<Result<Loaded, KernelError>>(1);
        let (files_to_namer, found_to_namer) = (to_namer.clone(), to_namer.clone());
        let totals = Totals::default();
        let counted = totals.clone();
        let files = FileCounts::default();
        let shed = ShedCounts::default();
        let watch = Watch::new(budget, shed.clone());
        let caches = CacheLimits::default();
        let symbols = SymbolCounts::default();
        let (named_caches, named_symbols, sampled_caches) = (caches.clone(), symbols.clone(), caches.clone());
        let [named_files, seen_files, opened_files, sought_files] = std::array::from_fn(|_| files.clone());
        let fetched_files = files.clone();
        let debug_servers = DebugServerCounts::default();
        let (running, ended) = bounded(0);
        let spawn = |name: &str, run: Box<dyn FnOnce() + Send>| {
            let running = running.clone();
            thread::Builder::new().name(name.into()).spawn(move || {
                run();
                drop(running);
            })
        };
        let mut to_fetcher = None;
        let fetcher = servers.map(|servers| {
            let (requests, to_fetch) = bounded(TO_SEEK);
            to_fetcher = Some(requests);
            let (fetched_to_namer, counts) = (to_namer.clone(), debug_servers.clone());
            let run = move || fetch::run(&to_fetch, &fetched_to_namer, servers, counts, fetched_files);
            spawn("debug servers", Box::new(run))
        });
        let mut threads = vec![
            spawn(
                "namer",
                Box::new(move || {
                    namer::run(&named, budget, namer::Frames::new(named_files, named_symbols, named_caches));
                }),
            )?,
            spawn(
                "opener",
                Box::new(move || opener::run(&opened, &files_to_namer, &to_rows, &to_seeker, &opened_files)),
            )?,
            spawn(
                "debug files",
                Box::new(move || seek::run(&to_seek, &found_to_namer, to_fetcher.as_ref(), &sought_files)),
            )?,
        ];
        threads.extend(fetcher.transpose()?);
        threads.push(spawn(
            "sampler",
            Box::new(move || match kernel() {
                Ok(kernel) => {
                    _ = loaded.send(Ok((kernel.waker(), kernel.map_bytes(), kernel.row_maps())));
                    let others = Others {
                        namer: to_namer,
                        opener: to_opener,
                        rows: asker,
                        totals: counted,
                        files: seen_files,
                        caches: sampled_caches,
                    };
                    Sampler::new(kernel, orders, others, watch).run();
                }
                Err(error) => _ = loaded.send(Err(error)),
            }),
        )?);
        let (wake, map_bytes, row_maps) =
            answer.recv().map_err(|_| KernelError::new("the sampler thread ended while it loaded"))??;
        if let Some(maps) = row_maps {
            let counts = rows.clone();
            threads.push(spawn("rows", Box::new(move || rows::run(&to_build, maps, to_repaired, counts)))?);
        }
        let threads = std::sync::Mutex::new(threads);
        let sessions = AtomicU64::new(0);
        let inner = Inner {
            commands,
            wake,
            map_bytes,
            totals,
            files,
            rows,
            shed,
            caches,
            symbols,
            debug_servers,
            sessions,
            threads,
            ended,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Opens a session: `sink` gets its batches from now on.
    ///
    /// # Errors
    /// Why sampling could not start, with the remedy.
    pub fn open(&self, settings: Settings, sink: Sink) -> Result<Session, String> {
        let id = self.inner.sessions.fetch_add(1, Relaxed);
        let shared = Arc::new(Shared::default());
        let (started, answer) = bounded(1);
        self.send(Command::Open { id, settings, shared: Arc::clone(&shared), sink, started });
        answer.recv().map_err(|_| "the engine has stopped".to_owned())??;
        Ok(Session { id, shared, engine: self.clone(), closed: false })
    }

    /// Tells of processes that come and go, from now on. A reader that falls behind is told
    /// [`ProcessChange::Missed`] instead of what it missed.
    pub fn process_changes(&self) -> Receiver<ProcessChange> {
        let (sender, receiver) = process::channel();
        self.send(Command::Subscribe(sender));
        receiver
    }

    /// Brings all accounts and totals up to date, if the sampler thread answers in this time. They are so once a second
    /// anyway.
    pub fn refresh(&self, patience: Duration) {
        let (done, wait) = bounded(1);
        if self.inner.commands.try_send(Command::Balance(done)).is_ok() {
            (self.inner.wake)();
            _ = wait.recv_timeout(patience);
        }
    }

    /// The total of a counter of the kernel side, as of the last refresh.
    pub fn total(&self, counter: Counter) -> u64 {
        self.inner.totals.0[counter as usize].load(Relaxed)
    }

    /// What became of the files that frames lie in.
    pub fn files(&self) -> &FileCounts {
        &self.inner.files
    }

    /// What became of unwind rows.
    pub fn rows(&self) -> &RowCounts {
        &self.inner.rows
    }

    /// How often something gave way to the memory's budget.
    pub fn shed(&self) -> &ShedCounts {
        &self.inner.shed
    }

    /// How many tables are held open, and how often they were there when asked for.
    pub fn caches(&self) -> &CacheLimits {
        &self.inner.caches
    }

    /// What became of tables of symbols on disk.
    pub fn symbols(&self) -> &SymbolCounts {
        &self.inner.symbols
    }

    /// What came of asking servers for debug files.
    pub fn debug_servers(&self) -> &DebugServerCounts {
        &self.inner.debug_servers
    }

    /// Keeps tables of symbols in another folder from now on, or nowhere. At the start they are kept nowhere.
    pub fn keep_symbols(&self, place: Option<SymbolCache>) {
        self.send_without_haste(Command::KeepSymbols(place));
    }

    /// What it holds.
    pub fn status(&self) -> Status {
        Status { map_bytes: self.inner.map_bytes }
    }

    /// Stops sampling, hands over what was counted, and ends the threads. Waits for them; one that a file system without an
    /// answer holds is left to itself.
    pub fn stop(&self) {
        let deadline = Instant::now() + STOP_WAIT;
        let (stopped, wait) = bounded(1);
        self.inner.rows.stop();
        self.send(Command::Stop(stopped));
        _ = wait.recv_deadline(deadline);
        let threads =
            std::mem::take(&mut *self.inner.threads.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
        let all_ended = self.inner.ended.recv_deadline(deadline) != Err(RecvTimeoutError::Timeout);
        for thread in threads {
            if !all_ended && !thread.is_finished() {
                let name = thread.thread().name().unwrap_or_default();
                tracing::error!(thread = name, "a thread of the engine does not end; what it held is lost");
            } else if thread.join().is_err() {
                tracing::error!("a thread of the engine panicked");
            }
        }
    }

    fn send(&self, command: Command) {
        // An engine that has stopped needs no command.
        _ = self.inner.commands.send(command);
        (self.inner.wake)();
    }

    /// For a command that is in time if it is read before the next samples are: wakes nobody while there is room for more.
    fn send_without_haste(&self, command: Command) {
        // As above.
        _ = self.inner.commands.send(command);
        if self.inner.commands.len() > COMMANDS / 2 {
            (self.inner.wake)();
        }
    }
}

/// The account of a session; outlives it.
#[derive(Clone, Debug)]
pub struct Accounts(Arc<Shared>);

impl Deref for Accounts {
    type Target = Account;

    fn deref(&self) -> &Account {
        &self.0.account
    }
}

/// An open session. Dropping it without [`close`](Self::close) closes it without waiting.
pub struct Session {
    id: SessionId,
    shared: Arc<Shared>,
    engine: Engine,
    closed: bool,
}

impl Session {
    /// Changes the targets.
    pub fn set_targets(&self, change: TargetChange) {
        let all = matches!(change, TargetChange::All(_));
        let command = Command::Targets(self.id, change, now());
        if all { self.engine.send(command) } else { self.engine.send_without_haste(command) }
    }

    /// Changes how it samples. An open interval goes on, but ends early where a sample would mean something else.
    pub fn set(&self, settings: Settings) {
        self.engine.send(Command::Set(self.id, settings));
    }

    /// Where its samples went. What this returns stays up to date, and is final once the session is closed.
    pub fn accounts(&self) -> Accounts {
        Accounts(Arc::clone(&self.shared))
    }

    /// Asks for the open interval to be shown, about once a second, for as long as this says.
    pub fn watch(&self, duration: Duration) {
        let now = now();
        let before = self.shared.watched_until.fetch_max(now + duration.as_nanos() as u64, Relaxed);
        if before <= now {
            (self.engine.inner.wake)();
        }
    }

    /// Ends the session: what was counted is handed over before this returns.
    pub fn close(mut self) {
        if let Some(closed) = self.ask_to_close() {
            _ = closed.recv();
        }
    }

    /// The first time; the answer is that the other end drops.
    fn ask_to_close(&mut self) -> Option<Receiver<()>> {
        if std::mem::replace(&mut self.closed, true) {
            return None;
        }
        let (closed, wait) = bounded(1);
        self.engine.send(Command::Close(self.id, closed));
        Some(wait)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        _ = self.ask_to_close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_closed_once_whether_it_is_waited_for_or_dropped() {
        for wait in [true, false] {
            let (commands, orders) = bounded(4);
            let inner = Inner {
                commands,
                wake: Arc::new(|| ()),
                map_bytes: 0,
                totals: Totals::default(),
                files: FileCounts::default(),
                rows: RowCounts::default(),
                shed: ShedCounts::default(),
                caches: CacheLimits::default(),
                symbols: SymbolCounts::default(),
                debug_servers: DebugServerCounts::default(),
                sessions: AtomicU64::new(1),
                threads: Default::default(),
                ended: bounded(0).1,
            };
            let engine = Engine { inner: Arc::new(inner) };
            let session = Session { id: 0, shared: Arc::default(), engine, closed: false };
            let seen = thread::Builder::new().name("orders".into()).spawn(move || orders.iter().count()).unwrap();
            if wait {
                session.close();
            } else {
                drop(session);
            }
            assert_eq!(seen.join().unwrap(), 1);
        }
    }
}
