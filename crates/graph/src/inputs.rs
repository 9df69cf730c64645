//! What the evaluation of a component depends on.

use std::{collections::BTreeMap, sync::Arc};

use lang::{eval::Scope, stdlib::Stdlib, value::Value};

use crate::{id::ComponentId, plan::Node, same::same};

/// The text of a component's block and the values that it refers to. While they are the same, so are the arguments.
pub(crate) struct Inputs {
    text: Arc<[u8]>,
    values: Vec<Value>,
}

impl Inputs {
    /// Those of a component now.
    pub(crate) fn of(node: &Node, exports: &BTreeMap<&ComponentId, Value>) -> Self {
        let value =
            |to: &ComponentId, path: &[String]| exports.get(to).map_or(Value::Null, |value| follow(value, path));
        let values = node.references.iter().map(|reference| value(&reference.to, &reference.path)).collect();
        Self { text: Arc::clone(&node.text), values }
    }

    /// Whether they give the same arguments as earlier ones.
    pub(crate) fn same(&self, earlier: &Self) -> bool {
        (Arc::ptr_eq(&self.text, &earlier.text) || self.text == earlier.text)
            && self.values.len() == earlier.values.len()
            && self.values.iter().zip(&earlier.values).all(|(a, b)| same(a, b))
    }
}

/// As far into a value as names lead.
fn follow(value: &Value, path: &[String]) -> Value {
    let mut value = value.clone();
    for name in path {
        let next = match &value {
            Value::Object(object) => object.get(name.as_bytes()).cloned(),
            Value::Capsule(capsule) => capsule.field(name.as_bytes()),
            _ => None,
        };
        match next {
            Some(next) => value = next,
            None => break,
        }
    }
    value
}

/// The names that a component's expressions see: the exports of what it refers to, and the functions.
pub(crate) fn scope(exports: &BTreeMap<&ComponentId, Value>, stdlib: &Stdlib) -> Scope {
    let mut root = Names::default();
    for (id, value) in exports {
        root.insert(id.fragments(), value);
    }
    Scope::new(stdlib.clone(), root.inner.into_iter().map(|(name, names)| (name.to_owned(), names.into_value())))
}

/// A name space: the value of the names so far, or names inside it.
#[derive(Default)]
struct Names<'a> {
    inner: BTreeMap<&'a str, Names<'a>>,
    value: Option<Value>,
}

impl<'a> Names<'a> {
    fn insert(&mut self, names: impl Iterator<Item = &'a str>, value: &Value) {
        let mut at = self;
        for name in names {
            at = at.inner.entry(name).or_default();
        }
        at.value = Some(value.clone());
    }

    fn into_value(self) -> Value {
        match self.value {
            Some(value) => value,
            None => Value::object(self.inner.into_iter().map(|(name, names)| (name, names.into_value()))),
        }
    }
}
