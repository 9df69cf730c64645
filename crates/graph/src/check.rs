//! What can be said about a block without evaluating it.
//!
//! Names, counts and what has to be there come from the schema; values that are written out are checked against the
//! shape of their attribute and, where they pass, by the type that will decode them. Everything is collected.

use std::{
    collections::{BTreeMap, BTreeSet},
    marker::PhantomData,
};

use lang::{
    decode::{FieldKind, FromBlock, Schema, block::Builder, schema::Repeat},
    diagnostic::{Diagnostic, Place},
    eval::{Scope, evaluate},
    golang::quote::quote,
    source::Location,
    stdlib::{Host, Stdlib},
    syntax::ast::{Attribute, Block, Body, Expr, Statement},
    value::{Value, ValueError, error::Step},
};

use self::shapes::{check_shape, is_constant};
use crate::Definition;

mod shapes;

/// The decoder of one type, asked about single statements.
pub trait Decoder {
    /// Whether it takes the value of an attribute.
    fn attribute(&self, name: &str, value: &Value) -> Result<(), ValueError>;

    /// Whether it takes a block.
    fn block(&self, name: &str, block: &Block, scope: &Scope) -> Result<(), Vec<Diagnostic>>;
}

/// The decoder of a struct.
pub(crate) struct DecoderOf<T>(PhantomData<fn() -> T>);

impl<T> DecoderOf<T> {
    pub(crate) const NEW: Self = Self(PhantomData);
}

impl<T: FromBlock> Decoder for DecoderOf<T> {
    fn attribute(&self, name: &str, value: &Value) -> Result<(), ValueError> {
        T::Builder::default().attribute(name, value).map(drop)
    }

    fn block(&self, name: &str, block: &Block, scope: &Scope) -> Result<(), Vec<Diagnostic>> {
        T::Builder::default().block(name, block, scope).map(drop)
    }
}

/// Checks the block of a component.
pub(crate) fn component(definition: &dyn Definition, block: &Block) -> Vec<Diagnostic> {
    Check::new().run(definition.schema(), definition.decoder(), block)
}

/// Checks a block that a struct decodes.
pub(crate) fn block_of<T: FromBlock + 'static>(block: &Block) -> Vec<Diagnostic> {
    Check::new().run(T::schema(), &DecoderOf::<T>::NEW, block)
}

struct Check {
    /// Functions only. Nothing that depends on them is evaluated; literals need some scope.
    scope: Scope,
    found: Vec<Diagnostic>,
}

impl Check {
    fn new() -> Self {
        Self { scope: Scope::new::<String>(Stdlib::new(Host::default()), []), found: Vec::new() }
    }

    fn run(mut self, schema: &Schema, decoder: &dyn Decoder, block: &Block) -> Vec<Diagnostic> {
        self.block(block, schema, Some(decoder));
        self.found
    }

    fn error(&mut self, at: Location, message: impl Into<String>) {
        self.found.push(Diagnostic::error(at, message));
    }

    /// Checks a block's body. The decoder is that of the body, where it is at hand.
    fn block(&mut self, block: &Block, schema: &Schema, decoder: Option<&dyn Decoder>) {
        let Some(body) = block.body() else { return };
        let mut counts = BTreeMap::<String, usize>::new();
        for inner in body.blocks() {
            *counts.entry(inner.name()).or_default() += 1;
        }
        let mut seen = BTreeSet::new();
        for statement in body.statements() {
            let before = self.found.len();
            match statement {
                Statement::Attribute(attribute) => {
                    let repeated = !seen.insert(attribute.name());
                    self.attribute(&attribute, schema, repeated);
                    if let (Some(decoder), true) = (decoder, self.found.len() == before) {
                        self.ask_about_attribute(&attribute, decoder);
                    }
                }
                Statement::Block(inner) => {
                    let count = counts.get(&inner.name()).copied().unwrap_or_default();
                    self.inner_block(&inner, schema, count);
                    if let (Some(decoder), true) = (decoder, self.found.len() == before) {
                        self.ask_about_block(&inner, decoder);
                    }
                }
            }
        }
        for field in schema.flat().into_iter().filter(|field| field.required) {
            let (what, there) = match field.kind {
                FieldKind::Attribute(_) => ("attribute", seen.contains(field.name)),
                _ => ("block", counts.contains_key(field.name)),
            };
            if !there {
                self.error(block.location(), format!("missing required {what} {}", quote(field.name)));
            }
        }
    }

