//! Configurations, good and bad: what runs, what is said, and with which status the process ends.

use std::process::{Command, Output};

use e2e::agent::binary;
use e2e::http;
use e2e::peer::wait_for;
use e2e::wait::until;
use e2e::{Agent, Peer, Workload, configuration, root};
use rustix::process::Signal;

fn pyrope(arguments: &[&str]) -> Output {
    Command::new(binary()).args(arguments).env("NO_COLOR", "1").output().expect("the binary runs")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_reload_changes_what_changed_and_a_bad_file_changes_nothing() {
    let peer = Peer::serve(&[]);
    let text = configuration(".*/c-recurse", &peer.url, "collect_interval = \"1s\"");
    let agent = Agent::run(&text);
    let workload = Workload::start("c-recurse", &["--seconds", "60"]);
    wait_for(&peer, "service_name", "c-recurse", 20, |profiles| !profiles.is_empty());

    agent.write_configuration(&text.replace("collect_interval", "sample_rate = 49\n collect_interval"));
    agent.signal(Signal::HUP);
    until("the new rate is in a profile", 20, || {
        let profiles = peer.profiles("service_name", "c-recurse");
        profiles.iter().any(|profile| profile["period"] == 1_000_000_000_i64 / 49).then_some(())
    });

    agent.write_configuration("pyroscope.ebpf \"chosen\" { forward_to = [nothing.here.receiver] }");
    let answer = http::request(&agent.address, "POST", "/-/reload", &[], "").unwrap();
    assert_eq!(answer.status, 400, "{answer:?}");
    assert!(answer.body.contains("does not exist or is out of scope"), "{answer:?}");
    let before = peer.profiles("service_name", "c-recurse").len();
    wait_for(&peer, "service_name", "c-recurse", 20, |profiles| profiles.len() > before + 1);
    drop(workload);
    let (status, log) = agent.stop();
    assert!(status.success(), "{log}");
}

#[test]
fn a_bad_argument_changes_nothing_and_a_replaced_endpoint_loses_nothing() {
    let (hangs, peer) = (Peer::serve(&["--script", "hang"]), Peer::serve(&[]));
    let text = configuration(".*/c-recurse", &hangs.url, "collect_interval = \"1s\"");
    let agent = Agent::run(&text);
    let _workload = Workload::start("c-recurse", &["--seconds", "60"]);
    until("something is delivered", 20, || {
        agent.metric("pyrope_ebpf_samples_delivered_total", "").filter(|samples| *samples > 0.0)
    });

    // One mistake, and another endpoint in the same file.
    let other =
        text.replace("\"peer\"", "\"other\"").replace(".write.peer", ".write.other").replace(&hangs.url, &peer.url);
    for mistake in ["collect_interval = true\n demangle =", "sample_rate = 0\n collect_interval ="] {
        agent.write_configuration(&other.replace("collect_interval =", mistake));
        let answer = http::request(&agent.address, "POST", "/-/reload", &[], "").unwrap();
        assert_eq!(answer.status, 400, "{answer:?}");
        let components = agent.get("/api/v0/agent/status").body;
        assert!(
            components.contains("pyroscope.write.peer") && !components.contains("pyroscope.write.other"),
            "{components}"
        );
    }

    // The endpoint that hangs takes its time to stop; nothing waits for it, nor for what discovery finds meanwhile.
    agent.write_configuration(&other);
    let answer = http::request(&agent.address, "POST", "/-/reload", &[], "").unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    let targets = || agent.metric("pyroscope_ebpf_active_targets", "").unwrap();
    let before = targets();
    let _another = Workload::start("c-recurse", &["--seconds", "60"]);
    until("a new process is a target", 5, || (targets() > before).then_some(()));
    wait_for(&peer, "service_name", "c-recurse", 5, |profiles| profiles.len() > 1);
    assert_eq!(agent.metric("pyrope_forward_refused_entries_total", ""), Some(0.0));
    let (status, log) = agent.stop();
    assert!(status.success(), "{log}");
}

#[test]
fn a_store_that_cannot_move_stays_where_it_is() {
    let text = |path: &str| format!("pyrope.store \"local\" {{ path = \"{path}\" }}");
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (folder.path().join("first"), folder.path().join("second"));
    std::fs::write(&second, "not a folder").unwrap();
    let agent = Agent::run(&text(&first.display().to_string()));
    let reload = |path: &std::path::Path| {
        agent.write_configuration(&text(&path.display().to_string()));
        assert_eq!(http::request(&agent.address, "POST", "/-/reload", &[], "").unwrap().status, 200);
    };
    let health = |expected: &str| {
        until(expected, 20, || agent.get("/api/v0/agent/status").body.contains(expected).then_some(()));
    };
    reload(&second);
    health(&format!("still storing in {}", first.display()));
    until("it is unhealthy", 5, || (agent.get("/-/healthy").status == 500).then_some(()));
    reload(&first);
    health(&format!("storing in {}", first.display()));
    assert_eq!(agent.get("/-/healthy").status, 200);
    reload(&second);
    std::fs::remove_file(&second).unwrap();
    health(&format!("storing in {}", second.display()));
    agent.stop();
}

#[test]
fn a_broken_file_ends_the_start_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("broken.alloy");
    std::fs::write(&file, "pyroscope.ebpf \"e\" {\n  targets = [\n}\n").unwrap();
    let file = file.to_str().unwrap();
    let output = pyrope(&["run", file, "--server.http.listen-addr=127.0.0.1:0"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains(&format!("Error: {file}:3:1: ")), "{}", stderr(&output));
    assert!(stderr(&output).contains("could not perform the initial load successfully"), "{}", stderr(&output));
    let output = pyrope(&["validate", file]);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn what_a_run_refuses_is_refused_without_one() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wrong.alloy");
    for (text, expect) in [
        ("pyroscope.ebpf \"x\" { forward_to = [] }", "missing required attribute \"targets\""),
        ("pyroscope.ebpf \"x\" {\n targets = []\n forward_to = []\n sample_rate = 0\n}", "sample_rate must be between"),
        ("discovery.process \"x\" { refresh_interval = \"0s\" }", "refresh_interval must be greater than 0"),
        ("pyrope.store \"x\" { max_bytes = 5 }", "max_bytes must be at least 1MiB"),
    ] {
        std::fs::write(&file, text).unwrap();
        let file = file.to_str().unwrap();
        for arguments in [&["validate", file][..], &["run", file, "--server.http.listen-addr=127.0.0.1:0"]] {
            let output = pyrope(arguments);
            assert_eq!(output.status.code(), Some(1), "{arguments:?}: {text}");
            assert!(stderr(&output).contains(expect), "{arguments:?}: {}", stderr(&output));
        }
    }
}

#[test]
fn the_log_says_what_a_load_does() {
    let agent = Agent::run("pyrope.store \"local\" { }");
    let reload = |text: &str| {
        agent.write_configuration(text);
        http::request(&agent.address, "POST", "/-/reload", &[], "").unwrap().status
    };
    let logged = |level: &str, parts: &[&str]| {
        let is_it = |line: &str| line.contains(level) && parts.iter().all(|part| line.contains(part));
        until(parts[0], 20, || agent.log().lines().any(is_it).then_some(()));
    };
    logged("level=info", &["msg=\"now listening for http traffic\"", "addr="]);
    logged("level=info", &["msg=\"starting complete graph evaluation\""]);
    logged("level=info", &["msg=\"finished node evaluation\"", "node_id=pyrope.store.local", "duration="]);
    logged("level=info", &["msg=\"finished complete graph evaluation\"", "duration="]);
    assert_eq!(reload("pyrope.store \"local\" { max_bytes = \"3MiB\" }"), 200);
    logged("level=info", &["msg=\"config reloaded\""]);
    assert_eq!(reload("pyrope.store \"local\" { max_bytes = 5 }"), 400);
    logged("level=error", &["msg=\"failed to reload config\"", "max_bytes must be at least 1MiB"]);
    let (status, log) = agent.stop();
    assert!(status.success() && !log.contains("level=debug"), "{log}");
}

#[test]
fn components_that_are_not_here_are_listed_together() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mixed.alloy");
    std::fs::write(&file, "prometheus.exporter.unix \"a\" { }\nloki.write \"b\" { }\n").unwrap();
    let output = pyrope(&["validate", file.to_str().unwrap()]);
    let text = stderr(&output);
    assert_eq!(text.matches("Error: ").count(), 2, "one diagnostic, then the verdict: {text}");
    assert!(text.contains("prometheus.exporter.unix") && text.contains("loki.write"), "{text}");
}

