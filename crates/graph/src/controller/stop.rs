//! Taking components out of the graph.

use std::{collections::BTreeSet, time::Duration};

use futures_util::{
    FutureExt as _,
    future::{BoxFuture, join_all},
};
use tokio_util::sync::CancellationToken;

use super::Graph;
use crate::{id::ComponentId, plan::Plan, task::Run};

/// How long what is to stop waits for others to let go of it.
const SETTLE_WAIT: Duration = Duration::from_secs(2);

/// A component that is not in the graph any more and has not ended.
pub(super) struct Stopping {
    ended: CancellationToken,
    /// Those that it depends on, which stop after it.
    needs: BTreeSet<ComponentId>,
}

impl Graph {
    /// Those of `gone` that a component which stays depends on, directly or through others of them.
    pub(super) fn used_by_others(&self, gone: &BTreeSet<ComponentId>) -> BTreeSet<ComponentId> {
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
    pub(super) fn given_up(
        &self,
        before: &Plan,
        used: &BTreeSet<ComponentId>,
    ) -> impl Future<Output = ()> + Send + use<> {
        let users: BTreeSet<_> =
            used.iter().filter_map(|id| before.nodes.get(id)).flat_map(|node| &node.dependants).collect();
        let runs = users.into_iter().filter_map(|id| self.slots.get(id)?.run.as_ref());
        let settled = join_all(runs.filter(|run| !run.is_over()).map(Run::settled));
        let stop = self.stop.clone();
        async move {
            tokio::select! {
                _ = settled => {}
                // One that is busy for so long finds its old neighbour gone, and counts what that does not take.
                () = tokio::time::sleep(SETTLE_WAIT) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    /// Takes components of a plan out of the graph, and returns them in an order in which they can stop, with what stops
    /// them: each as soon as those that depend on it have ended.
    pub(super) fn take_out(
        &mut self,
        plan: &Plan,
        ids: &BTreeSet<ComponentId>,
    ) -> (Vec<ComponentId>, impl Future<Output = ()> + Send + use<>) {
        let order: Vec<_> = plan.levels.iter().rev().flatten().filter(|id| ids.contains(*id)).cloned().collect();
        self.stopping.retain(|_, stopping| !stopping.ended.is_cancelled());
        for id in &order {
            let needs = plan.nodes.get(id).map(|node| node.dependencies.clone()).unwrap_or_default();
            self.stopping.insert(id.clone(), Stopping { ended: CancellationToken::new(), needs });
        }
        let stops: Vec<_> = order.iter().map(|id| self.stop_one(id)).collect();
        (order, join_all(stops).map(drop))
    }

    fn stop_one(&mut self, id: &ComponentId) -> impl Future<Output = ()> + Send + use<> {
        let run = self.slots.remove(id).and_then(|slot| slot.run);
        let dependants = self.stopping.values().filter(|other| other.needs.contains(id));
        let before = join_all(dependants.map(|dependant| dependant.ended.clone().cancelled_owned()));
        // However this comes to an end, nobody waits for it any longer.
        let ended = self.stopping.get(id).map(|stopping| stopping.ended.clone().drop_guard());
        let grace = self.settings.grace;
        async move {
            before.await;
            if let Some(run) = run {
                run.stop(grace).await;
            }
            drop(ended);
        }
    }

    /// Waits until those of these ids have ended that are not in the graph any more.
    pub(super) fn ended(&self, of: impl Fn(&ComponentId) -> bool) -> BoxFuture<'static, ()> {
        let waited_for = self.stopping.iter().filter(|(id, _)| of(id));
        join_all(waited_for.map(|(_, stopping)| stopping.ended.clone().cancelled_owned())).map(drop).boxed()
    }
}
