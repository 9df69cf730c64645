//! Who may ask for what.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, PoisonError, RwLock};

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

/// The rule for one listener. Clones share what can change.
#[derive(Clone)]
pub struct Access {
    loopback: bool,
    token: Option<String>,
    insecure: bool,
    address: SocketAddr,
    basic: Arc<RwLock<Option<BasicAuth>>>,
}

/// A user name and a password, and who is asked for them.
#[derive(Clone, PartialEq, Eq)]
pub struct BasicAuth {
    /// The user name.
    pub username: String,
    /// The password.
    pub password: Vec<u8>,
    /// Which requests are asked; without it, all.
    pub filter: Option<Filter>,
}

/// Which requests are asked for credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// Beginnings of paths.
    pub paths: Vec<String>,
    /// Whether those are asked, or all others.
    pub matching: bool,
}

/// Why a request is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    /// It is not from this host and nothing guards the listener.
    Unguarded,
    /// The token is missing or wrong.
    Token,
    /// The user name or the password is missing or wrong.
    Basic,
    /// It names a host, and neither `localhost` nor an address.
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
        let token = token.filter(|token| !token.is_empty());
        Self { loopback, token, insecure, address, basic: Arc::default() }
    }

    /// Asks for these from now on, or for none.
    pub fn set_basic(&self, basic: Option<BasicAuth>) {
        *self.basic.write().unwrap_or_else(PoisonError::into_inner) = basic;
    }

    /// What to warn of: that most requests will be refused, and how to change it.
    pub fn notice(&self) -> Option<String> {
        let guarded = self.loopback || self.token.is_some() || self.insecure;
        (!guarded && !self.asks_anybody()).then(|| {
            format!(
                "{} is reachable from other hosts and nothing guards it: only /-/ready, /-/healthy and /metrics answer. \
                 Give --server.http.token-file=FILE to ask for a token, or an http block with auth to ask for a \
                 password, or --server.http.insecure to open it to everyone, or listen on 127.0.0.1",
                self.address
            )
        })
    }

    fn asks_anybody(&self) -> bool {
        self.basic.read().unwrap_or_else(PoisonError::into_inner).as_ref().is_some_and(BasicAuth::asks_anybody)
    }

    fn check(&self, uri: &Uri, headers: &HeaderMap) -> Result<Pass, Refusal> {
        if uri.path() == "/-/reload" && headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site") {
            return Err(Refusal::CrossSite);
        }
        let basic = self.basic.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(basic) = basic.as_ref().filter(|basic| basic.asks(uri.path())) {
            // Where there is a token too, either will do.
            return match self.check_token(uri, headers) {
                Some(Ok(pass)) => Ok(pass),
                _ if basic.is_in(headers) => Ok(Pass::Through),
                _ => Err(Refusal::Basic),
            };
        }
        if PUBLIC.contains(&uri.path()) {
            return Ok(Pass::Through);
        }
        if let Some(answer) = self.check_token(uri, headers) {
            return answer;
        }
        if self.loopback {
            let host = uri.authority().map(|authority| authority.as_str().as_bytes());
            let host = host.or_else(|| headers.get(HOST).map(HeaderValue::as_bytes));
            let is_local = |host| std::str::from_utf8(host).is_ok_and(is_local_name);
            return if host.is_none_or(is_local) { Ok(Pass::Through) } else { Err(Refusal::Host) };
        }
        // Here the filter of an http block opens nothing: what it leaves out wants the password all the same.
        match basic.as_ref().filter(|basic| basic.asks_anybody()) {
            _ if self.insecure => Ok(Pass::Through),
            Some(basic) if basic.is_in(headers) => Ok(Pass::Through),
            Some(_) => Err(Refusal::Basic),
            None => Err(Refusal::Unguarded),
        }
    }

    /// What the token says, if there is one.
    fn check_token(&self, uri: &Uri, headers: &HeaderMap) -> Option<Result<Pass, Refusal>> {
        let token = self.token.as_ref()?;
        if carries(headers, token) {
            return Some(Ok(Pass::Through));
        }
        Some(match without_token(uri) {
            Some((given, location)) if same(given.as_bytes(), token.as_bytes()) => Ok(Pass::KeepToken { location }),
            _ => Err(Refusal::Token),
        })
    }
}

