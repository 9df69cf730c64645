//! Metric families as text.

use std::fmt::Write as _;

use super::values::BUCKETS;
use super::{Kind, LabelSet, Source};

/// One family as it was when somebody asked.
pub(super) struct Family {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) help: &'static str,
    pub(super) series: Vec<(LabelSet, Source)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// `text/plain; version=0.0.4`
    Text,
    /// `application/openmetrics-text; version=1.0.0`
    OpenMetrics,
}

pub(super) fn encode(families: &[Family], format: Format) -> String {
    let mut out = String::new();
    for family in families {
        write_family(&mut out, family, format);
    }
    if format == Format::OpenMetrics {
        out.push_str("# EOF\n");
    }
    out
}

fn write_family(out: &mut String, family: &Family, format: Format) {
    let (name, sample) = names(family, format);
    if !family.help.is_empty() {
        out.push_str("# HELP ");
        out.push_str(&name);
        out.push(' ');
        escape(out, family.help, format == Format::OpenMetrics);
        out.push('\n');
    }
    let kind = match family.kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram => "histogram",
    };
    push_line(out, format_args!("# TYPE {name} {kind}"));
    for (labels, source) in &family.series {
        match source {
            Source::Counter(counter) => write_sample(out, &sample, labels, None, counter.get() as f64, format),
            Source::Gauge(gauge) => write_sample(out, &sample, labels, None, gauge.get(), format),
            Source::Read(read) => write_sample(out, &sample, labels, None, read(), format),
            Source::Histogram(histogram) => {
                let observed = histogram.read();
                let bucket = format!("{sample}_bucket");
                let mut below = 0;
                for (bound, count) in BUCKETS.iter().zip(observed.buckets) {
                    below += count;
                    write_sample(out, &bucket, labels, Some(&number(*bound, format)), below as f64, format);
                }
                write_sample(out, &bucket, labels, Some("+Inf"), observed.count as f64, format);
                write_sample(out, &format!("{sample}_sum"), labels, None, observed.sum, format);
                write_sample(out, &format!("{sample}_count"), labels, None, observed.count as f64, format);
            }
        }
    }
}

/// The names of the family and of its samples. OpenMetrics keeps `_total` to the samples of counters.
fn names(family: &Family, format: Format) -> (String, String) {
    if format == Format::OpenMetrics && family.kind == Kind::Counter {
        let name = family.name.strip_suffix("_total").unwrap_or(family.name);
        return (name.to_owned(), format!("{name}_total"));
    }
    (family.name.to_owned(), family.name.to_owned())
}

fn write_sample(out: &mut String, name: &str, labels: &LabelSet, le: Option<&str>, value: f64, format: Format) {
    out.push_str(name);
    let labels = labels.iter().map(|(name, value)| (*name, value.as_str())).chain(le.map(|bound| ("le", bound)));
    let mut before = '{';
    for (name, value) in labels {
        out.push(before);
        before = ',';
        out.push_str(name);
        out.push_str("=\"");
        escape(out, value, true);
        out.push('"');
    }
    if before == ',' {
        out.push('}');
    }
    push_line(out, format_args!(" {}", number(value, format)));
}

fn push_line(out: &mut String, line: std::fmt::Arguments<'_>) {
    out.write_fmt(line).expect("writing to a string cannot fail");
    out.push('\n');
}

/// OpenMetrics wants a fraction in every float, `1.0`; the older format writes `1`.
fn number(value: f64, format: Format) -> String {
    if value.is_infinite() {
        return if value > 0.0 { "+Inf".to_owned() } else { "-Inf".to_owned() };
    }
    if format == Format::OpenMetrics { format!("{value:?}") } else { value.to_string() }
}

fn escape(out: &mut String, text: &str, quotes: bool) {
    for character in text.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '"' if quotes => out.push_str("\\\""),
            other => out.push(other),
        }
    }
}
