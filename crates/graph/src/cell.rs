//! The state of one component that the graph and the component share.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use lang::value::Value;
use tokio::sync::{Notify, watch};

use crate::{
    health::{Health, State, Views},
    id::ComponentId,
    same::same,
};

/// Exports and health of one component, for as long as it is in the graph.
pub(crate) struct Cell {
    id: ComponentId,
    exports: Mutex<Value>,
    views: Mutex<Views>,
    /// Whether the current run has got as far as exporting or saying that it is built.
    built: watch::Sender<bool>,
    changes: Arc<Changes>,
}

/// The components whose exports changed since someone looked. However often one changes, it is in here once.
#[derive(Default)]
pub(crate) struct Changes {
    ids: Mutex<BTreeSet<ComponentId>>,
    wake: Notify,
}

impl Cell {
    /// A component that was just made, with the exports that others see until it exports.
    pub(crate) fn new(id: ComponentId, zero: Value, changes: Arc<Changes>) -> Self {
        Self {
            id,
            exports: Mutex::new(zero),
            views: Mutex::new(Views::created()),
            built: watch::Sender::new(false),
            changes,
        }
    }

    /// A component outside a graph.
    pub(crate) fn detached(id: ComponentId) -> Self {
        Self::new(id, Value::Null, Arc::default())
    }

    pub(crate) fn id(&self) -> &ComponentId {
        &self.id
    }

    /// Takes new exports, tells the graph if they are not the same, and counts as built.
    pub(crate) fn export(&self, value: Value) {
        let changed = {
            let mut exports = lock(&self.exports);
            let changed = !same(&exports, &value);
            if changed {
                *exports = value;
            }
            changed
        };
        if changed {
            self.changes.note(&self.id);
        }
        self.built();
    }

    pub(crate) fn exports(&self) -> Value {
        lock(&self.exports).clone()
    }

    pub(crate) fn built(&self) {
        self.built.send_if_modified(|built| !std::mem::replace(built, true));
    }

    /// A new run begins: it is not built, and what the last one reported is void.
    pub(crate) fn begin(&self) {
        self.built.send_replace(false);
        lock(&self.views).reported = None;
    }

    /// Sees when the current run is built.
    pub(crate) fn watch_built(&self) -> watch::Receiver<bool> {
        self.built.subscribe()
    }

    pub(crate) fn is_built(&self) -> bool {
        *self.built.borrow()
    }

    pub(crate) fn report(&self, health: Health) {
        lock(&self.views).reported = Some(health);
    }

    pub(crate) fn set_run(&self, state: State, message: impl Into<String>) {
        lock(&self.views).run = Health::now(state, message);
    }

    pub(crate) fn set_evaluation(&self, state: State, message: impl Into<String>) {
        lock(&self.views).evaluation = Health::now(state, message);
    }

    pub(crate) fn health(&self) -> Health {
        lock(&self.views).effective().clone()
    }
}

impl Changes {
    fn note(&self, id: &ComponentId) {
        lock(&self.ids).insert(id.clone());
        self.wake.notify_one();
    }

    /// Waits until there are some, and takes them. Safe to drop while it waits.
    pub(crate) async fn take(&self) -> BTreeSet<ComponentId> {
        loop {
            let ids = self.take_now();
            if !ids.is_empty() {
                return ids;
            }
            self.wake.notified().await;
        }
    }

    /// Takes those there are.
    pub(crate) fn take_now(&self) -> BTreeSet<ComponentId> {
        std::mem::take(&mut *lock(&self.ids))
    }
}

/// Every critical section leaves the value whole, so one that panicked elsewhere changes nothing.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
