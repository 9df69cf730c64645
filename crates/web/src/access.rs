//! Who may ask for what.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::header::{AUTHORIZATION, COOKIE, HOST, LOCATION, SET_COOKIE, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode, Uri};

/// Paths that always answer: probes and scrapers ask them, and they tell nothing of what runs.
const PUBLIC: [&str; 3] = ["/-/ready", "/-/healthy", "/metrics"];

const COOKIE_NAME: &str = "pyrope_token";

/// The rule for one listener.
#[derive(Clone)]
pub struct Access {
    loopback: bool,
    token: Option<String>,
    insecure: bool,
    address: SocketAddr,
}

/// Why a request is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    /// It is not from this host and nothing guards the listener.
    Unguarded,
    /// The token is missing or wrong.
    Token,
    /// It names a host that is not this one.
    Host,
    /// Another site's page sent it.
    CrossSite,
}

/// What a request is let in with.
#[derive(Debug, PartialEq, Eq)]
enum Pass {
    Through,
    /// The token stands in the URL: keep it in a cookie, and go to the URL without it.
    KeepToken {
        location: String,
    },
}

impl Access {
    /// The rule for a listener at `address`. With a token all requests must carry it; `insecure` opens an address that
    /// is not loopback without one.
    pub fn new(address: SocketAddr, token: Option<String>, insecure: bool) -> Self {
        let loopback = address.ip().to_canonical().is_loopback();
        Self { loopback, token: token.filter(|token| !token.is_empty()), insecure, address }
    }

    /// What to warn of at start: that most requests will be refused, and how to change it.
    pub fn notice(&self) -> Option<String> {
        let guarded = self.loopback || self.token.is_some() || self.insecure;
        (!guarded).then(|| {
            format!(
                "{} is reachable from other hosts and nothing guards it: only /-/ready, /-/healthy and /metrics answer. \
                 Give --server.http.token-file=FILE to ask for a token, or --server.http.insecure to open it to \
                 everyone, or listen on 127.0.0.1",
                self.address
            )
        })
    }

    fn check(&self, uri: &Uri, headers: &HeaderMap) -> Result<Pass, Refusal> {
        if PUBLIC.contains(&uri.path()) {
            return Ok(Pass::Through);
        }
        if uri.path() == "/-/reload" && headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site") {
            return Err(Refusal::CrossSite);
        }
        if let Some(token) = &self.token {
            if carries(headers, token) {
                return Ok(Pass::Through);
            }
            return match without_token(uri) {
                Some((given, location)) if same(&given, token) => Ok(Pass::KeepToken { location }),
                _ => Err(Refusal::Token),
            };
        }
        if self.loopback {
            let host = uri.authority().map(|authority| authority.as_str());
            let host = host.or_else(|| headers.get(HOST).and_then(|host| host.to_str().ok()));
            return if host.is_none_or(is_local_name) { Ok(Pass::Through) } else { Err(Refusal::Host) };
        }
        if self.insecure { Ok(Pass::Through) } else { Err(Refusal::Unguarded) }
    }
}

/// Lets a request through or answers it.
pub(crate) async fn guard(State(access): State<Access>, request: Request, next: Next) -> Response {
    match access.check(request.uri(), request.headers()) {
        Ok(Pass::Through) => next.run(request).await,
        Ok(Pass::KeepToken { location }) => keep_token(&access, &location),
        Err(refusal) => refuse(&access, refusal),
    }
}

fn refuse(access: &Access, refusal: Refusal) -> Response {
    let (status, text) = match refusal {
        Refusal::Token => (
            StatusCode::UNAUTHORIZED,
            "the token of --server.http.token-file is needed: send `Authorization: Bearer TOKEN`, give it as the password, \
             or open the page once with ?token=TOKEN"
                .to_owned(),
        ),
        Refusal::Unguarded => (StatusCode::FORBIDDEN, access.notice().unwrap_or_default()),
        Refusal::Host => (
            StatusCode::FORBIDDEN,
            "this listener answers to localhost and to its address only, so that no other site can pass for it: open \
             http://127.0.0.1 with the same port"
                .to_owned(),
        ),
        Refusal::CrossSite => (StatusCode::FORBIDDEN, "the page of another site cannot reload pyrope".to_owned()),
    };
    let mut response = (status, text + "\n").into_response();
    if refusal == Refusal::Token {
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"pyrope\""));
    }
    response
}

