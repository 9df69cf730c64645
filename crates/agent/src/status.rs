//! What the page's *Agent* view shows, as JSON.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use components::ebpf::SessionStatus;
use components::write::status::EndpointStatus;
use engine::WalkEnd;
use engine::account::{Filtered, Lost};
use graph::Health;
use serde_json::{Map, Value, json};

use crate::process;
use crate::serve::Parts;

/// CPU time over the last minute.
pub(crate) struct Usage {
    started: SystemTime,
    began: Instant,
    history: Mutex<VecDeque<(Instant, f64)>>,
}

impl Usage {
    /// Begins to measure.
    pub(crate) fn start() -> Self {
        let history = VecDeque::from([(Instant::now(), process::cpu_seconds())]);
        Self { started: SystemTime::now(), began: Instant::now(), history: Mutex::new(history) }
    }

    /// Notes the present; called about every ten seconds.
    pub(crate) fn tick(&self) {
        let mut history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
        history.push_back((Instant::now(), process::cpu_seconds()));
        while history.len() > 7 {
            history.pop_front();
        }
    }

    /// Cores in use, on average over about the last minute.
    fn cores(&self) -> f64 {
        let history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((when, before)) = history.front() else { return 0.0 };
        (process::cpu_seconds() - before) / when.elapsed().as_secs_f64().max(0.001)
    }
}

/// The whole status.
pub(crate) fn status(parts: &Parts) -> Value {
    let snapshot = parts.controller.snapshot();
    let components: Vec<Value> = snapshot
        .components()
        .map(|component| json!({ "id": component.id().to_string(), "health": health(&component.health()) }))
        .collect();
    let healths = |id: &str| snapshot.component(id).map(|component| health(&component.health()));
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "started_at_ms": unix_ms(parts.usage.started),
        "uptime_s": parts.usage.began.elapsed().as_secs_f64(),
        "cpu_seconds": process::cpu_seconds(),
        "cpu_cores_60s": parts.usage.cores(),
        "kernel": {
            "sampling_seconds": process::sampling_seconds(&parts.profiler),
            "samples": parts.profiler.total(engine::Counter::Taken),
            "throttled": parts.profiler.total(engine::Counter::Throttled),
        },
        "memory": {
            "rss_bytes": heap::resident_bytes(),
            "budget_bytes": parts.profiler.budget().bytes(),
            "bpf_maps_bytes": parts.profiler.status().map(|status| status.map_bytes),
        },
        "profilers": parts.sessions.all().iter().map(|s| profiler(s, healths(&s.id))).collect::<Vec<_>>(),
        "endpoints": parts.endpoints.list().iter().map(endpoint).collect::<Vec<_>>(),
        "components": components,
        "notices": parts.access.notice().map(|text| json!({ "level": "warn", "text": text })).into_iter().collect::<Vec<_>>(),
    })
}

fn profiler(session: &SessionStatus, health: Option<Value>) -> Value {
    let account = &session.accounts;
    let (rate, targets) = session.rate_and_targets();
    let filtered: Map<String, Value> =
        Filtered::ALL.iter().map(|reason| (reason.name().to_owned(), account.filtered(*reason).into())).collect();
    let mut lost: Map<String, Value> =
        Lost::ALL.iter().map(|reason| (reason.name().to_owned(), account.lost(*reason).into())).collect();
    lost.retain(|_, count| *count != 0);
    let ended: Map<String, Value> = WalkEnd::ALL
        .into_iter()
        .filter(|end| !end.complete())
        .map(|end| (end.name().to_owned(), account.ended(end).into()))
        .collect();
    json!({
        "id": session.id,
        "health": health,
        "sample_rate": rate,
        "targets": targets,
        "taken": account.taken(),
        "delivered": account.delivered(),
        "open": account.open(),
        "filtered": filtered,
        "lost": lost,
        "ended_early": ended,
    })
}

fn endpoint(endpoint: &EndpointStatus) -> Value {
    json!({
        "component": endpoint.component,
        "url": endpoint.url,
        "sent_profiles": endpoint.sent_profiles,
        "sent_bytes": endpoint.sent_bytes,
        "retries": endpoint.retries,
        "dropped": endpoint.dropped,
        "queue": endpoint.queued_profiles,
        "last_error": endpoint.last_error.as_ref().map(|error| &error.message),
    })
}

fn health(health: &Health) -> Value {
    json!({ "state": health.state.to_string(), "message": health.message, "updated_ms": unix_ms(health.time) })
}

fn unix_ms(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}
