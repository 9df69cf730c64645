//! On real processes. Changes come from the test, as the engine would tell them.

use std::{
    collections::BTreeMap,
    fs,
    io::Write as _,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::{Duration, Instant},
};

use crossbeam_channel::Sender;
use engine::process::ProcessChange;
use graph::{ComponentId, Services};
use lang::{eval::Scope, source::Source, stdlib::Host, stdlib::Stdlib, syntax};
use profile::Labels;
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::targets::{LiveTargets, TargetList};

fn arguments(text: &str) -> Result<Arguments, String> {
    with_join(text, TargetList::from_iter([]))
}

fn with_join(text: &str, containers: TargetList) -> Result<Arguments, String> {
    let source = Source::new("t.alloy", text);
    let parsed = syntax::parse_file(&source);
    assert!(parsed.diagnostics.is_empty(), "{:?}", parsed.diagnostics);
    let containers = Targets(Arc::new(containers)).into_value();
    let scope = Scope::new(Stdlib::new(Host::default()), [("containers", containers)]);
    let body = parsed.file.body().expect("a file has a body");
    lang::decode::decode_body(&body, &scope).map_err(|errors: Vec<_>| errors[0].to_string())
}

/// A component at work.
struct Running {
    cx: Context<Exports>,
    arguments: watch::Sender<Arc<Arguments>>,
    changes: Sender<ProcessChange>,
    /// Whether the source has changes to give.
    open: Arc<AtomicBool>,
    cancel: CancellationToken,
    task: JoinHandle<Result<(), RunError>>,
}

impl Running {
    fn start(text: &str) -> Self {
        Self::start_with(arguments(text).expect("the arguments are right"), true)
    }

    fn start_with(arguments: Arguments, open: bool) -> Self {
        let (changes, receiver) = crossbeam_channel::bounded(64);
        let open = Arc::new(AtomicBool::new(open));
        let gate = Arc::clone(&open);
        let events = ProcessEvents::new(move || gate.load(Relaxed).then(|| receiver.clone()));
        let services = Services::default().with(Arc::new(events));
        let cancel = CancellationToken::new();
        let id = ComponentId::new(DiscoveryProcess::NAME, Some("x"));
        let cx = Context::detached(id, PathBuf::new(), services, cancel.clone());
        let (sender, updates) = Updates::channel(arguments);
        let task = tokio::spawn(DiscoveryProcess::run(updates, cx.clone()));
        Self { cx, arguments: sender, changes, open, cancel, task }
    }

    /// The list as others see it, once there is one.
    fn list(&self) -> Option<Arc<TargetList>> {
        let object = self.cx.exports().as_object()?;
        let Some(Value::Array(targets)) = object.get(&b"targets"[..]) else { panic!("targets are a list") };
        targets.host()
    }

    fn labels(&self, pid: u32) -> Option<Labels> {
        let pid = pid.to_string();
        let list = self.list()?;
        let mut found = list.iter().filter(|(_, labels)| labels.get("__process_pid__") == Some(&pid));
        let labels = found.next().map(|(_, labels)| labels.clone());
        assert!(found.next().is_none(), "a process is there once");
        labels
    }

    /// Waits until something holds of the process's labels; gives back how long it took.
    async fn wait(&self, pid: u32, what: impl Fn(Option<&Labels>) -> bool) -> Duration {
        let start = Instant::now();
        while self.list().is_none() || !what(self.labels(pid).as_ref()) {
            assert!(start.elapsed() < Duration::from_secs(10), "{pid} is {:?}", self.labels(pid));
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        start.elapsed()
    }

    async fn first_export(&self) {
        self.wait(std::process::id(), |labels| labels.is_some()).await;
    }

    async fn stop(self) -> Result<(), RunError> {
        self.cancel.cancel();
        self.task.await.expect("no panic")
    }
}

/// A child that is ended with the test.
struct Process(Child);

impl Process {
    /// A program that does nothing, for long.
    fn sleep() -> Self {
        Self(Command::new("sleep").arg("1000").spawn().expect("sleep is there"))
    }

    /// A shell that becomes `sleep` when it is told to.
    fn shell() -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", "read line; exec sleep 1000"]).stdin(Stdio::piped());
        Self(command.spawn().expect("a shell is there"))
    }

    fn execute(&mut self) {
        self.0.stdin.as_mut().expect("it is piped").write_all(b"go\n").expect("it listens");
    }

    fn pid(&self) -> u32 {
        self.0.id()
    }

    fn end(mut self) {
        self.kill();
    }

