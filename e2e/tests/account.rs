//! Every sample that was taken is somewhere, as the receiver counts it.

use e2e::peer::{share_with, wait_for};
use e2e::wait::until;
use e2e::workload::path;
use e2e::{Agent, Peer, Workload, configuration};

/// A number of the line with which a session ends.
fn last_word(log: &str, field: &str) -> u64 {
    let line =
        log.lines().find(|line| line.contains("profiling session ended")).expect("the session said its last word");
    let word = line.split_whitespace().find_map(|word| word.strip_prefix(field)?.strip_prefix('='));
    word.and_then(|word| word.parse().ok()).unwrap_or_else(|| panic!("no {field} in {line}"))
}

#[test]
fn taken_is_delivered_filtered_or_lost_and_the_receiver_agrees() {
    let peer = Peer::serve(&["--limits", "real"]);
    let agent = Agent::run(&configuration(".*/(c-recurse|go-default)", &peer.url, "collect_interval = \"1s\""));
    let first = Workload::start("c-recurse", &["--seconds", "60"]);
    let second = Workload::start("go-default", &["--seconds", "60"]);
    until("samples are delivered", 20, || {
        agent.metric("pyrope_ebpf_samples_delivered_total", "").filter(|delivered| *delivered >= 300.0)
    });
    let (status, log) = agent.stop();
    drop((first, second));
    assert!(status.success(), "{log}");
    let [taken, delivered, open, filtered, lost] =
        ["taken", "delivered", "open", "filtered", "lost"].map(|field| last_word(&log, field));
    assert_eq!(taken, delivered + filtered + lost, "{log}");
    assert_eq!(open, 0, "{log}");
    assert_eq!(lost, 0, "{log}");
    let profiles = peer.recorded("profile");
    let received: u64 = profiles.iter().filter_map(|profile| profile["sum_over_period"][0].as_u64()).sum();
    assert_eq!(received, delivered, "what was flushed at the end arrived too");
}

#[test]
fn a_busy_program_is_sampled_at_the_rate() {
    let peer = Peer::serve(&[]);
    // Alone on a core: where it shares one, who is interrupted is a matter of chance.
    let mut command = std::process::Command::new("nice");
    command.args(["-n", "-20", "taskset", "-c", "1"]).arg(path("c-recurse")).args(["--seconds", "90"]);
    let workload = Workload::start_command(command);
    let agent = Agent::run(&configuration(".*/c-recurse", &peer.url, "collect_interval = \"1s\""));
    wait_for(&peer, "service_name", "c-recurse", 20, |profiles| !profiles.is_empty());
    let sampled = || -> u64 {
        let profiles = peer.profiles("service_name", "c-recurse");
        profiles.iter().filter_map(|profile| profile["sum_over_period"][0].as_u64()).sum()
    };
    // Between two moments just after a push, so that no interval is cut.
    let mark = || {
        let before = peer.profiles("service_name", "c-recurse").len();
        wait_for(&peer, "service_name", "c-recurse", 20, |profiles| profiles.len() > before);
        (sampled(), workload.cpu_seconds())
    };
    let (samples_before, cpu_before) = mark();
    until("thirty seconds of CPU time are used", 80, || (workload.cpu_seconds() - cpu_before > 30.0).then_some(()));
    let (samples, cpu) = mark();
    let ratio = (samples - samples_before) as f64 / ((cpu - cpu_before) * 97.0);
    assert!((0.98..=1.02).contains(&ratio), "sampled {ratio:.3} of what 97 Hz of its CPU time are");
    drop(agent);
}

#[test]
fn nothing_is_left_in_the_kernel() {
    let ours = || {
        let output = std::process::Command::new("bpftool").args(["prog", "show"]).output().unwrap();
        String::from_utf8_lossy(&output.stdout).matches("sample_cpu").count()
    };
    let before = ours();
    let peer = Peer::serve(&[]);
    let agent = Agent::run(&configuration(".*/c-recurse", &peer.url, ""));
    until("sampling runs", 10, || (ours() > before).then_some(()));
    agent.stop();
    until("the programs are gone", 10, || (ours() == before).then_some(()));
}

#[test]
fn with_too_little_memory_things_are_done_again_and_no_sample_is_lost() {
    let peer = Peer::serve(&[]);
    // Less than it has at rest: something has to give way all the time.
    let configuration = configuration(".*/(cpp-names|c-sort-bare)", &peer.url, "collect_interval = \"2s\"");
    let agent = Agent::with(Some(&configuration), &["--memory.budget=16MB"], &[]);
    let programs = ["cpp-names", "c-sort-bare"].map(|program| Workload::start(program, &["--seconds", "60"]));
    let shed = |what: &str| agent.metric("pyrope_memory_shed_total", &format!("what=\"{what}\"")).unwrap_or(0.0);
    until("symbol tables and stacks give way", 30, || (shed("symbols") > 0.0 && shed("stacks") > 0.0).then_some(()));
    let names = ["main", "sort_forever"];
    let before = peer.profiles("service_name", "c-sort-bare").len();
    let after = wait_for(&peer, "service_name", "c-sort-bare", 30, |profiles| profiles.len() > before);
    let stacks: Vec<_> = after[before..].iter().flat_map(|profile| peer.stacks(profile)).collect();
    let share = share_with(&stacks, &names);
    assert!(share >= 0.85, "{names:?} in {:.0} %: {stacks:?}", share * 100.0);
    drop(programs);
    let (status, log) = agent.stop();
    assert!(status.success() && log.contains("balances=true") && log.contains("lost=0"), "{log}");
}
