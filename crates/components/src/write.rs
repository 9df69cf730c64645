//! `pyroscope.write`: profiles to Pyroscope servers.
//!
//! ```text
//!  append ─▶ labels checked, stripped, external ones on top ─▶ a queue per endpoint ─▶ 4 requests at a time ─▶ server
//!                                                              bounded, oldest go      again after 408, 429, 5xx
//! ```
//!
//! [`append`](crate::receiver::ProfilesReceiver::append) returns when the profiles are in the queues: a server that
//! hangs delays neither another server nor the profiler. What is lost after that is counted per endpoint and reason.

pub mod arguments;
mod backoff;
mod endpoint;
mod labels;
mod push;
mod queue;
pub mod status;

#[cfg(test)]
mod tests;

pub use self::status::EndpointStatuses;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use futures_util::future::BoxFuture;
use graph::{Component, Context, RunError, State, Updates};
use lang::decode::IntoValue;
use lang::value::Value;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use self::arguments::Arguments;
use self::endpoint::{Endpoint, Settings};
use self::status::{DropReason, Report, latency};
use crate::http_client::{BuildError, chain};
use crate::metrics::{Histogram, Metrics, Scope};
use crate::receiver::{Append, AppendError, MAX_PUSH_BYTES, NotTaken, ProfilesReceiver, Receiver};

/// How long what is queued may still be sent when the component stops or an endpoint leaves the configuration.
const DRAIN: Duration = Duration::from_secs(10);
/// How often arguments are tried again that could not be taken over: a file that they name may come.
const TRY_AGAIN: Duration = Duration::from_secs(5);

/// The component.
pub struct PyroscopeWrite;

/// What it exports.
#[derive(Default)]
pub struct Exports {
    /// Takes profiles.
    pub receiver: Option<Receiver>,
}

impl IntoValue for Exports {
    fn into_value(self) -> Value {
        Value::object([("receiver", self.receiver.into_value())])
    }
}

impl Component for PyroscopeWrite {
    type Args = Arguments;
    type Exports = Exports;
    const NAME: &'static str = "pyroscope.write";

    async fn run(mut args: Updates<Arguments>, cx: Context<Exports>) -> Result<(), RunError> {
        let Some(first) = args.changed().await else { return Ok(()) };
        let metrics = cx.service::<Metrics>().map_or_else(Metrics::new, |metrics| (*metrics).clone());
        let statuses = cx.service::<EndpointStatuses>().map_or_else(EndpointStatuses::new, |all| (*all).clone());
        let scope = metrics.component(&cx.id().to_string(), "/");
        let mut endpoints = Endpoints::new(cx.id().to_string(), scope, statuses);
        endpoints.apply(&first)?;
        report(&cx, &endpoints, &first);
        cx.export(Exports { receiver: Some(Receiver::shared(endpoints.writer.clone())) });
        let mut wanted = None;
        loop {
            tokio::select! {
                () = cx.cancelled() => break,
                next = args.changed() => match next {
                    Some(next) => wanted = endpoints.take_over(&cx, next, true),
                    None => break,
                },
                () = sleep(TRY_AGAIN), if wanted.is_some() => {
                    wanted = wanted.and_then(|wanted| endpoints.take_over(&cx, wanted, false));
                }
                // Endpoints that left the configuration end by themselves.
                Some(_) = endpoints.tasks.join_next() => {}
            }
        }
        endpoints.stop().await;
        Ok(())
    }
}

/// Says how it is, and what of the arguments has no effect.
fn report(cx: &Context<Exports>, endpoints: &Endpoints, arguments: &Arguments) {
    if arguments.tracing.is_some() {
        tracing::warn!(component_id = %cx.id(), "the block tracing has no effect: the agent has no traces of its own");
    }
    match endpoints.problem() {
        Some(problem) => cx.health(State::Unhealthy, problem),
        None => cx.health(State::Healthy, "started component"),
    }
}

/// The endpoints of the configuration and their tasks.
struct Endpoints {
    component: String,
    scope: Scope,
    statuses: EndpointStatuses,
    writer: Arc<Writer>,
    tasks: JoinSet<()>,
}

impl Endpoints {
    fn new(component: String, scope: Scope, statuses: EndpointStatuses) -> Self {
        let push_total = latency(&scope, "-", "push_total");
        let writer =
            Writer { component: component.clone(), route: RwLock::default(), push_total, appends: AtomicU64::new(0) };
        Self { component, scope, statuses, writer: Arc::new(writer), tasks: JoinSet::new() }
    }

