//! `pyroscope.relabel`: rewrites the labels of profiles on their way, or drops them.
//!
//! The same label sets come again with every interval, so what became of each is remembered.

mod cache;

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError, RwLock,
    atomic::{AtomicBool, Ordering::Relaxed},
};
use std::time::Instant;

use futures_util::future::BoxFuture;
use graph::{Component, Context, RunError, Updates};
use lang::{
    decode::{FromBlock, IntoValue},
    value::Value,
};
use profile::Labels;
use tokio_util::sync::CancellationToken;

use self::cache::Cache;
use crate::{
    metrics::{Counter, Gauge, Metrics, Scope},
    receiver::{Append, AppendError, Fanout, ForwardTo, NotTaken, Outgoing, ProfilesReceiver, Receiver},
    relabel::{LabelNames, Rule, Rules, apply::apply_with},
};

/// The component.
pub struct PyroscopeRelabel;

/// Rewrites the labels of profiles by rules, or drops them.
#[derive(Debug, FromBlock)]
#[block(rule = is_positive(max_cache_size))]
pub struct Arguments {
    /// Where the profiles go.
    #[attr]
    pub forward_to: ForwardTo,
    /// How many label sets to remember the outcome of.
    #[attr(default = 10000)]
    pub max_cache_size: i64,
    /// The steps, in order.
    #[block]
    pub rule: Vec<Rule>,
}

impl Arguments {
    fn cache_size(&self) -> usize {
        usize::try_from(self.max_cache_size).unwrap_or(1)
    }
}

fn is_positive(size: &i64) -> Result<(), String> {
    if *size < 1 { Err("must provide a positive size".to_owned()) } else { Ok(()) }
}

/// What it gives to others.
#[derive(Debug, Default)]
pub struct Exports {
    /// Takes profiles.
    pub receiver: Option<Receiver>,
    /// The rules, for components that take them.
    pub rules: Option<Rules>,
}

impl IntoValue for Exports {
    fn into_value(self) -> Value {
        let rules = self.rules.unwrap_or_else(|| Rules(Arc::new([])));
        Value::object([("receiver", self.receiver.into_value()), ("rules", Value::capsule(rules))])
    }
}

impl Component for PyroscopeRelabel {
    type Args = Arguments;
    type Exports = Exports;
    const NAME: &'static str = "pyroscope.relabel";

    async fn run(mut args: Updates<Arguments>, cx: Context<Exports>) -> Result<(), RunError> {
        let current = args.current();
        let metrics = cx.service::<Metrics>().unwrap_or_default();
        let scope = metrics.component(cx.id().as_str(), "/");
        let relabeler = Arc::new(Relabeler {
            id: cx.id().to_string(),
            state: RwLock::new(State { rules: Arc::new([]), warned: Arc::default() }),
            cache: Mutex::new(Cache::new(current.cache_size())),
            fanout: Fanout::new(&scope, Vec::new()),
            numbers: Numbers::new(&scope),
            exited: cx.token(),
        });
        let receiver = Receiver::shared(relabeler.clone());
        let mut current = Some(current);
        while let Some(next) = current {
            relabeler.update(&next);
            let rules = Some(Rules(relabeler.state().rules));
            cx.export(Exports { receiver: Some(receiver.clone()), rules });
            current = tokio::select! {
                () = cx.cancelled() => None,
                next = args.changed() => next,
            };
        }
        // Whoever still holds our receiver does not hold through us what comes behind.
        relabeler.fanout.replace(Vec::new());
        Ok(())
    }
}

/// Relabels what passes.
struct Relabeler {
    id: String,
    state: RwLock<State>,
    cache: Mutex<Cache>,
    fanout: Fanout,
    numbers: Numbers,
    exited: CancellationToken,
}

#[derive(Clone)]
struct State {
    rules: Arc<[Rule]>,
    /// Whether it was said that a name is not set.
    warned: Arc<AtomicBool>,
}

struct Numbers {
    processed: Counter,
    written: Counter,
    dropped: Counter,
    hits: Counter,
    misses: Counter,
    size: Gauge,
}

