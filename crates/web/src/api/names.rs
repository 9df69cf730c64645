//! Label names that older clients cannot read.

use http::HeaderMap;
use http::header::ACCEPT;

/// Whether the client reads label names of any characters: it says so in a parameter of `Accept`.
pub(super) fn allows_utf8(headers: &HeaderMap) -> bool {
    headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).any(|value| {
        value.split([',', ';']).any(|part| {
            part.trim().split_once('=').is_some_and(|(name, value)| {
                name.trim().eq_ignore_ascii_case("allow-utf8-labelnames") && value.trim().eq_ignore_ascii_case("true")
            })
        })
    })
}

/// Whether `name` is `[a-zA-Z_][a-zA-Z0-9_]*`.
pub(super) fn is_classic(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|first| first == b'_' || first.is_ascii_alphabetic())
        && bytes.all(|byte| byte == b'_' || byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn clients_say_so_in_accept() {
        let allows =
            |accept: &str| allows_utf8(&HeaderMap::from_iter([(ACCEPT, HeaderValue::from_str(accept).unwrap())]));
        assert!(allows("*/*;allow-utf8-labelnames=true"));
        assert!(allows("application/json; allow-utf8-labelnames=true"));
        assert!(allows("text/html, application/json; q=0.5; allow-utf8-labelnames=true"));
        assert!(!allows("application/json; allow-utf8-labelnames=false"));
        assert!(!allows("application/json"));
        assert!(!allows_utf8(&HeaderMap::new()));
    }

    #[test]
    fn classic_names_have_letters_digits_and_underscores() {
        assert!(is_classic("service_name") && is_classic("_a1"));
        assert!(!is_classic("otel.scope.name") && !is_classic("1a") && !is_classic("") && !is_classic("ü"));
    }
}
