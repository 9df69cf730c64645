//! Processes that come, go and change while they are profiled.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use e2e::peer::{share_with, wait_for};
use e2e::wait::until;
use e2e::workload::path;
use e2e::{Agent, Peer, Workload, configuration};
use serde_json::Value;

fn samples(profiles: &[Value]) -> u64 {
    profiles.iter().filter_map(|profile| profile["sum_over_period"][0].as_u64()).sum()
}

#[test]
fn a_process_of_200_ms_is_attributed_with_its_names() {
    let peer = Peer::serve(&[]);
    let agent = Agent::run(&configuration(".*/c-brief", &peer.url, "collect_interval = \"2s\""));
    for _ in 0..10 {
        let output = Command::new(path("c-brief")).output().unwrap();
        assert!(output.status.success());
    }
    // Ten times 200 ms at 97 Hz are 194 samples.
    let profiles = wait_for(&peer, "service_name", "c-brief", 20, |profiles| samples(profiles) >= 150);
    let stacks: Vec<_> = profiles.iter().flat_map(|profile| peer.stacks(profile)).collect();
    let share = share_with(&stacks, &["main", "brief_work", "brief_leaf"]);
    assert!(share >= 0.7, "named in {:.0} %: {stacks:?}", share * 100.0);
    drop(agent);
}

#[test]
fn a_process_in_its_own_mount_and_pid_namespace_is_named() {
    let peer = Peer::serve(&[]);
    let agent = Agent::run(&configuration(".*/c-perfmap", &peer.url, "collect_interval = \"1s\""));
    // Its /tmp is its own, and so are its program's folder and the pid in the name of its perf map.
    let mut command = Command::new("unshare");
    let script =
        "mount -t tmpfs tmpfs /mnt && cp \"$0\" /mnt/ && mount -t tmpfs tmpfs /tmp && exec /mnt/c-perfmap --seconds 60";
    command.args(["--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", script]);
    command.arg(path("c-perfmap"));
    let workload = Workload::start_command(command);
    let profiles = wait_for(&peer, "service_name", "c-perfmap", 30, |profiles| samples(profiles) >= 100);
    drop(workload);
    let stacks: Vec<_> = profiles.iter().flat_map(|profile| peer.stacks(profile)).collect();
    let share = share_with(&stacks, &["main", "call_code", "Script:outer demo.js:1", "Script:*inner demo.js:7"]);
    assert!(share >= 0.7, "named in {:.0} %: {stacks:?}", share * 100.0);
    drop(agent);
}

#[test]
fn a_process_whose_first_thread_has_ended_is_attributed_and_named() {
    let peer = Peer::serve(&[]);
    let workload = Workload::start("c-leaderless", &["--seconds", "60"]);
    let agent = Agent::run(&configuration(".*/c-leaderless", &peer.url, "collect_interval = \"1s\""));
    let profiles = wait_for(&peer, "service_name", "c-leaderless", 30, |profiles| samples(profiles) >= 100);
    drop(workload);
    let stacks: Vec<_> = profiles.iter().flat_map(|profile| peer.stacks(profile)).collect();
    let share = share_with(&stacks, &["work", "orphan_leaf"]);
    assert!(share >= 0.7, "named in {:.0} %: {stacks:?}", share * 100.0);
    drop(agent);
}

