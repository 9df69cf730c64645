//! What is wrong with a configuration, in one type, whoever found it.

use std::fmt;

use crate::source::Location;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Works, but the user should know.
    Warning,
    /// Does not work.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Warning => "Warning",
            Self::Error => "Error",
        })
    }
}

/// Where a diagnostic points.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// At these bytes.
    At(Location),
    /// At no place that could be named; printed as `-`.
    Unknown,
    /// At whatever encloses it: the reporter knows no place, its caller does (see [`Diagnostic::or_at`]).
    Enclosing,
}

/// One problem, ready for any renderer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Error or warning.
    pub severity: Severity,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// The bytes to look at.
    pub place: Place,
    /// Other places that explain it, each with what is there.
    pub related: Vec<(Location, String)>,
    /// What to do about it.
    pub help: Option<String>,
}

impl Diagnostic {
    /// An error at a place.
    pub fn error(at: Location, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, Place::At(at), message)
    }

    /// A warning at a place.
    pub fn warning(at: Location, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, Place::At(at), message)
    }

    /// An error that leaves its place to the caller.
    pub fn unplaced(message: impl Into<String>) -> Self {
        Self::new(Severity::Error, Place::Enclosing, message)
    }

    /// Any severity at any place.
    pub fn new(severity: Severity, place: Place, message: impl Into<String>) -> Self {
        Self { severity, message: message.into(), place, related: Vec::new(), help: None }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds another place that explains it.
    #[must_use]
    pub fn with_related(mut self, at: Location, message: impl Into<String>) -> Self {
        self.related.push((at, message.into()));
        self
    }

    /// Gives a diagnostic without a place one, putting `prefix` before its message; others stay as they are.
    #[must_use]
    pub fn or_at(mut self, at: Location, prefix: &str) -> Self {
        if self.place == Place::Enclosing {
            self.place = Place::At(at);
            self.message.insert_str(0, prefix);
        }
        self
    }

    /// The place's location, if it has one.
    pub fn location(&self) -> Option<&Location> {
        match &self.place {
            Place::At(location) => Some(location),
            Place::Unknown | Place::Enclosing => None,
        }
    }

    /// Whether it is an error.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// `file:line:column: message`, `-: message`, or only the message when the place is the caller's to name.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::At(location) => write!(f, "{location}: {}", self.message),
            Place::Unknown => write!(f, "-: {}", self.message),
            Place::Enclosing => f.write_str(&self.message),
        }
    }
}

impl std::error::Error for Diagnostic {}
