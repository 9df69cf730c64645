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
use crate::receiver::{Append, AppendError, NotTaken, Outgoing, ProfilesReceiver, Receiver};

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

#[tokio::test]
async fn nothing_is_loaded_before_there_is_a_target_when_it_is_lazy() {
    static LOADED: AtomicUsize = AtomicUsize::new(0);
    let load = |_: Budget| {
        LOADED.fetch_add(1, SeqCst);
        Ok(Box::new(Idle) as Box<dyn Kernel>)
    };
    let (metrics, cancel) = (Metrics::new(), CancellationToken::new());
    let profiler = Arc::new(Profiler::with(load, Budget::default()));
    let sink = Asked::default();
    // Waiting for a target is no less lazy when all processes are wanted.
    let (sender, updates) = Updates::channel(arguments("lazy_mode = true\ntargets_only = false", &sink));
    let services = Services::default().with(Arc::new(metrics.clone())).with(Arc::clone(&profiler));
    let id = ComponentId::new(PyroscopeEbpf::NAME, Some("x"));
    let cx = Context::detached(id, PathBuf::new(), services, cancel.clone());
    let task = tokio::spawn(PyroscopeEbpf::run(updates, cx));
    let gauge = |name: &str, value: u32| {
        format!("pyroscope_ebpf_{name}{{component_id=\"pyroscope.ebpf.x\",component_path=\"/\"}} {value}\n")
    };
    until("it is there", || metrics.text().contains(&gauge("active_targets", 0))).await;
    sender.send_replace(Arc::new(arguments("lazy_mode = true\ntargets = []\nsample_rate = 19", &sink)));
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!((LOADED.load(SeqCst), profiler.status().is_some()), (0, false));
    let target = r#"targets = [{"__process_pid__" = "1"}]"#;
    sender.send_replace(Arc::new(arguments(&format!("lazy_mode = true\n{target}"), &sink)));
    until("profiling starts", || metrics.text().contains(&gauge("profiling_sessions_total", 1))).await;
    sender.send_replace(Arc::new(arguments("lazy_mode = true\ntargets = []", &sink)));
    until("the target is gone", || metrics.text().contains(&gauge("active_targets", 0))).await;
    assert_eq!((LOADED.load(SeqCst), profiler.status().is_some()), (1, true), "what is loaded stays");
    cancel.cancel();
    task.await.expect("it does not panic").expect("it ends well");
    profiler.stop();
}

#[tokio::test]
async fn it_is_verbose_from_one_reload_to_the_next() {
    let load = |_: Budget| Ok(Box::new(Idle) as Box<dyn Kernel>);
    let (cancel, profiler) = (CancellationToken::new(), Arc::new(Profiler::with(load, Budget::default())));
    let (verbose, sink) = (Arc::new(Verbose::default()), Asked::default());
    let (sender, updates) = Updates::channel(arguments("targets = []\nverbose_mode = true", &sink));
    let services = Services::default().with(Arc::clone(&profiler)).with(Arc::clone(&verbose));
    let cx =
        Context::detached(ComponentId::new(PyroscopeEbpf::NAME, Some("x")), PathBuf::new(), services, cancel.clone());
    let task = tokio::spawn(PyroscopeEbpf::run(updates, cx));
    let covers = |expect: bool| verbose.covers("pyrope_engine::sampler") == expect;
    until("it is verbose", || covers(true)).await;
    sender.send_replace(Arc::new(arguments("targets = []", &sink)));
    until("it is so no longer", || covers(false)).await;
    sender.send_replace(Arc::new(arguments("targets = []\nverbose_mode = true", &sink)));
    until("it is again", || covers(true)).await;
    cancel.cancel();
    task.await.expect("it does not panic").expect("it ends well");
    assert!(covers(false), "and not when the component is gone");
    profiler.stop();
}

/// Takes none of the profiles but asks for the bytes of the first.
struct Refuses;

impl ProfilesReceiver for Refuses {
    fn append(&self, append: Append) -> BoxFuture<'_, Result<(), NotTaken>> {
        _ = append.profiles()[0].pprofs();
        Box::pin(async { Err(AppendError::Refused("no".to_owned()).into()) })
    }
}

#[tokio::test]
async fn what_is_made_and_what_is_dropped_is_counted() {
    let (metrics, dropped) = (Metrics::new(), Counter::default());
    let scope = metrics.process();
    let fanout = Fanout::new(&scope, vec![Receiver::new(Refuses)]);
    let mut forward = Forward::new("pyroscope.ebpf.x", &fanout, &scope, 1, dropped.clone());
    let profile = |service: &str| {
        let mut builder = profile::ProfileBuilder::new();
        for address in 0..3 {
            let location = builder.location(None, address, &[]);
            builder.add(&[location], 10);
        }
        builder.finish([("service_name", service)].into_iter().collect(), profile::ProfileType::cpu("process_cpu"))
    };
    let batch = |open| Batch { interval: 0, open, samples: 6, profiles: vec![profile("a"), profile("b")] };
    forward.batch(batch(false), Duration::from_secs(1)).await;
    forward.batch(batch(true), Duration::from_secs(1)).await;
    let text = metrics.text();
    for (name, service, value) in [
        ("pprofs", "a", 1),
        ("pprofs", "b", 1),
        ("pprof_samples", "a", 3),
        ("pprof_bytes", "a", Outgoing::new(profile("a")).pprofs()[0].gzip.len()),
        ("pprof_bytes", "b", 0),
    ] {
        let line = format!("pyroscope_ebpf_{name}_total{{service_name=\"{service}\"}} {value}\n");
        assert!(text.contains(&line), "{line}{text}");
    }
    assert_eq!(dropped.get(), 2);
}

#[test]
fn a_warning_names_what_has_no_effect_and_nothing_else() {
    let given = |text: &str| arguments(&format!("targets = []\n{text}"), &Asked::default()).without_effect();
    let works = [
        "sample_rate = 19",
        "collect_interval = \"1s\"",
        "pid_cache_size = 1",
        "container_id_cache_size = 1",
        "collect_user_profile = false",
        "demangle = \"full\"",
        "kernel_frames = false",
        "comm = \"both\"",
        "pid_label = true",
        "python_enabled = false",
        "go_enabled = false",
        "go_enabled = true",
        "verbose_mode = true",
        "lazy_mode = true",
        "no_kernel_version_check = false",
        "off_cpu_threshold = 0",
    ];
    for text in works {
        assert_eq!(given(text), [""; 0], "{text}");
    }
    let names = ["python_enabled", "off_cpu_threshold", "load_probe", "probe_links", "cache_rounds", "debug_info"];
    let text = "debug_info { upload = true }\n load_probe = true\n probe_links = [\"kprobe:x\"]\n off_cpu_threshold = 0.5\n \
                python_enabled = true\n cache_rounds = 3";
    assert_eq!(given(text), names);
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
