//! Processes that are stopped or have little CPU time, and pyrope itself as one of them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::process::Command;

use e2e::group::{Group, Limit};
use e2e::wait::until;
use e2e::{Agent, Peer, Workload, configuration};

const RATE: f64 = 499.0;

/// A program that is always busy, with its group, and an agent that profiles it alone.
struct Scene {
    program: Workload,
    agent: Agent,
    peer: Peer,
}

fn scene(group: &Group) -> Scene {
    let peer = Peer::serve(&[]);
    let program = Workload::start("c-recurse", &["--seconds", "120"]);
    group.take(program.pid());
    let settings = format!("sample_rate = {RATE}\ncollect_interval = \"1s\"");
    let agent = Agent::run(&configuration(".*/c-recurse", &peer.url, &settings));
    until("it is seen", 30, || (samples(&peer) > 0).then_some(()));
    Scene { program, agent, peer }
}

fn samples(peer: &Peer) -> u64 {
    let profiles = peer.profiles("service_name", "c-recurse");
    profiles.iter().filter_map(|profile| profile["sum_over_period"][0].as_u64()).sum()
}

impl Scene {
    /// Samples and CPU time so far, just after an interval was sent.
    fn mark(&self) -> (f64, f64) {
        let sent = || self.peer.profiles("service_name", "c-recurse").len();
        let before = sent();
        until("an interval is sent", 30, || (sent() > before).then_some(()));
        (samples(&self.peer) as f64, self.program.cpu_seconds())
    }

    /// That samples since then are what the CPU time since then asks for.
    fn check(&self, (samples_before, cpu_before): (f64, f64)) {
        let (samples, cpu) = self.mark();
        let (count, due) = (samples - samples_before, (cpu - cpu_before) * RATE);
        assert!(count > 0.0 && due > 0.0);
        // A program that shares its CPU is met by chance; an interval ends a moment before its profiles are here.
        let most = 4.0 * due.sqrt() + 0.1 * RATE;
        assert!((count - due).abs() <= most, "{count} samples, {due:.0} periods of CPU time");
    }
}

/// A shell that is always busy.
fn busy() -> Workload {
    let mut command = Command::new("sh");
    command.args(["-c", "echo ready; while :; do :; done"]);
    Workload::start_command(command)
}

fn stopped_and_let_go_on(limit: Limit) {
    let group = Group::new("frozen", limit);
    let scene = scene(&group);
    let _other = busy();
    let begin = scene.mark();
    for _ in 0..2 {
        group.freeze(true);
        let cpu = scene.program.cpu_seconds();
        let sampled_for = |seconds: f64| {
            let taken = || scene.agent.metric("pyrope_ebpf_samples_taken_total", "").unwrap();
            let before = taken();
            until("others are sampled", 60, || (taken() > before + seconds * RATE).then_some(()));
        };
        // What was taken before it stood still is sent.
        sampled_for(3.0);
        let seen = samples(&scene.peer);
        sampled_for(2.0);
        assert_eq!((samples(&scene.peer), scene.program.cpu_seconds()), (seen, cpu), "it stands still");
        group.freeze(false);
        scene.mark();
    }
    scene.check(begin);
}

#[test]
fn a_program_that_is_stopped_and_goes_on_has_samples_for_its_cpu_time() {
    stopped_and_let_go_on(Limit::Freezer);
}

#[test]
fn a_program_that_version_2_stops_has_samples_for_its_cpu_time() {
    stopped_and_let_go_on(Limit::Freezer2);
}

#[test]
fn a_program_with_a_fifth_of_a_cpu_has_samples_for_its_cpu_time() {
    let group = Group::new("fifth", Limit::Cpu(20_000));
    let scene = scene(&group);
    let (begin, waited) = (scene.mark(), group.waited());
    until("two seconds of CPU time are used", 60, || (scene.program.cpu_seconds() > begin.1 + 2.0).then_some(()));
    scene.check(begin);
    assert!(group.waited() > waited + 20, "it had to wait: {} times", group.waited() - waited);
}

#[test]
fn pyrope_with_too_little_cpu_time_counts_what_it_loses() {
    let peer = Peer::serve(&[]);
    let programs = [Workload::start("c-recurse", &["--seconds", "120"]), busy()];
    let settings = "sample_rate = 4999\ncollect_interval = \"2s\"";
    let agent = Agent::run(&configuration(".*/c-recurse", &peer.url, settings));
    until("samples arrive", 30, || (samples(&peer) > 0).then_some(()));
    let group = Group::new("poor", Limit::Cpu(1_000));
    group.take(agent.pid());
    let lost = || agent.metric("pyrope_ebpf_samples_lost_total", "reason=\"ring_full\"").unwrap();
    until("samples are lost", 120, || (lost() > 0.0).then_some(()));
    group.let_go(agent.pid());
    drop(programs);
    let (status, log) = agent.stop();
    assert!(status.success() && log.contains("balances=true") && !log.contains("lost=0"), "{log}");
}
