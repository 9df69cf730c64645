//! A block's body into a struct.
//!
//! `#[derive(FromBlock)]` writes the struct's [`Schema`] and a [`Builder`] that collects its fields; this module walks
//! the statements, evaluates and complains. Each field of the struct says what it is:
//!
//! | attribute of the field | in the file |
//! |---|---|
//! | `#[attr]` | a required attribute of the field's name |
//! | `#[attr(optional)]` | one that may be absent: `Default::default()` |
//! | `#[attr(default = "10s")]` | one with a default, written as in the file |
//! | `#[attr(default_with = expr)]` | one with a default of the field's type |
//! | `#[block]` | a block: `T` exactly once, `Option<T>` at most once, `Vec<T>` any number, a map with any attributes |
//! | `#[block(optional)]`, `#[block(default_with = …)]` | a block of type `T` that may be absent |
//! | `#[block(required)]` | a `Vec<T>` that needs at least one |
//! | `#[label]` | the block's own label, required |
//! | `#[squash]` | the fields of another struct, at this level |
//!
//! `name = "…"` renames any of them. On the struct, any number of `#[block(rule = path(a, b))]` each name a
//! `fn(&A, &B) -> Result<(), String>` about fields that have to be right, or right together, and
//! `#[block(validate = path)]` a `fn(&mut Self) -> Result<(), String>` that has the last word. Before a run ([`judge`]) a
//! rule is asked when its fields are known, and `validate` only when all are, so what can be a rule should be one.
//!
//! [`judge`]: super::judge

use std::collections::{BTreeMap, BTreeSet};

use super::{FieldKind, FromValue, Schema, judge::Verdict, schema::Repeat};
use crate::{
    diagnostic::{Diagnostic, Place},
    eval::{Evaluator, Scope},
    golang::quote::quote,
    syntax::ast::{Attribute, Block, Body, Statement},
    value::{Value, ValueError},
};

/// A struct that a block fills.
pub trait FromBlock: Sized {
    /// Collects its fields.
    type Builder: Builder<Output = Self>;

    /// What the block may hold.
    fn schema() -> &'static Schema;
}

/// Collects what a block says. Written by the derive.
pub trait Builder: Default {
    /// The struct that it builds.
    type Output;

    /// Takes an attribute; false when there is none of that name.
    fn attribute(&mut self, name: &str, value: &Value) -> Result<bool, ValueError>;

    /// Takes a block; false when there is none of that name.
    fn block(&mut self, name: &str, block: &Block, scope: &Scope) -> Result<bool, Vec<Diagnostic>>;

    /// Takes the block's own label.
    fn label(&mut self, label: &str);

    /// The struct, if all of it is known and nothing is wrong. What is missing or does not go together is told to the
    /// verdict.
    fn conclude(self, verdict: &mut Verdict) -> Option<Self::Output>;

    /// The struct, or the first thing that is missing or does not go together.
    fn finish(self) -> Result<Self::Output, String> {
        let mut verdict = Verdict::default();
        self.conclude(&mut verdict).ok_or_else(|| verdict.first())
    }
}

/// The type of a field that blocks of one name fill.
pub trait FromBlocks: Sized {
    /// How often the block may stand there.
    const REPEAT: Repeat;
    /// Whether there has to be one.
    const REQUIRED: bool;
    /// What stands inside; `None` takes any attribute.
    const SCHEMA: Option<fn() -> &'static Schema>;

    /// Takes one more block.
    fn add(slot: &mut Option<Self>, block: &Block, scope: &Scope) -> Result<(), Vec<Diagnostic>>;

    /// The value without any block, if it can be without.
    fn absent() -> Option<Self>;
}

/// Decodes a body, such as that of a component. A label around it is the caller's affair.
///
/// The first error ends it. A diagnostic without a place of its own (a missing attribute, a failed validation) leaves
/// its place to the caller: see [`Diagnostic::or_at`].
pub fn decode_body<T: FromBlock>(body: &Body, scope: &Scope) -> Result<T, Vec<Diagnostic>> {
    fill::<T>(body, scope, T::Builder::default())
}

/// Decodes a block with its label.
pub fn decode_block<T: FromBlock>(block: &Block, scope: &Scope) -> Result<T, Vec<Diagnostic>> {
    let mut builder = T::Builder::default();
    let at = || block.header_location();
    match (block.label(), T::schema().has_label()) {
        (Some(label), true) => builder.label(&label),
        (None, true) => return fail(at(), format!("block {} requires non-empty label", quote(block.name()))),
        (Some(_), false) => {
            return fail(at(), format!("block {} does not support specifying labels", quote(block.name())));
        }
        (None, false) => {}
    }
    match block.body() {
        Some(body) => fill::<T>(&body, scope, builder).map_err(|errors| in_block(errors, block)),
        None => fail(block.location(), "the block is incomplete".to_owned()),
    }
}

/// What a nested block lacks is reported at the outermost one; a note says which it was.
fn in_block(errors: Vec<Diagnostic>, block: &Block) -> Vec<Diagnostic> {
    let note = |error: Diagnostic| match error.place {
        Place::Enclosing if error.related.is_empty() => error.with_related(block.header_location(), "in this block"),
        _ => error,
    };
    errors.into_iter().map(note).collect()
}

fn fail<T>(at: crate::source::Location, message: String) -> Result<T, Vec<Diagnostic>> {
    Err(vec![Diagnostic::error(at, message)])
}

