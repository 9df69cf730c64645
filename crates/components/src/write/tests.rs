mod against_peer;
mod peer;

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use graph::{ComponentId, Services};
use lang::decode::{FromValue as _, decode_body};
use lang::eval::Scope as EvalScope;
use lang::source::Source;
use lang::stdlib::{Host, Stdlib};
use lang::syntax::parse_file;
use profile::{Function, Labels, Line, Profile, ProfileBuilder, ProfileType};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::status::EndpointStatus;
use super::*;

/// Waits for a condition.
macro_rules! eventually {
    ($condition:expr) => {{
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
        while !$condition {
            assert!(std::time::Instant::now() < deadline, "in time: {}", stringify!($condition));
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }};
}
use eventually;

/// A running `pyroscope.write`.
struct Running {
    arguments: watch::Sender<Arc<Arguments>>,
    receiver: Receiver,
    statuses: EndpointStatuses,
    metrics: Metrics,
    cancel: CancellationToken,
    task: JoinHandle<Result<(), RunError>>,
}

fn decode(text: &str) -> Result<Arguments, String> {
    let parsed = parse_file(&Source::new("", text));
    assert_eq!(parsed.diagnostics, []);
    let scope = EvalScope::new::<&str>(Stdlib::new(Host::default()), []);
    let body = parsed.file.body().expect("a file has a body");
    decode_body(&body, &scope).map_err(|errors| errors.iter().map(ToString::to_string).collect())
}

/// An endpoint with waits of a millisecond, and more arguments.
fn endpoint(url: &str, more: &str) -> String {
    format!("endpoint {{\n url = {url:?}\n min_backoff_period = \"1ms\"\n max_backoff_period = \"2ms\"\n {more}\n}}\n")
}

impl Running {
    async fn start(text: &str) -> Self {
        Self::with(decode(text).expect("the arguments decode")).await
    }

    async fn with(arguments: Arguments) -> Self {
        let (metrics, statuses) = (Metrics::new(), EndpointStatuses::new());
        let services = Services::default().with(Arc::new(metrics.clone())).with(Arc::new(statuses.clone()));
        let id = ComponentId::new("pyroscope.write", Some("test"));
        let cancel = CancellationToken::new();
        let cx = Context::<Exports>::detached(id, "/nowhere".into(), services, cancel.clone());
        let (arguments, updates) = Updates::channel(arguments);
        let task = tokio::spawn(PyroscopeWrite::run(updates, cx.clone()));
        let receiver = || {
            let exports = cx.exports().as_object()?;
            Option::<Receiver>::from_value(exports.get(&b"receiver"[..])?).expect("it is a receiver")
        };
        eventually!(receiver().is_some() || task.is_finished());
        let receiver = receiver().expect("it is built");
        Self { arguments, receiver, statuses, metrics, cancel, task }
    }

    async fn append(&self, profiles: impl IntoIterator<Item = Profile>) -> Result<(), NotTaken> {
        self.receiver.append(profiles.into_iter().collect()).await
    }

    fn status(&self) -> EndpointStatus {
        self.statuses.list().remove(0)
    }

    /// A series of the metrics, by its name and a part of its labels.
    fn metric(&self, name: &str, labels: &str) -> String {
        let text = self.metrics.text();
        let mut lines = text.lines().filter(|line| line.starts_with(&format!("{name}{{")) && line.contains(labels));
        let line = lines.next().unwrap_or_else(|| panic!("there is {name} with {labels} in\n{text}"));
        line.rsplit(' ').next().unwrap_or_default().to_owned()
    }

    async fn stop(self) {
        self.cancel.cancel();
        self.task.await.expect("it does not panic").expect("it ends well");
    }
}

fn labels(service: &str) -> Labels {
    [("__name__", "process_cpu"), ("service_name", service), ("__process_pid__", "7")].into_iter().collect()
}

/// A profile that a server takes, with `stacks` stacks of one function each, whose names have `name_len` bytes.
fn large_profile(service: &str, stacks: u64, name_len: usize) -> Profile {
    let mut builder = ProfileBuilder::new();
    for number in 0..stacks {
        let function = builder.function(&Function::named(format!("{number:0name_len$}")));
        let location = builder.location(None, number + 1, &[Line { function, line: 1 }]);
        builder.add(&[location], 10_309_278);
    }
    let mut profile = builder.finish(labels(service), ProfileType::cpu("process_cpu"));
    profile.time_nanos = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as i64;
    profile.duration_nanos = 15_000_000_000;
    profile.period = 10_309_278;
    profile
}

fn profile(service: &str) -> Profile {
    large_profile(service, 3, 8)
}

#[test]
fn arguments_have_upstreams_defaults() {
    let arguments = decode(r#"endpoint { url = "http://x" }"#).expect("it decodes");
    let endpoint = &arguments.endpoint[0];
    let durations = [
        endpoint.remote_timeout,
        endpoint.min_backoff_period,
        endpoint.max_backoff_period,
        endpoint.debug_info_upload_timeout,
    ];
    assert_eq!(durations.map(|duration| duration.as_millis()), [10_000, 500, 300_000, 120_000]);
    assert_eq!((endpoint.max_backoff_retries, endpoint.retry_on_http_429), (10, true));
    assert!(decode("").expect("no endpoint is fine").endpoint.is_empty());
    assert_eq!(decode("endpoint { }").expect_err("no url"), r#"missing required attribute "url""#);
}

#[tokio::test]
async fn without_endpoints_profiles_go_nowhere() {
    let write = Running::start("").await;
    write.append([profile("a")]).await.expect("it is taken");
    let receiver = write.receiver.clone();
    write.stop().await;
    let error = receiver.append([profile("a")].into_iter().collect()).await.expect_err("it is gone");
    assert_eq!(error.to_string(), "pyroscope.write.test has exited");
}

#[tokio::test]
async fn an_address_that_is_none_is_counted_and_the_others_work_on() {
    let write = Running::start(&endpoint("localhost:4040", "")).await;
    write.append([profile("a")]).await.expect("it is taken");
    assert_eq!(write.status().dropped, [("invalid_url", 1)].into());
    write.stop().await;
}

#[tokio::test]
async fn illegal_labels_fail_one_profile_and_not_the_others() {
    let write = Running::start(&endpoint("http://127.0.0.1:1", "")).await;
    let illegal = profile("a").with_labels(labels("a").with("a-b", "1"));
    let error = write.append([illegal, profile("b")]).await.expect_err("one is illegal");
    assert_eq!(error.to_string(), "invalid labels in profile: invalid label name: a-b");
    assert_eq!(error.places(2), [0]);
    let status = write.status();
    assert_eq!((status.dropped, status.queued_profiles), ([("invalid_labels", 1)].into(), 1));
    assert_ne!(write.metric("pyroscope_write_dropped_bytes_total", ""), "0", "its bytes are counted too");
}

#[tokio::test]
async fn a_large_profile_with_illegal_labels_counts_as_what_would_have_been_sent() {
    let write = Running::start(&endpoint("http://127.0.0.1:1", "")).await;
    let illegal = large_profile("a", 4_000, 1_000).with_labels(labels("a").with("a-b", "1"));
    write.append([illegal]).await.expect_err("it is illegal");
    assert_eq!(write.status().dropped, [("invalid_labels", 3)].into());
}

#[tokio::test]
async fn a_file_that_is_missing_fails_the_build() {
    let text = endpoint("https://127.0.0.1:1", r#"tls_config { ca_file = "/nonexistent/ca.pem" }"#);
    let services = Services::default();
    let cx = Context::detached(
        ComponentId::new("pyroscope.write", Some("test")),
        "/nowhere".into(),
        services,
        CancellationToken::new(),
    );
    let (_keep, updates) = Updates::channel(decode(&text).expect("it decodes"));
    let error = PyroscopeWrite::run(updates, cx).await.expect_err("it cannot be built");
    assert_eq!(error.to_string(), "reading /nonexistent/ca.pem: No such file or directory (os error 2)");
}

/// Waits long enough that something which must not happen would have.
async fn a_moment() {
    tokio::time::sleep(Duration::from_millis(100)).await;
}
