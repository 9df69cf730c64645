//! The arguments that every HTTP client shares, and what of them does not go together.

use std::collections::BTreeMap;

use http::header::{HeaderMap, HeaderName, HeaderValue};
use lang::decode::{FromBlock, FromText};
use lang::golang::quote::quote;
use lang::value::secret::Secret;

use super::BuildError;

/// How to reach a server: credentials, TLS, proxy, headers. Squashed into the blocks of those that are clients.
#[derive(Clone, Debug, FromBlock)]
#[block(validate = HttpClientArguments::check)]
pub struct HttpClientArguments {
    /// Sends a user name and a password.
    #[block]
    pub basic_auth: Option<BasicAuth>,
    /// Sends credentials of any type.
    #[block]
    pub authorization: Option<Authorization>,
    /// Sends a token that a server gives for a client's id and secret.
    #[block]
    pub oauth2: Option<OAuth2>,
    /// Bearer token to authenticate with.
    #[attr(optional)]
    pub bearer_token: Secret,
    /// File containing a bearer token to authenticate with; read at each request.
    #[attr(optional)]
    pub bearer_token_file: String,
    #[squash]
    pub proxy: ProxyArguments,
    /// TLS towards the server.
    #[block]
    pub tls_config: Option<TlsArguments>,
    /// Whether redirects are followed.
    #[attr(default = true)]
    pub follow_redirects: bool,
    /// Whether HTTP/2 is used where the server offers it over TLS.
    #[attr(default = true)]
    pub enable_http2: bool,
    /// Headers to add to each request, each with one or more values.
    #[attr(optional)]
    pub http_headers: BTreeMap<String, Vec<Secret>>,
}

/// A user name and a password.
#[derive(Clone, Debug, FromBlock)]
#[block(validate = BasicAuth::check)]
pub struct BasicAuth {
    /// The user name.
    #[attr(optional)]
    pub username: String,
    /// The password.
    #[attr(optional)]
    pub password: Secret,
    /// File containing the password; read at each request.
    #[attr(optional)]
    pub password_file: String,
}

/// Credentials of any type.
#[derive(Clone, Debug, FromBlock)]
#[block(validate = Authorization::check)]
pub struct Authorization {
    /// The type.
    #[attr(name = "type", default = "Bearer")]
    pub kind: String,
    /// The credentials.
    #[attr(optional)]
    pub credentials: Secret,
    /// File containing the credentials; read at each request.
    #[attr(optional)]
    pub credentials_file: String,
}

/// OAuth 2.0 with a client's own credentials.
#[derive(Clone, Debug, FromBlock)]
#[block(validate = OAuth2::check)]
pub struct OAuth2 {
    /// The client's id.
    #[attr(optional)]
    pub client_id: String,
    /// The client's secret.
    #[attr(optional)]
    pub client_secret: Secret,
    /// File containing the client's secret; read each time a token is asked for.
    #[attr(optional)]
    pub client_secret_file: String,
    /// The scopes to ask for.
    #[attr(optional)]
    pub scopes: Vec<String>,
    /// Where tokens are given.
    #[attr(optional)]
    pub token_url: String,
    /// Parameters to add to the question for a token.
    #[attr(optional)]
    pub endpoint_params: BTreeMap<String, String>,
    #[squash]
    pub proxy: ProxyArguments,
    /// TLS towards the server that gives tokens.
    #[block]
    pub tls_config: Option<TlsArguments>,
}

/// The way through a proxy.
#[derive(Clone, Debug, Default, FromBlock)]
#[block(validate = ProxyArguments::check)]
pub struct ProxyArguments {
    /// HTTP proxy to send requests through.
    #[attr(optional)]
    pub proxy_url: String,
    /// Comma-separated hosts, domains, addresses and CIDR ranges to reach without the proxy, each with an optional port.
    #[attr(optional)]
    pub no_proxy: String,
    /// Whether `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` of the environment are heeded.
    #[attr(default = false)]
    pub proxy_from_environment: bool,
    /// Headers to send to the proxy when it is asked to connect.
    #[attr(optional)]
    pub proxy_connect_header: BTreeMap<String, Vec<Secret>>,
}

