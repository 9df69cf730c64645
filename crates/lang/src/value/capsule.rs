//! Values of the host program.

use std::{any::Any, fmt, sync::Arc};

use super::{Object, Text, Value};

/// A value that the language carries without looking inside: a receiver, a secret, a target.
pub trait Capsule: Any + Send + Sync {
    /// The name of its type in messages.
    fn type_name(&self) -> &'static str;

    /// Equality for `==` and for telling whether an argument changed. Two that are the same allocation are equal
    /// without a question.
    fn equals(&self, _other: &dyn Capsule) -> bool {
        false
    }

    /// Its fields, if it can be used as an object. `None` for opaque ones.
    fn to_object(&self) -> Option<Object> {
        None
    }

    /// One of its fields, if it can be used as an object; worth writing where `to_object` has to build one.
    fn field(&self, name: &[u8]) -> Option<Value> {
        self.to_object().and_then(|object| object.get(name).cloned())
    }

    /// What `encoding.to_json` and `string.format` make of it. `None` for those that have no such form.
    fn plain(&self) -> Option<Value> {
        self.to_object().map(Value::Object)
    }

    /// Its text, for a capsule that converts to a string: `Some(Err(why not))` when it refuses.
    fn to_text(&self) -> Option<Result<Text, &'static str>> {
        None
    }

    /// Writes it for people: logs, the web page, messages. Must not give away secrets.
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "capsule({:?})", self.type_name())
    }
}

/// A capsule type with a name that is known without a value, so that messages can ask for it.
pub trait CapsuleType: Capsule + Sized {
    /// The name of the type in messages.
    const NAME: &'static str;
}

/// The host's value behind a capsule, if it is of type `T`.
pub fn downcast_ref<T: Capsule>(capsule: &dyn Capsule) -> Option<&T> {
    let any: &dyn Any = capsule;
    any.downcast_ref()
}

/// The same, keeping it shared.
pub fn downcast<T: Capsule>(capsule: &Arc<dyn Capsule>) -> Option<Arc<T>> {
    let any: Arc<dyn Any + Send + Sync> = Arc::clone(capsule) as _;
    any.downcast().ok()
}
