//! `pyroscope.ebpf`: samples the targets and hands their profiles to `forward_to`.
//!
//! ```text
//!  args.targets ──[targets]──▶ engine session ──batches──▶ run loop ──Append──▶ forward_to
//!                                  │ account ──▶ metrics, status
//! ```

pub mod arguments;
mod forward;
mod targets;
mod verbose;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use engine::account::{Filtered, Lost};
use engine::{Accounts, Batch, Engine, Session, Settings};
use graph::{Component, Context, NoExports, RunError, State, Updates};
use tokio::sync::mpsc;

use crate::metrics::{Counter, Gauge, Metrics, Scope};
use crate::profiler::Profiler;
use crate::receiver::{Fanout, ProfilesReceiver as _};
use crate::store::Stores;

pub use self::arguments::Arguments;
use self::forward::Forward;
use self::targets::Matched;
pub use self::verbose::Verbose;

/// Batches that wait for slow receivers; one that finds no room is lost and counted. Each is an interval.
const WAITING: usize = 4;
/// How often receivers are asked whether somebody still looks at the open interval.
const LOOK: Duration = Duration::from_secs(1);
/// How long a look keeps the open interval shown.
const SHOWN: Duration = Duration::from_secs(3);
/// How long until a failed start is tried again.
const RETRY: Duration = Duration::from_secs(60);

/// The component.
pub struct PyroscopeEbpf;

impl Component for PyroscopeEbpf {
    type Args = Arguments;
    type Exports = NoExports;
    const NAME: &'static str = "pyroscope.ebpf";

    async fn run(mut args: Updates<Arguments>, cx: Context<NoExports>) -> Result<(), RunError> {
        let profiler = cx.service::<Profiler>().ok_or_else(|| RunError::new("this process has no profiler"))?;
        let metrics = cx.service::<Metrics>().unwrap_or_default();
        let id = cx.id().to_string();
        let scope = metrics.component(&id, "/");
        let current = args.current();
        let numbers = Numbers::new(&scope);
        numbers.active_targets.set(current.target_count() as f64);
        let fanout = Fanout::new(&scope, current.forward_to.0.clone());
        current.warn_of_what_has_no_effect(&id);
        let verbose = cx.service::<Verbose>().unwrap_or_default();
        let mut debug = current.verbose_mode.then(|| verbose.want());
        cx.built();

        let Some(mut current) = until_needed(&mut args, &cx, current, &fanout, &numbers).await else { return Ok(()) };
        let (session, mut batches) = loop {
            if debug.is_some() != current.verbose_mode {
                debug = current.verbose_mode.then(|| verbose.want());
            }
            match start(&profiler, &current, &numbers.dropped).await {
                Ok(started) => {
                    numbers.sessions.add(1);
                    cx.health(State::Healthy, format!("sampling {} times a second", current.sample_rate));
                    break started;
                }
                Err(error) => {
                    numbers.sessions_failing.add(1);
                    tracing::error!(component_id = id, err = error, "profiling did not start");
                    cx.health(State::Unhealthy, error);
                }
            }
            match until_retry(&mut args, &cx, current, &fanout, &numbers).await {
                Some(next) => current = next,
                None => return Ok(()),
            }
        };
        let accounts = session.accounts();
        account_metrics(&scope, &accounts);
        let sessions = cx.service::<Sessions>();
        let status = Arc::new(SessionStatus {
            id: id.clone(),
            accounts,
            now: Mutex::new((current.sample_rate, current.target_count())),
        });
        if let Some(sessions) = &sessions {
            sessions.add(Arc::clone(&status));
        }
        let mut matched = Matched::default();
        session.set_targets(matched.update(current.targets.as_ref()));
        let mut forward = Forward::new(&id, &fanout, &scope, source_number(), numbers.dropped.clone());
        let stores = cx.service::<Stores>().unwrap_or_default();
        let mut looks = stores.looks();
        // Somebody may look already.
        looks.mark_changed();
        let mut look_again = None;

        loop {
            tokio::select! {
                () = cx.cancelled() => break,
                Some(batch) = batches.recv() => forward.batch(batch, current.collect_interval).await,
                _ = looks.changed() => look_again = watch(&fanout, &session),
                () = sleep_until(look_again) => look_again = watch(&fanout, &session),
                next = args.changed() => {
                    let Some(next) = next else { break };
                    fanout.replace(next.forward_to.0.clone());
                    looks.mark_changed();
                    if next.settings() != current.settings() {
                        session.set(next.settings());
                        cx.health(State::Healthy, format!("sampling {} times a second", next.sample_rate));
                    }
                    session.set_targets(matched.update(next.targets.as_ref()));
                    numbers.active_targets.set(next.target_count() as f64);
                    if debug.is_some() != next.verbose_mode {
                        debug = next.verbose_mode.then(|| verbose.want());
                    }
                    if next.without_effect() != current.without_effect() {
                        next.warn_of_what_has_no_effect(&id);
                    }
                    *status.now.lock().unwrap_or_else(PoisonError::into_inner) = (next.sample_rate, next.target_count());
                    current = next;
                }
            }
        }
        // What was counted is handed over before the session ends; its sink closes behind the last batch.
        let closing = tokio::task::spawn_blocking(move || session.close());
        while let Some(batch) = batches.recv().await {
            forward.batch(batch, current.collect_interval).await;
        }
        _ = closing.await;
        status.log_the_account();
        if let Some(sessions) = &sessions {
            sessions.remove(&status);
        }
        Ok(())
    }
}

