//! One endpoint: its queue, and the task that empties it. It waits for nobody and nobody waits for it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use profile::Labels;
use rpc::push;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::arguments::EndpointArguments;
use super::backoff::{Backoff, uuid};
use super::push::{Failure, Target, Verdict};
use super::queue::{BACKLOG, BURST, Item, Next, Queue};
use super::status::{DropReason, EndpointStatus, LastError, Report, Tally};
use crate::http_client::BuildError;
use crate::metrics::Scope;

/// How many requests are under way to an endpoint that works. One that fails gets one at a time.
const PARALLEL: usize = 4;

/// An endpoint. Its task is [`Endpoint::run`].
pub(super) struct Endpoint {
    component: String,
    settings: Mutex<Arc<Settings>>,
    queue: Mutex<Queue>,
    /// Something is new: a profile, settings, or the end.
    news: Notify,
    state: Mutex<State>,
    tally: Tally,
}

/// What the configuration says about it.
pub(super) struct Settings {
    name: String,
    target: Target,
    backoff: Backoff,
    /// 0 is without end.
    max_attempts: u32,
}

#[derive(Default)]
struct State {
    /// Since when nothing succeeds.
    episode: Option<Episode>,
    last_success: Option<SystemTime>,
    last_error: Option<LastError>,
    /// Whether the queue was full and has not been empty since.
    full: bool,
    /// Set when it is to end.
    end: Option<End>,
}

struct Episode {
    since: Instant,
    failures: u64,
    dropped: u64,
    /// Whether it is the endpoint that fails, not a profile.
    endpoint: bool,
}

#[derive(Clone, Copy)]
struct End {
    deadline: Instant,
    reason: DropReason,
}

/// An attempt that is over.
struct Landed {
    item: Item,
    settings: Arc<Settings>,
    result: Result<(), Failure>,
}

impl Settings {
    pub(super) fn new(arguments: &EndpointArguments) -> Result<Self, BuildError> {
        Ok(Self {
            name: arguments.name.clone(),
            target: Target::new(arguments)?,
            backoff: Backoff { min: arguments.min_backoff_period, max: arguments.max_backoff_period },
            max_attempts: arguments.max_backoff_retries,
        })
    }

    /// The address for people.
    pub(super) fn shown(&self) -> &str {
        &self.target.shown
    }

    /// What is wrong with the address.
    pub(super) fn problem(&self) -> Option<String> {
        self.target.check().err().map(ToString::to_string)
    }
}

impl Endpoint {
    /// A new endpoint of `component` that counts into `scope`.
    pub(super) fn new(component: &str, settings: Settings, scope: &Scope) -> Arc<Self> {
        let tally = Tally::new(scope, settings.shown());
        Arc::new(Self {
            component: component.to_owned(),
            settings: Mutex::new(Arc::new(settings)),
            queue: Mutex::new(Queue::new(BACKLOG, BURST)),
            news: Notify::new(),
            state: Mutex::default(),
            tally,
        })
    }

    /// The address for people.
    pub(super) fn shown(&self) -> String {
        self.settings().shown().to_owned()
    }

    /// What is wrong with its address.
    pub(super) fn problem(&self) -> Option<String> {
        let settings = self.settings();
        let problem = settings.problem()?;
        Some(format!("endpoint {:?} takes no profiles: {problem}", settings.shown()))
    }

    /// Other settings from the next attempt on. What waits is kept, and waits no longer for the old server's sake.
    pub(super) fn update(&self, settings: Settings) {
        *lock(&self.settings) = Arc::new(settings);
        let mut queue = lock(&self.queue);
        queue.release();
        queue.hurry(Instant::now());
        drop(queue);
        self.news.notify_one();
    }

