//! The running graph: loads, reloads, propagates exports, stops.
//!
//! One task owns everything that changes. It waits for a command or for a component whose exports changed; a load is
//! a diff between the plan that runs and the new one, and shutting down is a load of nothing.

mod load;
mod propagate;
mod rehearse;
mod stop;

use std::{
    collections::BTreeMap,
    path::PathBuf,
    pin::pin,
    sync::{Arc, RwLock},
    time::Duration,
};

use lang::{diagnostic::Diagnostic, source::Source};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use crate::{
    blocks::Blocks,
    cell::{Cell, Changes},
    id::ComponentId,
    inputs::Inputs,
    plan::{Plan, Vocabulary},
    services::Services,
    snapshot::{Published, Snapshot},
    task::Run,
};

/// After handing exports on for some time, the graph rests this many times as long: what changes meanwhile is handed on
/// as one, and evaluation takes at most a tenth of a core however often components export.
const REST: u32 = 9;

/// How much rest may be owed before it is taken: a change that comes rarely passes a chain of components without a sleep
/// between them.
const OWED: Duration = Duration::from_millis(10);

/// The longest rest, so that a change is never late by more.
const MOST_REST: Duration = Duration::from_millis(100);

/// What a graph is given to run with.
#[derive(Clone)]
pub struct Settings {
    /// What a configuration can speak of.
    pub vocabulary: Vocabulary,
    /// What the process offers to components.
    pub services: Services,
    /// The folder below which components keep their files.
    pub storage_path: PathBuf,
    /// Who applies the config blocks.
    pub blocks: Arc<dyn Blocks>,
    /// How long a component may take to stop before it is cut off.
    pub grace: Duration,
    /// How long a load waits for a component to be built before it goes on without.
    pub build_wait: Duration,
}

impl Settings {
    /// With the usual times: 10 minutes to stop, 10 seconds to be built.
    pub fn new(vocabulary: Vocabulary, services: Services, storage_path: PathBuf, blocks: Arc<dyn Blocks>) -> Self {
        let (grace, build_wait) = (Duration::from_secs(600), Duration::from_secs(10));
        Self { vocabulary, services, storage_path, blocks, grace, build_wait }
    }
}

/// A handle to the running graph. Cheap to clone; when the last one is dropped, the graph stops.
#[derive(Clone)]
pub struct Controller {
    commands: mpsc::Sender<Command>,
    published: Arc<RwLock<Published>>,
    /// Cancelled when the graph is to stop: nothing waits for a component to be built any more.
    stop: CancellationToken,
}

/// What came of a load.
#[derive(Debug)]
pub struct Outcome {
    /// Errors and warnings, in the order in which they were found.
    pub diagnostics: Vec<Diagnostic>,
    /// How much of the configuration runs now.
    pub applied: Applied,
    /// What the load did to components.
    pub changes: Difference,
}

/// How much of a configuration was applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// All of it.
    Fully,
    /// All but the components that the errors name: those that ran before run on with their last good arguments, new
    /// ones do not run.
    Partly,
    /// None of it: what ran before runs on as it was.
    Not,
}

/// What a load did, by component. One that is in no list was not touched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Those that are gone. What a component that stays used until now may still be stopping.
    pub stopped: Vec<ComponentId>,
    /// Those that were started.
    pub started: Vec<ComponentId>,
    /// Those that got new arguments.
    pub updated: Vec<ComponentId>,
}

enum Command {
    Load(Vec<Arc<Source>>, oneshot::Sender<Outcome>),
    Shutdown(oneshot::Sender<()>),
}

impl Controller {
    /// Starts an empty graph on the current tokio runtime.
    pub fn start(settings: Settings) -> Self {
        // Two can wait: a load and the shutdown behind it. Whoever comes then waits to send.
        let (commands, receiver) = mpsc::channel(2);
        let published = Arc::new(RwLock::new(Published::default()));
        let stop = CancellationToken::new();
        let graph = Graph {
            settings,
            plan: Arc::default(),
            slots: BTreeMap::new(),
            changes: Arc::default(),
            published: Arc::clone(&published),
            stop: stop.clone(),
            loaded: false,
            stopping: BTreeMap::new(),
            rested: Instant::now(),
        };
        tokio::spawn(graph.run(receiver));
        Self { commands, published, stop }
    }

