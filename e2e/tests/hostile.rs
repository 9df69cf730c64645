//! Processes and files that nobody would want to meet: none stops the agent, holds it up or makes it large.

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::os::fd::AsRawFd as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use e2e::fuse::{Fuse, Served};
use e2e::peer::{share_with, wait_for};
use e2e::wait::until;
use e2e::workload::path;
use e2e::{Agent, Peer, Watch, Workload, configuration};
use rustix::process::Signal;
use serde_json::Value;

const EBPF: &str = "collect_interval = \"1s\"";
const INTERVAL: Duration = Duration::from_secs(1);

fn samples(profiles: &[Value]) -> u64 {
    profiles.iter().filter_map(|profile| profile["sum_over_period"][0].as_u64()).sum()
}

/// An agent that samples a quiet neighbour and what a test starts; how it fared is looked at until the end.
struct Scene {
    peer: Peer,
    agent: Agent,
    watch: Watch,
    _neighbour: Workload,
}

impl Scene {
    fn begin() -> Self {
        let peer = Peer::serve(&[]);
        let agent = Agent::run(&configuration(".*(c-|libc).*", &peer.url, EBPF));
        let neighbour = Workload::start("c-recurse", &["--seconds", "600"]);
        wait_for(&peer, "service_name", "c-recurse", 20, |profiles| samples(profiles) >= 20);
        let watch = Watch::begin(&agent);
        Self { peer, agent, watch, _neighbour: neighbour }
    }

    /// The share of a service's samples that have these frames, once there are a hundred.
    #[track_caller]
    fn share(&self, service: &str, frames: &[&str]) -> f64 {
        let profiles = wait_for(&self.peer, "service_name", service, 30, |profiles| samples(profiles) >= 100);
        let stacks: Vec<_> = profiles.iter().flat_map(|profile| self.peer.stacks(profile)).collect();
        share_with(&stacks, frames)
    }

    #[track_caller]
    fn end(self) {
        let seen = self.watch.end();
        let (status, log) = self.agent.stop();
        assert!(status.success() && log.contains("balances=true"), "{log}");
        seen.check(INTERVAL);
    }
}

#[test]
fn a_program_in_no_file_system_is_named() {
    let scene = Scene::begin();
    let memory = rustix::fs::memfd_create("c-recurse-in-memory", rustix::fs::MemfdFlags::empty()).unwrap();
    let mut memory = File::from(memory);
    memory.write_all(&fs::read(path("c-recurse")).unwrap()).unwrap();
    let program = format!("/proc/self/fd/{}", memory.as_raw_fd());
    // It is open for writing here, and would not run: the program is a copy of the descriptor that can only be read.
    let reopened = File::open(&program).unwrap();
    rustix::io::fcntl_setfd(&reopened, rustix::io::FdFlags::empty()).unwrap();
    drop(memory);
    let program = format!("/proc/self/fd/{}", reopened.as_raw_fd());
    let _workload = Workload::start_file(Path::new(&program), &["--seconds", "60"]);
    let share = scene.share("memfd:c-recurse-in-memory", &["main", "descend", "descend"]);
    assert!(share >= 0.7, "named in {:.0} %", share * 100.0);
    scene.end();
}

#[test]
fn a_program_that_was_deleted_from_an_overlay_is_named() {
    let scene = Scene::begin();
    let script = "mount -t tmpfs tmpfs /mnt && cd /mnt && mkdir lower upper work whole && cp \"$0\" lower/c-recurse-laid && \
        mount -t overlay -o lowerdir=lower,upperdir=upper,workdir=work overlay whole && \
        { (sleep 0.3; rm whole/c-recurse-laid) & } && exec whole/c-recurse-laid --seconds 60";
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", script]).arg(path("c-recurse"));
    let workload = Workload::start_command(command);
    let program = format!("/proc/{}/exe", workload.pid());
    until("it is deleted", 10, || {
        fs::read_link(&program).unwrap().to_string_lossy().ends_with("(deleted)").then_some(())
    });
    let share = scene.share("c-recurse-laid", &["main", "descend", "descend"]);
    assert!(share >= 0.7, "named in {:.0} %", share * 100.0);
    scene.end();
}

#[test]
fn a_program_that_puts_other_code_in_the_place_of_its_own_is_sampled() {
    let scene = Scene::begin();
    let _workload = Workload::start("c-remap", &["--seconds", "60"]);
    let share = scene.share("c-remap", &["main", "turn"]);
    assert!(share >= 0.9, "under its caller in {:.0} %", share * 100.0);
    scene.end();
}

