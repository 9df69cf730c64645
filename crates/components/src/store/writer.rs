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
use tokio::time::timeout_at;
use tokio_util::sync::CancellationToken;

use super::{Exports, Stores};
use crate::receiver::{Append, AppendError, NotTaken, Origin, ProfilesReceiver, Receiver};

/// Windows that wait to be written. A full queue makes the source wait, which has a queue of its own.
const WAITING: usize = 4;
/// So long before who waits gives up, what waits to be written counts as taken: it is in our hands.
const BEFORE_THE_DEADLINE: Duration = Duration::from_millis(20);
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
        let (receiver, queue) = StoreReceiver::new(cx.id().to_string(), Arc::clone(&stores));
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
    /// A receiver, and what comes out at its end.
    fn new(id: String, stores: Arc<Stores>) -> (Arc<Self>, mpsc::Receiver<Queued>) {
        let (jobs, queue) = mpsc::sync_channel(WAITING);
        let (jobs, room) = (Mutex::new(Some(jobs)), Arc::new(Semaphore::new(WAITING)));
        (Arc::new(Self { id, jobs, room, stores }), queue)
    }

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
    fn append(&self, append: Append) -> BoxFuture<'_, Result<(), NotTaken>> {
        Box::pin(async move {
            let gone = || AppendError::Exited(self.id.clone());
            let place = Arc::clone(&self.room).acquire_owned().await.map_err(|_| gone())?;
            let (done, answer) = oneshot::channel();
            if !self.put(Job::Append(append.origin(), profiles(&append), done), place) {
                return Err(gone().into());
            }
            let answer = async { answer.await.map_err(|_| gone())? };
            let deadline = append.deadline().and_then(|deadline| deadline.checked_sub(BEFORE_THE_DEADLINE));
            let written = match deadline {
                // What is lost of it later counts as a failed window.
                Some(deadline) => timeout_at(deadline.into(), answer).await.unwrap_or(Ok(())),
                None => answer.await,
            };
            Ok(written?)
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

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;
    use crate::metrics::Metrics;
    use crate::receiver::Fanout;

    #[tokio::test(start_paused = true)]
    async fn a_writer_that_stands_still_has_what_it_took_and_the_rest_is_refused() {
        let (receiver, queue) = StoreReceiver::new("pyrope.store.s".to_owned(), Arc::default());
        let fanout = Fanout::new(&Metrics::new().process(), vec![Receiver::shared(receiver)]);
        let interval = Duration::from_secs(15);
        let append = || fanout.append(Append::default().until(Instant::now().into_std() + interval));
        for _ in 0..WAITING {
            append().await.expect("there is room");
        }
        let error = append().await.expect_err("there is no more room");
        assert_eq!(error.to_string(), "receiver 1 of forward_to is too slow");
        // What was refused does not come after all, and who comes next finds the room that is free.
        drop(queue.recv());
        append().await.expect("there is room again");
        assert_eq!(queue.try_iter().count(), WAITING);
    }
}
