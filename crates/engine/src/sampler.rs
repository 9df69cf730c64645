//! The sampler thread: owns the kernel side, the processes, the stacks and every session's counts.

mod containers;
mod files;
mod forget;
mod held;
mod interner;
mod job;
mod path;
mod processes;
mod rate;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use abi::{Counter, Record, SampleRecord};
use crossbeam_channel::{Receiver, Sender, TrySendError};

use crate::account::{Filtered, Lost};
use crate::budget::{Shed, Watch};
use crate::cache::{CacheLimits, CacheSizes};
use crate::command::{Command, SessionId};
use crate::engine::Totals;
use crate::files::FileCounts;
use crate::kernel::Kernel;
use crate::namer::NamerEvent;
use crate::opener::OpenRequest;
use crate::process::{ProcessChange, Subscribers};
use crate::rows::Asker;
use crate::session::{Matched, OPEN_EVERY, SessionState};
use crate::symbol_cache::SymbolCache;
use crate::window::Window;

use held::Held;
use interner::Interner;
use job::job;
use processes::Processes;
use rate::Said;

/// How long the thread sleeps at most: what bounds how late a sample is read. The kernel wakes it before a ring is full.
const IDLE: Duration = Duration::from_millis(500);
/// How long it sleeps while processes are forked that run no program of their own, so that each is seen while it lives.
const BUSY: Duration = Duration::from_millis(20);
/// How often it looks for CPUs that came or went, in nanoseconds.
const CPUS_EVERY: u64 = 1_000_000_000;
/// Whom the sampler talks to, and what it shares with them.
pub(crate) struct Others {
    pub(crate) namer: Sender<NamerEvent>,
    pub(crate) opener: Sender<OpenRequest>,
    pub(crate) rows: Asker,
    pub(crate) totals: Totals,
    pub(crate) files: FileCounts,
    pub(crate) caches: CacheLimits,
}

pub(crate) struct Sampler {
    kernel: Box<dyn Kernel>,
    commands: Receiver<Command>,
    namer: Sender<NamerEvent>,
    interner: Interner,
    processes: Processes,
    sessions: BTreeMap<SessionId, SessionState>,
    subscribers: Subscribers,
    /// The rate the kernel samples at; 0 while it does not.
    rate: u32,
    /// Sample records read so far, and those of them that could not be understood.
    drained: u64,
    malformed: u64,
    cpus_followed: u64,
    files_looked_at: u64,
    files_marked_at: u64,
    rows: Asker,
    held: Held,
    memory: Watch,
    /// Where symbol tables may be kept, and where they are.
    symbols: Option<SymbolCache>,
    symbols_kept: Option<SymbolCache>,
    caches: CacheLimits,
    /// Whether samples carry the names of their threads.
    comm_read: bool,
    events_missed: u64,
    totals: Totals,
    said: Said,
}

impl Sampler {
    pub(crate) fn new(kernel: Box<dyn Kernel>, commands: Receiver<Command>, others: Others, memory: Watch) -> Self {
        let Others { namer, opener, rows, totals, files, caches } = others;
        Self {
            kernel,
            commands,
            namer,
            interner: Interner::new(opener, rows.requests.clone(), files),
            memory,
            processes: Processes::new(caches.clone()),
            symbols: None,
            symbols_kept: None,
            caches,
            comm_read: false,
            sessions: BTreeMap::new(),
            subscribers: Subscribers::default(),
            rate: 0,
            drained: 0,
            malformed: 0,
            cpus_followed: 0,
            files_looked_at: now(),
            files_marked_at: 0,
            rows,
            held: Held::default(),
            events_missed: 0,
            totals,
            said: Said::default(),
        }
    }

    /// Runs until told to stop, or until nobody can tell it anything any more.
    pub(crate) fn run(mut self) {
        let mut busy = false;
        loop {
            self.kernel.wait(self.sleep(busy));
            // Targets and settings that were sent before a sample was taken must be known when it is matched.
            if let Some(stopped) = self.commands() {
                self.stop();
                drop(stopped);
                return;
            }
            busy = self.drain();
            self.take_repaired();
            self.tell_of_own_code();
            self.forget_unreached();
            let now = now();
            self.end_windows(now);
            self.show_windows(now);
            self.forget_files(now);
            if now.saturating_sub(self.cpus_followed) >= CPUS_EVERY {
                self.cpus_followed = now;
                self.follow_cpus();
                self.retry_rate();
                self.balance();
                self.shed(now);
            }
        }
    }