/// TLS towards a server.
#[derive(Clone, Debug, Default, FromBlock)]
#[block(validate = TlsArguments::check)]
pub struct TlsArguments {
    /// CA certificates in PEM to check the server against, instead of the system's.
    #[attr(optional)]
    pub ca_pem: String,
    /// File with them.
    #[attr(optional)]
    pub ca_file: String,
    /// Certificate in PEM to show to the server.
    #[attr(optional)]
    pub cert_pem: String,
    /// File with it.
    #[attr(optional)]
    pub cert_file: String,
    /// Key of that certificate in PEM.
    #[attr(optional)]
    pub key_pem: Secret,
    /// File with it.
    #[attr(optional)]
    pub key_file: String,
    /// The name that the server's certificate must have, when it is not that of the address.
    #[attr(optional)]
    pub server_name: String,
    /// Whether any certificate will do.
    #[attr(default = false)]
    pub insecure_skip_verify: bool,
    /// The oldest TLS version to accept. Versions before 1.2 are accepted here but never spoken.
    #[attr(optional)]
    pub min_version: TlsVersion,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromText)]
#[text(error = "unknown TLS version: {text}")]
pub enum TlsVersion {
    /// The oldest that is safe.
    #[default]
    #[text("")]
    Default,
    #[text("TLS10")]
    Tls10,
    #[text("TLS11")]
    Tls11,
    #[text("TLS12")]
    Tls12,
    #[text("TLS13")]
    Tls13,
}

/// Headers that have arguments of their own or that belong to the protocol.
const RESERVED: [&str; 15] = [
    "authorization",
    "host",
    "content-encoding",
    "content-length",
    "content-type",
    "user-agent",
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "www-authenticate",
    "accept-encoding",
    "x-prometheus-remote-write-version",
    "x-prometheus-remote-read-version",
    "x-prometheus-scrape-timeout-seconds",
];

impl HttpClientArguments {
    /// The defaults with nothing configured.
    pub fn bare() -> Self {
        Self {
            basic_auth: None,
            authorization: None,
            oauth2: None,
            bearer_token: Secret::default(),
            bearer_token_file: String::new(),
            proxy: ProxyArguments::default(),
            tls_config: None,
            follow_redirects: true,
            enable_http2: true,
            http_headers: BTreeMap::new(),
        }
    }

    fn check(&mut self) -> Result<(), String> {
        let ways = [
            self.basic_auth.is_some(),
            self.authorization.is_some(),
            self.oauth2.is_some(),
            !self.bearer_token.reveal().is_empty(),
            !self.bearer_token_file.is_empty(),
        ];
        if ways.into_iter().filter(|used| *used).count() > 1 {
            return Err("at most one of basic_auth, authorization, oauth2, bearer_token & bearer_token_file must be \
                        configured"
                .to_owned());
        }
        for name in self.http_headers.keys() {
            let lower = name.to_ascii_lowercase();
            if RESERVED.contains(&lower.as_str()) || lower.starts_with("x-amz-") {
                return Err(format!("setting header {} is not allowed", quote(canonical(name))));
            }
        }
        Ok(())
    }

    /// `http_headers` as they are sent.
    pub(super) fn http_headers(&self) -> Result<HeaderMap, BuildError> {
        header_map(&self.http_headers)
    }
}

impl BasicAuth {
    fn check(&mut self) -> Result<(), String> {
        at_most_one(&self.password, &self.password_file, "basic_auth password & password_file")
    }
}

