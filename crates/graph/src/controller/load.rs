//! From one plan to the next.

use std::{collections::BTreeSet, sync::Arc, time::Instant};

use futures_util::future::join_all;
use lang::{decode::FromBlock, diagnostic::Diagnostic, eval::Scope, source::Source};
use tracing::{error, info};

use super::{Applied, Difference, Graph, Outcome, Slot};
use crate::{
    blocks::{self, Http, Logging},
    cell::Cell,
    component::RunError,
    context::Seat,
    define::Arguments,
    id::ComponentId,
    plan::{self, Plan, Purpose},
    task::{Building, Run},
};

impl Graph {
    /// Loads a configuration.
    pub(super) async fn load(&mut self, sources: &[Arc<Source>]) -> Outcome {
        let (plan, diagnostics) = plan::draw(sources, &self.settings.vocabulary, Purpose::Run);
        if has_errors(&diagnostics) {
            return nothing(diagnostics);
        }
        let begin = Instant::now();
        info!("starting complete graph evaluation");
        let outcome = self.load_plan(plan, diagnostics).await;
        info!(duration = ?begin.elapsed(), "finished complete graph evaluation");
        outcome
    }

    /// Loads a plan in which nothing is wrong.
    async fn load_plan(&mut self, plan: Plan, mut diagnostics: Vec<Diagnostic>) -> Outcome {
        let logging = self.block::<Logging>(&plan, "logging").map_err(|diagnostic| diagnostics.push(diagnostic));
        let http = self.block::<Http>(&plan, "http").map_err(|diagnostic| diagnostics.push(diagnostic));
        if self.loaded {
            diagnostics.extend(self.rehearse(&plan));
            if has_errors(&diagnostics) {
                return nothing(diagnostics);
            }
        }
        if let Ok(logging) = logging {
            self.settings.blocks.logging(&logging);
        }
        if let Ok(http) = http {
            self.settings.blocks.http(&http);
        }
        let changes = self.apply(plan, &mut diagnostics).await;
        if self.stop.is_cancelled() {
            diagnostics.push(Diagnostic::unplaced("the graph was shut down while it loaded"));
            return nothing(diagnostics);
        }
        let failed = has_errors(&diagnostics);
        if failed && !self.loaded {
            self.apply(Plan::default(), &mut Vec::new()).await;
            return nothing(diagnostics);
        }
        self.loaded = true;
        self.publish();
        let applied = if failed { Applied::Partly } else { Applied::Fully };
        Outcome { diagnostics, applied, changes }
    }

    /// What a block says that configures the process.
    fn block<T: FromBlock + Default>(&self, plan: &Plan, name: &str) -> Result<T, Diagnostic> {
        let scope = Scope::new::<String>(self.settings.vocabulary.stdlib.clone(), []);
        blocks::settings(plan.singles.get(name), &scope)
    }