#[test]
fn a_file_system_that_does_not_answer_delays_only_its_own_names() {
    let peer = Peer::serve(&[]);
    let ebpf = "collect_interval = \"1s\"";
    let agent = Agent::run(&configuration(".*/c-(recurse|silent)", &peer.url, ebpf));
    let silent = Workload::start("c-silent", &["--seconds", "120"]);
    wait_for(&peer, "service_name", "c-silent", 30, |profiles| samples(profiles) >= 100);
    let _other = Workload::start("c-recurse", &["--seconds", "120"]);
    let profiles = wait_for(&peer, "service_name", "c-recurse", 30, |profiles| samples(profiles) >= 100);
    let stacks: Vec<_> = profiles.iter().flat_map(|profile| peer.stacks(profile)).collect();
    let share = share_with(&stacks, &["main", "descend", "descend"]);
    assert!(share >= 0.7, "named in {:.0} %", share * 100.0);
    // All is handed over while a thread still waits. The kernel keeps the process until that one has its answer.
    agent.signal(rustix::process::Signal::TERM);
    until("all is handed over", 20, || agent.log().contains("pyrope has stopped").then_some(()));
    drop(silent);
    let (status, log) = agent.stop();
    assert!(status.success(), "{log}");
    assert!(log.contains("does not answer") && log.contains("balances=true"), "{log}");
}

#[test]
fn a_bpf_program_that_was_loaded_since_has_its_name() {
    let peer = Peer::serve(&[]);
    let agent = Agent::run(&configuration(".*/(c-syscalls|bpf-busy)", &peer.url, "collect_interval = \"1s\""));
    // The kernel's list of its functions is read for this one.
    let earlier = Workload::start("c-syscalls", &["--seconds", "60"]);
    wait_for(&peer, "service_name", "c-syscalls", 30, |profiles| samples(profiles) >= 100);
    drop(earlier);
    let busy = Workload::start("bpf-busy", &["--seconds", "60"]);
    let profiles = wait_for(&peer, "service_name", "bpf-busy", 30, |profiles| samples(profiles) >= 500);
    drop(busy);
    let stacks = peer.stacks(profiles.last().unwrap());
    let all: i64 = stacks.iter().map(|(_, nanos)| nanos).sum();
    let programs = |frames: &[String], name: &str| {
        frames.iter().any(|frame| frame.starts_with("bpf_prog_") && frame.ends_with(name))
    };
    let named: i64 = stacks.iter().filter(|(frames, _)| programs(frames, "_busy_turns")).map(|(_, nanos)| nanos).sum();
    assert!(named * 100 >= all * 80, "{} % in the program: {stacks:?}", named * 100 / all);
    // The list was read before the program came: it had no name then, and not that of its neighbour.
    for (frames, _) in profiles.iter().flat_map(|profile| peer.stacks(profile)) {
        let run = frames.iter().position(|frame| frame == "bpf_test_run");
        let called = run.and_then(|run| frames.get(run + 1)).filter(|frame| frame.starts_with("bpf_prog_"));
        assert!(called.is_none_or(|frame| frame.ends_with("_busy_turns")), "{frames:?}");
    }
    drop(agent);
}

#[test]
fn a_program_replaced_on_disk_keeps_its_own_names() {
    let folder = tempfile::tempdir().unwrap();
    let (program, other) = (folder.path().join("c-replaced"), folder.path().join("twin"));
    fs::copy(path("c-replaced"), &program).unwrap();
    fs::copy(path("c-replaced-twin"), &other).unwrap();
    let peer = Peer::serve(&[]);
    let workload = Workload::start_file(&program, &["--seconds", "60"]);
    fs::rename(&other, &program).unwrap();
    let agent = Agent::run(&configuration(".*/c-replaced.*", &peer.url, "collect_interval = \"1s\""));
    let profiles = wait_for(&peer, "service_name", "c-replaced", 30, |profiles| samples(profiles) >= 100);
    drop(workload);
    let stacks: Vec<_> = profiles.iter().flat_map(|profile| peer.stacks(profile)).collect();
    let share = share_with(&stacks, &["main", "replaced_work", "replaced_leaf"]);
    assert!(share >= 0.85, "named in {:.0} %: {stacks:?}", share * 100.0);
    assert_eq!(share_with(&stacks, &["imposter_leaf"]), 0.0);
    drop(agent);
}