impl Authorization {
    fn check(&mut self) -> Result<(), String> {
        self.kind = self.kind.trim().to_owned();
        if self.kind.is_empty() {
            self.kind = "Bearer".to_owned();
        }
        if self.kind.eq_ignore_ascii_case("basic") {
            return Err(r#"authorization type cannot be set to "basic", use "basic_auth" instead"#.to_owned());
        }
        at_most_one(&self.credentials, &self.credentials_file, "authorization credentials & credentials_file")
    }
}

impl OAuth2 {
    fn check(&mut self) -> Result<(), String> {
        if self.client_id.is_empty() {
            return Err("oauth2 client_id must be configured".to_owned());
        }
        if self.client_secret.reveal().is_empty() && self.client_secret_file.is_empty() {
            return Err("either oauth2 client_secret or client_secret_file must be configured".to_owned());
        }
        if self.token_url.is_empty() {
            return Err("oauth2 token_url must be configured".to_owned());
        }
        at_most_one(&self.client_secret, &self.client_secret_file, "oauth2 client_secret & client_secret_file")
    }
}

impl ProxyArguments {
    fn check(&mut self) -> Result<(), String> {
        let message =
            if !self.proxy_connect_header.is_empty() && !self.proxy_from_environment && self.proxy_url.is_empty() {
                "if proxy_connect_header is configured, proxy_url or proxy_from_environment must also be configured"
            } else if self.proxy_from_environment && !self.proxy_url.is_empty() {
                "if proxy_from_environment is configured, proxy_url must not be configured"
            } else if self.proxy_from_environment && !self.no_proxy.is_empty() {
                "if proxy_from_environment is configured, no_proxy must not be configured"
            } else if self.proxy_url.is_empty() && !self.no_proxy.is_empty() {
                "if no_proxy is configured, proxy_url must also be configured"
            } else {
                return Ok(());
            };
        Err(message.to_owned())
    }

    /// `proxy_connect_header` as it is sent.
    pub(super) fn connect_headers(&self) -> Result<HeaderMap, BuildError> {
        header_map(&self.proxy_connect_header)
    }
}

impl TlsArguments {
    fn check(&mut self) -> Result<(), String> {
        let key_pem = !self.key_pem.reveal().is_empty();
        let twice = [
            ("ca_pem and ca_file", !self.ca_pem.is_empty() && !self.ca_file.is_empty()),
            ("cert_pem and cert_file", !self.cert_pem.is_empty() && !self.cert_file.is_empty()),
            ("key_pem and key_file", key_pem && !self.key_file.is_empty()),
        ];
        if let Some((names, _)) = twice.into_iter().find(|(_, both)| *both) {
            return Err(format!("at most one of {names} must be configured"));
        }
        let cert = !self.cert_pem.is_empty() || !self.cert_file.is_empty();
        let key = key_pem || !self.key_file.is_empty();
        let message = match (cert, key) {
            (true, false) => {
                "exactly one of key_pem or key_file must be configured when a client certificate is configured"
            }
            (false, true) => "exactly one of cert_pem or cert_file must be configured when a client key is configured",
            _ => return Ok(()),
        };
        Err(message.to_owned())
    }
}

fn at_most_one(secret: &Secret, file: &str, names: &str) -> Result<(), String> {
    if !secret.reveal().is_empty() && !file.is_empty() {
        return Err(format!("at most one of {names} must be configured"));
    }
    Ok(())
}

/// `x-custom` as `X-Custom`.
fn canonical(name: &str) -> String {
    let mut start = true;
    let upper = |c: char| {
        let done = if start { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() };
        start = c == '-';
        done
    };
    name.chars().map(upper).collect()
}

fn header_map(headers: &BTreeMap<String, Vec<Secret>>) -> Result<HeaderMap, BuildError> {
    let mut map = HeaderMap::new();
    for (name, values) in headers {
        let wrong = || BuildError::Header(name.clone());
        let parsed = HeaderName::try_from(name.as_str()).map_err(|_| wrong())?;
        for value in values {
            let mut value = HeaderValue::from_bytes(value.reveal().as_bytes()).map_err(|_| wrong())?;
            value.set_sensitive(true);
            map.append(parsed.clone(), value);
        }
    }
    Ok(map)
}
