//! `pyrope run`: from start to a flushed end.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use anyhow::{Context as _, bail};
use components::debuginfod::Debuginfod;
use components::ebpf::Sessions;
use components::metrics::Metrics;
use components::profiler::Profiler;
use components::store::Stores;
use components::write::status::EndpointStatuses;
use engine::symbol_cache::SymbolCache;
use graph::{Applied, Blocks, Controller, LogFormat, LogLevel, Services, Settings};
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use web::Access;

use crate::cli::Run;
use crate::configuration;
use crate::logging::Logging;
use crate::process;
use crate::serve::{self, Parts};
use crate::status::Usage;

/// Threads that run components. They only wait and hand over; what computes has threads of its own.
const WORKERS: usize = 1;
/// What tables of symbols may take on disk.
const SYMBOL_BYTES: u64 = 512 << 20;
/// As many files of them as Alloy keeps.
const SYMBOL_FILES: u64 = 2048;
/// How long components may take to stop.
const GRACE: Duration = Duration::from_secs(30);

/// Runs until told to stop.
pub(crate) fn run(args: &Run) -> anyhow::Result<()> {
    configuration::check_format(&args.upstream.format)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .max_blocking_threads(16)
        .thread_keep_alive(Duration::from_secs(5))
        .thread_name("graph")
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    // Before anything that takes time: a signal that nobody listens for ends the process. One that comes before the
    // configuration is loaded is obeyed when it is.
    let signals = Signals::listen(&runtime)?;
    let logging = Logging::install();
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "pyrope is starting");
    process::raise_open_files();
    for flag in args.upstream.without_effect() {
        tracing::warn!(flag, "this flag is accepted but has no effect");
    }
    let listener = bind(&args.listen).with_context(|| {
        format!("cannot listen on {}: choose another address with --server.http.listen-addr", args.listen)
    })?;
    let access = serve::access(&listener, args)?;
    let storage = storage_path(args.storage.as_deref());
    let symbols = SymbolCache { folder: storage.join("symbols"), bytes: SYMBOL_BYTES, files: SYMBOL_FILES };
    let debuginfod = Debuginfod { urls: args.debuginfod.clone(), folder: storage.join("debuginfod") };
    let profiler = Arc::new(Profiler::new(args.budget, symbols).with_debuginfod(debuginfod));
    // Loading the kernel side takes longest, so it begins before the graph is there.
    let loading = args.path.is_none().then(|| {
        let profiler = Arc::clone(&profiler);
        std::thread::Builder::new().name("load".into()).spawn(move || profiler.engine().map(drop))
    });
    let result = runtime.block_on(async {
        let running = Running::new(args, &logging, storage, Arc::clone(&profiler), access);
        let web = serve::start(listener, &running.parts)?;
        if let Some(loading) = loading {
            let loading = loading.context("cannot start a thread")?;
            let loaded = tokio::task::spawn_blocking(move || loading.join()).await.context("loading was cut off")?;
            if let Ok(Err(error)) = loaded {
                bail!("{error}");
            }
        }
        running.first_load().await?;
        running.until_told(signals).await;
        running.controller.shutdown().await;
        let profiler = Arc::clone(&running.profiler);
        tokio::task::spawn_blocking(move || profiler.stop()).await.context("the engine did not stop")?;
        tokio::task::spawn_blocking(move || web.stop()).await.context("the web server did not stop")?;
        Ok(())
    });
    // A look-up that hangs in the system must not keep the process.
    runtime.shutdown_timeout(Duration::from_secs(1));
    tracing::info!("pyrope has stopped");
    result
}

/// Listens; without a host, as in `:12345`, on every address.
fn bind(address: &str) -> std::io::Result<TcpListener> {
    match address.strip_prefix(':') {
        Some(port) => {
            TcpListener::bind(format!("[::]:{port}")).or_else(|_| TcpListener::bind(format!("0.0.0.0:{port}")))
        }
        None => TcpListener::bind(address),
    }
}

fn storage_path(given: Option<&Path>) -> PathBuf {
    if let Some(path) = given {
        return path.to_owned();
    }
    if rustix::process::geteuid().is_root() {
        return PathBuf::from("/var/lib/pyrope");
    }
    let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| Path::new(&home).join(".local/state"));
    state.or_else(home).unwrap_or_else(|| PathBuf::from(".")).join("pyrope")
}

/// Follows the config blocks.
struct Apply {
    logging: Logging,
    access: Access,
    /// Whether it was said that most requests will be refused.
    warned: AtomicBool,
}

impl Blocks for Apply {
    fn logging(&self, logging: &graph::Logging) {
        let level = match logging.level {
            LogLevel::Debug => "debug",
            LogLevel::Info => "info",
            LogLevel::Warn => "warn",
            LogLevel::Error => "error",
        };
        self.logging.set(level, if logging.format == LogFormat::Json { "json" } else { "logfmt" });
    }

