use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use engine::budget::Budget;
use engine::kernel::{Kernel, KernelCounters, KernelError, Waker};
use futures_util::future::BoxFuture;
use graph::{ComponentId, Services};
use lang::decode::IntoValue as _;
use lang::{eval::Scope as Names, source::Source, stdlib::Host, stdlib::Stdlib, syntax};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::receiver::{NotTaken, ProfilesReceiver, Receiver};

/// Notes whether it was asked if somebody looks, as a session asks when it begins.
#[derive(Clone, Default)]
struct Asked(Arc<AtomicBool>);

impl ProfilesReceiver for Asked {
    fn append(&self, _: Append) -> BoxFuture<'_, Result<(), NotTaken>> {
        Box::pin(async { Ok(()) })
    }

    fn watched_until(&self) -> Option<Instant> {
        self.0.store(true, SeqCst);
        None
    }
}

/// A kernel where nothing happens.
struct Idle;

impl Kernel for Idle {
    fn sample(&mut self, _: Option<u32>) -> Result<(), KernelError> {
        Ok(())
    }

    fn follow_cpus(&mut self) -> Result<usize, KernelError> {
        Ok(1)
    }

    fn wait(&mut self, _: Duration) {
        std::thread::yield_now();
    }

    fn drain(&mut self, _: &mut dyn FnMut(&[u8])) {}

    fn counters(&mut self) -> KernelCounters {
        KernelCounters::default()
    }

    fn waker(&self) -> Waker {
        Arc::new(|| ())
    }

    fn map_bytes(&self) -> u64 {
        0
    }
}

fn arguments(text: &str, sink: &Asked) -> Arguments {
    try_arguments(text, sink).unwrap_or_else(|error| panic!("{error}"))
}

fn try_arguments(text: &str, sink: &Asked) -> Result<Arguments, String> {
    let parsed = syntax::parse_file(&Source::new("t.alloy", format!("forward_to = [sink]\n{text}")));
    let sink = ("sink", Receiver::new(sink.clone()).into_value());
    let body = parsed.file.body().expect("a file has a body");
    let names = Names::new(Stdlib::new(Host::default()), [sink]);
    lang::decode::decode_body(&body, &names).map_err(|errors: Vec<_>| errors[0].to_string())
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn arguments_that_change_while_profiling_does_not_start_hold_when_it_does() {
    static ATTEMPTS: AtomicUsize = AtomicUsize::new(0);
    let refuse_once = |_: Budget| match ATTEMPTS.fetch_add(1, SeqCst) {
        0 => Err(KernelError::new("not allowed")),
        _ => Ok(Box::new(Idle) as Box<dyn Kernel>),
    };
    let (metrics, cancel, profiler) =
        (Metrics::new(), CancellationToken::new(), Arc::new(Profiler::with(refuse_once, Budget::default())));
    let (old, new) = (Asked::default(), Asked::default());
    let (sender, updates) = Updates::channel(arguments("targets = []", &old));
    let services = Services::default().with(Arc::new(metrics.clone())).with(Arc::clone(&profiler));
    let id = ComponentId::new(PyroscopeEbpf::NAME, Some("x"));
    let cx = Context::detached(id, PathBuf::new(), services, cancel.clone());
    let task = tokio::spawn(PyroscopeEbpf::run(updates, cx));
    let failed =
        "pyroscope_ebpf_profiling_sessions_failing_total{component_id=\"pyroscope.ebpf.x\",component_path=\"/\"} 1";
    until("the first attempt fails", || metrics.text().contains(failed)).await;

    let targets = r#"targets = [{"__process_pid__" = "1"}, {"__process_pid__" = "2"}]"#;
    sender.send_replace(Arc::new(arguments(targets, &new)));
    let two = "pyroscope_ebpf_active_targets{component_id=\"pyroscope.ebpf.x\",component_path=\"/\"} 2";
    until("other targets are seen", || metrics.text().contains(two)).await;
    sender.send_replace(Arc::new(arguments("targets = []", &new)));
    until("and others again", || !metrics.text().contains(two)).await;
    assert_eq!(ATTEMPTS.load(SeqCst), 1, "targets alone cause no attempt");

    sender.send_replace(Arc::new(arguments("targets = []\nsample_rate = 19", &new)));
    until("profiling starts", || new.0.load(SeqCst)).await;
    assert_eq!((ATTEMPTS.load(SeqCst), old.0.load(SeqCst)), (2, false), "the receivers are those of now");
    cancel.cancel();
    task.await.expect("it does not panic").expect("it ends well");
    profiler.stop();
}

#[test]
fn an_empty_comm_is_none() {
    let comm = |comm: &str| try_arguments(&format!("targets = []\ncomm = {comm:?}"), &Asked::default()).map(drop);
    for name in ["", "none", "label", "stackframe", "both"] {
        assert_eq!(comm(name), Ok(()), "{name}");
    }
    let error = comm("nowhere").expect_err("there is no such");
    assert!(error.ends_with("unknown comm \"nowhere\": it is one of none, label, stackframe, both"), "{error}");
}
