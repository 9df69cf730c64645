//! Which component keeps its profiles in which folder, and what is open there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{fs, path};

use graph::{Context, RunError};
use store::{Config, OpenError, Store, WeakStore};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;

use super::Exports;

/// How long a folder may take to come free: a reload tells both components at once, and neither waits for the other.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often a store is tried that is just being closed.
const CLOSING: Duration = Duration::from_millis(20);

/// The folders of all stores of this process.
#[derive(Default)]
pub(super) struct Folders {
    folders: Mutex<BTreeMap<PathBuf, Folder>>,
    /// Wakes who waits for a folder.
    freed: Notify,
}

#[derive(Default)]
struct Folder {
    owner: Option<Owner>,
    /// The store that was opened there last.
    store: Option<WeakStore>,
}

/// Who a folder belongs to.
struct Owner {
    id: String,
    /// Cancelled when another may take its place, though it still writes.
    leaving: CancellationToken,
}

/// A folder that belongs to one component for as long as this lives, or until another takes its place.
pub(super) struct Claim {
    folders: Arc<Folders>,
    place: PathBuf,
    id: String,
}

impl Folders {
    /// Claims the folder of `config` and opens the store in it. One that is open already, by a component that gave up
    /// the folder and still writes what it took, is shared.
    pub(super) async fn open(
        self: &Arc<Self>,
        config: &Config,
        cx: &Context<Exports>,
    ) -> Result<(Claim, Store), RunError> {
        let deadline = Instant::now() + PATIENCE;
        let path = config.path.clone();
        let place = tokio::task::spawn_blocking(move || place(&path)).await?;
        let claim = self.wait_for(place, cx, deadline).await?;
        loop {
            let before = self.folders().get(&claim.place).and_then(|folder| folder.store.clone());
            if let Some(store) = before.as_ref().and_then(WeakStore::upgrade) {
                store.set_limits(config);
                return Ok((claim, store));
            }
            let config = config.clone();
            match tokio::task::spawn_blocking(move || Store::open(config)).await? {
                Ok(store) => {
                    self.folders().entry(claim.place.clone()).or_default().store = Some(store.downgrade());
                    return Ok((claim, store));
                }
                // It was ours; whoever had it last closes it now.
                Err(OpenError::InUse { .. }) if before.is_some() && Instant::now() < deadline => sleep(CLOSING).await,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Claims a folder as soon as it is nobody's.
    async fn wait_for(
        self: &Arc<Self>,
        place: PathBuf,
        cx: &Context<Exports>,
        deadline: Instant,
    ) -> Result<Claim, RunError> {
        loop {
            let freed = self.freed.notified();
            let Err(other) = self.claim(&place, cx.id().as_str(), cx.leaving()) else {
                return Ok(Claim { folders: Arc::clone(self), place, id: cx.id().to_string() });
            };
            let freed = tokio::select! {
                freed = timeout_at(deadline, freed) => freed.is_ok(),
                () = cx.cancelled() => false,
            };
            if !freed {
                let place = place.display();
                return Err(RunError::new(format!(
                    "the folder {place} is that of {other}; give each pyrope.store a path of its own"
                )));
            }
        }
    }

    /// Makes `id` the owner of a folder, or says who is.
    fn claim(&self, place: &Path, id: &str, leaving: CancellationToken) -> Result<(), String> {
        let mut folders = self.folders();
        let folder = folders.entry(place.to_owned()).or_default();
        match &folder.owner {
            Some(owner) if owner.id != id && !owner.leaving.is_cancelled() => Err(owner.id.clone()),
            _ => {
                folder.owner = Some(Owner { id: id.to_owned(), leaving });
                Ok(())
            }
        }
    }

    fn folders(&self) -> MutexGuard<'_, BTreeMap<PathBuf, Folder>> {
        self.folders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut folders = self.folders.folders();
        if let Some(folder) = folders.get_mut(&self.place)
            && folder.owner.as_ref().is_some_and(|owner| owner.id == self.id)
        {
            folder.owner = None;
        }
        drop(folders);
        self.folders.freed.notify_waiters();
    }
}

/// The one name of a folder, however its path is written. The folder is made, for otherwise it has none; what is wrong
/// with that is said when it is opened.
fn place(path: &Path) -> PathBuf {
    _ = fs::create_dir_all(path);
    fs::canonicalize(path).or_else(|_| path::absolute(path)).unwrap_or_else(|_| path.to_owned())
}
