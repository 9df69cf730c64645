//! What the web server asks of the program.

use std::net::TcpListener;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use components::ebpf::Sessions;
use components::metrics::Metrics;
use components::profiler::Profiler;
use components::store::Stores;
use components::write::status::EndpointStatuses;
use graph::Controller;
use tokio::runtime::Handle;
use web::access::{BasicAuth, Filter};
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
    /// Who may ask for what.
    pub(crate) access: Access,
}

/// Who may ask for what, as the flags say. The configuration may add a password.
pub(crate) fn access(listener: &TcpListener, args: &Run) -> anyhow::Result<Access> {
    let address = listener.local_addr().context("the listener has no address")?;
    Ok(Access::new(address, token(args)?, args.insecure))
}

/// Starts the server. Must be called on the runtime that reloads run on.
pub(crate) fn start(listener: TcpListener, parts: &Arc<Parts>) -> anyhow::Result<Server> {
    let program = Program { parts: Arc::clone(parts), runtime: Handle::current() };
    let access = parts.access.clone();
    let server = web::serve(listener, access, Arc::new(program)).context("cannot start the web server")?;
    tracing::info!(addr = %server.address(), "now listening for http traffic");
    Ok(server)
}

/// The user name and the password that the block `http` asks for, and of whom.
pub(crate) fn basic_auth(http: &graph::Http) -> Option<BasicAuth> {
    let auth = http.auth.as_ref()?;
    let basic = auth.basic.as_ref()?;
    let filter = auth.filter.as_ref();
    let filter =
        filter.map(|filter| Filter { paths: filter.paths.clone(), matching: filter.authenticate_matching_paths });
    Some(BasicAuth { username: basic.username.clone(), password: basic.password.reveal().to_vec(), filter })
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

    fn stores(&self) -> Vec<(String, store::Store)> {
        self.parts.stores.all()
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
