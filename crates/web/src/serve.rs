//! The server's thread.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn_with_state;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use crate::access::{Access, guard};
use crate::backend::Backend;
use crate::connections::{self, LIMITS};
use crate::{api, assets, control};

/// How long open connections may take to end.
const GRACE: Duration = Duration::from_secs(2);

/// Threads for what blocks: those of queries, and two that they cannot take for metrics and the status.
const BLOCKING_THREADS: usize = api::RUNNING + 2;

/// A server that runs.
pub struct Server {
    address: SocketAddr,
    stop: CancellationToken,
    thread: JoinHandle<()>,
}

/// Everything the server answers to, behind `access`.
pub fn router(access: Access, backend: Arc<dyn Backend>) -> Router {
    control::routes(Arc::clone(&backend))
        .merge(api::routes(backend))
        .fallback(axum::routing::get(assets::asset))
        .layer(from_fn_with_state(access, guard))
}

/// Serves `listener` on a thread of its own until [`Server::stop`].
pub fn serve(listener: TcpListener, access: Access, backend: Arc<dyn Backend>) -> io::Result<Server> {
    let address = listener.local_addr()?;
    listener.set_nonblocking(true)?;
    let stop = CancellationToken::new();
    let runtime = runtime()?;
    let listener = {
        let _entered = runtime.enter();
        tokio::net::TcpListener::from_std(listener)?
    };
    let router = router(access, backend);
    let stopped = stop.clone();
    let thread = thread::Builder::new().name("web".into()).spawn(move || {
        runtime.block_on(run(listener, router, stopped));
        // A query that still runs answers nobody.
        runtime.shutdown_background();
    })?;
    Ok(Server { address, stop, thread })
}

/// The runtime of the server's thread.
pub(crate) fn runtime() -> io::Result<Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS)
        .thread_keep_alive(Duration::from_secs(5))
        .build()
}

async fn run(listener: tokio::net::TcpListener, router: Router, stop: CancellationToken) {
    let deadline = async {
        stop.cancelled().await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        () = connections::serve(listener, router, LIMITS, stop.clone()) => {}
        () = deadline => {}
    }
}

impl Server {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no more connections, lets open ones end for two seconds, and returns when the thread has ended. Blocks.
    pub fn stop(self) {
        self.stop.cancel();
        if self.thread.join().is_err() {
            tracing::error!("the web server ended in a panic");
        }
    }
}