/// Waits until there is something to profile if it is lazy, and gives back the arguments by then; `None` when there is nothing to
/// be done any more.
async fn until_needed(
    args: &mut Updates<Arguments>,
    cx: &Context<NoExports>,
    mut current: Arc<Arguments>,
    fanout: &Fanout,
    numbers: &Numbers,
) -> Option<Arc<Arguments>> {
    while current.lazy_mode && current.target_count() == 0 {
        cx.health(State::Healthy, "nothing is loaded before there is a target, as lazy_mode says");
        tokio::select! {
            () = cx.cancelled() => return None,
            next = args.changed() => {
                current = next?;
                fanout.replace(current.forward_to.0.clone());
                numbers.active_targets.set(current.target_count() as f64);
            }
        }
    }
    Some(current)
}

/// Waits until a failed start is worth another try, and gives back the arguments by then; `None` when there is to be none.
/// Targets come and go by themselves, so they change nothing about that; settings are somebody's attempt at a remedy.
async fn until_retry(
    args: &mut Updates<Arguments>,
    cx: &Context<NoExports>,
    mut current: Arc<Arguments>,
    fanout: &Fanout,
    numbers: &Numbers,
) -> Option<Arc<Arguments>> {
    let retry = Instant::now() + RETRY;
    loop {
        tokio::select! {
            () = cx.cancelled() => return None,
            () = sleep_until(Some(retry)) => return Some(current),
            next = args.changed() => {
                let next = next?;
                fanout.replace(next.forward_to.0.clone());
                numbers.active_targets.set(next.target_count() as f64);
                let before = std::mem::replace(&mut current, next);
                if current.settings() != before.settings() {
                    return Some(current);
                }
            }
        }
    }
}

/// Has the open interval shown if somebody looks; gives back when to ask again.
fn watch(fanout: &Fanout, session: &Session) -> Option<Instant> {
    let now = Instant::now();
    fanout.watched_until().filter(|until| *until > now)?;
    session.watch(SHOWN);
    Some(now + LOOK)
}

/// Waits until then, or without end.
async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

/// A number that no other source of this process has, nor one of an earlier run of it.
fn source_number() -> u64 {
    use std::hash::{BuildHasher as _, RandomState};
    RandomState::new().hash_one(SystemTime::now())
}

type Started = (Session, mpsc::Receiver<Batch>);

/// Starts the engine if need be, and a session in it.
async fn start(profiler: &Arc<Profiler>, args: &Arguments, dropped: &Counter) -> Result<Started, String> {
    let (profiler, dropped) = (Arc::clone(profiler), dropped.clone());
    let settings = args.settings();
    let start = move || open(&profiler.engine().map_err(|error| error.to_string())?, settings, dropped);
    tokio::task::spawn_blocking(start).await.map_err(|error| error.to_string())?
}

fn open(engine: &Engine, settings: Settings, dropped: Counter) -> Result<Started, String> {
    let (sender, receiver) = mpsc::channel(WAITING);
    let sink = move |batch: Batch| {
        // A batch of an open interval is not to take the place of one that counts.
        if batch.open && sender.capacity() < WAITING {
            return Err(batch);
        }
        sender.try_send(batch).map_err(|error| {
            let batch = error.into_inner();
            if !batch.open {
                dropped.add(batch.profiles.len() as u64);
            }
            batch
        })
    };
    Ok((engine.open(settings, Box::new(sink))?, receiver))
}