    fn kill(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn runs(program: &'static str) -> impl Fn(Option<&Labels>) -> bool {
    move |labels| {
        let exe = labels.and_then(|labels| labels.get("__meta_process_exe"));
        exe.is_some_and(|exe| exe.rsplit('/').next() == Some(program))
    }
}

#[tokio::test]
async fn the_first_scan_finds_this_process_with_upstreams_labels() {
    let running = Running::start("");
    running.first_export().await;
    let labels = running.labels(std::process::id()).expect("it is there");
    let mut all: BTreeMap<&str, &str> = labels.iter().collect();
    // Whether the test runs in a container is not its affair.
    all.remove("__container_id__");
    let exe = std::env::current_exe().expect("it has a file").display().to_string();
    let cwd = std::env::current_dir().expect("it is somewhere").display().to_string();
    let line = std::env::args().filter(|argument| !argument.is_empty()).collect::<Vec<_>>().join(" ");
    let pid = std::process::id().to_string();
    let expect = BTreeMap::from([
        ("__process_pid__", &*pid),
        ("__meta_process_exe", &*exe),
        ("__meta_process_cwd", &*cwd),
        ("__meta_process_commandline", &*line),
    ]);
    assert_eq!(all, expect);
    running.stop().await.expect("a clean end");
}

#[tokio::test]
async fn what_is_asked_for_can_be_changed_while_it_runs() {
    let running =
        Running::start("discover_config {\nexe = false\ncwd = false\ncommandline = false\ncontainer_id = false\n}");
    running.first_export().await;
    let pid = std::process::id();
    let names = |labels: &Labels| labels.iter().map(|(name, _)| name.to_owned()).collect::<Vec<_>>();
    assert_eq!(running.labels(pid).as_ref().map(names), Some(vec!["__process_pid__".to_owned()]));

    let text = "discover_config {\nexe = false\ncwd = false\ncommandline = false\ncontainer_id = false\nuid = true\n\
                username = true\ncgroup_path = true\n}";
    running.arguments.send_replace(Arc::new(arguments(text).expect("right")));
    running.wait(pid, |labels| labels.is_some_and(|labels| labels.len() > 1)).await;
    let labels = running.labels(pid).expect("it is there");
    let passwd = fs::read("/etc/passwd").map(|text| inspect::users::Users::parse(&text)).unwrap_or_default();
    let uid = labels.get("__meta_process_uid").expect("everybody has one");
    assert_eq!(labels.get("__meta_process_username"), passwd.name(uid.parse().expect("a number")));
    let cgroup = fs::read_to_string("/proc/self/cgroup").expect("it is readable");
    assert_eq!(labels.get("__meta_process_cgroup_path"), Some(&*cgroup.trim_end().replace('\n', "|")));
}

#[tokio::test]
async fn births_execs_and_deaths_are_followed_at_once() {
    let running = Running::start(r#"refresh_interval = "1h""#);
    running.first_export().await;
    let sleeper = Process::sleep();
    let pid = sleeper.pid();
    running.changes.send(ProcessChange::Executed { pid }).expect("it listens");
    let found = running.wait(pid, runs("sleep")).await;
    assert!(found < Duration::from_millis(500), "{found:?}");

    let mut shell = Process::shell();
    let forked = shell.pid();
    running.changes.send(ProcessChange::Forked { pid: forked }).expect("it listens");
    running.wait(forked, |labels| labels.is_some()).await;
    let place = |pid: u32| {
        let list = running.list().expect("there is one");
        list.iter().find(|(_, labels)| labels.get("__process_pid__") == Some(&pid.to_string())).map(|(place, _)| place)
    };
    let before = place(forked);
    shell.execute();
    while !fs::read_link(format!("/proc/{forked}/exe")).is_ok_and(|exe| exe.ends_with("sleep")) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    running.changes.send(ProcessChange::Executed { pid: forked }).expect("it listens");
    running.wait(forked, runs("sleep")).await;
    assert_eq!(place(forked), before, "it is the same process");

    sleeper.end();
    running.changes.send(ProcessChange::Exited { pid }).expect("it listens");
    running.wait(pid, |labels| labels.is_none()).await;
    // One that is gone before anyone could look.
    running.changes.send(ProcessChange::Executed { pid }).expect("it listens");
    running.changes.send(ProcessChange::Exited { pid: forked }).expect("it listens");
    running.wait(forked, |labels| labels.is_none()).await;
    assert_eq!(running.labels(pid), None);
}

#[tokio::test]
async fn one_new_process_is_one_change() {
    let running = Running::start(r#"refresh_interval = "1h""#);
    running.first_export().await;
    let seen = running.list().expect("there is one").seen().clone();
    let sleeper = Process::sleep();
    running.changes.send(ProcessChange::Executed { pid: sleeper.pid() }).expect("it listens");
    running.wait(sleeper.pid(), |labels| labels.is_some()).await;
    let changes = running.list().expect("there is one").changes_since(&seen).expect("it has a history");
    assert_eq!(changes.len(), 1);
    assert_eq!(changes[0].before, None);
}

#[tokio::test]
async fn what_was_missed_is_found_by_a_scan() {
    let running = Running::start(r#"refresh_interval = "1h""#);
    running.first_export().await;
    let sleeper = Process::sleep();
    running.changes.send(ProcessChange::Missed).expect("it listens");
    running.wait(sleeper.pid(), |labels| labels.is_some()).await;
}

#[tokio::test]
async fn without_changes_polling_finds_everything() {
    let arguments = arguments(r#"refresh_interval = "20ms""#).expect("right");
    let running = Running::start_with(arguments, false);
    running.first_export().await;
    let sleeper = Process::sleep();
    let pid = sleeper.pid();
    running.wait(pid, runs("sleep")).await;
    sleeper.end();
    running.wait(pid, |labels| labels.is_none()).await;
}

#[tokio::test]
async fn a_source_that_comes_later_is_joined_with_a_scan() {
    let arguments = arguments(r#"refresh_interval = "1h""#).expect("right");
    let running = Running::start_with(arguments, false);
    running.first_export().await;
    let sleeper = Process::sleep();
    running.open.store(true, Relaxed);
    running.wait(sleeper.pid(), |labels| labels.is_some()).await;
    let other = Process::sleep();
    running.changes.send(ProcessChange::Executed { pid: other.pid() }).expect("it listens");
    running.wait(other.pid(), |labels| labels.is_some()).await;
}

#[tokio::test]
async fn kernel_threads_are_left_out_while_executables_are_wanted() {
    // The kernel's own, where this is the first pid namespace and it is visible.
    let Ok("kthreadd") = fs::read_to_string("/proc/2/comm").as_deref().map(str::trim) else { return };
    let running = Running::start("");
    running.first_export().await;
    assert_eq!(running.labels(2), None);
    running
        .arguments
        .send_replace(Arc::new(arguments("discover_config {\nexe = false\ncwd = false\n}").expect("right")));
    running.wait(2, |labels| labels.is_some()).await;
    assert_eq!(running.labels(2).map(|labels| labels.to_string()), Some(r#"{__process_pid__="2"}"#.to_owned()));
}

#[tokio::test]
async fn a_process_in_namespaces_of_its_own_is_found_by_its_number_here() {
    let unshare = ["--pid", "--mount", "--fork", "--mount-proc", "--kill-child", "sleep", "1000"];
    let Ok(child) = Command::new("unshare").args(unshare).stderr(Stdio::null()).spawn() else { return };
    let child = Process(child);
    let children = format!("/proc/{0}/task/{0}/children", child.pid());
    let mut sleeper = None;
    for _ in 0..500 {
        // It is there for a moment also where it then fails to make its namespaces.
        let runs = |pid: &u32| fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm == "sleep\n");
        sleeper = fs::read_to_string(&children).ok().and_then(|text| text.trim().parse().ok()).filter(runs);
        if sleeper.is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // Without the right to make namespaces there is none.
    let Some(sleeper) = sleeper else { return };
    let running = Running::start(r#"refresh_interval = "20ms""#);
    running.wait(sleeper, runs("sleep")).await;
    assert_eq!(running.labels(sleeper).and_then(|labels| labels.get("__meta_process_cwd").map(str::to_owned)), {
        fs::read_link(format!("/proc/{sleeper}/cwd")).ok().map(|cwd| cwd.display().to_string())
    });
}

#[tokio::test]
async fn joined_targets_are_part_of_the_list() {
    let mut containers = LiveTargets::new();
    containers.push([("__meta_docker_container_id", "abc"), ("name", "db")].into_iter().collect());
    let list = containers.snapshot();
    let argument = crate::targets::TargetsArg { list, from_array: false };
    let mut first = arguments("").expect("right");
    first.join = Some(argument);
    let running = Running::start_with(first, true);
    running.first_export().await;
    let last = |list: &TargetList| list.iter().last().map(|(_, labels)| labels.to_string());
    let docker = r#"{__meta_docker_container_id="abc", name="db"}"#;
    assert_eq!(last(&running.list().expect("there is one")).as_deref(), Some(docker));
    running.arguments.send_replace(Arc::new(with_join("join = containers", TargetList::from_iter([])).expect("right")));
    let start = Instant::now();
    while last(&running.list().expect("there is one")).as_deref() == Some(docker) {
        assert!(start.elapsed() < Duration::from_secs(10), "it is still there");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[test]
fn defaults_and_refusals() {
    let defaults = arguments("").expect("right");
    assert_eq!((defaults.refresh_interval, defaults.join), (Duration::from_secs(60), None));
    assert_eq!(defaults.discover_config, arguments("discover_config { }").expect("right").discover_config);
    let error = arguments(r#"refresh_interval = "0s""#).expect_err("it is refused");
    assert_eq!(error, "refresh_interval must be greater than 0");
    let error = arguments("join = [1]").expect_err("it is refused");
    assert_eq!(error, "t.alloy:1:9: 1 target::ConvertFrom: conversion from 'int' is not supported");
}
