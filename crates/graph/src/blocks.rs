//! The blocks that configure the process: `logging`, `http` and their like.

use lang::{
    decode::{FromBlock, FromValue, Shape, decode_body},
    diagnostic::Diagnostic,
    eval::Scope,
    syntax::ast::Block,
    value::{Text, Value, ValueError, secret::Secret},
};

use crate::check::{self, Known};

/// Who applies what the config blocks say. All methods have a default that does nothing.
pub trait Blocks: Send + Sync {
    /// Logs as the `logging` block says, or as its defaults do when there is none. Called at every load that is
    /// applied, before any component starts.
    fn logging(&self, _logging: &Logging) {}

    /// Serves as the `http` block says, or as its defaults do when there is none. Called at every load that is applied.
    fn http(&self, _http: &Http) {}
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

/// What `http` says.
#[derive(Debug, Default, FromBlock)]
pub struct Http {
    /// Who is let in.
    #[block]
    pub auth: Option<HttpAuth>,
    /// TLS of the listener. Has no effect.
    #[block]
    pub tls: Option<HttpTls>,
}

/// Who is let in.
#[derive(Debug, FromBlock)]
pub struct HttpAuth {
    /// Asks for a user name and a password.
    #[block]
    pub basic: Option<HttpBasicAuth>,
    /// Which requests are asked; without it, all.
    #[block]
    pub filter: Option<HttpFilter>,
}

/// A user name and a password.
#[derive(Debug, FromBlock)]
#[block(validate = HttpBasicAuth::check)]
pub struct HttpBasicAuth {
    /// The user name.
    #[attr]
    pub username: String,
    /// The password.
    #[attr]
    pub password: Secret,
}

/// Which requests are asked for credentials.
#[derive(Debug, FromBlock)]
pub struct HttpFilter {
    /// Beginnings of paths.
    #[attr(optional)]
    pub paths: Vec<String>,
    /// Whether those are asked, or all others.
    #[attr(default = true)]
    pub authenticate_matching_paths: bool,
}

/// TLS of the listener. Nothing of it has an effect.
#[expect(dead_code, reason = "accepted and not used")]
#[derive(Debug, FromBlock)]
pub struct HttpTls {
    #[attr(optional)]
    cert_pem: String,
    #[attr(optional)]
    cert_file: String,
    #[attr(optional)]
    key_pem: Secret,
    #[attr(optional)]
    key_file: String,
    #[attr(optional)]
    client_ca_pem: String,
    #[attr(optional)]
    client_ca_file: String,
    #[attr(optional)]
    client_auth_type: String,
    #[attr(optional)]
    cipher_suites: Vec<String>,
    #[attr(optional)]
    curve_preferences: Vec<String>,
    #[attr(optional)]
    min_version: String,
    #[attr(optional)]
    max_version: String,
    #[block]
    windows_certificate_filter: Option<WindowsCertificateFilter>,
}

/// Certificates of Windows. Nothing of it has an effect.
#[expect(dead_code, reason = "accepted and not used")]
#[derive(Debug, FromBlock)]
struct WindowsCertificateFilter {
    #[block]
    server: Option<WindowsCertificates>,
    #[block]
    client: Option<WindowsCertificates>,
}

#[expect(dead_code, reason = "accepted and not used")]
#[derive(Debug, FromBlock)]
struct WindowsCertificates {
    #[attr(optional)]
    issuer_common_names: Vec<String>,
    #[attr(optional)]
    refresh_interval: String,
    #[attr(optional)]
    store: String,
    #[attr(optional)]
    subject_regex: String,
    #[attr(optional)]
    system_store: String,
    #[attr(optional)]
    template_id: String,
}

/// Traces of the process itself. Nothing of it has an effect.
#[expect(dead_code, reason = "accepted and not used")]
#[derive(Debug, FromBlock)]
struct Tracing {
    #[attr(default = 0.1)]
    sampling_fraction: f64,
    #[attr(optional)]
    send_traceparent: bool,
    #[attr(optional)]
    write_to: Vec<Value>,
    #[block]
    sampler: Option<Sampler>,
}

#[expect(dead_code, reason = "accepted and not used")]
#[derive(Debug, FromBlock)]
struct Sampler {
    #[block]
    jaeger_remote: Option<JaegerRemote>,
}

#[expect(dead_code, reason = "accepted and not used")]
#[derive(Debug, FromBlock)]
struct JaegerRemote {
    #[attr(optional)]
    url: String,
    #[attr(optional)]
    max_operations: i64,
    #[attr(optional)]
    refresh_interval: String,
}

/// The debugging of what components hand on. Nothing of it has an effect.
#[expect(dead_code, reason = "accepted and not used")]
#[derive(Debug, FromBlock)]
struct LiveDebugging {
    #[attr(optional)]
    enabled: bool,
}

impl HttpBasicAuth {
    fn check(&mut self) -> Result<(), String> {
        // What is meant to come from the environment and is not there would let everybody in.
        if self.password.reveal().is_empty() { Err("password must not be empty".to_owned()) } else { Ok(()) }
    }
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

/// The settings of a config block, or the defaults without one. Its expressions see functions but no components.
pub(crate) fn settings<T: FromBlock + Default>(block: Option<&Block>, scope: &Scope) -> Result<T, Diagnostic> {
    let Some((block, body)) = block.and_then(|block| Some((block, block.body()?))) else { return Ok(T::default()) };
    decode_body(&body, scope).map_err(|diagnostics| {
        let first: Vec<_> = diagnostics.iter().take(1).map(ToString::to_string).collect();
        let message = format!("Failed to evaluate node for config block: decoding configuration: {}", first.concat());
        Diagnostic::error(block.location(), message)
    })
}

/// What a config block says that has no effect, or that the whole block has none.
pub(crate) fn warning(name: &str, block: &Block) -> Option<Diagnostic> {
    let message = match name {
        "logging" => {
            let mut attributes = block.body()?.attributes().collect::<Vec<_>>();
            attributes.retain(|attribute| matches!(attribute.name().as_str(), "destination" | "write_to"));
            let first = attributes.first()?;
            let names: Vec<_> = attributes.iter().map(|attribute| attribute.name()).collect();
            let message = format!("{} in logging has no effect: log lines go to stderr only", names.join(" and "));
            return Some(Diagnostic::warning(first.location(), message));
        }
        "http" => return tls_warning(block),
        "tracing" => "the tracing block has no effect: pyrope sends no traces of itself",
        "livedebugging" => "the livedebugging block has no effect: there is no live debugging",
        "remotecfg" => "the remotecfg block has no effect: no configuration is fetched from a server",
        _ => return None,
    };
    Some(Diagnostic::warning(block.header_location(), message))
}

fn tls_warning(block: &Block) -> Option<Diagnostic> {
    let tls = block.body()?.blocks().find(|inner| inner.name() == "tls")?;
    let windows = tls.body()?.blocks().any(|inner| inner.name() == "windows_certificate_filter");
    let names = if windows { "tls and its windows_certificate_filter" } else { "tls" };
    let message = format!("{names} in http has no effect: the listener speaks plain HTTP");
    Some(Diagnostic::warning(tls.header_location(), message))
}

/// Checks a config block without evaluating it. Of those that will be evaluated, only `validate` wants that; of
/// `remotecfg` nothing is checked.
pub(crate) fn check(name: &str, block: &Block, validate: bool) -> Vec<Diagnostic> {
    let schema = match name {
        "logging" if validate => Logging::schema(),
        "http" if validate => Http::schema(),
        "tracing" => Tracing::schema(),
        "livedebugging" => LiveDebugging::schema(),
        _ => return Vec::new(),
    };
    check::block(schema, block, &Known::written_out())
}
