//! Lists.

use std::{any::Any, fmt, sync::Arc};

use super::{Number, Text, Value};

/// A shared list of values.
#[derive(Clone)]
pub struct Array(Storage);

#[derive(Clone)]
enum Storage {
    Values(Arc<[Value]>),
    /// Each byte a number. Converts to a string where one is wanted.
    Bytes(Text),
    Host(Arc<dyn HostArray>),
}

/// A list of the host program that expressions see as an array.
///
/// It travels through an expression that only names it unchanged, so that its owner can find it again with
/// [`Array::host`]; a function that takes it apart sees its elements.
pub trait HostArray: Any + Send + Sync {
    /// How many elements there are.
    fn len(&self) -> usize;

    /// The element at an index below `len`; cheap, called often.
    fn get(&self, index: usize) -> Option<Value>;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Array {
    /// Bytes as numbers.
    pub fn bytes(bytes: impl Into<Text>) -> Self {
        Self(Storage::Bytes(bytes.into()))
    }

    /// A list of the host.
    pub fn from_host(host: Arc<dyn HostArray>) -> Self {
        Self(Storage::Host(host))
    }

    /// The host's list, if it is one of type `T`.
    pub fn host<T: HostArray>(&self) -> Option<Arc<T>> {
        match &self.0 {
            Storage::Host(host) => {
                let any: Arc<dyn Any + Send + Sync> = Arc::clone(host) as _;
                any.downcast().ok()
            }
            _ => None,
        }
    }

    /// How many elements there are.
    pub fn len(&self) -> usize {
        match &self.0 {
            Storage::Values(values) => values.len(),
            Storage::Bytes(bytes) => bytes.len(),
            Storage::Host(host) => host.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The element at an index.
    pub fn get(&self, index: usize) -> Option<Value> {
        match &self.0 {
            Storage::Values(values) => values.get(index).cloned(),
            Storage::Bytes(bytes) => bytes.get(index).map(|byte| Value::Number(Number::Uint(u64::from(*byte)))),
            Storage::Host(host) => host.get(index),
        }
    }

    /// The elements in order.
    pub fn iter(&self) -> impl Iterator<Item = Value> + '_ {
        (0..self.len()).filter_map(|index| self.get(index))
    }

    /// The text that it is made of, if it is bytes.
    pub fn as_bytes(&self) -> Option<&Text> {
        match &self.0 {
            Storage::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// Where it is stored; equal for clones.
    pub(crate) fn address(&self) -> usize {
        match &self.0 {
            Storage::Values(values) => Arc::as_ptr(values).addr(),
            Storage::Bytes(bytes) => bytes.address(),
            Storage::Host(host) => Arc::as_ptr(host).addr(),
        }
    }
}

impl FromIterator<Value> for Array {
    fn from_iter<I: IntoIterator<Item = Value>>(values: I) -> Self {
        Self(Storage::Values(values.into_iter().collect()))
    }
}

impl PartialEq for Array {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().zip(other.iter()).all(|(a, b)| a == b)
    }
}

impl fmt::Debug for Array {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
