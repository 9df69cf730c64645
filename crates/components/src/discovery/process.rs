//! `discovery.process`: every process of the host as a target.
//!
//! ```text
//!  /proc ──Reader──▶ labels ─┐
//!                            ├─▶ Table ──LiveTargets──▶ export
//!  engine ─ProcessChange─▶ Settling ─ read these, remove those
//!                            │
//!  join ──Externals──────────┘
//! ```
//!
//! A scan of `/proc` is the truth: one at the start and one every `refresh_interval`. In between, where an engine runs, each
//! fork, exec and exit is followed within milliseconds. One named thread owns all of it, so that no worker of the
//! runtime waits for `/proc`; the component's future only hands it arguments.

mod arguments;
mod events;
mod join;
mod reader;
mod table;
mod worker;

use std::{sync::Arc, sync::Mutex, sync::PoisonError, thread};

use crossbeam_channel::{Receiver, bounded};
use graph::{Component, Context, RunError, Updates};
use lang::{decode::IntoValue, value::Value};
use tokio::sync::oneshot;

use self::worker::Worker;
pub use self::{
    arguments::{Arguments, DiscoverConfig},
    events::ProcessEvents,
};
use crate::{metrics::Metrics, profiler::Profiler, targets::Targets};

/// The component.
pub struct DiscoveryProcess;

/// What it gives to others.
#[derive(Debug, Default)]
pub struct Exports {
    /// The processes, in the order in which they were first seen, among the targets they were joined with.
    pub targets: Targets,
}

impl IntoValue for Exports {
    fn into_value(self) -> Value {
        Value::object([("targets", self.targets.into_value())])
    }
}

impl Component for DiscoveryProcess {
    type Args = Arguments;
    type Exports = Exports;
    const NAME: &'static str = "discovery.process";

    async fn run(mut args: Updates<Arguments>, cx: Context<Exports>) -> Result<(), RunError> {
        let metrics = cx.service::<Metrics>().unwrap_or_default();
        let scope = metrics.component(cx.id().as_str(), "/");
        // Arguments wait in the slot until the thread looks; newer ones replace those it has not looked at.
        let slot = Arc::new(Mutex::new(args.current()));
        let (wake, woken) = bounded(1);
        let (ended, end) = oneshot::channel();
        let inbox = Inbox { slot: Arc::clone(&slot), woken };
        let worker = Worker::new(cx.clone(), scope, events(&cx));
        let work = move || {
            // Nobody listens any more when the component was dropped: then there is nobody to tell.
            _ = ended.send(worker.run(&inbox));
        };
        thread::Builder::new().name("discovery.proc".to_owned()).spawn(work)?;

        let mut end = end;
        let ended = loop {
            tokio::select! {
                ended = &mut end => break ended,
                () = cx.cancelled() => {
                    drop(wake);
                    break end.await;
                }
                next = args.changed() => match next {
                    Some(next) => {
                        *slot.lock().unwrap_or_else(PoisonError::into_inner) = next;
                        // Full: the thread has been woken and not looked yet.
                        _ = wake.try_send(());
                    }
                    None => {
                        drop(wake);
                        break end.await;
                    }
                },
            }
        };
        ended.unwrap_or_else(|_| Err(RunError::new("the thread that reads /proc panicked")))
    }
}

/// The latest arguments, and word that they changed. A disconnected channel means: stop.
struct Inbox {
    slot: Arc<Mutex<Arc<Arguments>>>,
    woken: Receiver<()>,
}

impl Inbox {
    fn arguments(&self) -> Arc<Arguments> {
        Arc::clone(&self.slot.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Where changes come from: a source made for the purpose, else the engine.
fn events(cx: &Context<Exports>) -> Option<Arc<ProcessEvents>> {
    cx.service::<ProcessEvents>().or_else(|| {
        let profiler = cx.service::<Profiler>()?;
        Some(Arc::new(ProcessEvents::new(move || profiler.process_changes())))
    })
}

#[cfg(test)]
mod tests;
