//! One recorded case, and answers as lines that can be compared.

use std::fmt;

use anyhow::{Context as _, Result};
use serde_json::Value;

/// One fact of an answer: a field and its value. Of `errors` each diagnostic is a line of its own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Line {
    pub(super) field: String,
    pub(super) text: String,
}

impl Line {
    pub(super) fn new(field: impl Into<String>, text: impl Into<String>) -> Self {
        Self { field: field.into(), text: text.into() }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {:?}", self.field, self.text)
    }
}

/// A case: what to do, with what, and what should come.
pub(super) struct Case {
    pub(super) id: String,
    pub(super) op: String,
    /// Everything that the line says, for operations with inputs of their own.
    pub(super) fields: Value,
    /// By field; diagnostics keep their order.
    pub(super) expected: Vec<Line>,
}

/// Fields that belong to the question, and one that is for reading only.
const NOT_COMPARED: &[&str] = &["id", "op", "input", "targets", "rules", "target", "external_labels", "pretty"];

impl Case {
    /// Reads a line of a file; without `op` it is the file's name.
    pub(super) fn parse(line: &str, default_op: &str) -> Result<Self> {
        let fields: Value = serde_json::from_str(line)?;
        let text = |name: &str| fields[name].as_str().map(str::to_owned);
        let id = text("id").context("it has no id")?;
        let op = text("op").unwrap_or_else(|| default_op.to_owned());
        let mut expected = Vec::new();
        let object = fields.as_object().context("it is no object")?;
        let ok = object.get("ok") != Some(&Value::Bool(false));
        for (name, value) in object.iter().filter(|(name, _)| !NOT_COMPARED.contains(&name.as_str())) {
            match value {
                Value::Array(errors) if name == "errors" => {
                    expected.extend(errors.iter().map(|error| Line::new(name, plain(error))));
                }
                series if op == "labels" && name == "series" => expected.extend(super::labels::expected(series)),
                // What a failure printed besides its errors is compared only for tokens, which go on after one.
                _ if name == "output" && !ok && op != "tokens" => {}
                value => expected.push(Line::new(name, plain(value))),
            }
        }
        expected.sort_by(|a, b| a.field.cmp(&b.field));
        Ok(Self { id, op, fields, expected })
    }

    /// A field of the question.
    pub(super) fn text(&self, name: &str) -> Result<&str, String> {
        self.fields[name].as_str().ok_or_else(|| format!("the case has no {name}"))
    }
}

/// Strings as they are, all else as JSON.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