    fn http(&self, http: &graph::Http) {
        let basic = serve::basic_auth(http);
        if basic.as_ref().is_some_and(|basic| !basic.asks_anybody()) {
            tracing::warn!("auth in http asks nobody for the password: its filter has no paths");
        }
        self.access.set_basic(basic);
        let notice = self.access.notice();
        let warned = self.warned.swap(notice.is_some(), Relaxed);
        if let Some(notice) = notice.filter(|_| !warned) {
            tracing::warn!("{notice}");
        }
    }
}

/// What runs, and what it was started with.
struct Running {
    path: Option<PathBuf>,
    listen: String,
    controller: Controller,
    profiler: Arc<Profiler>,
    parts: Arc<Parts>,
    _metrics: components::metrics::Scope,
}

impl Running {
    fn new(args: &Run, logging: &Logging, storage: PathBuf, profiler: Arc<Profiler>, access: Access) -> Self {
        let metrics = Metrics::new();
        let own_metrics = process::metrics(&metrics, &profiler);
        let stores = Arc::new(Stores::default());
        let sessions = Arc::new(Sessions::default());
        let endpoints = EndpointStatuses::new();
        let services = Services::default()
            .with(Arc::clone(&profiler))
            .with(Arc::new(metrics.clone()))
            .with(Arc::clone(&stores))
            .with(Arc::clone(&sessions))
            .with(logging.verbose())
            .with(Arc::new(endpoints.clone()));
        let vocabulary = configuration::vocabulary(args.stability);
        let apply = Apply { logging: logging.clone(), access: access.clone(), warned: AtomicBool::new(false) };
        let mut settings = Settings::new(vocabulary, services, storage, Arc::new(apply));
        settings.grace = GRACE;
        let controller = Controller::start(settings);
        let parts = Arc::new(Parts {
            controller: controller.clone(),
            metrics,
            stores,
            sessions,
            endpoints,
            profiler: Arc::clone(&profiler),
            usage: Arc::new(Usage::start()),
            path: args.path.clone(),
            access,
        });
        Self {
            path: args.path.clone(),
            listen: args.listen.clone(),
            controller,
            profiler,
            parts,
            _metrics: own_metrics,
        }
    }

    async fn first_load(&self) -> anyhow::Result<()> {
        let sources = configuration::sources(self.path.as_deref())?;
        let outcome = self.controller.load(sources).await;
        configuration::print(&outcome.diagnostics);
        if outcome.applied != Applied::Fully {
            bail!("could not perform the initial load successfully");
        }
        match &self.path {
            Some(path) => tracing::info!(config = %path.display(), "pyrope is running"),
            None => tracing::info!(page = format!("http://{}", self.listen), "pyrope is running: open the page"),
        }
        Ok(())
    }

    /// Obeys signals until one asks to stop.
    async fn until_told(&self, mut signals: Signals) {
        let mut tick = tokio::time::interval(Duration::from_secs(10));
        loop {
            tokio::select! {
                _ = signals.hangup.recv() => { _ = reload(&self.controller, self.path.as_deref()).await; }
                _ = signals.interrupt.recv() => return,
                _ = signals.terminate.recv() => return,
                _ = tick.tick() => self.parts.usage.tick(),
            }
        }
    }
}

/// The signals that the program obeys.
struct Signals {
    hangup: Signal,
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn listen(runtime: &Runtime) -> anyhow::Result<Self> {
        let _inside = runtime.enter();
        let listen = |kind| signal(kind).context("cannot listen for signals");
        Ok(Self {
            hangup: listen(SignalKind::hangup())?,
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }
}

/// Reads the configuration again and applies it. An error leaves what runs as it is, and says why.
pub(crate) async fn reload(controller: &Controller, path: Option<&Path>) -> Result<(), String> {
    let result = try_reload(controller, path).await;
    match &result {
        Ok(()) => tracing::info!("config reloaded"),
        Err(error) => tracing::error!(err = error, "failed to reload config"),
    }
    result
}

async fn try_reload(controller: &Controller, path: Option<&Path>) -> Result<(), String> {
    let sources = configuration::sources(path).map_err(|error| format!("{error:#}"))?;
    let outcome = controller.load(sources).await;
    configuration::print(&outcome.diagnostics);
    let errors: Vec<_> = outcome.diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).collect();
    match errors.as_slice() {
        [] => Ok(()),
        [only] => Err(format!("error during the initial load: {only}")),
        [first, rest @ ..] => {
            Err(format!("error during the initial load: {first} (and {} more diagnostics)", rest.len()))
        }
    }
}
