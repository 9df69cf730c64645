//! Relabelling: rules that rewrite, keep or drop a label set.
//!
//! ```text
//! rule { … } ─decode, validate─▶ Rule ──▶ Rules ──apply(labels)──▶ other labels, or nothing
//! ```
//!
//! The rules are those of Prometheus, so that existing configurations give the labels that they gave. Patterns are Go's,
//! anchored at both ends, and `.` matches line feeds too.
//!
//! - [`rule`]: a `rule` block and what is wrong with one.
//! - [`apply`]: what each action does.
//! - [`pattern`], [`template`]: matching, and `$1` in replacements.
//! - [`name`]: which label names are legal.

pub mod apply;
pub mod name;
pub mod pattern;
pub mod rule;
pub mod template;

use std::{fmt, sync::Arc};

use lang::value::{
    Capsule,
    capsule::{CapsuleType, downcast_ref},
};

pub use self::{
    name::LabelNames,
    pattern::Pattern,
    rule::{Action, Rule},
};

/// The rules of a component, in order. Exported as `rules`: opaque to expressions, usable as an argument elsewhere.
#[derive(Clone, Debug, PartialEq)]
pub struct Rules(pub Arc<[Rule]>);

impl CapsuleType for Rules {
    const NAME: &'static str = "relabel.Rules";
}

impl Capsule for Rules {
    fn type_name(&self) -> &'static str {
        Self::NAME
    }

    fn equals(&self, other: &dyn Capsule) -> bool {
        downcast_ref::<Self>(other) == Some(self)
    }

    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "capsule({:?}, {} rules)", Self::NAME, self.0.len())
    }
}

#[cfg(test)]
mod tests;
