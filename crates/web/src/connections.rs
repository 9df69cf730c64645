//! Connections: how many there are, and how long one may be silent.

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use http::Request;
use hyper::body::Incoming;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

/// What connections may take.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    /// How many are open; a further one is closed at once.
    pub(crate) connections: usize,
    /// How long the head of a request may take to come, the wait for it included.
    pub(crate) silence: Duration,
}

pub(crate) const LIMITS: Limits = Limits { connections: 256, silence: Duration::from_secs(10) };

/// Requests that one connection of HTTP/2 may have open.
const STREAMS: u32 = 32;

/// How often a connection of HTTP/2 is asked whether the other side is still there.
const PING: Duration = Duration::from_secs(60);

/// Answers the connections of `listener` until `stop`, and returns when those that are open then have ended.
pub(crate) async fn serve(listener: TcpListener, router: Router, limits: Limits, stop: CancellationToken) {
    let places = Arc::new(Semaphore::new(limits.connections));
    let graceful = GracefulShutdown::new();
    let mut is_full = false;
    while let Some(stream) = stop.run_until_cancelled(accept(&listener)).await {
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            if !is_full {
                tracing::warn!(open = limits.connections, "too many connections: further ones are closed at once");
            }
            is_full = true;
            continue;
        };
        is_full = false;
        let answering = answer(stream, router.clone(), limits.silence, graceful.watcher());
        tokio::spawn(async move {
            answering.await;
            drop(place);
        });
    }
    drop(listener);
    graceful.shutdown().await;
}

/// The next connection. One that fails while it is taken ends nothing but itself.
async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Answers are written in several pieces; waiting to fill packets would hold the last one back for 40 ms.
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(err = %error, "a connection is slower than it could be");
                }
                return stream;
            }
            Err(error) if is_of_one(&error) => {}
            Err(error) => {
                // No file descriptors, most likely: some will be closed.
                tracing::error!(err = %error, "the web server can take no connection");
                sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

fn is_of_one(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset)
}

/// Answers one connection until it ends, or says nothing for too long.
async fn answer(stream: TcpStream, router: Router, silence: Duration, watcher: Watcher) {
    let asked = CancellationToken::new();
    let router = TowerToHyperService::new(router);
    let service = service_fn(|request: Request<Incoming>| {
        asked.cancel();
        router.call(request)
    });
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(silence);
    builder.http2().timer(TokioTimer::new()).max_concurrent_streams(STREAMS).keep_alive_interval(PING);
    let connection = watcher.watch(builder.serve_connection(TokioIo::new(stream), service));
    // hyper's own timer starts when it knows which HTTP is spoken, and a client need not say.
    let silent = async {
        if timeout(silence, asked.cancelled()).await.is_ok() {
            std::future::pending().await
        }
    };
    tokio::select! {
        result = connection => if let Err(error) = result {
            tracing::debug!(err = %error, "a connection ended early");
        },
        () = silent => tracing::debug!("a connection that asked for nothing was closed"),
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::sync::Notify;
    use tokio::task::JoinHandle;

    use super::*;

    const REQUEST: &str = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

    struct Server {
        address: SocketAddr,
        stop: CancellationToken,
        task: JoinHandle<()>,
    }

    async fn start(router: Router, limits: Limits) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let task = tokio::spawn(serve(listener, router, limits, stop.clone()));
        Server { address, stop, task }
    }

    fn hello() -> Router {
        Router::new().route("/", get(async || "hello"))
    }

    impl Server {
        async fn send(&self, text: &str) -> TcpStream {
            let mut stream = TcpStream::connect(self.address).await.unwrap();
            // It may be closed already.
            _ = stream.write_all(text.as_bytes()).await;
            stream
        }
    }

    /// What comes until the other side closes; that it does so is the test.
    async fn rest(mut stream: TcpStream) -> String {
        let mut bytes = Vec::new();
        let read = timeout(Duration::from_secs(20), stream.read_to_end(&mut bytes));
        // A reset is an end too.
        _ = read.await.expect("the connection is closed");
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Waits for an answer, and leaves the connection open.
    async fn answered(stream: &mut TcpStream) -> bool {
        let mut bytes = Vec::new();
        while !bytes.ends_with(b"hello") {
            let read = timeout(Duration::from_secs(20), stream.read_buf(&mut bytes));
            if read.await.expect("an answer or the end").unwrap_or(0) == 0 {
                return false;
            }
        }
        true
    }

    #[tokio::test]
    async fn a_connection_that_does_not_say_what_it_wants_is_closed() {
        let server = start(hello(), Limits { silence: Duration::from_millis(500), ..LIMITS }).await;
        for text in ["", "PRI * HTTP/2.0\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "GET / HTTP/1.1\r\nHost: local"] {
            let answer = rest(server.send(text).await).await;
            assert!(!answer.contains("hello"), "{text:?}: {answer}");
        }
    }

    #[tokio::test]
    async fn a_connection_that_goes_silent_after_an_answer_is_closed() {
        let server = start(hello(), Limits { silence: Duration::from_millis(500), ..LIMITS }).await;
        let answer = rest(server.send(REQUEST).await).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("hello"), "{answer}");
    }

    #[tokio::test]
    async fn no_more_connections_are_open_than_may_be() {
        let server = start(hello(), Limits { connections: 2, ..LIMITS }).await;
        let mut open = [server.send(REQUEST).await, server.send(REQUEST).await];
        for stream in &mut open {
            assert!(answered(stream).await);
        }
        assert_eq!(rest(server.send("").await).await, "");
        drop(open);
        // A place is free when the server has seen that they are gone.
        let again = async { while !answered(&mut server.send(REQUEST).await).await {} };
        timeout(Duration::from_secs(20), again).await.expect("a place is free again");
    }

    #[tokio::test]
    async fn a_stop_lets_open_requests_end_and_closes_the_rest() {
        let (came, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let slow = get({
            let (came, go) = (Arc::clone(&came), Arc::clone(&go));
            async move || {
                came.notify_one();
                go.notified().await;
                "hello"
            }
        });
        let server = start(Router::new().route("/", slow), LIMITS).await;
        let silent = server.send("").await;
        let open = server.send(REQUEST).await;
        came.notified().await;
        server.stop.cancel();
        assert_eq!(rest(silent).await, "");
        assert!(TcpStream::connect(server.address).await.is_err(), "no more are taken");
        go.notify_one();
        assert!(rest(open).await.ends_with("hello"));
        server.task.await.unwrap();
    }
}
