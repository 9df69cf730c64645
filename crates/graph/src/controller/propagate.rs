//! From exports to the arguments of whoever refers to them.

use std::{
    collections::{BTreeMap, BTreeSet},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Instant,
};

use lang::{diagnostic::Diagnostic, value::Value};
use tracing::{debug, error};

use super::{Graph, Slot};
use crate::{
    define::Arguments,
    health::State,
    id::ComponentId,
    inputs::{self, Inputs},
    plan::Node,
    task::words_of,
};

impl Graph {
    /// Evaluates what depends directly on components whose exports changed. What this changes comes around again.
    ///
    /// A failure is the affected component's alone: it keeps its last good arguments.
    pub(super) fn propagate(&mut self, changed: &BTreeSet<ComponentId>) {
        let plan = Arc::clone(&self.plan);
        let nodes = changed.iter().filter_map(|id| plan.nodes.get(id));
        let dependants: BTreeSet<_> = nodes.flat_map(|node| &node.dependants).collect();
        for id in dependants {
            let Some(slot) = self.slots.get(id) else { continue };
            // One that ended by itself stays so until the next load; one that never ran gets its chance.
            let (running, never_ran) = (slot.is_running(), slot.run.is_none());
            if !running && !never_ran {
                continue;
            }
            let begin = Instant::now();
            let evaluated = self.evaluate(id, false);
            debug!(node_id = %id, duration = ?begin.elapsed(), "finished node evaluation");
            match evaluated {
                Ok(Some(arguments)) if running => self.deliver(id, arguments),
                Ok(Some(arguments)) => self.start(id, arguments),
                // The failure is the component's health by now.
                Ok(None) | Err(_) => {}
            }
        }
    }

    /// The arguments of a component, or nothing when they are the same as before (unless it is `anyway`).
    pub(super) fn evaluate(&mut self, id: &ComponentId, anyway: bool) -> Result<Option<Arguments>, Vec<Diagnostic>> {
        let Some(node) = self.plan.nodes.get(id) else { return Ok(None) };
        let exports: BTreeMap<&ComponentId, Value> = node
            .dependencies
            .iter()
            .filter_map(|id| self.slots.get(id).map(|slot| (id, slot.cell.exports())))
            .collect();
        let Some(slot) = self.slots.get_mut(id) else { return Ok(None) };
        let inputs = Inputs::of(node, &exports);
        let unchanged = slot.inputs.as_ref().is_some_and(|earlier| inputs.same(earlier));
        if unchanged && !slot.failed && !anyway {
            return Ok(None);
        }
        let scope = inputs::scope(&exports, &self.settings.vocabulary.stdlib);
        let decoded = catch_unwind(AssertUnwindSafe(|| node.definition.decode(&node.body, &scope)));
        let decoded = decoded.unwrap_or_else(|panic| {
            Err(vec![Diagnostic::unplaced(format!("decoding panicked: {}", words_of(&*panic)))])
        });
        slot.inputs = Some(inputs);
        slot.failed = decoded.is_err();
        match decoded {
            Ok(arguments) => {
                slot.cell.set_evaluation(State::Healthy, "component evaluated");
                Ok(Some(arguments))
            }
            Err(diagnostics) => Err(blame(id, node, slot, diagnostics)),
        }
    }
}

/// Turns a failure to decode into the component's health and into diagnostics with a place.
fn blame(id: &ComponentId, node: &Node, slot: &Slot, diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let first = diagnostics.first().map(ToString::to_string).unwrap_or_default();
    let message = format!("component evaluation failed: decoding configuration: {first}");
    slot.cell.set_evaluation(State::Unhealthy, message);
    error!(node = %id, err = first, "failed to evaluate config");
    diagnostics.into_iter().map(|diagnostic| placed(node, diagnostic)).collect()
}

/// At the component's block, unless it has a place.
pub(super) fn placed(node: &Node, diagnostic: Diagnostic) -> Diagnostic {
    diagnostic.or_at(node.block.location(), "Failed to build component: decoding configuration: ")
}
