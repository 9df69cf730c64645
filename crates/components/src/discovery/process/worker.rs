//! The thread that owns what is known of processes.

use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, never, select};
use engine::process::ProcessChange;
use graph::{Context, RunError, State};

use super::{
    Arguments, Exports, Inbox, ProcessEvents,
    events::{Batch, Settling},
    join::Externals,
    reader::Reader,
    table::Table,
};
use crate::{metrics::Scope, targets::Targets};

/// How long until a source that has no changes to give is asked again; the longer the longer it has none.
const ASK_SOON: Duration = Duration::from_millis(100);
const ASK_RARELY: Duration = Duration::from_secs(1);
const SOON: Duration = Duration::from_secs(5);

/// What the thread works with; it becomes a [`Running`] when `/proc` is open.
pub(super) struct Worker {
    cx: Context<Exports>,
    scope: Scope,
    events: Option<Arc<ProcessEvents>>,
}

struct Running {
    cx: Context<Exports>,
    events: Option<Arc<ProcessEvents>>,
    arguments: Arc<Arguments>,
    reader: Reader,
    table: Table,
    settling: Settling,
    scanned: Instant,
    /// Changes of processes, from none while there is no source.
    changes: Receiver<ProcessChange>,
    /// When to ask the source for changes; `None` when it gives them.
    ask: Option<Instant>,
    began: Instant,
}

impl Worker {
    pub(super) fn new(cx: Context<Exports>, scope: Scope, events: Option<Arc<ProcessEvents>>) -> Self {
        Self { cx, scope, events }
    }

    /// Works until the inbox is closed.
    pub(super) fn run(self, inbox: &Inbox) -> Result<(), RunError> {
        let failed = |missing| RunError::new(format!("failed to list processes: {missing}"));
        let mut reader = Reader::open(self.cx.id().as_str(), &self.scope).map_err(failed)?;
        let arguments = inbox.arguments();
        reader.configure(&arguments.discover_config);
        let events = self.events.filter(|_| {
            let shares = reader.shares_numbers();
            if !shares {
                tracing::warn!(
                    component_id = self.cx.id().as_str(),
                    "this is not the host's pid namespace: only its own processes are found, and only every refresh_interval"
                );
            }
            shares
        });
        let now = Instant::now();
        let mut running = Running {
            ask: events.as_ref().map(|_| now),
            events,
            arguments,
            reader,
            table: Table::default(),
            settling: Settling::new(now),
            scanned: now,
            changes: never(),
            began: now,
            cx: self.cx,
        };
        running.subscribe();
        running.join();
        running.scan().map_err(failed)?;
        running.work(inbox).map_err(failed)
    }
}

impl Running {
    fn work(&mut self, inbox: &Inbox) -> Result<(), inspect::Missing> {
        loop {
            let poll = self.scanned + self.arguments.refresh_interval;
            let deadline = [Some(poll), self.settling.deadline(), self.ask].into_iter().flatten().min();
            let wait = deadline.map_or(Duration::MAX, |at| at.saturating_duration_since(Instant::now()));
            select! {
                recv(inbox.woken) -> woken => match woken {
                    Ok(()) => self.update(inbox.arguments())?,
                    Err(_) => return Ok(()),
                },
                recv(self.changes) -> change => match change {
                    Ok(change) => self.note(change),
                    Err(_) => {
                        // The engine has ended; there may be another one later.
                        self.changes = never();
                        self.began = Instant::now();
                        self.ask = Some(self.began + ASK_SOON);
                    }
                },
                default(wait) => {}
            }
            let now = Instant::now();
            if self.ask.is_some_and(|at| at <= now) && self.subscribe() {
                // What happened before is nobody's to tell.
                self.scan()?;
            }
            if self.settling.deadline().is_some_and(|at| at <= now) {
                let batch = self.settling.take(now);
                self.act(&batch)?;
            }
            if self.scanned + self.arguments.refresh_interval <= now {
                self.scan()?;
            }
        }
    }

    /// Takes a change in, and those that wait behind it.
    fn note(&mut self, change: ProcessChange) {
        let now = Instant::now();
        self.settling.note(change, now);
        for change in self.changes.try_iter().take(1024) {
            self.settling.note(change, now);
        }
    }

    /// Asks the source for changes; true when it gives them from now on.
    fn subscribe(&mut self) -> bool {
        let Some(events) = &self.events else { return false };
        let now = Instant::now();
        match events.subscribe() {
            Some(changes) => {
                self.changes = changes;
                self.ask = None;
                true
            }
            None => {
                let wait = if now.duration_since(self.began) < SOON { ASK_SOON } else { ASK_RARELY };
                self.ask = Some(now + wait);
                false
            }
        }
    }

    fn update(&mut self, arguments: Arc<Arguments>) -> Result<(), inspect::Missing> {
        let old = std::mem::replace(&mut self.arguments, arguments);
        self.join();
        if self.arguments.discover_config == old.discover_config {
            self.export();
            return Ok(());
        }
        self.reader.configure(&self.arguments.discover_config);
        self.scan()
    }

    fn join(&mut self) {
        let externals = self.arguments.join.as_ref().map(|targets| Externals::new(&targets.list));
        self.table.join(externals.unwrap_or_default());
    }

    fn act(&mut self, batch: &Batch) -> Result<(), inspect::Missing> {
        if batch.scan {
            return self.scan();
        }
        for pid in &batch.gone {
            self.table.remove(*pid);
        }
        let mut publish = batch.publish;
        for pid in &batch.read {
            // Until others hear of it they take the samples of a new program for those of the old one.
            publish |= self.read(*pid);
        }
        if publish {
            self.export();
        }
        Ok(())
    }

    /// True if others have to know at once.
    fn read(&mut self, pid: u32) -> bool {
        match self.reader.read(pid) {
            Some((key, labels)) => self.table.set(key, labels),
            None => {
                self.table.remove(pid);
                false
            }
        }
    }

    /// Reads everything there is.
    fn scan(&mut self) -> Result<(), inspect::Missing> {
        let skipped = self.reader.skipped();
        let pids = self.reader.processes()?;
        for pid in &pids {
            self.read(*pid);
        }
        self.table.keep(&HashSet::from_iter(pids));
        self.scanned = Instant::now();
        self.export();
        let (found, skipped) = (self.table.len(), self.reader.skipped() - skipped);
        let message = match skipped {
            0 => format!("found {found} processes"),
            _ => format!("found {found} processes; {skipped} more could not be read"),
        };
        self.cx.health(State::Healthy, message);
        Ok(())
    }

    fn export(&mut self) {
        self.cx.export(Exports { targets: Targets(self.table.snapshot()) });
    }
}
