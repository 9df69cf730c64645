//! An HTTP/1.1 server that remembers what it was asked.

use std::sync::{Arc, Mutex};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

pub(crate) struct Server {
    address: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) line: String,
    head: Vec<(String, String)>,
    pub(crate) body: String,
}

/// An answer with a status and a body.
pub(crate) fn answer(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

/// An answer that leads elsewhere.
pub(crate) fn redirect(status: &str, location: &str) -> String {
    format!("HTTP/1.1 {status}\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n")
}

impl Server {
    /// Answers with what `reply` gives; nothing at all is no answer.
    pub(crate) async fn start<A: Into<Vec<u8>>>(reply: impl Fn(&Seen) -> A + Send + Sync + 'static) -> Self {
        Self::listen(None, move |seen| reply(seen).into()).await
    }

    /// The same over TLS, asking for a client's certificate if wanted.
    pub(crate) async fn start_tls(clients: bool, reply: impl Fn(&Seen) -> String + Send + Sync + 'static) -> Self {
        let pem = |name: &str| {
            std::fs::read(format!("{}/src/http_client/testdata/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
        };
        let chain = vec![CertificateDer::from_pem_slice(&pem("server.pem")).unwrap()];
        let key = PrivateKeyDer::from_pem_slice(&pem("server.key")).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = rustls::ServerConfig::builder_with_provider(provider.clone());
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        let builder = if clients {
            let mut roots = rustls::RootCertStore::empty();
            roots.add(CertificateDer::from_pem_slice(&pem("ca.pem")).unwrap()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
            builder.with_client_cert_verifier(verifier)
        } else {
            builder.with_no_client_auth()
        };
        let config = builder.with_single_cert(chain, key).unwrap();
        Self::listen(Some(TlsAcceptor::from(Arc::new(config))), move |seen| reply(seen).into()).await
    }

    async fn listen(tls: Option<TlsAcceptor>, reply: impl Fn(&Seen) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let reply = Arc::new(reply);
        let log = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (log, reply, tls) = (Arc::clone(&log), Arc::clone(&reply), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => serve(stream, &log, &*reply).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                serve(stream, &log, &*reply).await;
                            }
                        }
                    }
                });
            }
        });
        Self { address, seen }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn all(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub(crate) fn last(&self) -> Seen {
        self.all().pop().expect("there was a request")
    }
}

impl Seen {
    pub(crate) fn path(&self) -> &str {
        self.line.split(' ').nth(1).unwrap_or_default()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers(name).first().copied()
    }

    pub(crate) fn headers(&self, name: &str) -> Vec<&str> {
        self.head.iter().filter(|(have, _)| have == name).map(|(_, value)| value.as_str()).collect()
    }
}

async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    log: &Mutex<Vec<Seen>>,
    reply: &(impl Fn(&Seen) -> Vec<u8> + Sync),
) {
    let mut buffer = Vec::new();
    loop {
        let head = loop {
            if let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                break end;
            }
            if stream.read_buf(&mut buffer).await.unwrap_or(0) == 0 {
                return;
            }
        };
        let text = String::from_utf8(buffer.drain(..head + 4).collect()).unwrap();
        let mut lines = text.trim_end().lines();
        let line = lines.next().unwrap().to_owned();
        let pair = |line: &str| line.split_once(": ").map(|(k, v)| (k.to_ascii_lowercase(), v.to_owned()));
        let mut seen = Seen { line, head: lines.filter_map(pair).collect(), body: String::new() };
        let length = seen.header("content-length").map_or(0, |length| length.parse().unwrap());
        while buffer.len() < length {
            stream.read_buf(&mut buffer).await.unwrap();
        }
        seen.body = String::from_utf8(buffer.drain(..length).collect()).unwrap();
        let answer = reply(&seen);
        log.lock().unwrap().push(seen);
        if answer.is_empty() {
            std::future::pending::<()>().await;
        }
        // Who asked may have gone before the end.
        if stream.write_all(&answer).await.is_err() {
            return;
        }
    }
}
