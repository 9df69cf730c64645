//! Values of the language.
//!
//! A [`Value`] is cheap to clone: text, arrays, objects, functions and capsules are shared, never copied.

pub mod array;
pub mod capsule;
pub mod error;
pub mod function;
pub mod number;
pub mod secret;
pub mod text;

use std::{collections::BTreeMap, fmt, sync::Arc};

pub use self::{array::Array, capsule::Capsule, error::ValueError, function::Function, number::Number, text::Text};

/// The fields of an object, sorted by key.
pub type Object = Arc<BTreeMap<Text, Value>>;

/// A value.
#[derive(Clone)]
pub enum Value {
    /// Nothing; becomes the zero value of whatever it is decoded into.
    Null,
    /// A number of one of three kinds.
    Number(Number),
    /// Text: bytes, usually UTF-8.
    String(Text),
    /// True or false.
    Bool(bool),
    /// A list.
    Array(Array),
    /// Named values.
    Object(Object),
    /// Something to call.
    Function(Function),
    /// A value of the host program, opaque to the language.
    Capsule(Arc<dyn Capsule>),
}

/// The type of a value, by the word that messages use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Type {
    /// `null`
    Null,
    /// `number`
    Number,
    /// `string`
    String,
    /// `bool`
    Bool,
    /// `array`
    Array,
    /// `object`
    Object,
    /// `function`
    Function,
    /// `capsule`
    Capsule,
}

impl Type {
    /// The word in messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Number => "number",
            Self::String => "string",
            Self::Bool => "bool",
            Self::Array => "array",
            Self::Object => "object",
            Self::Function => "function",
            Self::Capsule => "capsule",
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Value {
    /// Its type.
    pub fn ty(&self) -> Type {
        match self {
            Self::Null => Type::Null,
            Self::Number(_) => Type::Number,
            Self::String(_) => Type::String,
            Self::Bool(_) => Type::Bool,
            Self::Array(_) => Type::Array,
            Self::Object(_) => Type::Object,
            Self::Function(_) => Type::Function,
            Self::Capsule(_) => Type::Capsule,
        }
    }

    /// Whether it is null.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// Wraps a value of the host.
    pub fn capsule(capsule: impl Capsule) -> Self {
        Self::Capsule(Arc::new(capsule))
    }

    /// An array of the given values.
    pub fn array(values: impl IntoIterator<Item = Value>) -> Self {
        Self::Array(Array::from_iter(values))
    }

    /// An object of the given fields; of equal keys the last wins.
    pub fn object<K: Into<Text>>(fields: impl IntoIterator<Item = (K, Value)>) -> Self {
        Self::Object(Arc::new(fields.into_iter().map(|(key, value)| (key.into(), value)).collect()))
    }

    /// Its fields, if it is an object or a capsule that can be seen as one.
    pub fn as_object(&self) -> Option<Object> {
        match self {
            Self::Object(object) => Some(Arc::clone(object)),
            Self::Capsule(capsule) => capsule.to_object(),
            _ => None,
        }
    }

    /// The host's value of type `T`, if it is a capsule of one.
    pub fn downcast<T: Capsule>(&self) -> Option<&T> {
        match self {
            Self::Capsule(capsule) => capsule::downcast_ref(&**capsule),
            _ => None,
        }
    }

    /// Whether two values are the very same one, without looking inside: what sharing makes cheap to know. Used to
    /// tell that an argument did not change.
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Number(a), Self::Number(b)) => a.is_same(*b),
            (Self::String(a), Self::String(b)) => a.address() == b.address() || a == b,
            (Self::Array(a), Self::Array(b)) => a.address() == b.address() && a.len() == b.len(),
            (Self::Object(a), Self::Object(b)) => Arc::ptr_eq(a, b),
            (Self::Function(a), Self::Function(b)) => a.address() == b.address(),
            (Self::Capsule(a), Self::Capsule(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }
}

/// Equality as the operators `==` and `!=` see it: numbers by value across kinds, functions never equal, capsules as
/// they say.
impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Number(a), Self::Number(b)) => a == b,
            (Self::String(a), Self::String(b)) => a == b,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Array(a), Self::Array(b)) => a == b,
            (Self::Object(a), Self::Object(b)) => a == b,
            (Self::Capsule(a), Self::Capsule(b)) => Arc::ptr_eq(a, b) || a.equals(&**b),
            _ => false,
        }
    }
}

/// For logs and tests: capsules show only what they choose to, secrets nothing.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Number(number) => write!(f, "{number}"),
            Self::String(text) => write!(f, "{text:?}"),
            Self::Bool(bool) => write!(f, "{bool}"),
            Self::Array(array) => f.debug_list().entries(array.iter()).finish(),
            Self::Object(object) => f.debug_map().entries(object.iter()).finish(),
            Self::Function(_) => f.write_str("function"),
            Self::Capsule(capsule) => capsule.show(f),
        }
    }
}

impl From<bool> for Value {
    fn from(bool: bool) -> Self {
        Self::Bool(bool)
    }
}

impl From<Text> for Value {
    fn from(text: Text) -> Self {
        Self::String(text)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::String(text.into())
    }
}

impl From<Number> for Value {
    fn from(number: Number) -> Self {
        Self::Number(number)
    }
}

#[cfg(test)]
mod tests;