#[test]
fn wrong_usage_is_status_2() {
    assert_eq!(pyrope(&["run", "--no-such-flag"]).status.code(), Some(2));
    assert_eq!(pyrope(&["frobnicate"]).status.code(), Some(2));
    let output = pyrope(&["--version"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&output.stdout).contains(env!("CARGO_PKG_VERSION")));
}

#[test]
fn a_busy_port_names_the_remedy() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = pyrope(&["run", "--server.http.listen-addr", &address]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("--server.http.listen-addr"), "{}", stderr(&output));
}

#[test]
fn a_foreign_pid_namespace_names_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new("unshare")
        .args(["--pid", "--fork", "--mount-proc"])
        .arg(binary())
        .args(["run", "--server.http.listen-addr=127.0.0.1:0", "--storage.path"])
        .arg(folder.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = stderr(&output);
    assert!(text.contains("--pid=host") && text.contains("hostPID: true"), "{text}");
}

#[test]
fn missing_privileges_name_what_to_grant() {
    let folder = tempfile::tempdir().unwrap();
    // The binary must be reachable for a user without rights.
    let copy = folder.path().join("pyrope");
    std::fs::copy(binary(), &copy).unwrap();
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    let output = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all", "--inh-caps=-all"])
        .arg(&copy)
        .args(["run", "--server.http.listen-addr=127.0.0.1:0", "--storage.path"])
        .arg(folder.path().join("data"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = stderr(&output);
    assert!(text.contains("CAP_BPF") && text.contains("CAP_PERFMON"), "{text}");
}

#[test]
fn the_example_for_grafana_cloud_delivers_with_its_credentials() {
    let peer = Peer::serve(&["--auth", "12345:glc_secret", "--limits", "real"]);
    let example = std::fs::read_to_string(root().join("examples/grafana-cloud.alloy")).unwrap();
    let variables = [("GC_URL", &*peer.url), ("GC_USER", "12345"), ("GC_PASSWORD", "glc_secret")];
    let workload = Workload::start("c-recurse", &["--seconds", "60"]);
    let agent = Agent::with(Some(&example), &[], &variables);
    until("a push is accepted", 40, || {
        peer.recorded("profile").iter().any(|profile| profile["accepted"] == true).then_some(())
    });
    // What is compared is the header itself, beside the peer's own check of it.
    let request = &peer.recorded("request")[0];
    assert_eq!(request["headers"]["authorization"], "Basic MTIzNDU6Z2xjX3NlY3JldA==", "{request}");
    let agent_name = request["headers"]["user-agent"].as_str().unwrap();
    assert_eq!(agent_name, concat!("pyrope/", env!("CARGO_PKG_VERSION")));
    assert!(!agent.log().contains("glc_secret"), "a secret is in the log");
    drop(workload);
    agent.stop();
}

#[test]
fn an_address_that_is_not_loopback_serves_only_probes() {
    let peer = Peer::serve(&[]);
    let text = configuration(".*/c-recurse", &peer.url, "");
    let agent = Agent::spawn(Some(&text), &["--server.http.listen-addr=0.0.0.0:0"], &[]);
    let port = agent.address.rsplit(':').next().unwrap();
    let address = format!("127.0.0.1:{port}");
    until("it is ready", 20, || http::get(&address, "/-/ready").filter(|answer| answer.status == 200));
    assert_eq!(http::get(&address, "/metrics").unwrap().status, 200);
    assert_eq!(http::get(&address, "/-/healthy").unwrap().status, 200);
    for path in ["/", "/api/v0/agent/status", "/querier.v1.QuerierService/ProfileTypes"] {
        let answer = http::get(&address, path).unwrap();
        assert_eq!(answer.status, 403, "{path}");
        assert!(answer.body.contains("--server.http.token-file"), "{answer:?}");
    }
    assert!(agent.log().contains("level=warn"), "{}", agent.log());
}

#[test]
fn too_few_file_descriptors_are_named_with_the_remedy() {
    for limit in [24, 30] {
        let agent = Agent::with_open_files(&configuration(".*", "http://127.0.0.1:1", ""), limit);
        let error = until("it says why", 20, || {
            let log = agent.log();
            log.lines().find(|line| line.contains("profiling did not start")).map(str::to_owned)
        });
        assert!(error.contains("Too many open files") && error.contains("ulimit -n"), "{error}");
    }
}
