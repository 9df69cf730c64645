//! What can be said about a block without evaluating it for good.
//!
//! Names, counts and what has to be there come from the schema; values that are written out are checked against the
//! shape of their attribute and, where they pass, by the type that will decode them, which also says what does not go
//! together as far as it is known. Everything is collected. Nothing is said that a run would not say.

use std::{
    collections::{BTreeMap, BTreeSet},
    panic::{AssertUnwindSafe, catch_unwind},
};

use lang::{
    decode::{FieldKind, Judge, Schema, schema::Repeat},
    diagnostic::{Diagnostic, Place},
    eval::{Scope, evaluate},
    golang::quote::quote,
    source::Location,
    stdlib::{Host, Stdlib},
    syntax::ast::{Attribute, Block, Body, Expr, Statement},
    value::{ValueError, error::Step},
};

use self::shapes::{check_shape, is_constant};
use crate::task::words_of;

mod shapes;

/// What values are known before a run.
pub(crate) struct Known<'a> {
    /// What they are evaluated in.
    pub(crate) scope: Scope,
    /// Whether an expression has the value now that it will have.
    pub(crate) is_known: &'a dyn Fn(&Expr) -> bool,
}

impl Known<'_> {
    /// Only what is written out.
    pub(crate) fn written_out() -> Self {
        // Functions only. Nothing that depends on them is evaluated; literals need some scope.
        let scope = Scope::new::<String>(Stdlib::new(Host::default()), []);
        Self { scope, is_known: &is_constant }
    }

    fn expression(&self, expr: &Expr) -> bool {
        (self.is_known)(expr)
    }

    fn body(&self, body: &Body) -> bool {
        body.statements().all(|statement| match statement {
            Statement::Attribute(attribute) => attribute.value().is_some_and(|value| self.expression(&value)),
            Statement::Block(block) => block.body().is_some_and(|body| self.body(&body)),
        })
    }
}

/// Checks a block against what it may hold. A panic of what decodes it is one more thing that is wrong with it.
pub(crate) fn block(schema: &Schema, block: &Block, known: &Known<'_>) -> Vec<Diagnostic> {
    let check = AssertUnwindSafe(|| {
        let mut check = Check { known, found: Vec::new() };
        check.block(block, schema);
        check.found
    });
    catch_unwind(check).unwrap_or_else(|panic| {
        vec![Diagnostic::error(block.location(), format!("decoding panicked: {}", words_of(&*panic)))]
    })
}

struct Check<'a> {
    known: &'a Known<'a>,
    found: Vec<Diagnostic>,
}

impl Check<'_> {
    fn error(&mut self, at: Location, message: impl Into<String>) {
        self.found.push(Diagnostic::error(at, message));
    }

    /// Checks a block's body.
    fn block(&mut self, block: &Block, schema: &Schema) {
        let Some(body) = block.body() else { return };
        let mut counts = BTreeMap::<String, usize>::new();
        for inner in body.blocks() {
            *counts.entry(inner.name()).or_default() += 1;
        }
        let mut judge = (schema.judge)();
        if let Some(label) = block.label() {
            judge.label(&label);
        }
        let mut seen = BTreeSet::new();
        // What is not known, or wrong in itself.
        let mut unknown = BTreeSet::new();
        for statement in body.statements() {
            let before = self.found.len();
            let (name, is_known) = match statement {
                Statement::Attribute(attribute) => {
                    let name = attribute.name();
                    self.attribute(&attribute, schema, !seen.insert(name.clone()));
                    (name, self.found.len() == before && self.ask_about_attribute(&attribute, &mut *judge))
                }
                Statement::Block(inner) => {
                    let name = inner.name();
                    self.inner_block(&inner, schema, counts.get(&name).copied().unwrap_or_default());
                    (name, self.found.len() == before && self.ask_about_block(&inner, &mut *judge))
                }
            };
            if !is_known {
                unknown.insert(name);
            }
        }
        for field in schema.flat().into_iter().filter(|field| field.required) {
            let (what, there) = match field.kind {
                FieldKind::Attribute(_) => ("attribute", seen.contains(field.name)),
                _ => ("block", counts.contains_key(field.name)),
            };
            if !there {
                self.error(block.location(), format!("missing required {what} {}", quote(field.name)));
                unknown.insert(field.name.to_owned());
            }
        }
        for wrong in judge.conclude(unknown) {
            self.error(block.location(), wrong);
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
                    check_shape(&value, shape, &self.known.scope, &mut self.found);
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
        self.block(block, schema);
    }

    /// Lets the type itself judge an attribute. Whether its value is known and good.
    fn ask_about_attribute(&mut self, attribute: &Attribute, judge: &mut dyn Judge) -> bool {
        let Some(expr) = attribute.value().filter(|expr| self.known.expression(expr)) else { return false };
        let wrong = match evaluate(&expr, &self.known.scope) {
            Ok(value) => match judge.attribute(&attribute.name(), &value) {
                Ok(_) => return true,
                Err(error) => Diagnostic::error(place_of(&expr, &error), in_other_words(&error.message)),
            },
            Err(diagnostic) => diagnostic.or_at(expr.location(), ""),
        };
        self.found.push(wrong);
        false
    }

    /// Lets the type itself judge a block. Whether everything in it is known and good.
    fn ask_about_block(&mut self, block: &Block, judge: &mut dyn Judge) -> bool {
        if !block.body().is_some_and(|body| self.known.body(&body)) {
            return false;
        }
        let Err(wrong) = judge.block(&block.name(), block, &self.known.scope) else { return true };
        let wrong = wrong.into_iter().map(|diagnostic| without_expression(diagnostic).or_at(block.location(), ""));
        self.found.extend(wrong);
        false
    }
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
