//! Addresses of servers.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Uri;
use http::header::HeaderValue;
use http::uri::{Authority, Scheme};

/// An address to send to, without the user name and password that it may be written with.
#[derive(Clone)]
pub struct ServerUrl {
    uri: Uri,
    authorization: Option<HeaderValue>,
}

/// What is wrong with an address. The address is shown without its password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// It is none.
    #[error("{0:?} is not a URL")]
    Malformed(String),
    /// It has no scheme, no host, or another scheme.
    #[error("{0:?} does not begin with http:// or https:// and a host")]
    Scheme(String),
}

impl ServerUrl {
    /// Reads an absolute `http` or `https` URL; a user name and a password in it become credentials.
    pub fn parse(url: &str) -> Result<Self, UrlError> {
        let uri: Uri = url.parse().map_err(|_| UrlError::Malformed(redacted(url)))?;
        let scheme = || UrlError::Scheme(redacted(url));
        let (Some("http" | "https"), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(scheme());
        };
        if authority.host().is_empty() {
            return Err(scheme());
        }
        // `http::Uri` takes the `pass` of `user:pass/word@host` for the port of a host.
        let malformed = || UrlError::Malformed(redacted(url));
        if !port_is_a_number(authority) {
            return Err(malformed());
        }
        let Some((user, host)) = authority.as_str().rsplit_once('@') else {
            return Ok(Self { uri, authorization: None });
        };
        let authorization = basic(&user_and_password(user)).map_err(|()| malformed())?;
        let host: Authority = host.parse().map_err(|_| scheme())?;
        let mut parts = uri.into_parts();
        parts.authority = Some(host);
        let uri = Uri::from_parts(parts).map_err(|_| scheme())?;
        Ok(Self { uri, authorization: Some(authorization) })
    }

    /// An address below this one, with the same credentials.
    pub(crate) fn below(&self, path: &str) -> Result<Self, UrlError> {
        let mut parts = self.uri.clone().into_parts();
        let path = format!("{}{path}", self.uri.path().trim_end_matches('/'));
        let malformed = || UrlError::Malformed(path.clone());
        parts.path_and_query = Some(path.parse().map_err(|_| malformed())?);
        let uri = Uri::from_parts(parts).map_err(|_| malformed())?;
        Ok(Self { uri, authorization: self.authorization.clone() })
    }

    /// The address as it is requested.
    pub fn uri(&self) -> &Uri {
        &self.uri
    }

    /// Whether it is without TLS.
    pub fn is_plain(&self) -> bool {
        self.uri.scheme() != Some(&Scheme::HTTPS)
    }

    /// The header made of its user name and password.
    pub(super) fn authorization(&self) -> Option<&HeaderValue> {
        self.authorization.as_ref()
    }

    /// The host in lower case.
    pub(super) fn host(&self) -> String {
        self.uri.host().unwrap_or_default().to_ascii_lowercase()
    }
}

impl fmt::Debug for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.uri.fmt(f)
    }
}

/// A URL as it may be shown: a password in it is `xxxxx`, and so are a user that stands alone, as tokens do, and the values
/// of the query. It need not be a valid one: what cannot be told from a password counts as one.
pub(crate) fn redacted(url: &str) -> String {
    let url = url.split('#').next().unwrap_or(url);
    let (address, query) = url.split_once('?').map_or((url, None), |(address, query)| (address, Some(query)));
    let (scheme, rest) = address.split_at(scheme_end(address));
    let mut out = scheme.to_owned();
    match rest.rsplit_once('@').filter(|_| scheme.is_empty() || !begins_with_host(rest)) {
        Some((user, host)) => {
            let name = user.split_once(':').map(|(name, _)| format!("{name}:")).unwrap_or_default();
            out.extend([&name, "xxxxx@", host]);
        }
        None => out.push_str(rest),
    }
    for (at, pair) in query.iter().flat_map(|query| query.split('&')).enumerate() {
        out.push(if at == 0 { '?' } else { '&' });
        out.push_str(&pair.split_once('=').map_or_else(|| "xxxxx".to_owned(), |(name, _)| format!("{name}=xxxxx")));
    }
    out
}

/// Where the `http://` or `//` that an address begins with ends; 0 without one.
fn scheme_end(address: &str) -> usize {
    let named = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    match address.find("//") {
        Some(0) => 2,
        Some(at) if address[..at].strip_suffix(':').is_some_and(|name| name.bytes().all(named)) => at + 2,
        _ => 0,
    }
}

/// Whether what stands before the first `/` can only be a host, so that an `@` behind it is part of the path. With a colon
/// in it, it can be a name and the beginning of a password.
fn begins_with_host(rest: &str) -> bool {
    let Some((authority, _)) = rest.split_once('/') else { return false };
    let in_brackets = authority.starts_with('[') && authority.contains(']');
    !authority.is_empty() && !authority.contains('@') && (in_brackets || !authority.contains(':'))
}

