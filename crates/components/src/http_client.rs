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
pub(crate) mod tests;

use std::io::Write;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, HeaderMap, HeaderValue, PROXY_AUTHORIZATION};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
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
/// As much is read of what a redirect says beside its address.
const REDIRECT_BODY: usize = 64 << 10;

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
    /// As much of the answer's body is read, in bytes. A download that has more fails.
    pub max_answer: usize,
}

/// An answer, whatever its status.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body as it came, cut off after [`Call::max_answer`]; empty for a download.
    pub body: Bytes,
}

/// How long a download may take.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Until the answer begins, and between its pieces.
    pub silence: Duration,
    /// All of it.
    pub whole: Duration,
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
    /// The answer is larger than wanted.
    #[error("the answer has more than {0} bytes")]
    TooLarge(usize),
    /// The answer could not be written down.
    #[error("writing the answer: {0}")]
    Write(std::io::Error),
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
        let most = call.max_answer;
        let whole = async {
            let (answer, body) = self.follow(call).await?;
            Ok(Answer { body: read(body, most).await?, ..answer })
        };
        tokio::time::timeout(timeout, whole).await.unwrap_or(Err(SendError::Timeout(timeout)))
    }

    /// Sends a request and writes the body of a good answer to `into` as it comes. That of another one is not read.
    pub async fn download(
        &self,
        call: Call,
        patience: Patience,
        into: &mut (dyn Write + Send),
    ) -> Result<Answer, SendError> {
        let most = call.max_answer;
        let whole = async {
            let answering = tokio::time::timeout(patience.silence, self.follow(call));
            let (answer, mut body) = answering.await.map_err(|_| SendError::Timeout(patience.silence))??;
            if answer.status != StatusCode::OK {
                return Ok(answer);
            }
            let mut written = 0;
            loop {
                let frame = tokio::time::timeout(patience.silence, body.frame()).await;
                let Some(frame) = frame.map_err(|_| SendError::Timeout(patience.silence))? else { return Ok(answer) };
                let data = frame.map_err(SendError::Body)?.into_data().unwrap_or_default();
                written += data.len();
                if written > most {
                    return Err(SendError::TooLarge(most));
                }
                into.write_all(&data).map_err(SendError::Write)?;
            }
        };
        let answer = tokio::time::timeout(patience.whole, whole).await;
        answer.unwrap_or(Err(SendError::Timeout(patience.whole)))
    }

    /// The answer that is not a redirect, and its body, which is still to come.
    async fn follow(&self, mut call: Call) -> Result<(Answer, Incoming), SendError> {
        let first = call.url.clone();
        let mut trusted = true;
        for _ in 0..=MAX_REDIRECTS {
            let (answer, body) = self.once(&call, trusted).await?;
            match redirect::step(&call, &answer, self.follow_redirects) {
                Step::Stay => return Ok((answer, body)),
                Step::Nowhere(error) => return Err(SendError::Redirect(error)),
                Step::To(next) => {
                    // So that the connection can be used again.
                    _ = read(body, REDIRECT_BODY).await?;
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

    async fn once(&self, call: &Call, trusted: bool) -> Result<(Answer, Incoming), SendError> {
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
        self.exchange(request).await
    }

    /// The credentials of the arguments, else those within the address.
    async fn authorization(&self, endpoint: &ServerUrl) -> Result<Option<HeaderValue>, SendError> {
        match self.credentials.header().await? {
            Some(value) => Ok(Some(value)),
            None => Ok(endpoint.authorization().cloned()),
        }
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<(Answer, Incoming), SendError> {
        let response = if request.uri().scheme() == Some(&http::uri::Scheme::HTTPS) {
            let client = self.tls.lock().unwrap_or_else(PoisonError::into_inner).client()?;
            client.request(request)
        } else {
            self.plain.request(request)
        };
        let (head, body) = response.await.map_err(SendError::Connection)?.into_parts();
        Ok((Answer { status: head.status, headers: head.headers, body: Bytes::new() }, body))
    }
}

/// The first `most` bytes of a body.
async fn read(mut body: Incoming, most: usize) -> Result<Bytes, SendError> {
    let mut read = Vec::new();
    while let Some(frame) = body.frame().await {
        let data = frame.map_err(SendError::Body)?.into_data().unwrap_or_default();
        read.extend_from_slice(&data[..data.len().min(most - read.len())]);
        if read.len() == most {
            break;
        }
    }
    Ok(Bytes::from(read))
}

fn builder() -> hyper_util::client::legacy::Builder {
    let mut builder = hyper_util::client::legacy::Client::builder(TokioExecutor::new());
    builder.pool_idle_timeout(IDLE).pool_timer(TokioTimer::new()).timer(TokioTimer::new());
    builder
}
