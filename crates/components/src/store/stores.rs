//! The stores that run, and whether somebody looks at what is open in them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use store::Store;
use tokio::sync::{Notify, watch};

use super::folders::Folders;

/// How long after a query the open interval is kept up to date.
const LOOKED: Duration = Duration::from_secs(5);
/// How long the first query after a while waits for the open interval.
const PATIENCE: Duration = Duration::from_millis(700);

/// The stores that run, for queries. A service of the graph.
#[derive(Default)]
pub struct Stores {
    running: Mutex<Running>,
    folders: Arc<Folders>,
    /// Wakes who waits for the open interval.
    shown: Notify,
    /// Wakes sources when somebody begins to look.
    looked: watch::Sender<()>,
}

#[derive(Default)]
struct Running {
    stores: BTreeMap<String, Store>,
    looks: Option<Looks>,
    /// Whether a source ever asked if somebody looks.
    has_source: bool,
}

/// Queries that follow each other closely enough for the open interval to be kept up to date.
#[derive(Clone, Copy)]
struct Looks {
    since: Instant,
    last: Instant,
    shown: bool,
}

impl Stores {
    /// The store of a component, or without a name the first by name.
    pub fn get(&self, id: Option<&str>) -> Option<(String, Store)> {
        let state = self.lock();
        let found = match id {
            Some(id) => state.stores.get_key_value(id),
            None => state.stores.first_key_value(),
        };
        found.map(|(id, store)| (id.clone(), store.clone()))
    }

    /// All stores, by the names of their components.
    pub fn all(&self) -> Vec<(String, Store)> {
        self.lock().stores.iter().map(|(id, store)| (id.clone(), store.clone())).collect()
    }

    /// Says that somebody looks: sources keep the open interval up to date for a while. After a while without a look
    /// it is old, or not there at all: then this waits, for a moment, until it is up to date.
    pub async fn look(&self) {
        let shown = self.shown.notified();
        if let Some(patience) = self.begin_look(Instant::now()) {
            // Without an answer in time the query shows what there is.
            _ = tokio::time::timeout(patience, shown).await;
        }
    }

    /// Tells sources that somebody begins to look; whether that goes on is asked of the receivers.
    pub fn looks(&self) -> watch::Receiver<()> {
        self.looked.subscribe()
    }

    /// How long to wait for the open interval, if at all.
    fn begin_look(&self, now: Instant) -> Option<Duration> {
        let mut state = self.lock();
        let looks = match state.looks {
            Some(looks) if now < looks.last + LOOKED => Looks { last: now, ..looks },
            _ => {
                self.looked.send_replace(());
                Looks { since: now, last: now, shown: false }
            }
        };
        state.looks = Some(looks);
        if looks.shown || !state.has_source {
            return None;
        }
        (looks.since + PATIENCE).checked_duration_since(now)
    }

    /// The open interval is up to date.
    pub(super) fn shows(&self) {
        if let Some(looks) = &mut self.lock().looks {
            looks.shown = true;
        }
        self.shown.notify_waiters();
    }

    pub(super) fn watched_until(&self) -> Option<Instant> {
        let mut state = self.lock();
        state.has_source = true;
        state.looks.map(|looks| looks.last + LOOKED)
    }

    /// Whose folder is whose.
    pub(super) fn folders(&self) -> &Arc<Folders> {
        &self.folders
    }

    pub(super) fn put(&self, id: &str, store: Store) {
        self.lock().stores.insert(id.to_owned(), store);
    }

    pub(super) fn remove(&self, id: &str) {
        self.lock().stores.remove(id);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_look_waits_and_only_for_a_source() {
        let (stores, start) = (Stores::default(), Instant::now());
        assert_eq!(stores.begin_look(start), None);
        _ = stores.watched_until();
        // As many as come before the open interval does wait, none longer than the first.
        assert_eq!(stores.begin_look(start), Some(PATIENCE));
        let later = start + Duration::from_millis(100);
        assert_eq!(stores.begin_look(later), Some(PATIENCE - Duration::from_millis(100)));
        stores.shows();
        assert_eq!(stores.begin_look(later), None);
        // Nobody looks for a while, and it is out of date again.
        let again = later + LOOKED;
        assert_eq!(stores.begin_look(again), Some(PATIENCE));
    }
}
