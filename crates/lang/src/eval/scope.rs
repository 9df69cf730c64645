//! What names stand for.

use std::{collections::BTreeMap, sync::Arc};

use crate::{stdlib::Stdlib, value::Value};

/// Names and their values: variables, then those of the scopes around, then the standard library. Cheap to clone.
#[derive(Clone)]
pub struct Scope(Arc<Layer>);

struct Layer {
    variables: BTreeMap<String, Value>,
    outer: Outer,
}

enum Outer {
    Scope(Scope),
    Stdlib(Stdlib),
}

impl Scope {
    /// A scope with nothing around it but the standard library.
    pub fn new<K: Into<String>>(stdlib: Stdlib, variables: impl IntoIterator<Item = (K, Value)>) -> Self {
        Self::layer(variables, Outer::Stdlib(stdlib))
    }

    /// A scope inside this one; its names hide equal ones outside.
    #[must_use]
    pub fn inner<K: Into<String>>(&self, variables: impl IntoIterator<Item = (K, Value)>) -> Self {
        Self::layer(variables, Outer::Scope(self.clone()))
    }

    fn layer<K: Into<String>>(variables: impl IntoIterator<Item = (K, Value)>, outer: Outer) -> Self {
        let variables = variables.into_iter().map(|(name, value)| (name.into(), value)).collect();
        Self(Arc::new(Layer { variables, outer }))
    }

    /// The value of a name.
    pub fn lookup(&self, name: &str) -> Option<Value> {
        if let Some(value) = self.0.variables.get(name) {
            return Some(value.clone());
        }
        match &self.0.outer {
            Outer::Scope(scope) => scope.lookup(name),
            Outer::Stdlib(stdlib) => stdlib.lookup(name),
        }
    }

    /// Whether a name is known here, as a variable or in the standard library.
    pub fn contains(&self, name: &str) -> bool {
        self.lookup(name).is_some()
    }
}