/// The metrics of the specification that the run loop counts itself.
struct Numbers {
    active_targets: Gauge,
    sessions: Counter,
    sessions_failing: Counter,
    dropped: Counter,
}

impl Numbers {
    fn new(scope: &Scope) -> Self {
        Self {
            active_targets: scope.gauge(
                "pyroscope_ebpf_active_targets",
                "Number of active targets the component tracks.",
                &[],
            ),
            sessions: scope.counter(
                "pyroscope_ebpf_profiling_sessions_total",
                "Number of profiling sessions completed.",
                &[],
            ),
            sessions_failing: scope.counter(
                "pyroscope_ebpf_profiling_sessions_failing_total",
                "Number of profiling sessions failed.",
                &[],
            ),
            dropped: scope.counter(
                "pyroscope_ebpf_pprofs_dropped_total",
                "Profiles that a receiver of forward_to did not take, or not in time.",
                &[],
            ),
        }
    }
}

/// The account as metrics: `taken = delivered + open + Σ filtered + Σ lost`.
fn account_metrics(scope: &Scope, accounts: &Accounts) {
    let read = |read: fn(&Accounts) -> u64| {
        let accounts = accounts.clone();
        move || read(&accounts) as f64
    };
    scope.counter_from("pyrope_ebpf_samples_taken_total", "Samples that the kernel took.", &[], read(|a| a.taken()));
    let delivered = "Samples handed over in profiles.";
    scope.counter_from("pyrope_ebpf_samples_delivered_total", delivered, &[], read(|a| a.delivered()));
    let open = "Samples in the ring, in an interval that has not ended, or in one that waits for its names.";
    scope.gauge_from("pyrope_ebpf_samples_open", open, &[], read(|a| a.open()));
    let cut = "Stacks deeper than the largest depth on the wire; their root end is one named frame.";
    scope.counter_from("pyrope_ebpf_stacks_cut_total", cut, &[], read(|a| a.cut_stacks()));
    for reason in Filtered::ALL.iter().copied() {
        let accounts = accounts.clone();
        let read = move || accounts.filtered(reason) as f64;
        let help = "Samples left out on purpose, by reason.";
        scope.counter_from("pyrope_ebpf_samples_filtered_total", help, &[("reason", reason.name())], read);
    }
    for reason in Lost::ALL.iter().copied() {
        let accounts = accounts.clone();
        let read = move || accounts.lost(reason) as f64;
        let help = "Samples lost, by reason.";
        scope.counter_from("pyrope_ebpf_samples_lost_total", help, &[("reason", reason.name())], read);
    }
    for end in engine::WalkEnd::ALL {
        let accounts = accounts.clone();
        let read = move || accounts.ended(end) as f64;
        let help = "User stacks of delivered samples, by how the walk ended.";
        scope.counter_from("pyrope_ebpf_walks_total", help, &[("end", end.name())], read);
    }
}

/// The sessions that run, for the page.
#[derive(Default)]
pub struct Sessions(Mutex<Vec<Arc<SessionStatus>>>);

/// One session, for the page.
pub struct SessionStatus {
    /// The component's id.
    pub id: String,
    /// Where its samples went.
    pub accounts: Accounts,
    /// Its rate and its number of targets.
    now: Mutex<(u32, usize)>,
}

impl SessionStatus {
    /// Where every sample went, as one line of the log: the last word of a session.
    fn log_the_account(&self) {
        let account = &self.accounts;
        let filtered: u64 = Filtered::ALL.iter().map(|reason| account.filtered(*reason)).sum();
        let lost: u64 = Lost::ALL.iter().map(|reason| account.lost(*reason)).sum();
        tracing::info!(
            component_id = self.id,
            taken = account.taken(),
            delivered = account.delivered(),
            open = account.open(),
            filtered,
            lost,
            balances = account.balances(),
            "profiling session ended"
        );
    }

    /// Samples a second and CPU, and how many targets it has.
    pub fn rate_and_targets(&self) -> (u32, usize) {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sessions {
    /// All that run now.
    pub fn all(&self) -> Vec<Arc<SessionStatus>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn add(&self, status: Arc<SessionStatus>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(status);
    }

    fn remove(&self, status: &Arc<SessionStatus>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|other| !Arc::ptr_eq(other, status));
    }
}

#[cfg(test)]
mod tests;