    /// Adds a profile of the append of that number. Does not block.
    pub(super) fn enqueue(&self, append: u64, labels: &Labels, pprof: &Bytes) {
        let end = lock(&self.state).end;
        if let Some(end) = end {
            return self.drop_profile(end.reason, pprof.len());
        }
        if self.settings().problem().is_some() {
            return self.drop_profile(DropReason::InvalidUrl, pprof.len());
        }
        let gone = lock(&self.queue).push(Item::new(append, labels.clone(), pprof.clone(), uuid()));
        if !gone.is_empty() {
            let (reason, first) = {
                let mut state = lock(&self.state);
                let first = !std::mem::replace(&mut state.full, true);
                // It can have ended in between.
                (state.end.map_or(DropReason::QueueFull, |end| end.reason), first)
            };
            if first && reason == DropReason::QueueFull {
                let (component, endpoint) = (&self.component, self.shown());
                tracing::warn!(
                    component_id = component,
                    endpoint,
                    "the queue is full, the oldest profiles are dropped"
                );
            }
            gone.iter().for_each(|item| self.drop_profile(reason, item.pprof.len()));
        }
        self.news.notify_one();
    }

    /// Counts a profile that goes no further.
    pub(super) fn drop_profile(&self, reason: DropReason, bytes: usize) {
        self.tally.dropped(reason, bytes);
        if let Some(episode) = &mut lock(&self.state).episode {
            episode.dropped += 1;
        }
    }

    /// Asks it to end: what waits is still sent until `deadline`, at once where it waited for another attempt, then dropped
    /// for `reason`.
    pub(super) fn end(&self, deadline: Instant, reason: DropReason) {
        lock(&self.state).end = Some(End { deadline, reason });
        lock(&self.queue).hurry(Instant::now());
        self.news.notify_one();
    }

    /// Sends what comes, until it was asked to end and is empty.
    pub(super) async fn run(self: Arc<Self>) {
        let mut flying: FuturesUnordered<BoxFuture<'static, Landed>> = FuturesUnordered::new();
        loop {
            let next = self.start(&mut flying);
            let end = lock(&self.state).end;
            if let Some(End { deadline, reason }) = end {
                let in_time = match next {
                    Next::Item(_) => true,
                    Next::At(at) => at < deadline,
                    Next::Empty => false,
                };
                if Instant::now() >= deadline || (flying.is_empty() && !in_time) {
                    return self.give_up(reason);
                }
            }
            let wake = match next {
                Next::At(at) => Some(at),
                _ => None,
            };
            tokio::select! {
                Some(landed) = flying.next() => self.landed(landed),
                () = self.news.notified() => {}
                () = until(wake) => {}
                () = until(end.map(|end| end.deadline)) => {}
            }
        }
    }

    /// Starts what is due, as far as there is room, and says when there is more.
    fn start(self: &Arc<Self>, flying: &mut FuturesUnordered<BoxFuture<'static, Landed>>) -> Next {
        let sick = lock(&self.state).episode.as_ref().is_some_and(|episode| episode.endpoint);
        let room = if sick { 1 } else { PARALLEL };
        while flying.len() < room {
            match lock(&self.queue).next(Instant::now()) {
                Next::Item(item) => flying.push(Box::pin(Arc::clone(self).attempt(*item, self.settings()))),
                Next::Empty if flying.is_empty() => {
                    lock(&self.state).full = false;
                    return Next::Empty;
                }
                later => return later,
            }
        }
        Next::Empty
    }

    async fn attempt(self: Arc<Self>, mut item: Item, settings: Arc<Settings>) -> Landed {
        if item.attempts > 0 {
            self.tally.retried();
        }
        item.attempts += 1;
        let started = Instant::now();
        let result = settings.target.push(push::request(item.labels.iter(), &item.pprof, &item.id).into()).await;
        self.tally.downstream_latency.observe(started.elapsed().as_secs_f64());
        Landed { item, settings, result }
    }

