//! Which of the two text formats that Prometheus reads a client gets.

use http::HeaderMap;
use http::header::ACCEPT;

pub(crate) const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
pub(crate) const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Whether the client prefers OpenMetrics: it names it, and gives no higher weight to plain text.
pub(crate) fn wants_open_metrics(headers: &HeaderMap) -> bool {
    let (mut open, mut text) = (0.0_f32, 0.0_f32);
    for value in headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()) {
        for kind in value.split(',') {
            let mut parts = kind.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default();
            let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(Some(1.0), |weight| weight.parse().ok());
            match name {
                "application/openmetrics-text" => open = open.max(weight.unwrap_or(0.0)),
                "text/plain" => text = text.max(weight.unwrap_or(0.0)),
                _ => {}
            }
        }
    }
    open > 0.0 && open >= text
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn plain_text_is_the_default() {
        let wants = |accept: &str| {
            wants_open_metrics(&HeaderMap::from_iter([(ACCEPT, HeaderValue::from_str(accept).unwrap())]))
        };
        assert!(!wants_open_metrics(&HeaderMap::new()));
        assert!(!wants("*/*"));
        assert!(!wants("text/plain;version=0.0.4"));
        assert!(wants("application/openmetrics-text"));
        assert!(wants("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1"));
        assert!(!wants("application/openmetrics-text;version=1.0.0;q=0.2,text/plain;q=0.6"));
        assert!(!wants("application/openmetrics-text;q=0"));
    }
}
