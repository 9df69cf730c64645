//! Patterns of rules.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Mutex, PoisonError},
};

use lang::{
    decode::{FromValue, Shape},
    golang,
    value::{Text, Value, ValueError},
};
use regex::{Captures, Regex};

/// A pattern in Go's syntax that has to match a text from end to end.
#[derive(Clone)]
pub struct Pattern {
    text: String,
    /// Nothing for `(.*)`, the default, which needs no machine.
    regex: Option<Regex>,
}

/// The default, which matches everything.
const ANYTHING: &str = "(.*)";

/// Patterns that were compiled lately. Rules are decoded again each time the targets beside them change, and to compile a
/// pattern takes longer than all else that a new process costs.
static COMPILED: Mutex<BTreeMap<String, Regex>> = Mutex::new(BTreeMap::new());
/// How many; more are forgotten together.
const MOST_COMPILED: usize = 256;

fn compiled(text: &str) -> Result<Regex, String> {
    let known = || COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(regex) = known().get(text) {
        return Ok(regex.clone());
    }
    let regex = golang::regex::compile(&format!("^(?s:{text})$"))?;
    let mut known = known();
    if known.len() >= MOST_COMPILED {
        known.clear();
    }
    known.insert(text.to_owned(), regex.clone());
    Ok(regex)
}

/// A match: its groups.
pub enum Found<'a> {
    /// Group 0 and group 1 are the whole text.
    Anything(&'a str),
    /// Those of the pattern.
    Groups(Captures<'a>),
}

impl Pattern {
    /// Compiles a pattern; the message of what is wrong with it is Go's.
    pub fn new(text: &str) -> Result<Self, String> {
        let regex = match text {
            ANYTHING => None,
            _ => Some(compiled(text)?),
        };
        Ok(Self { text: text.to_owned(), regex })
    }

    /// `(.*)`.
    pub fn anything() -> Self {
        Self { text: ANYTHING.to_owned(), regex: None }
    }

    /// Whether it is `(.*)`.
    pub fn is_anything(&self) -> bool {
        self.regex.is_none()
    }

    /// Whether a text matches.
    pub fn matches(&self, text: &str) -> bool {
        self.regex.as_ref().is_none_or(|regex| regex.is_match(text))
    }

    /// The match, for its groups.
    pub fn find<'a>(&self, text: &'a str) -> Option<Found<'a>> {
        match &self.regex {
            None => Some(Found::Anything(text)),
            Some(regex) => regex.captures(text).map(Found::Groups),
        }
    }
}

impl<'a> Found<'a> {
    /// The text of a group; nothing when there is no such group or it took no part.
    pub fn group(&self, number: usize) -> Option<&'a str> {
        match self {
            Self::Anything(text) => (number <= 1).then_some(*text),
            Self::Groups(captures) => captures.get(number).map(|found| found.as_str()),
        }
    }

    /// The text of a named group.
    pub fn named(&self, name: &str) -> Option<&'a str> {
        match self {
            Self::Anything(_) => None,
            Self::Groups(captures) => captures.name(name).map(|found| found.as_str()),
        }
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.text)
    }
}

impl FromValue for Pattern {
    const SHAPE: Shape = Shape::Text("regexp");

    fn from_value(value: &Value) -> Result<Self, ValueError> {
        let text = Text::from_value(value)?;
        let text = text.to_str().ok_or_else(|| ValueError::new(value, "error parsing regexp: invalid UTF-8"))?;
        Self::new(text).map_err(|message| ValueError::new(value, message))
    }
}
