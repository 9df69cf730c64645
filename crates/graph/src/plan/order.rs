//! The order in which components can be evaluated, and what stands in its way.

use std::collections::{BTreeMap, BTreeSet};

use lang::diagnostic::{Diagnostic, Place, Severity};

use super::{Node, Purpose};
use crate::id::ComponentId;

type Nodes = BTreeMap<ComponentId, Node>;

/// Levels of components, each of which refers only to earlier levels. Members of cycles are left out and complained
/// about.
pub(super) fn levels(nodes: &Nodes, purpose: Purpose, diagnostics: &mut Vec<Diagnostic>) -> Vec<Vec<ComponentId>> {
    let mut waiting: BTreeMap<&ComponentId, usize> =
        nodes.iter().map(|(id, node)| (id, node.dependencies.len())).collect();
    let mut levels = Vec::new();
    loop {
        let level: Vec<_> = waiting.iter().filter(|(_, count)| **count == 0).map(|(id, _)| (*id).clone()).collect();
        if level.is_empty() {
            break;
        }
        for id in &level {
            waiting.remove(id);
            for dependant in &nodes[id].dependants {
                if let Some(count) = waiting.get_mut(dependant) {
                    *count -= 1;
                }
            }
        }
        levels.push(level);
    }
    let mut rest: BTreeSet<&ComponentId> = waiting.into_keys().collect();
    while let Some(id) = rest.pop_first() {
        let reached = reach(id, nodes, |node| &node.dependencies);
        let reaching = reach(id, nodes, |node| &node.dependants);
        let members: BTreeSet<_> = reached.intersection(&reaching).copied().collect();
        if !members.is_empty() {
            rest.retain(|id| !members.contains(id));
            complain(&members, nodes, purpose, diagnostics);
        }
    }
    levels
}

/// Everything that a component leads to; itself only by way of others or of itself.
fn reach<'a>(
    from: &'a ComponentId,
    nodes: &'a Nodes,
    next: impl Fn(&'a Node) -> &'a BTreeSet<ComponentId>,
) -> BTreeSet<&'a ComponentId> {
    let mut reached = BTreeSet::new();
    let mut open = vec![from];
    while let Some(id) = open.pop() {
        for id in next(&nodes[id]) {
            if reached.insert(id) {
                open.push(id);
            }
        }
    }
    reached
}

fn complain(members: &BTreeSet<&ComponentId>, nodes: &Nodes, purpose: Purpose, diagnostics: &mut Vec<Diagnostic>) {
    let names: Vec<_> = members.iter().map(|id| id.as_str()).collect();
    let names = names.join(", ");
    let alone = members.len() == 1;
    if purpose == Purpose::Validate {
        let message = if alone { "cannot reference self".to_owned() } else { format!("cycle detected: {names}") };
        let at = members.iter().map(|id| nodes[*id].block.header_location());
        diagnostics.extend(at.map(|at| Diagnostic::error(at, message.clone())));
        return;
    }
    let message = if alone { format!("self reference: {names}") } else { format!("cycle: {names}") };
    let mut cycle = Diagnostic::new(Severity::Error, Place::Unknown, message);
    for id in members {
        let targets: Vec<_> = nodes[*id].dependencies.iter().filter(|to| members.contains(to)).collect();
        let targets: Vec<_> = targets.into_iter().map(ComponentId::as_str).collect();
        let message = format!("{id} refers to {}", targets.join(", "));
        cycle = cycle.with_related(nodes[*id].block.header_location(), message);
    }
    diagnostics.push(cycle);
}
