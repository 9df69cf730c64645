//! Without a configuration: the host, its database, its page's API.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use e2e::wait::until;
use e2e::{Agent, Workload, peer};
use serde_json::Value;

fn query(agent: &Agent, arguments: &[&str]) -> (bool, Vec<Value>) {
    let output = Command::new(peer::binary())
        .arg(arguments[0])
        .args(["--url", &format!("http://{}", agent.address)])
        .args(&arguments[1..])
        .output()
        .expect("the peer runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.success(), text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
}

#[test]
fn a_function_of_a_running_program_is_found_by_name() {
    let workload = Workload::start("cpp-names", &["--seconds", "60"]);
    let agent = Agent::with(None, &[], &[]);
    until("the flame graph names the function", 10, || {
        let (_, lines) = query(
            &agent,
            &["query", "--protocol", "connect", "--selector", r#"{service_name="cpp-names"}"#, "flamegraph"],
        );
        lines.iter().any(|line| line.to_string().contains("shop::checkout")).then_some(())
    });
    drop(workload);
    agent.stop();
}

/// A program of 32 bits that jumps to itself for ever: a file header, a segment and two bytes of code.
fn program_of_32_bits() -> Vec<u8> {
    const BASE: u32 = 0x804_8000;
    let code = [0xeb, 0xfe];
    let size = 84 + code.len() as u32;
    let mut file = b"\x7fELF\x01\x01\x01".to_vec();
    file.resize(16, 0);
    let halves = |file: &mut Vec<u8>, all: &[u16]| all.iter().for_each(|half| file.extend(half.to_le_bytes()));
    let words = |file: &mut Vec<u8>, all: &[u32]| all.iter().for_each(|word| file.extend(word.to_le_bytes()));
    halves(&mut file, &[2, 3]); // an executable for i386
    words(&mut file, &[1, BASE + 84, 52, 0, 0]);
    halves(&mut file, &[52, 32, 1, 0, 0, 0]);
    words(&mut file, &[1, 0, BASE, BASE, size, size, 5, 0x1000]);
    file.extend(code);
    file
}

#[test]
fn a_program_of_32_bits_is_seen_with_the_place_where_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("busy32");
    std::fs::write(&path, program_of_32_bits()).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut program = Command::new(&path).spawn().unwrap();
    let agent = Agent::with(None, &[], &[]);
    let selector = r#"{service_name="busy32"}"#;
    until("the flame graph has its one place", 20, || {
        let (_, lines) = query(&agent, &["query", "--protocol", "connect", "--selector", selector, "flamegraph"]);
        lines.iter().any(|line| line.to_string().contains("busy32!0x54")).then_some(())
    });
    program.kill().unwrap();
    program.wait().unwrap();
    agent.stop();
}

#[test]
fn a_single_question_is_answered_with_what_was_sampled_just_now() {
    let _workload = Workload::start("c-recurse", &["--seconds", "60"]);
    let agent = Agent::with(None, &[], &[]);
    until("something is sampled", 10, || {
        agent.metric("pyrope_ebpf_samples_taken_total", "").filter(|taken| *taken > 50.0)
    });
    let (fine, lines) =
        query(&agent, &["query", "--protocol", "connect", "--selector", r#"{service_name="c-recurse"}"#, "flamegraph"]);
    assert!(fine && lines.iter().any(|line| line.to_string().contains("busy_leaf")), "{lines:#?}");
    agent.stop();
}

#[test]
fn every_client_gets_the_same_answers() {
    let workload = Workload::start("c-recurse", &["--seconds", "90"]);
    let agent = Agent::with(None, &[], &[]);
    // A closed interval, so that the answers stand still.
    until("an interval is stored", 40, || {
        let status: Value = serde_json::from_str(&agent.get("/api/v0/agent/status").body).ok()?;
        status["store"]["newest_ms"].as_i64().filter(|newest| *newest > 0)
    });
    drop(workload);
    let end = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as i64;
    let (start, end) = ((end - 600_000).to_string(), (end - 1_000).to_string());
    let (fine, lines) = query(
        &agent,
        &[
            "query",
            "--protocol",
            "all",
            "--selector",
            r#"{service_name="c-recurse"}"#,
            "--start",
            &start,
            "--end",
            &end,
        ],
    );
    assert!(fine, "{lines:#?}");
    let (fine, lines) = query(&agent, &["matrix"]);
    let failed: Vec<_> = lines.iter().filter(|line| line["ok"] == false).collect();
    assert!(fine, "{failed:#?}");
    agent.stop();
}

#[test]
fn a_killed_agent_loses_at_most_the_interval_in_progress() {
    let workload = Workload::start("c-recurse", &["--seconds", "120"]);
    let agent = Agent::with(None, &[], &[]);
    let newest = |agent: &Agent| {
        let status: Value = serde_json::from_str(&agent.get("/api/v0/agent/status").body).ok()?;
        status["store"]["newest_ms"].as_i64()
    };
    let before = until("an interval is stored", 40, || newest(&agent));
    agent.signal(rustix::process::Signal::KILL);
    let data = agent.folder().join("data");
    let kept = tempfile::tempdir().unwrap();
    let copied = Command::new("cp").arg("-a").arg(&data).arg(kept.path()).status().unwrap();
    assert!(copied.success());
    drop(agent);
    let storage = format!("--storage.path={}", kept.path().join("data").display());
    let agent = Agent::with(None, &[&storage], &[]);
    // The first interval of this one is not over yet.
    let after = until("the store is back", 10, || newest(&agent));
    assert!(after >= before, "what was stored is there");
    drop(workload);
    agent.stop();
}

#[test]
fn metrics_are_read_by_prometheus() {
    let agent = Agent::with(None, &[], &[]);
    until("a profile was made", 40, || agent.metric("pyroscope_ebpf_pprofs_total", "").filter(|made| *made > 0.0));
    for accept in ["text/plain", "application/openmetrics-text"] {
        let answer =
            e2e::http::request(&agent.address, "GET", "/metrics", &[&format!("Accept: {accept}")], "").unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("metrics");
        std::fs::write(&file, &answer.body).unwrap();
        let format = if accept == "text/plain" { "text" } else { "openmetrics" };
        let output = Command::new(peer::binary()).args(["promtext", "--format", format]).arg(&file).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{format}: {text}");
        for (name, kind) in [
            ("pyroscope_fanout_latency", "histogram"),
            ("pyroscope_ebpf_active_targets", "gauge"),
            ("pyroscope_ebpf_pprofs_total", "counter"),
            ("pyroscope_ebpf_profiling_sessions_total", "counter"),
            ("pyroscope_ebpf_profiling_sessions_failing_total", "counter"),
        ] {
            let shown = if format == "openmetrics" { name.trim_end_matches("_total") } else { name };
            assert!(text.contains(shown) && text.contains(kind), "{format}: {name} {kind}: {text}");
        }
    }
    agent.stop();
}
