//! Text that never prints.

use std::{fmt, sync::Arc};

use super::{
    Text, Value,
    capsule::{Capsule, CapsuleType, downcast_ref},
};

/// Why a secret does not become a string.
const REFUSAL: &str = "secrets may not be converted into strings";

/// A password or a token. Shows as `(secret)` everywhere; [`Secret::reveal`] is the only way to the text.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Text);

/// Text that may be a secret, such as the content of a file that the user marked as one.
#[derive(Clone, PartialEq, Eq)]
pub struct OptionalSecret {
    is_secret: bool,
    text: Text,
}

impl Secret {
    /// Hides text.
    pub fn new(text: impl Into<Text>) -> Self {
        Self(text.into())
    }

    /// The text, for the one place that needs it.
    pub fn reveal(&self) -> &Text {
        &self.0
    }
}

impl OptionalSecret {
    /// Text that is secret or not.
    pub fn new(is_secret: bool, text: impl Into<Text>) -> Self {
        Self { is_secret, text: text.into() }
    }

    /// Whether it hides its text.
    pub fn is_secret(&self) -> bool {
        self.is_secret
    }

    /// The text, secret or not.
    pub fn reveal(&self) -> &Text {
        &self.text
    }
}

impl Default for Secret {
    fn default() -> Self {
        Self::new("")
    }
}

impl Default for OptionalSecret {
    fn default() -> Self {
        Self::new(false, "")
    }
}

impl CapsuleType for Secret {
    const NAME: &'static str = "alloytypes.Secret";
}

impl CapsuleType for OptionalSecret {
    const NAME: &'static str = "alloytypes.OptionalSecret";
}

impl Capsule for Secret {
    fn type_name(&self) -> &'static str {
        Self::NAME
    }

    fn equals(&self, other: &dyn Capsule) -> bool {
        downcast_ref::<Self>(other) == Some(self)
    }

    fn to_text(&self) -> Option<Result<Text, &'static str>> {
        Some(Err(REFUSAL))
    }

    fn plain(&self) -> Option<Value> {
        Some(Value::String(self.0.clone()))
    }

    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

impl Capsule for OptionalSecret {
    fn type_name(&self) -> &'static str {
        Self::NAME
    }

    fn equals(&self, other: &dyn Capsule) -> bool {
        downcast_ref::<Self>(other) == Some(self)
    }

    fn to_text(&self) -> Option<Result<Text, &'static str>> {
        Some(if self.is_secret { Err(REFUSAL) } else { Ok(self.text.clone()) })
    }

    fn plain(&self) -> Option<Value> {
        Some(Value::object([("IsSecret", Value::Bool(self.is_secret)), ("Value", Value::String(self.text.clone()))]))
    }

    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_secret { f.write_str("(secret)") } else { write!(f, "{:?}", self.text) }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.show(f)
    }
}

impl fmt::Debug for OptionalSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.show(f)
    }
}

impl From<Secret> for Value {
    fn from(secret: Secret) -> Self {
        Value::Capsule(Arc::new(secret))
    }
}

impl From<OptionalSecret> for Value {
    fn from(secret: OptionalSecret) -> Self {
        Value::Capsule(Arc::new(secret))
    }
}
