//! From one plan to the next.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use lang::{decode::FromBlock, diagnostic::Diagnostic, eval::Scope, source::Source};
use tokio_util::sync::CancellationToken;
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

/// How long a load waits for components to let go of those that are to stop.
const SETTLE_WAIT: Duration = Duration::from_secs(2);

impl Graph {
    /// Loads a configuration.
    pub(super) async fn load(&mut self, sources: &[Arc<Source>]) -> Outcome {
        let begin = Instant::now();
        info!("starting complete graph evaluation");
        let (plan, mut diagnostics) = plan::draw(sources, &self.settings.vocabulary, Purpose::Run);
        let nothing = |diagnostics| Outcome { diagnostics, applied: Applied::Not, changes: Difference::default() };
        if has_errors(&diagnostics) {
            return nothing(diagnostics);
        }
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
        info!(duration = ?begin.elapsed(), "finished complete graph evaluation");
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
    /// stays stops at the end, when that one has what takes its place.
    pub(super) async fn apply(&mut self, plan: Plan, diagnostics: &mut Vec<Diagnostic>) -> Difference {
        let gone: BTreeSet<_> = self.slots.keys().filter(|id| !plan.nodes.contains_key(*id)).cloned().collect();
        let used = self.used_by_others(&gone);
        let unused = gone.difference(&used).cloned().collect();
        used.iter().filter_map(|id| self.slots.get(id)?.run.as_ref()).for_each(Run::leave);
        let before = Arc::clone(&self.plan);
        let mut difference =
            Difference { stopped: self.stop_components(&before, &unused).await, ..Difference::default() };
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
                match self.evaluate(id, !running) {
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
            self.wait_for_users(&before, &used).await;
            difference.stopped.extend(self.stop_components(&before, &used).await);
            self.publish();
        }
        difference
    }

    /// Those of `gone` that a component which stays depends on, directly or through others of them.
    fn used_by_others(&self, gone: &BTreeSet<ComponentId>) -> BTreeSet<ComponentId> {
        let mut used = BTreeSet::new();
        // Dependants come before what they depend on.
        for id in self.plan.levels.iter().rev().flatten().filter(|id| gone.contains(*id)) {
            let mut dependants = self.plan.nodes.get(id).into_iter().flat_map(|node| &node.dependants);
            if dependants.any(|dependant| !gone.contains(dependant) || used.contains(dependant)) {
                used.insert(id.clone());
            }
        }
        used
    }

    /// Waits until those that used these have what takes their place.
    async fn wait_for_users(&self, before: &Plan, used: &BTreeSet<ComponentId>) {
        let users: BTreeSet<_> =
            used.iter().filter_map(|id| before.nodes.get(id)).flat_map(|node| &node.dependants).collect();
        let runs = users.into_iter().filter_map(|id| self.slots.get(id)?.run.as_ref());
        let settled = join_all(runs.filter(|run| !run.is_over()).map(Run::settled));
        tokio::select! {
            _ = settled => {}
            // One that is busy for so long finds its old neighbour gone, and counts what that does not take.
            () = tokio::time::sleep(SETTLE_WAIT) => {}
            () = self.stop.cancelled() => {}
        }
    }

    /// Stops components of a plan and forgets them: each as soon as those that depend on it have ended. Returns them in
    /// an order in which that can happen.
    async fn stop_components(&mut self, plan: &Plan, ids: &BTreeSet<ComponentId>) -> Vec<ComponentId> {
        let order: Vec<_> = plan.levels.iter().rev().flatten().filter(|id| ids.contains(*id)).cloned().collect();
        let ended: BTreeMap<_, _> = order.iter().map(|id| (id, CancellationToken::new())).collect();
        let mut stops = Vec::new();
        for id in &order {
            let run = self.slots.remove(id).and_then(|slot| slot.run);
            let dependants = plan.nodes.get(id).into_iter().flat_map(|node| &node.dependants);
            let before: Vec<_> = dependants.filter_map(|id| ended.get(id)).collect();
            let (done, grace) = (&ended[id], self.settings.grace);
            stops.push(async move {
                for dependant in before {
                    dependant.cancelled().await;
                }
                if let Some(run) = run {
                    run.stop(grace).await;
                }
                done.cancel();
            });
        }
        join_all(stops).await;
        order
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

fn has_errors(diagnostics: &[Diagnostic]) -> bool {
    diagnostics.iter().any(Diagnostic::is_error)
}