    /// Makes it as the arguments say, or leaves all as it is, says why, and returns them to be tried again.
    fn take_over(&mut self, cx: &Context<Exports>, arguments: Arc<Arguments>, first: bool) -> Option<Arc<Arguments>> {
        let Err(error) = self.apply(&arguments) else {
            report(cx, self, &arguments);
            return None;
        };
        let problem = format!("the old arguments stay: {}", chain(&error));
        if first {
            tracing::warn!(component_id = self.component, err = problem, "new arguments were not taken over");
        }
        cx.health(State::Unhealthy, problem);
        Some(arguments)
    }

    /// Makes it as the arguments say, or leaves all as it is. An endpoint whose address stays keeps its queue.
    fn apply(&mut self, arguments: &Arguments) -> Result<(), BuildError> {
        let settings: Vec<_> = arguments.endpoint.iter().map(Settings::new).collect::<Result<_, _>>()?;
        let mut old = self.writer.route().endpoints.clone();
        let mut endpoints = Vec::with_capacity(settings.len());
        for settings in settings {
            let same = old.iter().position(|endpoint| endpoint.shown() == settings.shown());
            endpoints.push(match same {
                Some(at) => {
                    let endpoint = old.remove(at);
                    endpoint.update(settings);
                    endpoint
                }
                None => self.spawn(settings),
            });
        }
        self.writer.replace(Route { external: arguments.external_labels.clone(), endpoints, open: true });
        for endpoint in old {
            endpoint.end(Instant::now() + DRAIN, DropReason::EndpointRemoved);
        }
        Ok(())
    }

    fn spawn(&mut self, settings: Settings) -> Arc<Endpoint> {
        let endpoint = Endpoint::new(&self.component, settings, &self.scope);
        let report: Arc<dyn Report> = endpoint.clone();
        self.statuses.add(Arc::downgrade(&report));
        self.tasks.spawn(Arc::clone(&endpoint).run());
        endpoint
    }

    /// What is wrong with an endpoint's address.
    fn problem(&self) -> Option<String> {
        self.writer.route().endpoints.iter().find_map(|endpoint| endpoint.problem())
    }

    /// Takes no more and sends what is queued, within [`DRAIN`].
    async fn stop(mut self) {
        let route = self.writer.replace(Route::default());
        for endpoint in &route.endpoints {
            endpoint.end(Instant::now() + DRAIN, DropReason::Shutdown);
        }
        while self.tasks.join_next().await.is_some() {}
    }
}

/// The receiver.
struct Writer {
    component: String,
    route: RwLock<Arc<Route>>,
    push_total: Histogram,
    /// How many appends there were.
    appends: AtomicU64,
}

/// Where profiles go and under which labels.
#[derive(Default)]
struct Route {
    external: BTreeMap<String, String>,
    endpoints: Vec<Arc<Endpoint>>,
    /// False before the first arguments and after the end.
    open: bool,
}

impl Writer {
    fn route(&self) -> Arc<Route> {
        Arc::clone(&self.route.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Sets the route and returns the old one.
    fn replace(&self, route: Route) -> Arc<Route> {
        std::mem::replace(&mut *self.route.write().unwrap_or_else(PoisonError::into_inner), Arc::new(route))
    }
}

impl ProfilesReceiver for Writer {
    fn append(&self, profiles: Append) -> BoxFuture<'_, Result<(), NotTaken>> {
        Box::pin(async move {
            let started = Instant::now();
            let append = self.appends.fetch_add(1, Ordering::Relaxed);
            let route = self.route();
            if !route.open {
                return Err(AppendError::Exited(self.component.clone()).into());
            }
            let mut errors = Vec::new();
            for (at, outgoing) in profiles.profiles().iter().enumerate() {
                let labels = match labels::prepare(outgoing.labels(), &route.external) {
                    Ok(labels) => Some(labels),
                    Err(error) => {
                        errors.push((at, error));
                        None
                    }
                };
                if route.endpoints.is_empty() {
                    continue;
                }
                for pprof in outgoing.pprofs().iter() {
                    for endpoint in &route.endpoints {
                        match &labels {
                            None => endpoint.drop_profile(DropReason::InvalidLabels, pprof.gzip.len()),
                            Some(_) if pprof.uncompressed > MAX_PUSH_BYTES => {
                                endpoint.drop_profile(DropReason::TooLarge, pprof.gzip.len());
                            }
                            Some(labels) => endpoint.enqueue(append, labels, &pprof.gzip),
                        }
                    }
                }
                // Encoding takes milliseconds; others have work too.
                tokio::task::yield_now().await;
            }
            self.push_total.observe(started.elapsed().as_secs_f64());
            NotTaken::some(errors)
        })
    }
}