    /// Has something give way if there is too little memory.
    fn shed(&mut self, now: u64) {
        match self.memory.look(heap::resident_bytes(), now) {
            Some(Shed::Symbols) => _ = self.namer.try_send(NamerEvent::Shed),
            Some(Shed::Stacks) => self.begin_anew(now),
            None => {}
        }
    }

    /// Ends all intervals and forgets all stacks. The namer forgets its own with the next window.
    fn begin_anew(&mut self, now: u64) {
        self.let_go();
        for id in self.sessions.keys().copied().collect::<Vec<_>>() {
            self.end_window(id, now);
        }
        self.balance();
        self.interner.restart(&mut self.processes, &mut self.sessions);
        heap::trim();
    }

    fn sleep(&self, busy: bool) -> Duration {
        let now = now();
        let most = if busy { BUSY } else { IDLE };
        // What could not be shown in time, because the namer is behind, is not waited for.
        let shows = |session: &SessionState| (session.watched && session.shows > now).then_some(session.shows);
        let due = |session: &SessionState| shows(session).map_or(session.ends, |shows| shows.min(session.ends));
        let next = self.sessions.values().map(|session| due(session).saturating_sub(now)).min();
        next.map_or(most, |next| Duration::from_nanos(next).min(most))
    }

    /// Obeys all that was sent. `Some` asks to stop; its drop says that we did.
    fn commands(&mut self) -> Option<Option<Sender<()>>> {
        loop {
            match self.commands.try_recv() {
                Ok(Command::Open { id, settings, shared, sink, started }) => {
                    if settings.names_threads() {
                        self.switch_comm(true);
                    }
                    self.drain();
                    self.let_go();
                    let mut session = SessionState::new(settings, Default::default(), shared, Arc::new(sink), now());
                    session.drained_before = self.drained;
                    session.lost_before = self.kernel.counters().get(Counter::LostRingFull);
                    self.sessions.insert(id, session);
                    let outcome = self.set_rate();
                    if outcome.is_err() {
                        self.sessions.remove(&id);
                        self.retry_rate();
                    }
                    self.follow_sessions();
                    _ = started.try_send(outcome);
                }
                Ok(Command::Set(id, settings)) => self.set(id, settings),
                Ok(Command::Targets(id, change, at)) => {
                    if let Some(session) = self.sessions.get_mut(&id) {
                        session.targets.apply(change, at);
                        self.processes.want_containers |= session.targets.has_containers();
                    }
                }
                Ok(Command::Close(id, closed)) => self.close(id, closed),
                Ok(Command::Balance(done)) => {
                    self.drain();
                    self.balance();
                    drop(done);
                }
                Ok(Command::KeepSymbols(place)) => {
                    self.symbols = place;
                    self.keep_symbols();
                }
                Ok(Command::Subscribe(sender)) => self.subscribers.add(sender),
                Ok(Command::Stop(stopped)) => return Some(Some(stopped)),
                Err(crossbeam_channel::TryRecvError::Empty) => return None,
                Err(crossbeam_channel::TryRecvError::Disconnected) => return Some(None),
            }
        }
    }

    fn set(&mut self, id: SessionId, settings: crate::session::Settings) {
        // Before what counts from now on is taken.
        if settings.names_threads() {
            self.switch_comm(true);
        }
        self.drain();
        let now = now();
        let Some(session) = self.sessions.get(&id) else { return };
        // Samples of one period never mix with those of another in a profile.
        if !session.settings.counts_like(&settings) {
            self.let_go();
            self.end_window(id, now);
            self.balance();
        }
        if let Some(session) = self.sessions.get_mut(&id) {
            session.set(settings);
        }
        self.follow_sessions();
        self.retry_rate();
    }

