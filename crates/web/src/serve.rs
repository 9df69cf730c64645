//! The server's thread.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::serve::ListenerExt as _;
use tokio_util::sync::CancellationToken;

use crate::access::{Access, guard};
use crate::backend::Backend;
use crate::{api, assets, control};

/// How long open connections may take to end.
const GRACE: Duration = Duration::from_secs(2);

/// Queries that run at the same time. Each takes memory for its answer, so there are few.
const BLOCKING_THREADS: usize = 2;

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
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS)
        .thread_keep_alive(Duration::from_secs(5))
        .build()?;
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

async fn run(listener: tokio::net::TcpListener, router: Router, stop: CancellationToken) {
    let graceful = stop.clone();
    // Answers are written in several pieces; waiting to fill packets would hold the last one back for 40 ms.
    let listener = listener.tap_io(|connection| {
        if let Err(error) = connection.set_nodelay(true) {
            tracing::debug!(err = %error, "a connection is slower than it could be");
        }
    });
    let serving = axum::serve(listener, router).with_graceful_shutdown(async move { graceful.cancelled().await });
    let deadline = async {
        stop.cancelled().await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        result = serving => if let Err(error) = result {
            tracing::error!(err = %error, "the web server has failed");
        },
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
