//! Processes that come, go and change while they are profiled.

use std::fs;
use std::process::Command;

use e2e::peer::{share_with, wait_for};
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
