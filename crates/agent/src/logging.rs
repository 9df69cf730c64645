//! Log lines on standard error: logfmt or JSON, with the keys of upstream: `ts`, `level`, `msg`, then the fields.

use std::fmt::{self, Write as _};
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering::Relaxed};
use std::time::SystemTime;

use components::ebpf::Verbose;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;

/// Changes what is logged while the program runs.
#[derive(Clone)]
pub(crate) struct Logging(Arc<Settings>);

struct Settings {
    /// The least severe level that is written, 1 for errors to 5 for everything.
    level: AtomicU8,
    json: AtomicBool,
    /// Who speaks at level debug in any case.
    verbose: Arc<Verbose>,
}

impl Logging {
    /// Installs it for the whole process: level info, logfmt.
    pub(crate) fn install() -> Self {
        let (level, json) = (AtomicU8::new(3), AtomicBool::new(false));
        let settings = Arc::new(Settings { level, json, verbose: Arc::default() });
        let layer = Lines(Arc::clone(&settings));
        // A second installation in one process keeps the first, which only tests do.
        _ = tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer));
        Self(settings)
    }

    /// Who speaks at level debug in any case.
    pub(crate) fn verbose(&self) -> Arc<Verbose> {
        Arc::clone(&self.0.verbose)
    }

    /// Follows the `logging` block; both texts are valid by now.
    pub(crate) fn set(&self, level: &str, format: &str) {
        let level = match level {
            "debug" => 4,
            "warn" => 2,
            "error" => 1,
            _ => 3,
        };
        self.0.level.store(level, Relaxed);
        self.0.json.store(format == "json", Relaxed);
        tracing::callsite::rebuild_interest_cache();
    }
}

struct Lines(Arc<Settings>);

fn rank(level: &Level) -> u8 {
    match *level {
        Level::ERROR => 1,
        Level::WARN => 2,
        Level::INFO => 3,
        Level::DEBUG => 4,
        Level::TRACE => 5,
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Lines {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        // Other crates speak only when something is wrong.
        let ours = metadata.target().starts_with("pyrope");
        let level = self.0.level.load(Relaxed).min(if ours { 5 } else { 2 });
        let level = if level < 4 && self.0.verbose.covers(metadata.target()) { 4 } else { level };
        rank(metadata.level()) <= level
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let json = self.0.json.load(Relaxed);
        let mut line = Line { message: String::new(), fields: String::new(), json };
        event.record(&mut line);
        let level = match *event.metadata().level() {
            Level::TRACE => "debug".to_owned(),
            level => level.as_str().to_ascii_lowercase(),
        };
        let time = timestamp(SystemTime::now());
        let text = if json {
            format!("{{\"ts\":\"{time}\",\"level\":\"{level}\",\"msg\":{}{}}}\n", quoted(&line.message), line.fields)
        } else {
            format!("ts={time} level={level} msg={}{}\n", logfmt(&line.message), line.fields)
        };
        // Where standard error is closed there is nobody to tell.
        _ = std::io::stderr().lock().write_all(text.as_bytes());
    }
}

struct Line {
    message: String,
    fields: String,
    json: bool,
}

impl Line {
    fn put(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            value.clone_into(&mut self.message);
            return;
        }
        let key: String = field.name().chars().map(|c| if matches!(c, ' ' | '=' | '"') { '_' } else { c }).collect();
        // Writing to a String cannot fail.
        _ = if self.json {
            write!(self.fields, ",{}:{}", quoted(&key), quoted(value))
        } else {
            write!(self.fields, " {key}={}", logfmt(value))
        };
    }
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }
}

/// The text, in quotes where it would not be one word.
fn logfmt(text: &str) -> String {
    let plain = !text.is_empty() && text.chars().all(|c| c > ' ' && c != '=' && c != '"' && c != '\\' && c != '\u{7f}');
    if plain { text.to_owned() } else { quoted(text) }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// RFC 3339 in UTC with nanoseconds.
fn timestamp(time: SystemTime) -> String {
    // A clock beyond the year 9999 is wrong in any case.
    format!("{:.9}", jiff::Timestamp::try_from(time).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn times_are_rfc_3339() {
        let at = |seconds, nanos| timestamp(SystemTime::UNIX_EPOCH + Duration::new(seconds, nanos));
        assert_eq!(at(0, 0), "1970-01-01T00:00:00.000000000Z");
        assert_eq!(at(951_782_399, 5), "2000-02-28T23:59:59.000000005Z");
        assert_eq!(at(951_782_400, 0), "2000-02-29T00:00:00.000000000Z");
        assert_eq!(at(1_795_435_200, 0), "2026-11-23T12:00:00.000000000Z");
    }

    #[test]
    fn words_stand_alone_and_the_rest_in_quotes() {
        assert_eq!(logfmt("plain"), "plain");
        assert_eq!(logfmt("two words"), r#""two words""#);
        assert_eq!(logfmt("a=\"b\"\n"), r#""a=\"b\"\n""#);
        assert_eq!(logfmt(""), r#""""#);
    }
}
