//! The thread that writes, and the receiver that leads to it.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};
use std::{io, thread};

use futures_util::future::BoxFuture;
use graph::{Context, State};
use profile::{Labels, Profile};
use store::{Interval, Store};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio_util::sync::CancellationToken;

use super::{Exports, Stores};
use crate::receiver::{Append, AppendError, Origin, ProfilesReceiver, Receiver};

/// Windows that wait to be written. A full queue makes the source wait, which has a queue of its own.
const WAITING: usize = 4;
/// How often old data is looked for when nothing is written.
const MAINTAIN: Duration = Duration::from_secs(60);

/// A writer thread. It ends when its receiver is closed, or nobody holds that any more, and all is written.
pub(super) struct Writer {
    /// Weak, for others who hold it keep the thread running.
    receiver: Weak<StoreReceiver>,
    ended: CancellationToken,
}

impl Writer {
    /// Starts the thread. What the receiver takes goes into the store.
    pub(super) fn start(store: Store, stores: Arc<Stores>, cx: Context<Exports>) -> io::Result<(Self, Receiver)> {
        let (jobs, queue) = mpsc::sync_channel(WAITING);
        let receiver = Arc::new(StoreReceiver {
            id: cx.id().to_string(),
            jobs: Mutex::new(Some(jobs)),
            room: Arc::new(Semaphore::new(WAITING)),
            stores: Arc::clone(&stores),
        });
        let ended = CancellationToken::new();
        let guard = ended.clone().drop_guard();
        thread::Builder::new().name("store".into()).spawn(move || {
            let _guard = guard;
            write(&store, &stores, &queue, &cx);
            // Closed before anybody hears of the end.
            drop(store);
        })?;
        Ok((Self { receiver: Arc::downgrade(&receiver), ended }, Receiver::shared(receiver)))
    }

    /// Waits until it has ended by itself.
    pub(super) async fn ended(&self) {
        self.ended.cancelled().await;
    }

    /// Takes no more, whoever holds the receiver, and waits until all that was taken is written.
    pub(super) async fn end(self) {
        if let Some(receiver) = self.receiver.upgrade() {
            receiver.close();
        }
        self.ended.cancelled().await;
    }
}

/// What the writer thread is told.
enum Job {
    Append(Option<Origin>, Vec<Arc<Profile>>, oneshot::Sender<Result<(), AppendError>>),
    Show(Origin, Vec<Arc<Profile>>),
}

/// A job, and the place in the queue that it takes until the writer has it.
type Queued = (Job, OwnedSemaphorePermit);

/// Writes until no sender is left.
fn write(store: &Store, stores: &Stores, queue: &mpsc::Receiver<Queued>, cx: &Context<Exports>) {
    let mut number = 0;
    let mut failing = false;
    loop {
        match queue.recv_timeout(MAINTAIN).map(|(job, _)| job) {
            Ok(Job::Append(origin, profiles, done)) => {
                number += 1;
                let interval = origin.map_or(Interval { source: 0, number }, interval);
                let result = store.append(interval, &profiles);
                if result.is_err() != failing {
                    failing = result.is_err();
                    match &result {
                        Ok(_) => cx.health(State::Healthy, "storing again"),
                        Err(error) => cx.health(State::Unhealthy, chain(error)),
                    }
                }
                _ = done.send(result.map(|_| ()).map_err(|error| AppendError::Refused(chain(&error))));
            }
            Ok(Job::Show(origin, profiles)) => {
                store.set_open(interval(origin), profiles);
                stores.shows();
            }
            Err(RecvTimeoutError::Timeout) => store.maintain(),
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

fn interval(origin: Origin) -> Interval {
    Interval { source: origin.source, number: origin.interval }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

/// The receiver of a store.
struct StoreReceiver {
    id: String,
    /// The way to the writer, until it is to end.
    jobs: Mutex<Option<mpsc::SyncSender<Queued>>>,
    /// The places in the queue.
    room: Arc<Semaphore>,
    stores: Arc<Stores>,
}

impl StoreReceiver {
    /// Takes no more, nor from those who wait for room.
    fn close(&self) {
        self.room.close();
        *self.jobs() = None;
    }

    fn jobs(&self) -> MutexGuard<'_, Option<mpsc::SyncSender<Queued>>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a job into its place in the queue; false when the writer is to end, or has ended.
    fn put(&self, job: Job, place: OwnedSemaphorePermit) -> bool {
        // There are as many places as the queue has room.
        self.jobs().as_ref().is_some_and(|jobs| jobs.try_send((job, place)).is_ok())
    }
}

fn profiles(append: &Append) -> Vec<Arc<Profile>> {
    append
        .profiles()
        .iter()
        .map(|outgoing| Arc::new(outgoing.profile().with_labels(stored(outgoing.labels()))))
        .collect()
}

/// The labels that are kept: those for the way are not.
fn stored(labels: &Labels) -> Labels {
    labels.filter(|name| !name.starts_with("__") || name == "__name__")
}

impl ProfilesReceiver for StoreReceiver {
    fn append(&self, append: Append) -> BoxFuture<'_, Result<(), AppendError>> {
        Box::pin(async move {
            let gone = || AppendError::Exited(self.id.clone());
            let place = Arc::clone(&self.room).acquire_owned().await.map_err(|_| gone())?;
            let (done, answer) = oneshot::channel();
            if !self.put(Job::Append(append.origin(), profiles(&append), done), place) {
                return Err(gone());
            }
            answer.await.map_err(|_| gone())?
        })
    }

    fn show_open(&self, open: Append) {
        // A writer that is busy shows the next one.
        if let (Some(origin), Ok(place)) = (open.origin(), Arc::clone(&self.room).try_acquire_owned()) {
            self.put(Job::Show(origin, profiles(&open)), place);
        }
    }

    fn watched_until(&self) -> Option<Instant> {
        self.stores.watched_until()
    }
}