    fn landed(&self, landed: Landed) {
        let Landed { item, settings, result } = landed;
        let Err(failure) = result else {
            self.tally.sent(item.pprof.len());
            return self.done(&item, true);
        };
        self.failed(&settings, &item, &failure);
        let now = Instant::now();
        let due = match failure.verdict {
            Verdict::Final => {
                self.drop_profile(DropReason::Rejected, item.pprof.len());
                return self.done(&item, false);
            }
            Verdict::Retry => now + settings.backoff.wait(item.attempts),
            Verdict::RetryAfter(pause) => {
                // A server that asks for no pause at all is not hammered.
                let due = now + pause.max(settings.backoff.least());
                lock(&self.queue).hold(due);
                due
            }
        };
        if settings.max_attempts > 0 && item.attempts >= settings.max_attempts {
            self.drop_profile(DropReason::RetriesExhausted, item.pprof.len());
            return self.done(&item, false);
        }
        lock(&self.queue).put_back(item, due);
    }

    /// Takes a profile out of the books.
    fn done(&self, item: &Item, sent: bool) {
        self.tally.endpoint_latency.observe(item.since.elapsed().as_secs_f64());
        lock(&self.queue).landed(item);
        if sent {
            self.succeeded();
        }
    }

    /// Remembers a failure, and logs the first of an episode.
    fn failed(&self, settings: &Settings, item: &Item, failure: &Failure) {
        let url = settings.shown();
        let retries = item.attempts - 1;
        let message = format!("failed to push to endpoint {url} ({retries} retries): {}", failure.message);
        let again = failure.verdict != Verdict::Final;
        let mut state = lock(&self.state);
        let fresh = Episode { since: Instant::now(), failures: 0, dropped: 0, endpoint: false };
        let first = state.episode.is_none();
        let episode = state.episode.get_or_insert(fresh);
        episode.failures += 1;
        episode.endpoint = again;
        if first {
            let component = &self.component;
            tracing::warn!(component_id = component, error = message, again, "pushing profiles fails");
        }
        state.last_error = Some(LastError { at: SystemTime::now(), message });
    }

    /// Ends an episode.
    fn succeeded(&self) {
        let mut state = lock(&self.state);
        state.last_success = Some(SystemTime::now());
        if let Some(Episode { since, failures, dropped, .. }) = state.episode.take() {
            let (component, endpoint, lasted) = (&self.component, self.shown(), since.elapsed());
            tracing::info!(
                component_id = component,
                endpoint,
                failures,
                dropped,
                ?lasted,
                "pushing profiles works again"
            );
        }
    }

    /// Drops what is left, attempts under way among it.
    fn give_up(&self, reason: DropReason) {
        let (waiting, (flying, mut flying_bytes)) = {
            let mut queue = lock(&self.queue);
            (queue.close(), queue.flying())
        };
        for item in &waiting {
            self.drop_profile(reason, item.pprof.len());
        }
        for _ in 0..flying {
            self.drop_profile(reason, std::mem::take(&mut flying_bytes));
        }
        let left = waiting.len() + flying;
        if left > 0 {
            let (component, endpoint, reason) = (&self.component, self.shown(), reason.name());
            tracing::warn!(component_id = component, endpoint, profiles = left, reason, "profiles were not sent");
        }
    }

    fn settings(&self) -> Arc<Settings> {
        Arc::clone(&lock(&self.settings))
    }
}

impl Report for Endpoint {
    fn status(&self) -> EndpointStatus {
        let settings = self.settings();
        let (queued_profiles, queued_bytes) = {
            let queue = lock(&self.queue);
            (queue.len(), queue.bytes())
        };
        let state = lock(&self.state);
        let mut status = EndpointStatus {
            component: self.component.clone(),
            name: settings.name.clone(),
            url: settings.shown().to_owned(),
            sent_profiles: 0,
            sent_bytes: 0,
            retries: 0,
            dropped: Default::default(),
            queued_profiles,
            queued_bytes,
            last_success: state.last_success,
            last_error: state.last_error.clone(),
            failing: state.episode.is_some(),
        };
        self.tally.fill(&mut status);
        status
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits until then; for ever without a then.
async fn until(then: Option<Instant>) {
    match then {
        Some(then) => sleep_until(then).await,
        None => std::future::pending().await,
    }
}