/// Whether what follows the host is a port or nothing.
fn port_is_a_number(authority: &Authority) -> bool {
    let (_, host) = authority.as_str().rsplit_once('@').unwrap_or(("", authority.as_str()));
    matches!(host.strip_prefix(authority.host()), Some("" | ":")) || authority.port_u16().is_some()
}

/// `name:password` with percent escapes resolved.
pub(super) fn user_and_password(text: &str) -> Vec<u8> {
    let (user, password) = text.split_once(':').unwrap_or((text, ""));
    let mut out = unescape(user);
    out.push(b':');
    out.extend(unescape(password));
    out
}

/// The header `Basic …` for `user:password`.
pub(super) fn basic(user_and_password: &[u8]) -> Result<HeaderValue, ()> {
    let mut value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(user_and_password))).map_err(|_| ())?;
    value.set_sensitive(true);
    Ok(value)
}

/// `%41` as `A`; what is no escape stays as it is.
fn unescape(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = |digit: u8| char::from(digit).to_digit(16);
        match (first, tail) {
            (b'%', [high, low, after @ ..]) if hex(*high).is_some() && hex(*low).is_some() => {
                let value = hex(*high).unwrap_or(0) * 16 + hex(*low).unwrap_or(0);
                out.push(u8::try_from(value).unwrap_or(b'%'));
                rest = after;
            }
            _ => {
                out.push(*first);
                rest = tail;
            }
        }
    }
    out
}

/// Text as it stands in a form or a query: everything but letters, digits and `-._~` escaped.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            b' ' => out.push('+'),
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(url: &str, expect: &str) {
        let shown = match ServerUrl::parse(url) {
            Ok(endpoint) => match endpoint.authorization() {
                Some(value) => format!("{} with {}", endpoint.uri(), value.to_str().unwrap()),
                None => endpoint.uri().to_string(),
            },
            Err(error) => error.to_string(),
        };
        assert_eq!(shown, expect);
    }

    #[test]
    fn addresses_are_absolute() {
        check("http://localhost:4040", "http://localhost:4040/");
        check("https://profiles-prod-001.grafana.net", "https://profiles-prod-001.grafana.net/");
        check("http://[::1]:4040/base", "http://[::1]:4040/base");
        check("", r#""" is not a URL"#);
        check("localhost:4040", r#""localhost:4040" does not begin with http:// or https:// and a host"#);
        check("ftp://host", r#""ftp://host" does not begin with http:// or https:// and a host"#);
    }

    #[test]
    fn credentials_in_an_address_become_a_header_and_are_not_shown() {
        check("http://me:p%40ss@host/x", "http://host/x with Basic bWU6cEBzcw==");
        check(
            "ftp://me:secret@host/x",
            r#""ftp://me:xxxxx@host/x" does not begin with http:// or https:// and a host"#,
        );
        let endpoint = ServerUrl::parse("http://me:secret@host/").expect("it is one");
        assert_eq!(format!("{endpoint:?}"), "http://host/");
        for (url, expect) in [
            ("http://host/a@b:c", "http://host/a@b:c"),
            ("http://[::1]:4040/a@b", "http://[::1]:4040/a@b"),
            ("me:secret@host", "me:xxxxx@host"),
            ("http://me:se/cr@et@host/x", "http://me:xxxxx@host/x"),
            ("https://token@host", "https://xxxxx@host"),
            ("https://host/x?token=secret&y", "https://host/x?token=xxxxx&xxxxx"),
            ("//me:secret@host", "//me:xxxxx@host"),
            ("///me:secret@host", "///me:xxxxx@host"),
            ("/me:secret@host", "/me:xxxxx@host"),
            ("http:/me:secret@host", "http:xxxxx@host"),
            ("http:///me:secret@host", "http:///me:xxxxx@host"),
            ("me:sec//ret@host", "me:xxxxx@host"),
            ("me:sec://ret@host", "me:xxxxx@host"),
            ("me/sec@ret@host", "xxxxx@host"),
            ("http://me:12/secret@host", "http://me:xxxxx@host"),
        ] {
            assert_eq!(redacted(url), expect);
        }
    }

    #[test]
    fn a_password_with_a_slash_is_no_port() {
        check("http://me:sec/ret@host:1/x", r#""http://me:xxxxx@host:1/x" is not a URL"#);
        check("http://me:secret@host:99999/x", r#""http://me:xxxxx@host:99999/x" is not a URL"#);
        check("http://me:secret@[::1]/x", "http://[::1]/x with Basic bWU6c2VjcmV0");
        check("http://[::1]:4040", "http://[::1]:4040/");
        check("http://host:/x", "http://host:/x");
    }

    #[test]
    fn forms_are_escaped() {
        assert_eq!(escape("a b&c=d/é"), "a+b%26c%3Dd%2F%C3%A9");
    }
}