#[test]
fn ever_new_programs_do_not_pile_up_open_files_and_all_are_named() {
    const PROGRAMS: usize = 200;
    const LIMIT: usize = 160;
    let peer = Peer::serve(&[]);
    let ebpf = "collect_interval = \"2s\"\nsample_rate = 997";
    let agent = Agent::with_open_files(&configuration(".*/c-brief", &peer.url, ebpf), LIMIT as u32);
    let descriptors = || fs::read_dir(format!("/proc/{}/fd", agent.pid())).unwrap().count();
    let folder = tempfile::tempdir().unwrap();
    let mut most = 0;
    for number in 0..PROGRAMS {
        // A file of its own, gone as soon as it has run.
        let program = folder.path().join(number.to_string()).join("c-brief");
        fs::create_dir(program.parent().unwrap()).unwrap();
        fs::copy(path("c-brief"), &program).unwrap();
        assert!(Command::new(&program).args(["--cpu-ms", "60"]).stdout(Stdio::null()).status().unwrap().success());
        fs::remove_dir_all(program.parent().unwrap()).unwrap();
        if number % 20 == 0 {
            most = most.max(descriptors());
        }
    }
    assert!(most < LIMIT, "{most} files are open");
    let opened = agent.metric("pyrope_files_seen_total", "outcome=\"opened\"").unwrap();
    let unreached = agent.metric("pyrope_files_seen_total", "outcome=\"unreached\"").unwrap();
    assert!(opened >= 0.8 * PROGRAMS as f64, "{opened} files were opened, {unreached} were not reached");
    let open = agent.metric("pyrope_files_open", "").unwrap();
    assert!(open <= LIMIT as f64 / 2.0, "{open} files are held open");
    assert!(agent.metric("pyrope_files_closed_total", "reason=\"limit\"").unwrap() >= opened - LIMIT as f64);
    let profiles = wait_for(&peer, "service_name", "c-brief", 30, |profiles| samples(profiles) >= 45 * PROGRAMS as u64);
    let stacks: Vec<_> = profiles.iter().flat_map(|profile| peer.stacks(profile)).collect();
    let share = share_with(&stacks, &["main", "brief_work", "brief_leaf"]);
    assert!(share >= 0.6, "named in {:.0} %", share * 100.0);
    drop(agent);
}

#[test]
fn a_program_that_was_never_seen_has_whole_stacks_from_its_first_sample_on() {
    const PROGRAMS: usize = 40;
    let peer = Peer::serve(&[]);
    let agent = Agent::run(&configuration(".*/c-sort-bare", &peer.url, "collect_interval = \"1s\""));
    let folder = tempfile::tempdir().unwrap();
    for number in 0..PROGRAMS {
        let program = folder.path().join(number.to_string()).join("c-sort-bare");
        fs::create_dir(program.parent().unwrap()).unwrap();
        fs::copy(path("c-sort-bare"), &program).unwrap();
        let mut child = Command::new(&program).stdout(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(60));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let profiles =
        wait_for(&peer, "service_name", "c-sort-bare", 30, |profiles| samples(profiles) >= 3 * PROGRAMS as u64);
    let stacks: Vec<_> = profiles.iter().flat_map(|profile| peer.stacks(profile)).collect();
    let share = share_with(&stacks, &["main", "sort_forever"]);
    assert!(share >= 0.9, "whole in {:.0} %: {stacks:?}", share * 100.0);
    // Each program's first samples come before its rows, and libc's qsort keeps no frame pointer.
    let repaired = agent.metric("pyrope_unwind_walks_repaired_total", "").unwrap();
    assert!(repaired >= PROGRAMS as f64 / 2.0, "{repaired} walks were repaired");
    let ended = |end: &str| agent.metric("pyrope_ebpf_walks_total", &format!("end=\"{end}\"")).unwrap_or(0.0);
    let (whole, unbuilt) = (ended("outermost") + ended("root"), ended("unbuilt"));
    assert!(unbuilt <= 0.01 * whole, "{unbuilt} walks came to code without rows, {whole} are whole");
    drop(agent);
}
