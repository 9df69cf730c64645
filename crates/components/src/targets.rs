//! Targets: label sets that say what to profile, in lists that tell what changed in them.
//!
//! ```text
//! discovery.process ─LiveTargets─▶ Arc<TargetList> ─export─▶ discovery.relabel ─▶ Arc<TargetList> ─▶ pyroscope.ebpf
//!                                      └─ changes_since(what the consumer saw last) ──────────────────▶ O(changes)
//! ```
//!
//! A list is a value of the language ([`list::TargetList`] is a host array), so it travels through an expression that only
//! names it as a pointer. A function that takes it apart, such as `array.concat`, sees [`Target`] capsules, and what it
//! gives back is read as a list without a history.
//!
//! - [`list`]: the list, and its owner.
//! - [`argument`]: `targets = …` of a component.

pub mod argument;
pub mod list;
mod ordered;

use std::{collections::BTreeMap, fmt, sync::Arc};

use lang::value::{
    Capsule, Object, Text, Value,
    capsule::{CapsuleType, downcast_ref},
};
use profile::Labels;

pub use self::{
    argument::TargetsArg,
    list::{Change, LiveTargets, Seen, TargetList, Targets},
    ordered::Place,
};

/// One target as expressions see it: usable as an object of strings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target(pub Labels);

impl CapsuleType for Target {
    const NAME: &'static str = "discovery.Target";
}

impl Capsule for Target {
    fn type_name(&self) -> &'static str {
        Self::NAME
    }

    fn equals(&self, other: &dyn Capsule) -> bool {
        downcast_ref::<Self>(other) == Some(self)
    }

    fn to_object(&self) -> Option<Object> {
        let field = |(name, value): (&str, &str)| (Text::from(name), Value::from(value));
        Some(Arc::new(self.0.iter().map(field).collect::<BTreeMap<_, _>>()))
    }

    fn field(&self, name: &[u8]) -> Option<Value> {
        self.0.get(std::str::from_utf8(name).ok()?).map(Value::from)
    }

    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests;