    /// What is shared is as the most demanding session wants it.
    fn follow_sessions(&mut self) {
        let sizes = self.sessions.values().map(|session| session.settings.caches).reduce(CacheSizes::max);
        self.caches.set(sizes.unwrap_or(CacheSizes::SPECIFIED));
        self.keep_symbols();
        let names = self.sessions.values().any(|session| session.settings.names_threads());
        if !names {
            self.switch_comm(false);
        }
    }

    /// Tells the namer where symbol tables are kept, if that is another place now.
    fn keep_symbols(&mut self) {
        let wishes = self.sessions.values().map(|session| &session.settings.symbol_cache);
        let place = self.symbols.as_ref().map(|given| given.as_asked(wishes));
        // Between two sessions the place stays as it is.
        if place != self.symbols_kept && !self.sessions.is_empty() {
            self.symbols_kept.clone_from(&place);
            _ = self.namer.send(NamerEvent::KeepIn(place));
        }
    }

    /// Has samples carry the names of their threads, or no longer.
    fn switch_comm(&mut self, on: bool) {
        if self.comm_read == on {
            return;
        }
        match self.kernel.read_comm(on) {
            Ok(()) => self.comm_read = on,
            Err(error) => tracing::error!(%error, "samples go without the names of their threads"),
        }
    }

    fn close(&mut self, id: SessionId, closed: Sender<()>) {
        if self.sessions.len() == 1 && self.sessions.contains_key(&id) {
            _ = self.kernel.sample(None);
            self.rate = 0;
        }
        self.drain();
        self.let_go();
        self.end_window(id, now());
        self.balance();
        if let Some(session) = self.sessions.remove(&id) {
            // The kernel may go on for other sessions: what is in the ring by now is theirs alone.
            session.shared.account.leave_the_ring();
        }
        self.follow_sessions();
        self.retry_rate();
        // The namer drops it behind the session's last window.
        _ = self.namer.send(NamerEvent::Barrier(closed));
    }

    fn stop(&mut self) {
        _ = self.kernel.sample(None);
        self.drain();
        self.let_go();
        // Only now: what was left was taken at this rate, of which slower sessions keep a part.
        self.rate = 0;
        let now = now();
        for id in self.sessions.keys().copied().collect::<Vec<_>>() {
            self.end_window(id, now);
        }
        self.balance();
    }

    /// Reads the rings. True if processes were forked that have neither executed a program nor ended.
    fn drain(&mut self) -> bool {
        let (mut forked, mut changes) = (HashSet::new(), Vec::new());
        let mut kernel = std::mem::replace(&mut self.kernel, Box::new(crate::kernel::Absent));
        kernel.drain(&mut |bytes| match Record::parse(bytes) {
            Ok(Record::Sample(record)) => self.sample(&record),
            Ok(Record::Stack(stack)) => self.held.stack(&stack),
            Ok(Record::Path(path)) => self.interner.name_hint(path),
            Ok(Record::Process(event)) => {
                let change = ProcessChange::from_event(event);
                match change {
                    ProcessChange::Forked { pid } => _ = forked.insert(pid),
                    _ => _ = forked.remove(&event.tgid),
                }
                self.processes.event(event);
                changes.push(change);
            }
            Err(error) => {
                tracing::debug!(%error, "record not understood");
                if error.kind == abi::kind::SAMPLE {
                    self.drained += 1;
                    self.malformed += 1;
                    for session in self.sessions.values() {
                        session.shared.account.lose(Lost::Malformed, 1);
                    }
                }
            }
        });
        self.kernel = kernel;
        // Together, so that a subscriber wakes once.
        changes.into_iter().for_each(|change| self.subscribers.publish(change));
        !forked.is_empty()
    }

    fn sample(&mut self, record: &SampleRecord<'_>) {
        if self.hold(record) {
            return;
        }
        let process = self.processes.of(record);
        let container = process.container.clone();
        let matched = Matched {
            index: process.index,
            tgid: record.head.tgid,
            kernel_thread: SessionState::is_kernel_thread(record),
            container: container.as_ref(),
            moves: process.moves,
        };
        self.count(record, &matched);
    }

