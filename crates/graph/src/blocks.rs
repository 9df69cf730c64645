//! The blocks that configure the process: `logging`, `http` and their like.

use lang::{
    decode::{FromBlock, FromValue, Shape, decode_body},
    diagnostic::Diagnostic,
    eval::Scope,
    syntax::ast::Block,
    value::{Text, Value, ValueError},
};

use crate::check;

/// Who applies what the config blocks say. All methods have a default that does nothing.
pub trait Blocks: Send + Sync {
    /// Logs as the `logging` block says, or as its defaults do when there is none. Called at every load that is
    /// applied, before any component starts.
    fn logging(&self, _logging: &Logging) {}

    /// The `http` block, or that there is none. Called at every load that is applied.
    fn http(&self, _block: Option<&Block>) {}
}

/// Applies nothing.
impl Blocks for () {}

/// What `logging` says.
#[derive(Debug, FromBlock)]
pub struct Logging {
    /// What is not logged.
    #[attr(default = "info")]
    pub level: LogLevel,
    /// How lines are written.
    #[attr(default = "logfmt")]
    pub format: LogFormat,
    /// Where lines go. Only `stderr` has an effect.
    #[attr(default = "stderr")]
    pub destination: String,
    /// Receivers of log lines. Has no effect.
    #[attr(optional)]
    pub write_to: Vec<Value>,
}

/// The least important level that is logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Everything.
    Debug,
    /// What happens.
    #[default]
    Info,
    /// What was lost.
    Warn,
    /// What someone should act on.
    Error,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// `key=value`
    #[default]
    Logfmt,
    /// A JSON object a line.
    Json,
}

/// A name from a list; the empty one is the default.
fn from_name<T: Copy + Default>(what: &str, names: &[(&str, T)], value: &Value) -> Result<T, ValueError> {
    let text = Text::from_value(value)?;
    if text.is_empty() {
        return Ok(T::default());
    }
    let found = names.iter().find(|(name, _)| name.as_bytes() == &*text).map(|(_, value)| *value);
    found.ok_or_else(|| ValueError::new(value, format!("unrecognized log {what} {text:?}")))
}

impl FromValue for LogLevel {
    const SHAPE: Shape = Shape::Text("log level");

    fn from_value(value: &Value) -> Result<Self, ValueError> {
        let names = [("debug", Self::Debug), ("info", Self::Info), ("warn", Self::Warn), ("error", Self::Error)];
        from_name("level", &names, value)
    }
}

impl FromValue for LogFormat {
    const SHAPE: Shape = Shape::Text("log format");

    fn from_value(value: &Value) -> Result<Self, ValueError> {
        from_name("format", &[("logfmt", Self::Logfmt), ("json", Self::Json)], value)
    }
}

impl Default for Logging {
    fn default() -> Self {
        Self {
            level: LogLevel::default(),
            format: LogFormat::default(),
            destination: "stderr".to_owned(),
            write_to: Vec::new(),
        }
    }
}

/// The settings of a `logging` block. Its expressions see functions but no components.
pub(crate) fn logging(block: &Block, scope: &Scope) -> Result<Logging, Diagnostic> {
    let Some(body) = block.body() else { return Ok(Logging::default()) };
    decode_body(&body, scope).map_err(|diagnostics| {
        let first: Vec<_> = diagnostics.iter().take(1).map(ToString::to_string).collect();
        let message = format!("Failed to evaluate node for config block: decoding configuration: {}", first.concat());
        Diagnostic::error(block.location(), message)
    })
}

/// What a config block says that has no effect. An empty one says nothing.
pub(crate) fn warning(name: &str, block: &Block) -> Option<Diagnostic> {
    block.body()?.statements().next()?;
    let message = match name {
        "logging" => {
            let mut attributes = block.body()?.attributes().collect::<Vec<_>>();
            attributes.retain(|attribute| matches!(attribute.name().as_str(), "destination" | "write_to"));
            let first = attributes.first()?;
            let names: Vec<_> = attributes.iter().map(|attribute| attribute.name()).collect();
            let message = format!("{} in logging has no effect: log lines go to stderr only", names.join(" and "));
            return Some(Diagnostic::warning(first.location(), message));
        }
        "http" => "the http block has no effect: the listener has neither TLS nor authentication",
        "tracing" => "the tracing block has no effect: pyrope sends no traces of itself",
        "livedebugging" => "the livedebugging block has no effect: there is no live debugging",
        "remotecfg" => "the remotecfg block has no effect: no configuration is fetched from a server",
        _ => return None,
    };
    Some(Diagnostic::warning(block.header_location(), message))
}

/// Checks a config block without evaluating it.
pub(crate) fn check(name: &str, block: &Block) -> Vec<Diagnostic> {
    match name {
        "logging" => check::block_of::<Logging>(block),
        _ => Vec::new(),
    }
}
