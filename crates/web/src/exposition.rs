//! Metrics in the two text formats that Prometheus reads.

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

/// OpenMetrics as text format 0.0.4.
///
/// There, the name of a counter's family carries the suffix of its samples, there are no units, exemplars and end mark,
/// timestamps are milliseconds, and the types of OpenMetrics that it lacks are gauges or untyped.
pub(crate) fn to_text(open_metrics: &str) -> String {
    let mut out = String::with_capacity(open_metrics.len() + 256);
    // The help of a family comes before its type, which decides on its name.
    let mut help: Option<(&str, &str)> = None;
    for line in open_metrics.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            help = Some(rest.split_once(' ').unwrap_or((rest, "")));
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap_or((rest, "untyped"));
            let (suffix, kind) = match kind {
                "counter" => ("_total", "counter"),
                "info" => ("_info", "gauge"),
                "stateset" => ("", "gauge"),
                "gaugehistogram" => ("", "untyped"),
                "unknown" => ("", "untyped"),
                other => ("", other),
            };
            if let Some((_, help)) = help.take_if(|(of, _)| *of == name) {
                out.push_str(&format!("# HELP {name}{suffix} {}\n", help.replace("\\\"", "\"")));
            }
            out.push_str(&format!("# TYPE {name}{suffix} {kind}\n"));
        } else if !line.starts_with('#') && !line.is_empty() {
            push_sample(&mut out, line);
        }
    }
    out
}

/// A sample without its exemplar, its timestamp in milliseconds.
fn push_sample(out: &mut String, line: &str) {
    let end = labels_end(line);
    let (series, rest) = line.split_at(end);
    // What follows a hash is an exemplar.
    let values = rest.split('#').next().unwrap_or_default();
    let mut values = values.split_whitespace();
    let Some(value) = values.next() else { return };
    out.push_str(series.trim_end());
    out.push(' ');
    out.push_str(value);
    if let Some(seconds) = values.next().and_then(|seconds| seconds.parse::<f64>().ok()) {
        out.push_str(&format!(" {}", (seconds * 1000.0).round() as i64));
    }
    out.push('\n');
}

/// Where name and labels of a sample end. Values of labels may hold anything, also braces.
fn labels_end(line: &str) -> usize {
    let name_end = line.find(['{', ' ']).unwrap_or(line.len());
    if !line[name_end..].starts_with('{') {
        return name_end;
    }
    let (mut quoted, mut escaped) = (false, false);
    for (at, byte) in line.bytes().enumerate().skip(name_end) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'}' if !quoted => return at + 1,
            _ => {}
        }
    }
    line.len()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[track_caller]
    fn check(open_metrics: &str, expect: &str) {
        assert_eq!(to_text(open_metrics), expect);
    }

    #[test]
    fn counters_are_named_after_their_samples() {
        check(
            "# HELP taken Samples \\\"taken\\\".\n# TYPE taken counter\ntaken_total{a=\"b } # \\\" c\"} 5\n# EOF\n",
            "# HELP taken_total Samples \"taken\".\n# TYPE taken_total counter\ntaken_total{a=\"b } # \\\" c\"} 5\n",
        );
    }

    #[test]
    fn units_exemplars_and_the_end_mark_go() {
        check(
            "# HELP t Time.\n# TYPE t histogram\n# UNIT t seconds\nt_bucket{le=\"1.0\"} 2 # {id=\"x\"} 0.5\nt_sum 1.5 12.5\n# EOF\n",
            "# HELP t Time.\n# TYPE t histogram\nt_bucket{le=\"1.0\"} 2\nt_sum 1.5 12500\n",
        );
        check("# TYPE build info\nbuild_info{v=\"1\"} 1\n# EOF\n", "# TYPE build_info gauge\nbuild_info{v=\"1\"} 1\n");
        check("# TYPE x unknown\nx 1\n", "# TYPE x untyped\nx 1\n");
    }

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
