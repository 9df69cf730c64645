//! What is wrong with a new configuration, as far as it can be known while the old one runs.

use std::{
    collections::{BTreeMap, BTreeSet},
    panic::{AssertUnwindSafe, catch_unwind},
};

use lang::{
    diagnostic::Diagnostic,
    eval::{Traversal, references_in},
    syntax::ast::Expr,
};

use super::{Graph, Slot, propagate::placed};
use crate::{
    check::{self, Known},
    id::ComponentId,
    inputs,
    plan::{Node, Plan},
    task::words_of,
};

impl Graph {
    /// The errors of components that a plan adds or changes. One that refers only to components whose exports the plan
    /// does not change is evaluated; of another what can be said without those exports is said.
    pub(super) fn rehearse(&self, plan: &Plan) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        // Those that the plan leaves alone, with all that they depend on.
        let mut untouched = BTreeSet::new();
        for (id, node) in plan.levels.iter().flatten().filter_map(|id| Some((id, plan.nodes.get(id)?))) {
            if !self.has(id, node) {
                found.extend(self.rehearse_component(node, &untouched));
            } else if node.dependencies.iter().all(|id| untouched.contains(id)) {
                untouched.insert(id);
            }
        }
        found
    }

    fn rehearse_component(&self, node: &Node, untouched: &BTreeSet<&ComponentId>) -> Vec<Diagnostic> {
        let (known, unknown): (Vec<_>, Vec<_>) = node.dependencies.iter().partition(|id| untouched.contains(id));
        let exports = known.into_iter().filter_map(|id| Some((id, self.slots.get(id)?.cell.exports())));
        let scope = inputs::scope(&exports.collect::<BTreeMap<_, _>>(), &self.settings.vocabulary.stdlib);
        if !unknown.is_empty() {
            let is_known = |expr: &Expr| !references_in(expr).iter().any(|name| leads_into(name, &unknown));
            return check::block(node.definition.schema(), &node.block, &Known { scope, is_known: &is_known });
        }
        let decoded = catch_unwind(AssertUnwindSafe(|| node.definition.decode(&node.body, &scope)));
        let found = match decoded {
            Ok(decoded) => decoded.err().unwrap_or_default(),
            Err(panic) => vec![Diagnostic::unplaced(format!("decoding panicked: {}", words_of(&*panic)))],
        };
        found.into_iter().map(|diagnostic| placed(node, diagnostic)).collect()
    }

    /// Whether the plan that runs has this component with the same text.
    fn has(&self, id: &ComponentId, node: &Node) -> bool {
        self.slots.get(id).is_some_and(Slot::is_running)
            && self.plan.nodes.get(id).is_some_and(|running| running.text == node.text)
    }
}

/// Whether a chain of names begins with one of these components.
fn leads_into(traversal: &Traversal, ids: &[&ComponentId]) -> bool {
    ids.iter().any(|id| {
        let mut names = traversal.names.iter();
        id.fragments().all(|fragment| names.next().is_some_and(|name| name == fragment))
    })
}