fn fill<T: FromBlock>(body: &Body, scope: &Scope, mut builder: T::Builder) -> Result<T, Vec<Diagnostic>> {
    let schema = T::schema();
    let mut seen = BTreeSet::new();
    let mut counts = BTreeMap::<String, usize>::new();
    for block in body.blocks() {
        *counts.entry(block.name()).or_default() += 1;
    }
    for statement in body.statements() {
        match statement {
            Statement::Attribute(attribute) => {
                check_attribute(&attribute, schema, &mut seen)?;
                let name = attribute.name();
                with_value(&attribute, scope, |value| builder.attribute(&name, value))?;
            }
            Statement::Block(block) => {
                check_block(&block, schema, &counts)?;
                builder.block(&block.name(), &block, scope)?;
            }
        }
    }
    builder.finish().map_err(|message| vec![Diagnostic::unplaced(message)])
}

/// Evaluates an attribute and hands its value on, placing what goes wrong.
fn with_value<R>(
    attribute: &Attribute,
    scope: &Scope,
    take: impl FnOnce(&Value) -> Result<R, ValueError>,
) -> Result<R, Vec<Diagnostic>> {
    let Some(expr) = attribute.value() else {
        return fail(attribute.location(), "the attribute has no value".to_owned());
    };
    let mut evaluator = Evaluator::new(scope);
    let value = evaluator.evaluate(&expr).map_err(|error| vec![error])?;
    take(&value).map_err(|error| vec![evaluator.diagnose(error)])
}

fn check_attribute(attribute: &Attribute, schema: &Schema, seen: &mut BTreeSet<String>) -> Result<(), Vec<Diagnostic>> {
    let name = attribute.name();
    let quoted = quote(&name);
    let message = if !seen.insert(name.clone()) {
        format!("attribute {quoted} may only be provided once")
    } else {
        match schema.field(&name).map(|field| field.kind) {
            Some(FieldKind::Attribute(_)) => return Ok(()),
            Some(_) => format!("{quoted} must be a block, but is used as an attribute"),
            None => format!("unrecognized attribute name {quoted}"),
        }
    };
    fail(attribute.location(), message)
}

fn check_block(block: &Block, schema: &Schema, counts: &BTreeMap<String, usize>) -> Result<(), Vec<Diagnostic>> {
    let name = block.name();
    let quoted = quote(&name);
    let message = match schema.field(&name).map(|field| field.kind) {
        Some(FieldKind::Block { repeat: Repeat::Once, .. }) if counts.get(&name).is_some_and(|count| *count > 1) => {
            format!("block {quoted} may only be specified once")
        }
        Some(FieldKind::Block { .. }) => return Ok(()),
        Some(_) => format!("{quoted} must be an attribute, but is used as a block"),
        None => format!("unrecognized block name {quoted}"),
    };
    fail(block.location(), message)
}

impl<T: FromBlock> FromBlocks for T {
    const REPEAT: Repeat = Repeat::Once;
    const REQUIRED: bool = true;
    const SCHEMA: Option<fn() -> &'static Schema> = Some(T::schema);

    fn add(slot: &mut Option<Self>, block: &Block, scope: &Scope) -> Result<(), Vec<Diagnostic>> {
        *slot = Some(decode_block(block, scope)?);
        Ok(())
    }

    fn absent() -> Option<Self> {
        None
    }
}

impl<T: FromBlock> FromBlocks for Option<T> {
    const REPEAT: Repeat = Repeat::Once;
    const REQUIRED: bool = false;
    const SCHEMA: Option<fn() -> &'static Schema> = Some(T::schema);

    fn add(slot: &mut Option<Self>, block: &Block, scope: &Scope) -> Result<(), Vec<Diagnostic>> {
        *slot = Some(Some(decode_block(block, scope)?));
        Ok(())
    }

    fn absent() -> Option<Self> {
        Some(None)
    }
}

impl<T: FromBlock> FromBlocks for Vec<T> {
    const REPEAT: Repeat = Repeat::Many;
    const REQUIRED: bool = false;
    const SCHEMA: Option<fn() -> &'static Schema> = Some(T::schema);

    fn add(slot: &mut Option<Self>, block: &Block, scope: &Scope) -> Result<(), Vec<Diagnostic>> {
        slot.get_or_insert_default().push(decode_block(block, scope)?);
        Ok(())
    }

    fn absent() -> Option<Self> {
        Some(Vec::new())
    }
}

/// A block whose attributes are keys; repeated ones silently replace each other.
impl<T: FromValue> FromBlocks for BTreeMap<String, T> {
    const REPEAT: Repeat = Repeat::Once;
    const REQUIRED: bool = false;
    const SCHEMA: Option<fn() -> &'static Schema> = None;

    fn add(slot: &mut Option<Self>, block: &Block, scope: &Scope) -> Result<(), Vec<Diagnostic>> {
        if block.label().is_some() {
            return fail(block.header_location(), format!("block {} requires empty label", quote(block.name())));
        }
        let map = slot.get_or_insert_default();
        for statement in block.body().iter().flat_map(Body::statements) {
            match statement {
                Statement::Attribute(attribute) => {
                    let value = with_value(&attribute, scope, T::from_value)?;
                    map.insert(attribute.name(), value);
                }
                Statement::Block(inner) => {
                    return fail(inner.location(), "nested blocks not supported here".to_owned());
                }
            }
        }
        Ok(())
    }

    fn absent() -> Option<Self> {
        Some(BTreeMap::new())
    }
}
