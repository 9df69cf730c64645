//! What the web server asks of the program.

use std::net::TcpListener;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};

use anyhow::{Context as _, bail};
use components::ebpf::Sessions;
use components::metrics::Metrics;
use components::profiler::Profiler;
use components::store::Stores;
use components::write::status::EndpointStatuses;
use graph::Controller;
use tokio::runtime::Handle;
use web::{Access, Backend, Reload, Server};

use crate::cli::Run;
use crate::run::reload;
use crate::status::{self, Usage};

/// The parts of the program that the server shows.
pub(crate) struct Parts {
    pub(crate) controller: Controller,
    pub(crate) metrics: Metrics,
    pub(crate) stores: Arc<Stores>,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) endpoints: EndpointStatuses,
    pub(crate) profiler: Arc<Profiler>,
    pub(crate) usage: Arc<Usage>,
    /// The configuration, none for the built-in one.
    pub(crate) path: Option<PathBuf>,
    /// What is wrong with how it is reached.
    pub(crate) notice: OnceLock<String>,
}

/// Starts the server. Must be called on the runtime that reloads run on.
pub(crate) fn start(listener: TcpListener, args: &Run, parts: &Arc<Parts>) -> anyhow::Result<Server> {
    let address = listener.local_addr().context("the listener has no address")?;
    let access = Access::new(address, token(args)?, args.insecure);
    if let Some(notice) = access.notice() {
        tracing::warn!("{notice}");
        _ = parts.notice.set(notice);
    }
    let program = Program { parts: Arc::clone(parts), runtime: Handle::current() };
    let server = web::serve(listener, access, Arc::new(program)).context("cannot start the web server")?;
    tracing::info!(addr = %address, "now listening for http traffic");
    Ok(server)
}

/// The first line of the token file.
fn token(args: &Run) -> anyhow::Result<Option<String>> {
    let Some(path) = &args.token_file else { return Ok(None) };
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the file of --server.http.token-file, {}", path.display()))?;
    let token = text.lines().next().unwrap_or("").trim();
    if token.is_empty() {
        bail!("the file of --server.http.token-file, {}, is empty: write a token into its first line", path.display());
    }
    Ok(Some(token.to_owned()))
}

struct Program {
    parts: Arc<Parts>,
    runtime: Handle,
}

impl Backend for Program {
    fn store(&self, name: Option<&str>) -> Option<(String, store::Store)> {
        self.parts.stores.get(name)
    }

    fn look(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(self.parts.stores.look())
    }

    fn is_ready(&self) -> bool {
        self.parts.controller.ready()
    }

    fn unhealthy(&self) -> Vec<String> {
        self.parts.controller.snapshot().unhealthy().into_iter().map(str::to_owned).collect()
    }

    fn reload(&self) -> Reload {
        let parts = Arc::clone(&self.parts);
        let task = self.runtime.spawn(async move { reload(&parts.controller, parts.path.as_deref()).await });
        Box::pin(async move { task.await.unwrap_or_else(|_| Err("the reload was cut off".to_owned())) })
    }

    fn metrics(&self) -> String {
        self.parts.profiler.refresh();
        self.parts.metrics.text()
    }

    fn open_metrics(&self) -> String {
        self.parts.profiler.refresh();
        self.parts.metrics.openmetrics()
    }

    fn status(&self) -> serde_json::Value {
        self.parts.profiler.refresh();
        status::status(&self.parts)
    }
}
