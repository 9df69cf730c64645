//! Where an answer sends the request next.

use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, LOCATION};
use http::{Method, StatusCode, Uri};

use super::url::{ServerUrl, UrlError};
use super::{Answer, Call};

/// What to do after an answer.
pub(super) enum Step {
    /// It is the one.
    Stay,
    /// Ask there.
    To(Box<Call>),
    /// It leads to no address.
    Nowhere(UrlError),
}

/// Decides as browsers and Go do: 307 and 308 repeat the request, 301 to 303 become a `GET` without a body.
pub(super) fn step(call: &Call, answer: &Answer, follow: bool) -> Step {
    let repeat = match answer.status {
        StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => true,
        StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND | StatusCode::SEE_OTHER => {
            matches!(call.method, Method::GET | Method::HEAD)
        }
        _ => return Step::Stay,
    };
    let Some(location) = answer.headers.get(LOCATION).filter(|_| follow) else { return Step::Stay };
    let location = String::from_utf8_lossy(location.as_bytes());
    let endpoint = match ServerUrl::parse(&absolute(call.url.uri(), &location)) {
        Ok(endpoint) => endpoint,
        Err(error) => return Step::Nowhere(error),
    };
    let mut next = Call { url: endpoint, ..call.clone() };
    if !repeat {
        next.method = Method::GET;
        next.body.clear();
        next.headers.remove(CONTENT_TYPE);
        next.headers.remove(CONTENT_LENGTH);
    }
    Step::To(Box::new(next))
}

/// Whether credentials for `first` may go to `next`: the same host, and not from TLS to none.
pub(super) fn same_host(first: &ServerUrl, next: &ServerUrl) -> bool {
    first.host() == next.host() && (first.is_plain() || !next.is_plain())
}

/// The headers that another host may see: of those a user configured any could be a secret.
pub(super) fn without_secrets(headers: &HeaderMap) -> HeaderMap {
    let public = |name: &http::HeaderName| {
        let name = name.as_str();
        name.starts_with("connect-") || matches!(name, "content-type" | "accept" | "accept-encoding" | "user-agent")
    };
    headers.iter().filter(|(name, _)| public(name)).map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// `location` as seen from `base`. Paths are taken as they are, without resolving `..`.
fn absolute(base: &Uri, location: &str) -> String {
    let location = location.split('#').next().unwrap_or_default();
    let (scheme, authority) = (base.scheme_str().unwrap_or("http"), base.authority().map_or("", |host| host.as_str()));
    if location.contains("://") {
        location.to_owned()
    } else if location.starts_with("//") {
        format!("{scheme}:{location}")
    } else if location.starts_with('/') {
        format!("{scheme}://{authority}{location}")
    } else if location.starts_with('?') {
        format!("{scheme}://{authority}{}{location}", base.path())
    } else {
        let folder = base.path().rsplit_once('/').map_or("", |(folder, _)| folder);
        format!("{scheme}://{authority}{folder}/{location}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(location: &str, expect: &str) {
        assert_eq!(absolute(&"https://host:1/a/b?q".parse().unwrap(), location), expect);
    }

    #[test]
    fn locations_are_relative_to_the_request() {
        check("http://other/x", "http://other/x");
        check("//other/x", "https://other/x");
        check("/x#part", "https://host:1/x");
        check("x", "https://host:1/a/x");
        check("?y", "https://host:1/a/b?y");
    }

    #[test]
    fn credentials_stay_with_their_host() {
        let check = |first, next, expect| {
            let parse = |url| ServerUrl::parse(url).unwrap();
            assert_eq!(same_host(&parse(first), &parse(next)), expect, "{first} {next}");
        };
        check("http://host/", "https://HOST:8443/", true);
        check("https://host/", "http://host/", false);
        check("http://host/", "http://evil.host/", false);
        check("http://host/", "http://host.evil/", false);
    }
}
