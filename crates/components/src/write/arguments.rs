//! The arguments of `pyroscope.write`.

use std::collections::BTreeMap;
use std::time::Duration;

use lang::decode::FromBlock;

use crate::http_client::HttpClientArguments;

/// Sends profiles to Pyroscope servers.
#[derive(Clone, Debug, FromBlock)]
pub struct Arguments {
    /// Labels to add to each profile, over its own; an empty value takes a label away.
    #[attr(optional)]
    pub external_labels: BTreeMap<String, String>,
    /// Where to send profiles. Each gets all of them.
    #[block]
    pub endpoint: Vec<EndpointArguments>,
    /// Which trace headers requests carry. Accepted without effect: the agent has no traces of its own.
    #[block]
    pub tracing: Option<TracingArguments>,
}

/// One server.
#[derive(Clone, Debug, FromBlock)]
pub struct EndpointArguments {
    /// Base address of the server, such as `http://localhost:4040`.
    #[attr]
    pub url: String,
    /// A name for people.
    #[attr(optional)]
    pub name: String,
    /// How long one attempt may take.
    #[attr(default = "10s")]
    pub remote_timeout: Duration,
    /// Headers to send with each request.
    #[attr(optional)]
    pub headers: BTreeMap<String, String>,
    /// The first wait between attempts; each next one is twice as long.
    #[attr(default = "500ms")]
    pub min_backoff_period: Duration,
    /// The longest wait between attempts.
    #[attr(default = "5m")]
    pub max_backoff_period: Duration,
    /// How often a profile is tried before it is dropped; 0 is without end.
    #[attr(default = 10)]
    pub max_backoff_retries: u32,
    /// Whether a profile is tried again after the answer 429.
    #[attr(default = true)]
    pub retry_on_http_429: bool,
    /// How long uploading debug information may take. Accepted without effect: names are found on the host.
    #[attr(default = "2m")]
    pub debug_info_upload_timeout: Duration,
    #[squash]
    pub client: HttpClientArguments,
}

/// Which trace headers requests carry.
#[derive(Clone, Debug, FromBlock)]
pub struct TracingArguments {
    /// `uber-trace-id`
    #[attr(default = true)]
    pub jaeger_propagator: bool,
    /// `traceparent`
    #[attr(default = true)]
    pub trace_context_propagator: bool,
}