impl BasicAuth {
    /// Whether a request for this path is asked.
    fn asks(&self, path: &str) -> bool {
        self.filter
            .as_ref()
            .is_none_or(|filter| filter.paths.iter().any(|start| path.starts_with(start.as_str())) == filter.matching)
    }

    /// Whether there is a request that is asked.
    pub fn asks_anybody(&self) -> bool {
        self.filter.as_ref().is_none_or(|filter| !filter.paths.is_empty() || !filter.matching)
    }

    /// Whether the right ones are there.
    fn is_in(&self, headers: &HeaderMap) -> bool {
        credentials(headers, "basic").filter_map(|pair| BASE64_STANDARD.decode(pair).ok()).any(|pair| {
            let Some(colon) = pair.iter().position(|byte| *byte == b':') else { return false };
            // Both are compared, whatever comes of the first.
            same(&pair[..colon], self.username.as_bytes()) & same(&pair[colon + 1..], &self.password)
        })
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
        Refusal::Basic => (
            StatusCode::UNAUTHORIZED,
            "the user name and the password of the http block of the configuration are needed".to_owned(),
        ),
        Refusal::Unguarded => (StatusCode::FORBIDDEN, access.notice().unwrap_or_default()),
        Refusal::Host => (
            StatusCode::FORBIDDEN,
            "this listener answers to localhost and to IP addresses, and to no other name, so that no other site can pass \
             for it: open http://127.0.0.1 with the same port"
                .to_owned(),
        ),
        Refusal::CrossSite => (StatusCode::FORBIDDEN, "the page of another site cannot reload pyrope".to_owned()),
    };
    let mut response = (status, text + "\n").into_response();
    if matches!(refusal, Refusal::Token | Refusal::Basic) {
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

/// The credentials of this scheme that a request carries.
fn credentials<'a>(headers: &'a HeaderMap, scheme: &'a str) -> impl Iterator<Item = &'a str> {
    let values = headers.get_all(AUTHORIZATION).iter().filter_map(|value| value.to_str().ok());
    values.filter_map(move |value| {
        let (given, rest) = value.split_once(' ')?;
        given.eq_ignore_ascii_case(scheme).then(|| rest.trim())
    })
}

/// Whether the token is there as bearer, as the password of basic authentication, or in the cookie.
fn carries(headers: &HeaderMap, token: &str) -> bool {
    let is_token = |given: &str| same(given.as_bytes(), token.as_bytes());
    let password = |pair: String| pair.split_once(':').is_some_and(|(_, password)| is_token(password));
    let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    credentials(headers, "bearer").any(is_token)
        || credentials(headers, "basic").filter_map(decode).any(password)
        || cookies.flat_map(|value| value.split(';')).any(|cookie| {
            let value = cookie.trim().strip_prefix(COOKIE_NAME).and_then(|rest| rest.strip_prefix('='));
            value.and_then(decode).is_some_and(|value| is_token(&value))
        })
}

fn decode(text: &str) -> Option<String> {
    BASE64_STANDARD.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok())
}

/// Equality in a time that does not tell where the first difference is.
fn same(given: &[u8], right: &[u8]) -> bool {
    let difference = given.iter().zip(right).fold(0, |seen, (a, b)| seen | (a ^ b));
    (given.len() == right.len()) & (std::hint::black_box(difference) == 0)
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

/// A part of a URL as it was meant.
pub(crate) fn percent_decode(text: &str) -> String {
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
            for host in [&b"evil\xff.example"[..], "\u{e9}vil.example".as_bytes(), b"\xff"] {
                let headers = HeaderMap::from_iter([(HOST, HeaderValue::from_bytes(host).unwrap())]);
                assert_eq!(access.check(&"/".parse().unwrap(), &headers), Err(Refusal::Host), "{host:?}");
            }
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

    fn basic(user: &str, password: &str) -> [(&'static str, String); 1] {
        [("authorization", format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}"))))]
    }

    #[track_caller]
    fn check_basic(access: &Access, path: &str, given: Option<(&str, &str)>, expect: Result<Pass, Refusal>) {
        let given = given.map(|(user, password)| basic(user, password));
        let headers: Vec<_> = given.iter().flatten().map(|(name, value)| (*name, value.as_str())).collect();
        check(access, path, &headers, expect);
    }

    fn auth(filter: Option<(&[&str], bool)>) -> Option<BasicAuth> {
        let filter = filter
            .map(|(paths, matching)| Filter { paths: paths.iter().map(|path| (*path).to_owned()).collect(), matching });
        Some(BasicAuth { username: "ada".to_owned(), password: b"p:w".to_vec(), filter })
    }

    #[test]
    fn a_password_is_asked_of_every_request_and_opens_every_address() {
        for address in ["0.0.0.0:1", "127.0.0.1:1"] {
            let access = access(address, None, false);
            access.clone().set_basic(auth(None));
            assert_eq!(access.notice(), None);
            for path in ["/", "/metrics", "/-/ready", "/querier.v1.QuerierService/Series"] {
                check_basic(&access, path, Some(("ada", "p:w")), THROUGH);
                for wrong in [None, Some(("ada", "p")), Some(("bob", "p:w")), Some(("ada", "")), Some(("", "p:w"))] {
                    check_basic(&access, path, wrong, Err(Refusal::Basic));
                }
                check(&access, path, &[("authorization", "Basic !"), ("authorization", "p:w")], Err(Refusal::Basic));
            }
            access.set_basic(None);
            check_basic(&access, "/metrics", None, THROUGH);
            assert_eq!(access.notice().is_some(), address == "0.0.0.0:1");
        }
    }

    #[test]
    fn the_filter_says_who_is_asked() {
        let local = access("127.0.0.1:1", None, false);
        let access = access("0.0.0.0:1", None, false);
        for access in [&local, &access] {
            access.set_basic(auth(Some((&["/metrics", "/api/"], true))));
            check_basic(access, "/metrics", None, Err(Refusal::Basic));
            check_basic(access, "/api/v0/agent/status", None, Err(Refusal::Basic));
            check_basic(access, "/-/ready", None, THROUGH);
        }
        // Only on loopback does what it leaves out need nothing.
        check_basic(&local, "/", None, THROUGH);
        check_basic(&access, "/", None, Err(Refusal::Basic));
        check_basic(&access, "/", Some(("ada", "p:w")), THROUGH);
        access.set_basic(auth(Some((&["/metrics"], false))));
        check_basic(&access, "/metrics", None, THROUGH);
        check_basic(&access, "/-/ready", None, Err(Refusal::Basic));
        check_basic(&access, "/", Some(("ada", "p:w")), THROUGH);
        // One that asks nobody guards nothing.
        access.set_basic(auth(Some((&[], true))));
        check_basic(&access, "/metrics", None, THROUGH);
        check_basic(&access, "/", None, Err(Refusal::Unguarded));
        assert!(access.notice().is_some());
    }

    #[test]
    fn the_token_or_the_password_will_do_and_what_the_filter_leaves_out_wants_the_token() {
        let access = access("0.0.0.0:1", Some("tok"), false);
        access.set_basic(auth(Some((&["/api/"], true))));
        let bearer = [("authorization", "Bearer tok")];
        check(&access, "/api/x", &bearer, THROUGH);
        check_basic(&access, "/api/x", Some(("ada", "p:w")), THROUGH);
        check(&access, "/", &bearer, THROUGH);
        check_basic(&access, "/", Some(("ada", "p:w")), Err(Refusal::Token));
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