#[test]
fn files_that_are_cut_short_while_they_are_read_do_no_harm() {
    let scene = Scene::begin();
    let folder = tempfile::tempdir().unwrap();
    for number in 0..40 {
        // A program cannot be written to while it runs, its libraries can.
        let library = folder.path().join(format!("libcut-{number}.so"));
        fs::copy(path("libplugin.so"), &library).unwrap();
        let mut command = Command::new(path("c-dlopen"));
        command.arg("--library").arg(&library).args(["--load-after", "0"]);
        let mut child = command.stdout(Stdio::null()).spawn().unwrap();
        sleep(Duration::from_millis(25 + 2 * number));
        File::options().write(true).open(&library).unwrap().set_len(number * 400).unwrap();
        sleep(Duration::from_millis(20));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    scene.end();
}

#[test]
fn a_perf_map_of_a_gigabyte_holds_up_nobody() {
    let scene = Scene::begin();
    let workload = Workload::start("c-perfmap", &["--seconds", "60"]);
    let map = format!("/tmp/perf-{}.map", workload.pid());
    let mut file = BufWriter::new(File::options().append(true).open(&map).unwrap());
    for number in 0..2_000_000_u64 {
        writeln!(file, "{:x} 40 Script:function number {number}", number << 6).unwrap();
    }
    // What follows is a gigabyte of nothing.
    file.into_inner().unwrap().set_len(1 << 30).unwrap();
    let share = scene.share("c-perfmap", &["main", "call_code", "Script:outer demo.js:1", "Script:*inner demo.js:7"]);
    assert!(share >= 0.7, "named in {:.0} %", share * 100.0);
    sleep(Duration::from_secs(5));
    scene.end();
    drop(workload);
    fs::remove_file(map).unwrap();
}

#[test]
fn a_program_of_a_thousand_mappings_is_sampled() {
    let scene = Scene::begin();
    let _workload = Workload::start("c-crowd", &["--mappings", "20000", "--seconds", "60"]);
    let share = scene.share("c-crowd", &["main", "turn"]);
    assert!(share >= 0.9, "under its caller in {:.0} %", share * 100.0);
    scene.end();
}

#[test]
fn files_whose_reads_hang_cost_their_own_names_and_nothing_else() {
    // They drop last: who is killed may wait for the file system.
    let (scene, hanging);
    // One hangs where its names are, one where its unwind rows are, one anywhere; all run from what the kernel has of them.
    let kinds = [("names", "rust-tree", ".symtab"), ("rows", "rust-tree", ".eh_frame"), ("all", "rust-tree", "")];
    let served = kinds.map(|(name, program, section)| {
        let bytes = fs::read(path(program)).unwrap();
        let elf = elf::Elf::parse(&bytes).unwrap().0;
        // What is at its ends may be read with what is before or behind.
        let section = elf.section(section).map(|its| its.offset.0 + its.size / 2..(its.offset.0 + its.size) & !0xfff);
        Served { name: format!("c-hanging-{name}"), hangs: vec![section.unwrap_or(0..u64::MAX)], bytes: bytes.clone() }
    });
    let names = served.each_ref().map(|served| served.name.clone());
    let fuse = Fuse::serve(served.into());
    let start = |name: &String| Workload::start_file(&fuse.path().join(name), &["--seconds", "600"]);
    hanging = names.each_ref().map(start);
    fuse.hang();

    scene = Scene::begin();
    for name in &names {
        wait_for(&scene.peer, "service_name", name, 30, |profiles| samples(profiles) >= 100);
    }
    until("all are given up", 30, || (scene.agent.metric("pyrope_files_silent_total", "")? == 3.0).then_some(()));
    let _tree = Workload::start("c-tree", &["--seconds", "600"]);
    let share = scene.share("c-tree", &["main"]);
    assert!(share >= 0.99, "a program that came later is under its main in {:.0} %", share * 100.0);
    let share = scene.share("c-recurse", &["main", "descend", "descend"]);
    assert!(share >= 0.7, "another program is named in {:.0} %", share * 100.0);

    let Scene { agent, watch, .. } = scene;
    watch.end().check(INTERVAL);
    agent.signal(Signal::TERM);
    until("it stops", 10, || agent.log().contains("pyrope has stopped").then_some(()));
    // What waits in the kernel keeps a process there.
    drop(fuse);
    let (status, log) = agent.stop();
    assert!(status.success() && log.contains("balances=true"), "{log}");
    for name in &names {
        let told = log.lines().filter(|line| line.contains("does not answer in time") && line.contains(&**name));
        assert_eq!(told.count(), 1, "{name}: {log}");
    }
    drop(hanging);
}
