//! `discovery.relabel`: rewrites, keeps and drops targets by rules.
//!
//! A target's place in the output is its place in the input, so that a change of one input target is a change of at most
//! one output target and nothing else is looked at.

use std::{collections::HashMap, sync::Arc};

use graph::{Component, Context, RunError, Updates};
use lang::{
    decode::{FromBlock, IntoValue},
    value::Value,
};
use profile::Labels;

use crate::{
    relabel::{Rule, Rules, apply::apply},
    targets::{LiveTargets, Seen, TargetList, Targets, TargetsArg},
};

/// The component.
pub struct DiscoveryRelabel;

/// Rewrites targets by rules, keeps some and drops others.
#[derive(Debug, FromBlock)]
pub struct Arguments {
    /// The targets to look at.
    #[attr]
    pub targets: TargetsArg,
    /// The steps, in order. Without any the targets stay as they are.
    #[block]
    pub rule: Vec<Rule>,
}

/// What it gives to others.
#[derive(Debug)]
pub struct Exports {
    /// The targets that are left, with their labels after the last rule.
    pub output: Targets,
    /// The rules, for components that take them.
    pub rules: Rules,
}

impl Default for Exports {
    fn default() -> Self {
        Self { output: Targets::default(), rules: Rules(Arc::new([])) }
    }
}

impl IntoValue for Exports {
    fn into_value(self) -> Value {
        Value::object([("output", self.output.into_value()), ("rules", Value::capsule(self.rules))])
    }
}

impl Component for DiscoveryRelabel {
    type Args = Arguments;
    type Exports = Exports;
    const NAME: &'static str = "discovery.relabel";

    async fn run(mut args: Updates<Arguments>, cx: Context<Exports>) -> Result<(), RunError> {
        let mut relabeler = Relabeler::default();
        let cancelled = cx.cancelled();
        tokio::pin!(cancelled);
        loop {
            tokio::select! {
                () = &mut cancelled => return Ok(()),
                args = args.changed() => {
                    let Some(args) = args else { return Ok(()) };
                    let output = Targets(relabeler.update(&args.rule, &args.targets));
                    cx.export(Exports { output, rules: Rules(relabeler.rules()) });
                }
            }
        }
    }
}

/// Keeps the output true to an input that changes.
pub struct Relabeler {
    rules: Arc<[Rule]>,
    source: Source,
    output: LiveTargets,
}

/// Where the output comes from.
enum Source {
    /// From nothing so far.
    Nothing,
    /// From a list with a history: what was seen of it. Places are those of the list.
    List(Seen),
    /// From arrays, which have no history: what became of each target of the last.
    Array(HashMap<Labels, Option<Labels>>),
}

impl Default for Relabeler {
    fn default() -> Self {
        Self { rules: Arc::new([]), source: Source::Nothing, output: LiveTargets::new() }
    }
}

impl Relabeler {
    /// The rules of the last update.
    pub fn rules(&self) -> Arc<[Rule]> {
        Arc::clone(&self.rules)
    }

    /// The output for an input. Costs what changed in the input since the last time; other rules cost all of it.
    pub fn update(&mut self, rules: &[Rule], targets: &TargetsArg) -> Arc<TargetList> {
        let same_rules = *self.rules == *rules;
        if !same_rules {
            self.rules = rules.into();
        }
        if rules.is_empty() {
            self.source = Source::Nothing;
            return Arc::clone(&targets.list);
        }
        if targets.from_array {
            self.take_array(&targets.list, same_rules);
        } else {
            self.take_list(&targets.list, same_rules);
        }
        self.output.snapshot()
    }

    fn take_list(&mut self, list: &TargetList, same_rules: bool) {
        let source = std::mem::replace(&mut self.source, Source::List(list.seen().clone()));
        let known = match &source {
            Source::List(seen) if seen.is_of(list) => Some(seen),
            _ => None,
        };
        let Some(seen) = known else {
            self.output = LiveTargets::new();
            return self.take_all(list);
        };
        match list.changes_since(seen).filter(|_| same_rules) {
            Some(changes) => {
                for change in changes {
                    let after = change.after.and_then(|labels| apply(&self.rules, &labels));
                    self.output.set(change.place, after);
                }
            }
            None => {
                let gone: Vec<_> = self.output.places().filter(|place| list.get(*place).is_none()).collect();
                for place in gone {
                    self.output.set(place, None);
                }
                self.take_all(list);
            }
        }
    }

    fn take_all(&mut self, list: &TargetList) {
        for (place, labels) in list.iter() {
            self.output.set(place, apply(&self.rules, labels));
        }
    }

    fn take_array(&mut self, list: &TargetList, same_rules: bool) {
        let mut known = match std::mem::replace(&mut self.source, Source::Nothing) {
            Source::Array(known) if same_rules => known,
            Source::Array(_) => HashMap::new(),
            _ => {
                self.output = LiveTargets::new();
                HashMap::new()
            }
        };
        let mut next = HashMap::with_capacity(list.len());
        let mut output = Vec::with_capacity(list.len());
        for (_, labels) in list.iter() {
            let after = next
                .entry(labels.clone())
                .or_insert_with(|| known.remove(labels).unwrap_or_else(|| apply(&self.rules, labels)));
            output.extend(after.clone());
        }
        self.output.replace_all(&output);
        self.source = Source::Array(next);
    }
}

#[cfg(test)]
mod tests;
