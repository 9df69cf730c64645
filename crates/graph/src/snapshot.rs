//! The graph as the outside sees it.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

use lang::{
    decode::{FieldKind, FromValue as _, Schema, Shape},
    eval::{Scope, evaluate},
    stdlib::Stdlib,
    syntax::ast::{Body, Statement},
    value::{Value, secret::Secret},
};

use crate::{
    cell::Cell,
    health::{Health, State},
    id::ComponentId,
    inputs,
    plan::{Node, Plan},
};

/// What the graph's owner shows.
#[derive(Default)]
pub(crate) struct Published {
    pub(crate) plan: Arc<Plan>,
    pub(crate) cells: BTreeMap<ComponentId, Arc<Cell>>,
    pub(crate) stdlib: Option<Stdlib>,
    pub(crate) ready: bool,
}

/// The components at one moment. Their health and exports are those of when they are asked.
pub struct Snapshot {
    plan: Arc<Plan>,
    cells: BTreeMap<ComponentId, Arc<Cell>>,
    stdlib: Option<Stdlib>,
}

/// One component.
#[derive(Clone, Copy)]
pub struct ComponentView<'a> {
    id: &'a ComponentId,
    node: &'a Node,
    cell: &'a Cell,
    snapshot: &'a Snapshot,
}

/// A statement of a component's block with its value.
#[derive(Clone, Debug, PartialEq)]
pub enum Shown {
    /// `name = value`
    Attribute {
        /// Its name.
        name: String,
        /// Its value; nothing while it cannot be evaluated.
        value: Option<Value>,
    },
    /// `name "label" { … }`
    Block {
        /// Its name with all fragments.
        name: String,
        /// Its label.
        label: Option<String>,
        /// What is inside.
        body: Vec<Shown>,
    },
}

impl Snapshot {
    pub(crate) fn new(published: &RwLock<Published>) -> Self {
        let published = published.read().unwrap_or_else(PoisonError::into_inner);
        Self { plan: Arc::clone(&published.plan), cells: published.cells.clone(), stdlib: published.stdlib.clone() }
    }

    /// All components in the order of their ids.
    pub fn components(&self) -> impl Iterator<Item = ComponentView<'_>> {
        self.cells
            .iter()
            .filter_map(|(id, cell)| Some(ComponentView { id, node: self.plan.nodes.get(id)?, cell, snapshot: self }))
    }

    /// One component by its id.
    pub fn component(&self, id: &str) -> Option<ComponentView<'_>> {
        let (id, cell) = self.cells.get_key_value(id)?;
        Some(ComponentView { id, node: self.plan.nodes.get(id)?, cell, snapshot: self })
    }

    /// The names of components that are unhealthy, as `/-/healthy` lists them: exited and unknown ones are not among
    /// them.
    pub fn unhealthy(&self) -> Vec<&str> {
        let unhealthy = self.components().filter(|component| component.health().state == State::Unhealthy);
        unhealthy.map(|component| component.id.name()).collect()
    }

    /// How many components are in each state.
    pub fn count_by_health(&self) -> BTreeMap<State, usize> {
        let mut counts: BTreeMap<_, _> = State::ALL.map(|state| (state, 0)).into();
        for component in self.components() {
            *counts.entry(component.health().state).or_default() += 1;
        }
        counts
    }
}

impl<'a> ComponentView<'a> {
    /// Its id.
    pub fn id(self) -> &'a ComponentId {
        self.id
    }

    /// How it is doing.
    pub fn health(self) -> Health {
        self.cell.health()
    }

    /// The components that it refers to.
    pub fn references(self) -> impl Iterator<Item = &'a ComponentId> {
        self.node.dependencies.iter()
    }

    /// The components that refer to it.
    pub fn dependants(self) -> impl Iterator<Item = &'a ComponentId> {
        self.node.dependants.iter()
    }

    /// What it exports now: an object.
    pub fn exports(self) -> Value {
        self.cell.exports()
    }

    /// What its block says, evaluated against what others export now. Whatever goes into a secret is a secret here;
    /// capsules show only what they choose to.
    pub fn arguments(self) -> Vec<Shown> {
        let Some(stdlib) = &self.snapshot.stdlib else { return Vec::new() };
        let dependencies = self.node.dependencies.iter();
        let exports = dependencies.filter_map(|id| Some((id, self.snapshot.cells.get(id)?.exports()))).collect();
        let scope = inputs::scope(&exports, stdlib);
        shown(&self.node.body, Some(self.node.definition.schema()), &scope)
    }
}

fn shown(body: &Body, schema: Option<&Schema>, scope: &Scope) -> Vec<Shown> {
    let kind = |name: &str| schema.and_then(|schema| schema.field(name)).map(|field| field.kind);
    let show = |statement| match statement {
        Statement::Attribute(attribute) => {
            let name = attribute.name();
            let shape = match kind(&name) {
                Some(FieldKind::Attribute(shape)) => shape,
                _ => Shape::Any,
            };
            let value = attribute.value().and_then(|expr| evaluate(&expr, scope).ok());
            Shown::Attribute { name, value: value.map(|value| redacted(value, shape)) }
        }
        Statement::Block(block) => {
            let name = block.name();
            let schema = match kind(&name) {
                Some(FieldKind::Block { schema: Some(schema), .. }) => Some(schema()),
                _ => None,
            };
            let body = block.body().map(|body| shown(&body, schema, scope)).unwrap_or_default();
            Shown::Block { name, label: block.label(), body }
        }
    };
    body.statements().map(show).collect()
}

/// Hides what an attribute takes as a secret.
fn redacted(value: Value, shape: Shape) -> Value {
    if shape.is_secret() { hidden(value) } else { value }
}

/// The value with every text in it a secret; names of fields stay, and so does what cannot be one.
fn hidden(value: Value) -> Value {
    match value {
        Value::Null => Value::Null,
        Value::Array(array) => Value::Array(array.iter().map(hidden).collect()),
        Value::Object(object) => Value::object(object.iter().map(|(key, value)| (key.clone(), hidden(value.clone())))),
        other => Secret::from_value(&other).map_or(other, Value::from),
    }
}
