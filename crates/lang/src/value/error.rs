//! What is wrong with a value, before anyone knows where in a file it came from.

use std::fmt;

use super::{Type, Value};

/// A complaint about a value, with the way to it from the value that was handed in.
///
/// The evaluator knows which expression gave which value and turns this into a diagnostic.
#[derive(Clone, Debug)]
pub struct ValueError {
    /// From the outermost value inwards: the value and the step taken in it.
    pub steps: Vec<(Value, Step)>,
    /// The value at fault; nothing when no value is.
    pub value: Option<Value>,
    /// What is wrong with it, to be read after the expression: `should be string, got bool`.
    pub message: String,
}

/// A step from a value to one inside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// To an element.
    Index(usize),
    /// To a field.
    Field(String),
}

impl ValueError {
    /// A complaint about a value.
    pub fn new(value: &Value, message: impl Into<String>) -> Self {
        Self { steps: Vec::new(), value: Some(value.clone()), message: message.into() }
    }

    /// A value of the wrong type.
    pub fn wrong_type(value: &Value, expected: Type) -> Self {
        Self::new(value, format!("should be {expected}, got {}", value.ty()))
    }

    /// A key that the receiving type does not have.
    pub fn unknown_field(value: &Value, name: &str) -> Self {
        Self::new(value, format!("does not have field named {name:?}"))
    }

    /// A failure that no value is to blame for.
    pub fn plain(message: impl Into<String>) -> Self {
        Self { steps: Vec::new(), value: None, message: message.into() }
    }

    /// The same complaint seen from an array around it.
    #[must_use]
    pub fn in_element(mut self, array: &Value, index: usize) -> Self {
        self.steps.insert(0, (array.clone(), Step::Index(index)));
        self
    }

    /// The same complaint seen from an object around it.
    #[must_use]
    pub fn in_field(mut self, object: &Value, name: impl Into<String>) -> Self {
        self.steps.insert(0, (object.clone(), Step::Field(name.into())));
        self
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Index(index) => write!(f, "[{index}]"),
            Self::Field(name) => write!(f, ".{name}"),
        }
    }
}

/// The steps and the message, without the expression.
impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (_, step) in &self.steps {
            write!(f, "{step}")?;
        }
        if !self.steps.is_empty() {
            f.write_str(" ")?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for ValueError {}