    /// Loads a configuration over the one that runs, if any. Loads happen one after the other.
    ///
    /// With an error that can be known beforehand (a name, a reference, a cycle, arguments that cannot be decoded) nothing
    /// changes. At the first load any other error, too, leaves nothing running. Later, a component that turns out not to
    /// work is unhealthy, one that ran before keeps its last good arguments, and everything else is applied.
    pub async fn load(&self, sources: Vec<Arc<Source>>) -> Outcome {
        let (reply, outcome) = oneshot::channel();
        if self.commands.send(Command::Load(sources, reply)).await.is_ok()
            && let Ok(outcome) = outcome.await
        {
            return outcome;
        }
        let gone = Diagnostic::unplaced("the graph has been shut down");
        Outcome { diagnostics: vec![gone], applied: Applied::Not, changes: Difference::default() }
    }

    /// Stops every component, those that depend on others first, each within the grace period. Returns when all have
    /// ended. Loads after that are refused.
    pub async fn shutdown(&self) {
        self.stop.cancel();
        let (reply, done) = oneshot::channel();
        if self.commands.send(Command::Shutdown(reply)).await.is_ok() {
            // No answer means that the graph was gone already.
            let _ = done.await;
        }
    }

    /// How every component is doing. Does not wait for a load in progress.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::new(&self.published)
    }

    /// Whether a configuration has been loaded.
    pub fn ready(&self) -> bool {
        self.published.read().unwrap_or_else(std::sync::PoisonError::into_inner).ready
    }
}

/// The owner of the graph.
struct Graph {
    settings: Settings,
    plan: Arc<Plan>,
    slots: BTreeMap<ComponentId, Slot>,
    changes: Arc<Changes>,
    published: Arc<RwLock<Published>>,
    stop: CancellationToken,
    /// Whether a load has succeeded.
    loaded: bool,
    /// Components that are not in the graph any more and have not ended.
    stopping: BTreeMap<ComponentId, stop::Stopping>,
    /// From when on exports are handed on again.
    rested: Instant,
}

/// What the graph knows of one component.
struct Slot {
    cell: Arc<Cell>,
    /// What its last evaluation depended on, whether it succeeded or not.
    inputs: Option<Inputs>,
    /// Whether the last evaluation failed.
    failed: bool,
    /// Its current or last run.
    run: Option<Run>,
}

impl Slot {
    fn is_running(&self) -> bool {
        self.run.as_ref().is_some_and(|run| !run.is_over())
    }
}

impl Graph {
    async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        loop {
            tokio::select! {
                command = commands.recv() => match command {
                    Some(Command::Load(sources, reply)) => {
                        let outcome = self.load(&sources).await;
                        // Whoever asked may have left; the load stands.
                        let _ = reply.send(outcome);
                    }
                    Some(Command::Shutdown(reply)) => {
                        self.shut_down().await;
                        // As above.
                        let _ = reply.send(());
                        return;
                    }
                    None => return self.shut_down().await,
                },
                () = self.hand_on() => {}
            }
        }
    }

    /// Waits for exports that changed and hands them on. Safe to drop while it waits.
    async fn hand_on(&mut self) {
        if self.rested > Instant::now() + OWED {
            sleep_until(self.rested).await;
        }
        let changed = self.changes.take().await;
        let begin = Instant::now();
        self.propagate(&changed);
        let now = Instant::now();
        self.rested = (self.rested.max(begin) + (now - begin) * (REST + 1)).min(now + MOST_REST);
    }

    /// Waits for something that takes time. Exports that change meanwhile are handed on.
    async fn meanwhile<T>(&mut self, wait: impl Future<Output = T>) -> T {
        let mut wait = pin!(wait);
        loop {
            tokio::select! {
                output = &mut wait => return output,
                () = self.hand_on() => {}
            }
        }
    }

    async fn shut_down(&mut self) {
        self.stop.cancel();
        self.apply(Plan::default(), &mut Vec::new()).await;
        self.ended(|_| true).await;
    }

    /// Shows the current graph to the outside.
    fn publish(&self) {
        let cells = self.slots.iter().map(|(id, slot)| (id.clone(), Arc::clone(&slot.cell))).collect();
        let mut published = self.published.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        *published = Published {
            plan: Arc::clone(&self.plan),
            cells,
            stdlib: Some(self.settings.vocabulary.stdlib.clone()),
            ready: self.loaded,
        };
    }
}