    /// Makes a plan the one that runs: what is gone stops, those that depend on others first; then everything is
    /// evaluated, dependencies first, and starts or gets new arguments. What is gone but still used by a component that
    /// stays stops when that one has what takes its place; nothing waits for that but a later load that has it again.
    pub(super) async fn apply(&mut self, plan: Plan, diagnostics: &mut Vec<Diagnostic>) -> Difference {
        let gone: BTreeSet<_> = self.slots.keys().filter(|id| !plan.nodes.contains_key(*id)).cloned().collect();
        let used = self.used_by_others(&gone);
        let unused = gone.difference(&used).cloned().collect();
        used.iter().filter_map(|id| self.slots.get(id)?.run.as_ref()).for_each(Run::leave);
        let before = Arc::clone(&self.plan);
        let (stopped, stops) = self.take_out(&before, &unused);
        let mut difference = Difference { stopped, ..Difference::default() };
        self.meanwhile(stops).await;
        // Two components of one id would share its files.
        let ended = self.ended(|id| plan.nodes.contains_key(id));
        self.meanwhile(ended).await;
        for (id, node) in &plan.nodes {
            let cell = || Cell::new(id.clone(), node.definition.zero_exports(), Arc::clone(&self.changes));
            let slot = || Slot { cell: Arc::new(cell()), inputs: None, failed: false, run: None };
            self.slots.entry(id.clone()).or_insert_with(slot);
        }
        let plan = Arc::new(plan);
        self.plan = Arc::clone(&plan);
        self.publish();
        for level in &plan.levels {
            let mut started = Vec::new();
            for id in level {
                let running = self.slots.get(id).is_some_and(Slot::is_running);
                let begin = Instant::now();
                let evaluated = self.evaluate(id, !running);
                info!(node_id = %id, duration = ?begin.elapsed(), "finished node evaluation");
                match evaluated {
                    Ok(None) => {}
                    Ok(Some(arguments)) if running => {
                        self.deliver(id, arguments);
                        difference.updated.push(id.clone());
                    }
                    Ok(Some(arguments)) => {
                        // A first load that has failed starts nothing more; it goes on to find all errors.
                        let pointless = !self.loaded && has_errors(diagnostics);
                        if !pointless && !self.stop.is_cancelled() {
                            self.start(id, arguments);
                            started.push(id.clone());
                        }
                    }
                    Err(found) => diagnostics.extend(found),
                }
            }
            diagnostics.extend(self.wait_for_building(&started).await);
            difference.started.extend(started);
        }
        if !used.is_empty() {
            let given_up = self.given_up(&before, &used);
            let (stopped, stops) = self.take_out(&before, &used);
            difference.stopped.extend(stopped);
            tokio::spawn(async move {
                given_up.await;
                stops.await;
            });
        }
        difference
    }

    /// Starts a component that does not run.
    pub(super) fn start(&mut self, id: &ComponentId, arguments: Arguments) {
        let (Some(node), Some(slot)) = (self.plan.nodes.get(id), self.slots.get_mut(id)) else { return };
        let seat = Seat {
            cell: Arc::clone(&slot.cell),
            data_path: id.data_path(&self.settings.storage_path),
            services: self.settings.services.clone(),
            cancel: Default::default(),
            leaving: Default::default(),
        };
        slot.run = Some(Run::start(node.definition, arguments, seat));
    }

    pub(super) fn deliver(&self, id: &ComponentId, arguments: Arguments) {
        if let Some(run) = self.slots.get(id).and_then(|slot| slot.run.as_ref()) {
            run.deliver(arguments);
        }
    }

    /// Waits for all of these together; whatever depends on them comes after.
    async fn wait_for_building(&mut self, ids: &[ComponentId]) -> Vec<Diagnostic> {
        let (wait, stop) = (self.settings.build_wait, self.stop.clone());
        let ids: BTreeSet<_> = ids.iter().collect();
        let slots = self.slots.iter_mut().filter(|(id, _)| ids.contains(id));
        let waits = slots.filter_map(|(id, slot)| Some((id, slot.run.as_mut()?))).map(|(id, run)| {
            let stop = &stop;
            async move { (id.clone(), run.built(wait, stop).await) }
        });
        let mut diagnostics = Vec::new();
        for (id, building) in join_all(waits).await {
            let Building::Failed(why) = building else { continue };
            if let Some(slot) = self.slots.get_mut(&id) {
                (slot.run, slot.failed) = (None, true);
            }
            diagnostics.extend(self.not_built(&id, &why));
        }
        diagnostics
    }

    fn not_built(&self, id: &ComponentId, why: &RunError) -> Option<Diagnostic> {
        let node = self.plan.nodes.get(id)?;
        let message = format!("Failed to build component: building component: {why}");
        error!(node = %id, err = %why, "failed to evaluate config");
        let diagnostic = Diagnostic::error(node.block.location(), message);
        Some(match why.help() {
            Some(help) => diagnostic.with_help(help),
            None => diagnostic,
        })
    }
}

/// Of a load that changed nothing.
fn nothing(diagnostics: Vec<Diagnostic>) -> Outcome {
    Outcome { diagnostics, applied: Applied::Not, changes: Difference::default() }
}

fn has_errors(diagnostics: &[Diagnostic]) -> bool {
    diagnostics.iter().any(Diagnostic::is_error)
}
