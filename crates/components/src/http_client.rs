//! HTTP as components configure it: the arguments that every client shares, and a client that does what they say.
//!
//! ```text
//!  arguments ─▶ Client ─send─▶ credentials, headers ─▶ hyper ─▶ Dial (proxy or not) ─▶ TLS ─▶ server
//!                 ▲                                                                             │
//!                 └───────────────── a redirect, without credentials for another host ──────────┘
//! ```
//!
//! Secrets are read from their files at each request and never appear in messages. Start at [`HttpClientArguments`].

mod arguments;
mod auth;
mod dial;
mod oauth2;
mod proxy;
mod redirect;
mod tls;
mod url;

#[cfg(test)]
mod tests;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, HeaderMap, HeaderValue, PROXY_AUTHORIZATION};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::{TokioExecutor, TokioTimer};

pub use self::arguments::{
    Authorization, BasicAuth, HttpClientArguments, OAuth2, ProxyArguments, TlsArguments, TlsVersion,
};
pub use self::proxy::ProxyError;
pub use self::tls::TlsError;
pub(crate) use self::url::redacted;
pub use self::url::{ServerUrl, UrlError};

use self::{auth::Credentials, dial::Dial, proxy::Proxies, redirect::Step};

/// Connections that nobody uses are closed after this long.
const IDLE: Duration = Duration::from_secs(300);
/// More redirects than this are a loop.
const MAX_REDIRECTS: usize = 10;

type Http = hyper_util::client::legacy::Client<Dial, Full<Bytes>>;

/// A client with its connections. Made once per set of arguments.
pub struct Client {
    credentials: Credentials,
    headers: HeaderMap,
    proxies: Proxies,
    plain: Http,
    tls: Mutex<tls::Tls>,
    follow_redirects: bool,
}

/// A request.
#[derive(Clone, Debug)]
pub struct Call {
    /// The method.
    pub method: Method,
    /// Where to.
    pub url: ServerUrl,
    /// Its headers. `Authorization` here wins over what the client is configured with.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
    /// As much of the answer's body is read, in bytes.
    pub max_answer: usize,
}

/// An answer, whatever its status.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body as it came, cut off after [`Call::max_answer`].
    pub body: Bytes,
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// TLS cannot work as configured.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The proxy cannot be used.
    #[error(transparent)]
    Proxy(#[from] ProxyError),
    /// An address cannot be used.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// A header cannot be sent.
    #[error("header {0:?} has a name or a value that cannot be sent")]
    Header(String),
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// Nobody answered in time.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// The connection could not be made or broke.
    #[error("{}", chain(.0))]
    Connection(hyper_util::client::legacy::Error),
    /// The answer broke off.
    #[error("the answer broke off: {}", chain(.0))]
    Body(hyper::Error),
    /// A file with a secret cannot be read.
    #[error("reading {path}")]
    SecretFile {
        /// The file.
        path: String,
        /// What is wrong with it.
        source: std::io::Error,
    },
    /// A secret has a character that no header may have.
    #[error("the credentials have a character that no header may have")]
    Credentials,
    /// There is no token.
    #[error("getting a token from {url}: {reason}")]
    Token {
        /// Where it was asked for.
        url: String,
        /// What came of it.
        reason: String,
    },
    /// TLS cannot work as configured.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The server sends from one place to the next.
    #[error("stopped after {MAX_REDIRECTS} redirects")]
    Redirects,
    /// The server sends to no address.
    #[error("redirected to an address that cannot be used: {0}")]
    Redirect(UrlError),
}

/// An error and its causes in a line; what a cause repeats of the error above it is left out.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let more = error.to_string();
        if !text.ends_with(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        source = error.source();
    }
    text
}