fn keep_token(access: &Access, location: &str) -> Response {
    let token = access.token.as_deref().unwrap_or_default();
    let cookie = format!("{COOKIE_NAME}={}; Path=/; HttpOnly; SameSite=Strict", BASE64_STANDARD.encode(token));
    let headers = [(SET_COOKIE, HeaderValue::try_from(cookie)), (LOCATION, HeaderValue::try_from(location))];
    let mut response = StatusCode::SEE_OTHER.into_response();
    for (name, value) in headers {
        if let Ok(value) = value {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// Whether the token is there as bearer, as the password of basic authentication, or in the cookie.
fn carries(headers: &HeaderMap, token: &str) -> bool {
    let authorized = headers.get_all(AUTHORIZATION).iter().filter_map(|value| value.to_str().ok()).any(|value| {
        let Some((scheme, rest)) = value.split_once(' ') else { return false };
        if scheme.eq_ignore_ascii_case("bearer") {
            same(rest.trim(), token)
        } else if scheme.eq_ignore_ascii_case("basic") {
            decode(rest.trim())
                .is_some_and(|pair| pair.split_once(':').is_some_and(|(_, password)| same(password, token)))
        } else {
            false
        }
    });
    let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    authorized
        || cookies.flat_map(|value| value.split(';')).any(|cookie| {
            let value = cookie.trim().strip_prefix(COOKIE_NAME).and_then(|rest| rest.strip_prefix('='));
            value.and_then(decode).is_some_and(|value| same(&value, token))
        })
}

fn decode(text: &str) -> Option<String> {
    BASE64_STANDARD.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok())
}

/// Equality in a time that does not tell where the first difference is.
fn same(given: &str, token: &str) -> bool {
    let difference = given.bytes().zip(token.bytes()).fold(0, |seen, (a, b)| seen | (a ^ b));
    given.len() == token.len() && difference == 0
}

/// The token in the query of a URL, and the path and query without it.
fn without_token(uri: &Uri) -> Option<(String, String)> {
    let parts: Vec<&str> = uri.query()?.split('&').collect();
    let token = parts.iter().find_map(|part| part.strip_prefix("token="))?;
    let rest: Vec<&str> = parts.iter().copied().filter(|part| !part.starts_with("token=")).collect();
    // A path that begins with two slashes would name another host.
    let path = format!("/{}", uri.path().trim_start_matches('/'));
    let location = if rest.is_empty() { path } else { format!("{path}?{}", rest.join("&")) };
    Some((percent_decode(token), location))
}

fn percent_decode(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [byte, after @ ..] = rest {
        let digit = |at: usize| after.get(at).and_then(|byte| char::from(*byte).to_digit(16));
        rest = match (byte, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                out.push((high << 4 | low) as u8);
                &after[2..]
            }
            _ => {
                out.push(*byte);
                after
            }
        };
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Whether `Host` names this machine without asking DNS: `localhost`, or an address.
fn is_local_name(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(rest),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(address: &str, token: Option<&str>, insecure: bool) -> Access {
        Access::new(address.parse().unwrap(), token.map(str::to_owned), insecure)
    }

    #[track_caller]
    fn check(access: &Access, uri: &str, headers: &[(&'static str, &str)], expect: Result<Pass, Refusal>) {
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()))
            .collect();
        assert_eq!(access.check(&uri.parse().unwrap(), &headers), expect);
    }

    const THROUGH: Result<Pass, Refusal> = Ok(Pass::Through);

    #[test]
    fn on_loopback_the_host_must_be_this_one() {
        for address in ["127.0.0.1:12345", "[::1]:12345", "[::ffff:127.0.0.1]:1"] {
            let access = access(address, None, false);
            assert_eq!(access.notice(), None);
            for host in ["localhost", "localhost:12345", "127.0.0.1:12345", "[::1]:12345", "10.0.0.7:80", "LOCALHOST"] {
                check(&access, "/", &[("host", host)], THROUGH);
            }
            check(&access, "/", &[("host", "evil.example:12345")], Err(Refusal::Host));
            check(&access, "http://evil.example/", &[], Err(Refusal::Host));
            check(&access, "/metrics", &[("host", "evil.example")], THROUGH);
        }
    }

    #[test]
    fn elsewhere_only_probes_and_metrics_answer() {
        let open = access("0.0.0.0:12345", None, false);
        assert!(open.notice().unwrap().contains("--server.http.token-file"));
        for path in PUBLIC {
            check(&open, path, &[], THROUGH);
        }
        check(&open, "/", &[("host", "localhost")], Err(Refusal::Unguarded));
        check(&open, "/-/reload", &[], Err(Refusal::Unguarded));
        check(&access("0.0.0.0:12345", None, true), "/", &[("host", "box.example")], THROUGH);
    }

    #[test]
    fn the_token_comes_in_several_ways() {
        let access = access("0.0.0.0:12345", Some("s3cr?t"), false);
        assert_eq!(access.notice(), None);
        check(&access, "/", &[("authorization", "Bearer s3cr?t")], THROUGH);
        check(&access, "/", &[("authorization", "bearer wrong!")], Err(Refusal::Token));
        let basic = |pair: &str| format!("Basic {}", BASE64_STANDARD.encode(pair));
        check(&access, "/", &[("authorization", &basic("anyone:s3cr?t"))], THROUGH);
        check(&access, "/", &[("authorization", &basic("s3cr?t"))], Err(Refusal::Token));
        let cookie = format!("a=b; pyrope_token={}", BASE64_STANDARD.encode("s3cr?t"));
        check(&access, "/", &[("cookie", &cookie)], THROUGH);
        check(&access, "/", &[], Err(Refusal::Token));
        check(&access, "/metrics", &[], THROUGH);
    }

    #[test]
    fn a_token_in_the_url_is_kept_and_taken_out_of_it() {
        let access = access("127.0.0.1:12345", Some("s3cr?t"), false);
        let keep = |location: &str| Ok(Pass::KeepToken { location: location.to_owned() });
        check(&access, "/?token=s3cr%3ft", &[], keep("/"));
        check(&access, "/?a=1&token=s3cr%3Ft&b=2", &[], keep("/?a=1&b=2"));
        check(&access, "//evil.example?token=s3cr%3Ft", &[], keep("/evil.example"));
        check(&access, "/?token=wrong", &[], Err(Refusal::Token));
        check(&access, "/?token", &[], Err(Refusal::Token));
    }

    #[test]
    fn another_sites_page_cannot_reload() {
        let access = access("127.0.0.1:12345", None, false);
        let from = |site: &'static str| [("host", "localhost"), ("sec-fetch-site", site)];
        check(&access, "/-/reload", &from("cross-site"), Err(Refusal::CrossSite));
        check(&access, "/-/reload", &from("same-origin"), THROUGH);
        check(&access, "/", &from("cross-site"), THROUGH);
    }
}
