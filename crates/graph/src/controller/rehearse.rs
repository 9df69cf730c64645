//! What is wrong with a new configuration, as far as it can be known while the old one runs.

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
};

use lang::{diagnostic::Diagnostic, value::Value};

use super::{Graph, Slot, propagate::placed};
use crate::{
    check,
    id::ComponentId,
    inputs,
    plan::{Node, Plan},
    task::words_of,
};

impl Graph {
    /// The errors of components that a plan adds or changes. One that refers only to components that run as the plan
    /// has them is evaluated; of another what can be said without evaluating is said.
    pub(super) fn rehearse(&self, plan: &Plan) -> Vec<Diagnostic> {
        let nodes = plan.levels.iter().flatten().filter_map(|id| Some((id, plan.nodes.get(id)?)));
        let changed = nodes.filter(|(id, node)| !self.has(id, node));
        changed.flat_map(|(_, node)| self.rehearse_component(plan, node)).collect()
    }

    fn rehearse_component(&self, plan: &Plan, node: &Node) -> Vec<Diagnostic> {
        let exports = node.dependencies.iter().map(|id| Some((id, self.known_exports(plan, id)?)));
        let Some(exports) = exports.collect::<Option<BTreeMap<&ComponentId, Value>>>() else {
            return check::component(node.definition, &node.block);
        };
        let scope = inputs::scope(&exports, &self.settings.vocabulary.stdlib);
        let decoded = catch_unwind(AssertUnwindSafe(|| node.definition.decode(&node.body, &scope)));
        let found = match decoded {
            Ok(decoded) => decoded.err().unwrap_or_default(),
            Err(panic) => vec![Diagnostic::unplaced(format!("decoding panicked: {}", words_of(&*panic)))],
        };
        found.into_iter().map(|diagnostic| placed(node, diagnostic)).collect()
    }

    /// The exports of a component that runs and that the plan leaves as it is.
    fn known_exports(&self, plan: &Plan, id: &ComponentId) -> Option<Value> {
        let slot = self.slots.get(id).filter(|slot| slot.is_running())?;
        self.has(id, plan.nodes.get(id)?).then(|| slot.cell.exports())
    }

    /// Whether the plan that runs has this component with the same text.
    fn has(&self, id: &ComponentId, node: &Node) -> bool {
        self.slots.get(id).is_some_and(Slot::is_running)
            && self.plan.nodes.get(id).is_some_and(|running| running.text == node.text)
    }
}