    fn count(&mut self, record: &SampleRecord<'_>, process: &Matched<'_>) {
        self.drained += 1;
        let node = self.interner.stack(record, process.index);
        for session in self.sessions.values_mut() {
            session.take(record, process, node, self.rate);
        }
    }

    fn end_windows(&mut self, now: u64) {
        let due: Vec<SessionId> =
            self.sessions.iter().filter(|(_, session)| session.ends <= now).map(|(id, _)| *id).collect();
        if self.interner.is_full(&self.processes, self.memory.budget().stack_bytes()) {
            self.begin_anew(now);
        } else if !due.is_empty() {
            due.into_iter().for_each(|id| self.end_window(id, now));
            self.balance();
        }
    }

    /// Sends what a session counted to be named, and begins its next interval.
    fn end_window(&mut self, id: SessionId, now: u64) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        self.interner.mark_files(session.window.stacks(), true);
        let (mut job, filtered) = job(session, &mut self.interner, &self.processes, now, false);
        job.newest_program = self.kernel.newest_program();
        let samples = job.samples;
        session.shared.account.filter(Filtered::NoTarget, filtered);
        session.window = Window::new(now);
        session.interval += 1;
        session.ends = now + session.settings.collect_interval.as_nanos() as u64;
        // Samples that are still to be counted may be of what is gone by now.
        let read = now.saturating_sub(IDLE.as_nanos() as u64);
        session.targets.forget(self.held.oldest().map_or(read, |oldest| oldest.min(read)));
        let synced = self.interner.synced();
        session.shared.account.begin_naming(samples);
        match self.namer.try_send(NamerEvent::Window(Box::new(job))) {
            Ok(()) => self.interner.mark_synced(synced, self.processes.len()),
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                session.shared.account.lose(Lost::NamingBehind, samples);
                session.shared.account.end_naming(samples);
                tracing::warn!(samples, "an interval is lost: naming earlier ones takes too long");
            }
        }
    }

    /// Shows what open intervals hold to those who look.
    fn show_windows(&mut self, now: u64) {
        for session in self.sessions.values_mut() {
            let watched = session.is_watched(now);
            let begins = watched && !std::mem::replace(&mut session.watched, watched);
            if !watched || session.shows > now && !begins || self.namer.len() > 1 {
                continue;
            }
            session.shows = now + OPEN_EVERY;
            let (mut job, _) = job(session, &mut self.interner, &self.processes, now, true);
            job.newest_program = self.kernel.newest_program();
            let synced = self.interner.synced();
            if self.namer.try_send(NamerEvent::Window(Box::new(job))).is_ok() {
                self.interner.mark_synced(synced, self.processes.len());
            }
        }
    }

    /// Has the namer keep what names the code that processes made themselves, while they are there.
    fn tell_of_own_code(&mut self) {
        for process in self.interner.own_code() {
            if let Some(key) = self.processes.key(process) {
                // A namer that is behind looks for it when the interval ends.
                _ = self.namer.try_send(NamerEvent::OwnCode(key));
            }
        }
    }

    /// Brings the accounts up to date with the kernel's counters.
    fn balance(&mut self) {
        let totals = self.kernel.counters();
        self.totals.set(&totals);
        self.tell_of_throttling(totals.get(Counter::Throttled));
        let (taken, lost) = (totals.get(Counter::Taken), totals.get(Counter::LostRingFull));
        let in_ring = taken.saturating_sub(lost + self.drained);
        for session in self.sessions.values() {
            let lost = lost - session.lost_before.min(lost);
            let account = &session.shared.account;
            account.set_lost(Lost::RingFull, lost);
            account.set_taken(self.drained - session.drained_before + lost + in_ring);
            account.set_gathering(session.window.samples + in_ring);
        }
        let missed = totals.get(Counter::ProcessEventsLost);
        if missed > self.events_missed {
            self.events_missed = missed;
            self.subscribers.publish(ProcessChange::Missed);
        }
    }
}

/// CLOCK_MONOTONIC in nanoseconds: the clock of the records.
pub(crate) fn now() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

#[cfg(test)]
mod tests;
