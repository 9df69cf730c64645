//! Connections to servers, straight or through a proxy.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::BoxFuture;
use http::Uri;
use http::uri::Scheme;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tower::Service;

use super::proxy::Proxies;

/// A connection that is not there after this long will not come.
const CONNECT: Duration = Duration::from_secs(30);
/// Idle connections are probed this often, so that one that a firewall forgot is noticed.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// Connects without TLS; what speaks TLS is put on top.
#[derive(Clone)]
pub(super) struct Dial {
    proxies: Proxies,
    tcp: HttpConnector,
}

/// A connection, and whether a proxy is at its other end that wants whole addresses.
pub(super) struct Dialed {
    stream: TokioIo<TcpStream>,
    proxied: bool,
}

impl Dial {
    pub(super) fn new(proxies: Proxies) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(CONNECT));
        tcp.set_keepalive(Some(KEEPALIVE));
        tcp.set_nodelay(true);
        Self { proxies, tcp }
    }
}

impl Service<Uri> for Dial {
    type Response = Dialed;
    type Error = Box<dyn std::error::Error + Send + Sync>;
    type Future = BoxFuture<'static, Result<Dialed, Self::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.tcp.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        match self.proxies.of(&uri) {
            None => {
                let connecting = self.tcp.call(uri);
                Box::pin(async move { Ok(Dialed { stream: connecting.await?, proxied: false }) })
            }
            Some(proxy) if uri.scheme() == Some(&Scheme::HTTPS) => {
                let headers = self.proxies.connect_headers(proxy);
                let mut tunnel = Tunnel::new(proxy.uri.clone(), self.tcp.clone()).with_headers(headers);
                let connecting = tunnel.call(uri);
                Box::pin(async move { Ok(Dialed { stream: connecting.await?, proxied: false }) })
            }
            Some(proxy) => {
                let connecting = self.tcp.call(proxy.uri.clone());
                Box::pin(async move { Ok(Dialed { stream: connecting.await?, proxied: true }) })
            }
        }
    }
}

impl Connection for Dialed {
    fn connected(&self) -> Connected {
        self.stream.connected().proxy(self.proxied)
    }
}

impl Read for Dialed {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(cx, buf)
    }
}

impl Write for Dialed {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(cx, bufs)
    }
}