impl Client {
    /// Makes a client. Nothing is connected yet. `tls` says whether TLS is certain to be used, so that what is wrong
    /// with its arguments shows now.
    pub fn new(arguments: &HttpClientArguments, tls: bool) -> Result<Self, BuildError> {
        let proxies = Proxies::new(&arguments.proxy)?;
        let dial = Dial::new(proxies.clone());
        let plain = builder().build(dial.clone());
        let mut lazy = tls::Tls::new(arguments.tls_config.clone().unwrap_or_default(), arguments.enable_http2, dial);
        if tls {
            lazy.client()?;
        }
        Ok(Self {
            credentials: Credentials::new(arguments)?,
            headers: arguments.http_headers()?,
            proxies,
            plain,
            tls: Mutex::new(lazy),
            follow_redirects: arguments.follow_redirects,
        })
    }

    /// Sends a request and reads the whole answer, all within `timeout`.
    pub async fn send(&self, call: Call, timeout: Duration) -> Result<Answer, SendError> {
        match tokio::time::timeout(timeout, self.follow(call)).await {
            Ok(answer) => answer,
            Err(_) => Err(SendError::Timeout(timeout)),
        }
    }

    async fn follow(&self, mut call: Call) -> Result<Answer, SendError> {
        let first = call.url.clone();
        let mut trusted = true;
        for _ in 0..=MAX_REDIRECTS {
            let answer = self.once(&call, trusted).await?;
            match redirect::step(&call, &answer, self.follow_redirects) {
                Step::Stay => return Ok(answer),
                Step::Nowhere(error) => return Err(SendError::Redirect(error)),
                Step::To(next) => {
                    // Once away from the first host nothing secret is sent any more, not even back to it.
                    trusted = trusted && redirect::same_host(&first, &next.url);
                    call = *next;
                    if !trusted {
                        call.headers = redirect::without_secrets(&call.headers);
                    }
                }
            }
        }
        Err(SendError::Redirects)
    }

    async fn once(&self, call: &Call, trusted: bool) -> Result<Answer, SendError> {
        let uri = call.url.uri();
        let mut headers = call.headers.clone();
        if trusted {
            for (name, value) in &self.headers {
                headers.append(name.clone(), value.clone());
            }
            if !headers.contains_key(AUTHORIZATION)
                && let Some(value) = self.authorization(&call.url).await?
            {
                headers.insert(AUTHORIZATION, value);
            }
        }
        if call.url.is_plain()
            && let Some(value) = self.proxies.of(uri).and_then(|proxy| proxy.authorization.clone())
        {
            headers.insert(PROXY_AUTHORIZATION, value);
        }
        let mut request = Request::new(Full::new(call.body.clone()));
        *request.method_mut() = call.method.clone();
        *request.uri_mut() = uri.clone();
        *request.headers_mut() = headers;
        self.exchange(request, call.max_answer).await
    }

    /// The credentials of the arguments, else those within the address.
    async fn authorization(&self, endpoint: &ServerUrl) -> Result<Option<HeaderValue>, SendError> {
        match self.credentials.header().await? {
            Some(value) => Ok(Some(value)),
            None => Ok(endpoint.authorization().cloned()),
        }
    }

    async fn exchange(&self, request: Request<Full<Bytes>>, max_answer: usize) -> Result<Answer, SendError> {
        let response = if request.uri().scheme() == Some(&http::uri::Scheme::HTTPS) {
            let client = self.tls.lock().unwrap_or_else(PoisonError::into_inner).client()?;
            client.request(request)
        } else {
            self.plain.request(request)
        };
        let (head, mut body) = response.await.map_err(SendError::Connection)?.into_parts();
        let mut read = Vec::new();
        while let Some(frame) = body.frame().await {
            let data = frame.map_err(SendError::Body)?.into_data().unwrap_or_default();
            read.extend_from_slice(&data[..data.len().min(max_answer - read.len())]);
            if read.len() == max_answer {
                break;
            }
        }
        Ok(Answer { status: head.status, headers: head.headers, body: Bytes::from(read) })
    }
}

fn builder() -> hyper_util::client::legacy::Builder {
    let mut builder = hyper_util::client::legacy::Client::builder(TokioExecutor::new());
    builder.pool_idle_timeout(IDLE).pool_timer(TokioTimer::new()).timer(TokioTimer::new());
    builder
}
