//! The one engine of the process, started by whoever needs it first.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bpf::{Config, Loaded};
use crossbeam_channel::Receiver;
use engine::budget::{Budget, ShedCounts};
use engine::cache::CacheLimits;
use engine::debug_server::DebugServerCounts;
use engine::files::FileCounts;
use engine::kernel::{Kernel, KernelError};
use engine::process::ProcessChange;
use engine::rows::RowCounts;
use engine::symbol_cache::{SymbolCache, SymbolCounts};
use engine::{Counter, Engine, StartError, Status};

use crate::debuginfod::Debuginfod;

/// Bytes of the sample ring for each CPU: about six seconds of deep stacks at 97 Hz.
const RING_BYTES_PER_CPU: u32 = 512 << 10;
/// How long a scrape waits for fresh numbers.
const PATIENCE: Duration = Duration::from_millis(100);

/// Makes the kernel side.
type Load = fn(Budget) -> Result<Box<dyn Kernel>, KernelError>;

/// The engine, or that it has not started. A service of the graph; components share it.
pub struct Profiler {
    engine: Mutex<Option<Engine>>,
    load: Load,
    budget: Budget,
    /// Where tables of symbols are kept.
    symbols: Option<SymbolCache>,
    debuginfod: Option<Debuginfod>,
}

impl Profiler {
    /// A profiler that keeps to this budget of memory, and tables of symbols in that folder.
    pub fn new(budget: Budget, symbols: SymbolCache) -> Self {
        Self { symbols: Some(symbols), ..Self::with(load, budget) }
    }

    /// The same, with servers that are asked for debug information.
    pub fn with_debuginfod(self, debuginfod: Debuginfod) -> Self {
        Self { debuginfod: Some(debuginfod), ..self }
    }

    /// One whose kernel side `load` makes.
    pub(crate) fn with(load: Load, budget: Budget) -> Self {
        Self { engine: Mutex::default(), load, budget, symbols: None, debuginfod: None }
    }

    /// How much memory there is.
    pub fn budget(&self) -> Budget {
        self.budget
    }

    /// The engine; starts it if it does not run. Blocks for as long as loading takes, some 100 ms.
    ///
    /// # Errors
    /// What is missing and how to grant it.
    pub fn engine(&self) -> Result<Engine, StartError> {
        let mut slot = self.lock();
        if let Some(engine) = &*slot {
            return Ok(engine.clone());
        }
        let servers = self.debuginfod.as_ref().map_or(Ok(None), Debuginfod::servers).unwrap_or_else(|error| {
            tracing::error!(%error, "cannot ask for debug information");
            None
        });
        let engine = Engine::start_with(self.budget, servers, {
            let (load, budget) = (self.load, self.budget);
            move || load(budget)
        })?;
        tracing::info!(map_bytes = engine.status().map_bytes, "kernel side loaded");
        engine.keep_symbols(self.symbols.clone());
        *slot = Some(engine.clone());
        Ok(engine)
    }

    /// Births, execs and deaths of processes from now on; `None` while no engine runs.
    pub fn process_changes(&self) -> Option<Receiver<ProcessChange>> {
        self.lock().as_ref().map(Engine::process_changes)
    }

    /// Brings the accounts of all sessions and the totals up to date. Blocks for a moment.
    pub fn refresh(&self) {
        let engine = self.lock().clone();
        if let Some(engine) = engine {
            engine.refresh(PATIENCE);
        }
    }

    /// The total of a counter of the kernel side; 0 while no engine runs.
    pub fn total(&self, counter: Counter) -> u64 {
        self.lock().as_ref().map_or(0, |engine| engine.total(counter))
    }

    /// What became of the files that frames lie in, once an engine runs.
    pub fn files(&self) -> Option<FileCounts> {
        self.lock().as_ref().map(|engine| engine.files().clone())
    }

    /// What became of unwind rows, once an engine runs.
    pub fn rows(&self) -> Option<RowCounts> {
        self.lock().as_ref().map(|engine| engine.rows().clone())
    }

    /// How often something gave way to the budget, once an engine runs.
    pub fn shed(&self) -> Option<ShedCounts> {
        self.lock().as_ref().map(|engine| engine.shed().clone())
    }

    /// How many tables are held open, and how often they were there when asked for, once an engine runs.
    pub fn caches(&self) -> Option<CacheLimits> {
        self.lock().as_ref().map(|engine| engine.caches().clone())
    }

    /// What became of tables of symbols on disk, once an engine runs.
    pub fn symbols(&self) -> Option<SymbolCounts> {
        self.lock().as_ref().map(|engine| engine.symbols().clone())
    }

    /// What came of asking servers for debug information, once an engine runs.
    pub fn debug_servers(&self) -> Option<DebugServerCounts> {
        self.lock().as_ref().map(|engine| engine.debug_servers().clone())
    }

    /// What the engine holds, if it runs.
    pub fn status(&self) -> Option<Status> {
        self.lock().as_ref().map(Engine::status)
    }

    /// Ends the engine, and hands over what it still holds. Blocks until then.
    pub fn stop(&self) {
        let engine = self.lock().take();
        if let Some(engine) = engine {
            engine.stop();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Engine>> {
        self.engine.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn load(budget: Budget) -> Result<Box<dyn Kernel>, KernelError> {
    let kernel = Loaded::load(Config { ring_bytes_per_cpu: RING_BYTES_PER_CPU, row_bytes: budget.row_bytes() })?;
    Ok(Box::new(kernel))
}