impl Numbers {
    fn new(scope: &Scope) -> Self {
        let counter = |name, help| scope.counter(name, help, &[]);
        Self {
            processed: counter("pyroscope_relabel_profiles_processed", "Total number of profiles processed."),
            written: counter("pyroscope_relabel_profiles_written", "Total number of profiles forwarded."),
            dropped: counter("pyroscope_relabel_profiles_dropped", "Total number of profiles dropped by rules."),
            hits: counter("pyroscope_relabel_cache_hits", "Total number of label sets whose outcome was known."),
            misses: counter("pyroscope_relabel_cache_misses", "Total number of label sets that rules ran on."),
            size: scope.gauge("pyroscope_relabel_cache_size", "Number of label sets with a known outcome.", &[]),
        }
    }
}

impl Relabeler {
    fn update(&self, arguments: &Arguments) {
        self.fanout.replace(arguments.forward_to.0.clone());
        let mut cache = self.cache();
        cache.resize(arguments.cache_size());
        if *self.state().rules != *arguments.rule {
            let state = State { rules: arguments.rule.clone().into(), warned: Arc::default() };
            *self.state.write().unwrap_or_else(PoisonError::into_inner) = state;
            cache.clear();
        }
        self.numbers.size.set(cache.len() as f64);
    }

    fn state(&self) -> State {
        self.state.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What becomes of one profile. What is only shown is not counted.
    fn relabel(&self, state: &State, profile: &Outgoing, count: bool) -> Option<Outgoing> {
        let labels = profile.labels();
        // Rules are not asked about a profile without labels.
        if labels.is_empty() {
            return Some(profile.clone());
        }
        let known = self.cache().get(labels);
        let after = match known {
            Some(after) => {
                self.numbers.hits.add(u64::from(count));
                after
            }
            None => {
                self.numbers.misses.add(u64::from(count));
                let after = self.evaluate(state, labels);
                let mut cache = self.cache();
                // Rules may have been replaced in the meantime.
                if Arc::ptr_eq(&state.rules, &self.state().rules) {
                    cache.put(labels.clone(), after.clone());
                    self.numbers.size.set(cache.len() as f64);
                }
                after
            }
        };
        after.map(|labels| profile.with_labels(labels))
    }

    /// `None` when a rule drops the profile, or takes its last label.
    fn evaluate(&self, state: &State, labels: &Labels) -> Option<Labels> {
        let ignored = &mut |label: &str| {
            if !state.warned.swap(true, Relaxed) {
                let id = &self.id;
                tracing::warn!(
                    component_id = id,
                    target_label = label,
                    "a replace rule sets nothing, because here a target_label has to be of letters, digits and underscores"
                );
            }
        };
        apply_with(&state.rules, labels, LabelNames::Legacy, ignored).filter(|labels| !labels.is_empty())
    }
}

impl ProfilesReceiver for Relabeler {
    fn append(&self, profiles: Append) -> BoxFuture<'_, Result<(), NotTaken>> {
        Box::pin(async move {
            if self.exited.is_cancelled() {
                return Err(AppendError::Exited(self.id.clone()).into());
            }
            let state = self.state();
            let came = profiles.profiles().len();
            let relabeled = profiles.profiles().iter().map(|profile| self.relabel(&state, profile, true));
            let (places, kept): (Vec<_>, Vec<_>) =
                relabeled.enumerate().filter_map(|(at, profile)| Some((at, profile?))).unzip();
            self.numbers.processed.add(came as u64);
            self.numbers.written.add(kept.len() as u64);
            self.numbers.dropped.add((came - kept.len()) as u64);
            if kept.is_empty() && came > 0 {
                return Ok(());
            }
            let result = self.fanout.append(profiles.with_profiles(kept)).await;
            result.map_err(|not_taken| not_taken.picked_from(&places))
        })
    }

    fn show_open(&self, open: Append) {
        let state = self.state();
        let kept: Vec<_> = open.profiles().iter().filter_map(|profile| self.relabel(&state, profile, false)).collect();
        self.fanout.show_open(open.with_profiles(kept));
    }

    fn watched_until(&self) -> Option<Instant> {
        self.fanout.watched_until()
    }
}

#[cfg(test)]
mod tests;