    fn attribute(&mut self, attribute: &Attribute, schema: &Schema, repeated: bool) {
        let name = attribute.name();
        let quoted = quote(&name);
        if repeated {
            return self.error(attribute.location(), format!("attribute {quoted} may only be provided once"));
        }
        match schema.field(&name).map(|field| field.kind) {
            Some(FieldKind::Attribute(shape)) => {
                if let Some(value) = attribute.value() {
                    check_shape(&value, shape, &self.scope, &mut self.found);
                }
            }
            Some(_) => {
                self.error(attribute.location(), format!("{quoted} must be a block, but is used as an attribute"));
            }
            None => self.error(attribute.location(), format!("unrecognized attribute name {quoted}")),
        }
    }

    fn inner_block(&mut self, block: &Block, schema: &Schema, count: usize) {
        let name = block.name();
        let quoted = quote(&name);
        let (schema, repeat) = match schema.field(&name).map(|field| field.kind) {
            Some(FieldKind::Block { schema, repeat }) => (schema, repeat),
            Some(_) => {
                return self.error(block.location(), format!("{quoted} must be an attribute, but is used as a block"));
            }
            None => return self.error(block.location(), format!("unrecognized block name {quoted}")),
        };
        if repeat == Repeat::Once && count > 1 {
            return self.error(block.location(), format!("block {quoted} may only be specified once"));
        }
        let Some(schema) = schema.map(|schema| schema()) else {
            if block.label().is_some() {
                self.error(block.header_location(), format!("block {quoted} requires empty label"));
            }
            for nested in block.body().iter().flat_map(Body::blocks) {
                self.error(nested.location(), "nested blocks not supported here");
            }
            return;
        };
        match (block.label(), schema.has_label()) {
            (None, true) => self.error(block.header_location(), format!("block {quoted} requires non-empty label")),
            (Some(_), false) => {
                self.error(block.header_location(), format!("block {quoted} does not support specifying labels"));
            }
            _ => {}
        }
        self.block(block, schema, None);
    }

    /// Lets the type itself judge an attribute that is written out.
    fn ask_about_attribute(&mut self, attribute: &Attribute, decoder: &dyn Decoder) {
        let Some(expr) = attribute.value().filter(is_constant) else { return };
        let Ok(value) = evaluate(&expr, &self.scope) else { return };
        if let Err(error) = decoder.attribute(&attribute.name(), &value) {
            self.error(place_of(&expr, &error), in_other_words(&error.message));
        }
    }

    /// Lets the type itself judge a block in which everything is written out.
    fn ask_about_block(&mut self, block: &Block, decoder: &dyn Decoder) {
        if !block.body().is_some_and(|body| is_written_out(&body)) {
            return;
        }
        for diagnostic in decoder.block(&block.name(), block, &self.scope).err().into_iter().flatten() {
            self.found.push(without_expression(diagnostic).or_at(block.location(), ""));
        }
    }
}

fn is_written_out(body: &Body) -> bool {
    body.statements().all(|statement| match statement {
        Statement::Attribute(attribute) => attribute.value().is_some_and(|value| is_constant(&value)),
        Statement::Block(block) => block.body().is_some_and(|body| is_written_out(&body)),
    })
}

/// The expression that wrote the value at fault.
fn place_of(expr: &Expr, error: &ValueError) -> Location {
    let mut at = inside(expr);
    for (_, step) in &error.steps {
        let next = match step {
            Step::Index(index) if matches!(at, Expr::Array(_)) => at.operands().nth(*index),
            Step::Field(name) => {
                at.fields().filter(|field| field.key() == name.as_bytes()).last().and_then(|field| field.value())
            }
            Step::Index(_) => None,
        };
        match next {
            Some(next) => at = inside(&next),
            None => break,
        }
    }
    at.location()
}

/// Without parentheses.
fn inside(expr: &Expr) -> Expr {
    let mut expr = expr.clone();
    while let Expr::Paren(_) = expr {
        let Some(inner) = expr.operands().next() else { break };
        expr = inner;
    }
    expr
}

/// The words of the static check for those of the decoder.
fn in_other_words(message: &str) -> String {
    match message.strip_prefix("should be ") {
        Some(rest) if rest.contains(", got ") => format!("expected {rest}"),
        _ => message.to_owned(),
    }
}

/// The decoder names the expression before its complaint; the static check only points at it.
fn without_expression(mut diagnostic: Diagnostic) -> Diagnostic {
    if let Place::At(location) = &diagnostic.place {
        let text = String::from_utf8_lossy(location.source.slice(location.span)).into_owned();
        if let Some(rest) = diagnostic.message.strip_prefix(&text).and_then(|rest| rest.strip_prefix(' ')) {
            diagnostic.message = in_other_words(rest);
        }
    }
    diagnostic
}
