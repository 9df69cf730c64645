//! What became of the profiles of each endpoint: for metrics, and for the page.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::SystemTime;

use crate::metrics::{Counter, Histogram, Scope};

/// Why a profile did not reach a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DropReason {
    /// The labels are not what a server takes.
    InvalidLabels,
    /// A stack alone is larger than what may be pushed at once.
    TooLarge,
    /// The endpoint's address is none.
    InvalidUrl,
    /// The queue was full; the oldest went.
    QueueFull,
    /// The server refused it for good.
    Rejected,
    /// It was tried as often as `max_backoff_retries` allows.
    RetriesExhausted,
    /// The agent stopped before it was sent.
    Shutdown,
    /// The endpoint left the configuration before it was sent.
    EndpointRemoved,
}

impl DropReason {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::InvalidLabels,
        Self::TooLarge,
        Self::InvalidUrl,
        Self::QueueFull,
        Self::Rejected,
        Self::RetriesExhausted,
        Self::Shutdown,
        Self::EndpointRemoved,
    ];

    /// The word in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::InvalidLabels => "invalid_labels",
            Self::TooLarge => "too_large",
            Self::InvalidUrl => "invalid_url",
            Self::QueueFull => "queue_full",
            Self::Rejected => "rejected",
            Self::RetriesExhausted => "retries_exhausted",
            Self::Shutdown => "shutdown",
            Self::EndpointRemoved => "endpoint_removed",
        }
    }
}

/// One endpoint as the page shows it. Counts are since the endpoint is in the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointStatus {
    /// The id of the component.
    pub component: String,
    /// The configured name; may be empty.
    pub name: String,
    /// The configured address, without a password.
    pub url: String,
    /// Profiles that the server took.
    pub sent_profiles: u64,
    /// Their bytes, in gzip.
    pub sent_bytes: u64,
    /// Attempts after the first of each profile.
    pub retries: u64,
    /// Profiles that never reach it, by reason; reasons without any are left out.
    pub dropped: BTreeMap<&'static str, u64>,
    /// Profiles that wait or are in flight.
    pub queued_profiles: usize,
    /// Bytes that they take.
    pub queued_bytes: usize,
    /// When the server last took a profile.
    pub last_success: Option<SystemTime>,
    /// The last failure, also when it is over.
    pub last_error: Option<LastError>,
    /// Whether the last attempt failed.
    pub failing: bool,
}

/// A failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastError {
    /// When.
    pub at: SystemTime,
    /// What happened.
    pub message: String,
}

/// All endpoints of all components, a service of the process. A clone is the same one.
#[derive(Clone, Default)]
pub struct EndpointStatuses(Arc<Mutex<Vec<Weak<dyn Report>>>>);

/// Something that knows an endpoint's status.
pub(super) trait Report: Send + Sync {
    fn status(&self) -> EndpointStatus;
}

impl EndpointStatuses {
    /// No endpoints yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Every endpoint there is, in the order in which they came.
    pub fn list(&self) -> Vec<EndpointStatus> {
        let reports: Vec<_> = self.lock().iter().filter_map(Weak::upgrade).collect();
        reports.iter().map(|report| report.status()).collect()
    }

    /// Lists an endpoint for as long as it lives.
    pub(super) fn add(&self, report: Weak<dyn Report>) {
        let mut reports = self.lock();
        reports.retain(|report| report.strong_count() > 0);
        reports.push(report);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Weak<dyn Report>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The counts of one endpoint, beside the metrics, which endpoints of the same address share.
pub(super) struct Tally {
    sent: Pair,
    sent_bytes: Pair,
    retries: Pair,
    dropped_bytes: Counter,
    dropped: Counter,
    reasons: [Pair; DropReason::ALL.len()],
    pub(super) endpoint_latency: Histogram,
    pub(super) downstream_latency: Histogram,
}

/// A count here and the same in the metrics.
struct Pair {
    own: Counter,
    metric: Counter,
}

impl Pair {
    fn new(metric: Counter) -> Self {
        Self { own: Counter::default(), metric }
    }

    fn add(&self, more: u64) {
        self.own.add(more);
        self.metric.add(more);
    }
}

/// The histogram of `pyroscope_write_latency` for one kind of wait.
pub(super) fn latency(scope: &Scope, endpoint: &str, kind: &str) -> Histogram {
    let help = "How long pushes took, in seconds: one attempt, all attempts for an endpoint, the hand-over.";
    scope.histogram("pyroscope_write_latency", help, &[("endpoint", endpoint), ("type", kind)])
}

impl Tally {
    pub(super) fn new(scope: &Scope, endpoint: &str) -> Self {
        let labels = [("endpoint", endpoint)];
        let counter = |name, help| scope.counter(name, help, &labels);
        let by_reason = |reason: DropReason| {
            let labels = [("endpoint", endpoint), ("reason", reason.name())];
            let help = "Profiles that did not reach the server, by reason.";
            Pair::new(scope.counter("pyrope_write_dropped_profiles_by_reason_total", help, &labels))
        };
        Self {
            sent: Pair::new(counter("pyroscope_write_sent_profiles_total", "Profiles that the server took.")),
            sent_bytes: Pair::new(counter("pyroscope_write_sent_bytes_total", "Bytes of them, in gzip.")),
            retries: Pair::new(counter("pyroscope_write_retries_total", "Attempts after the first of each profile.")),
            dropped_bytes: counter("pyroscope_write_dropped_bytes_total", "Bytes of the dropped profiles, in gzip."),
            dropped: counter("pyroscope_write_dropped_profiles_total", "Profiles that did not reach the server."),
            reasons: DropReason::ALL.map(by_reason),
            endpoint_latency: latency(scope, endpoint, "push_endpoint"),
            downstream_latency: latency(scope, endpoint, "push_downstream"),
        }
    }

    pub(super) fn sent(&self, bytes: usize) {
        self.sent.add(1);
        self.sent_bytes.add(bytes as u64);
    }

    pub(super) fn retried(&self) {
        self.retries.add(1);
    }

    pub(super) fn dropped(&self, reason: DropReason, bytes: usize) {
        self.dropped.add(1);
        self.dropped_bytes.add(bytes as u64);
        if let Some(at) = DropReason::ALL.iter().position(|each| *each == reason) {
            self.reasons[at].add(1);
        }
    }

    /// Writes the counts into a status.
    pub(super) fn fill(&self, status: &mut EndpointStatus) {
        status.sent_profiles = self.sent.own.get();
        status.sent_bytes = self.sent_bytes.own.get();
        status.retries = self.retries.own.get();
        let counts = DropReason::ALL.iter().zip(&self.reasons).map(|(reason, pair)| (reason.name(), pair.own.get()));
        status.dropped = counts.filter(|(_, count)| *count > 0).collect();
    }
}
