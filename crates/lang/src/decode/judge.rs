//! What can be said about a block of which not everything is known.
//!
//! Before a run, what is written out is known, and not what other components will export. A [`Judge`] is asked statement
//! by statement about what is known and then told of what else is there; a [`Verdict`] says what is missing and what does
//! not go together. What depends on something unknown is not judged, so that nothing is refused that could turn out well.

use std::collections::BTreeSet;

use super::block::Builder;
use crate::{
    diagnostic::Diagnostic,
    eval::Scope,
    syntax::ast::Block,
    value::{Value, ValueError},
};

/// A [`Builder`] of a type that is not named.
pub trait Judge {
    /// Whether it takes an attribute; false when there is none of that name.
    fn attribute(&mut self, name: &str, value: &Value) -> Result<bool, ValueError>;

    /// Whether it takes a block; false when there is none of that name.
    fn block(&mut self, name: &str, block: &Block, scope: &Scope) -> Result<bool, Vec<Diagnostic>>;

    /// Takes the block's own label.
    fn label(&mut self, label: &str);

    /// What is wrong with the block as a whole. Of the `unknown` attributes and blocks nothing was said.
    fn conclude(self: Box<Self>, unknown: BTreeSet<String>) -> Vec<String>;
}

impl<B: Builder> Judge for B {
    fn attribute(&mut self, name: &str, value: &Value) -> Result<bool, ValueError> {
        Builder::attribute(self, name, value)
    }

    fn block(&mut self, name: &str, block: &Block, scope: &Scope) -> Result<bool, Vec<Diagnostic>> {
        Builder::block(self, name, block, scope)
    }

    fn label(&mut self, label: &str) {
        Builder::label(self, label);
    }

    fn conclude(self: Box<Self>, unknown: BTreeSet<String>) -> Vec<String> {
        let mut verdict = Verdict { unknown, wrong: Vec::new() };
        Builder::conclude(*self, &mut verdict);
        verdict.wrong
    }
}

/// What a block lacks and what in it does not go together, in the order in which it was found. For the derive.
#[derive(Default)]
pub struct Verdict {
    /// Names of attributes and blocks.
    unknown: BTreeSet<String>,
    wrong: Vec<String>,
}

impl Verdict {
    /// A field: what was given, or what it is when nothing was. None if it is unknown, or missing, which is wrong.
    pub fn field<T>(
        &mut self,
        what: &str,
        name: &str,
        given: Option<T>,
        absent: impl FnOnce() -> Option<T>,
    ) -> Option<T> {
        if self.unknown.contains(name) {
            return None;
        }
        let value = given.or_else(absent);
        if value.is_none() {
            self.wrong.push(format!("missing required {what} {name:?}"));
        }
        value
    }

    /// Takes what a rule says.
    pub fn rule<E: Into<String>>(&mut self, said: Result<(), E>) {
        self.wrong.extend(said.err().map(Into::into));
    }

    /// Whether nothing is wrong so far.
    pub fn is_clean(&self) -> bool {
        self.wrong.is_empty()
    }

    /// What was found first.
    pub(super) fn first(self) -> String {
        self.wrong.into_iter().next().unwrap_or_else(|| "the block is incomplete".to_owned())
    }
}
