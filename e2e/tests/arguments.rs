//! The arguments of `pyroscope.ebpf`, each of which a reload changes while samples come.

use std::os::unix::fs::symlink;

use e2e::http;
use e2e::peer::wait_for;
use e2e::wait::until;
use e2e::workload::path;
use e2e::{Agent, Peer, Workload, configuration};
use serde_json::Value;

fn reload(agent: &Agent, text: &str) {
    agent.write_configuration(text);
    let answer = http::request(&agent.address, "POST", "/-/reload", &[], "").expect("it answers");
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// Waits for a profile of c-recurse, from the one at this place on, that is as it should be.
fn wait_for_one(peer: &Peer, from: usize, what: &str, is_it: impl Fn(&Value) -> bool) {
    until(what, 40, || {
        let profiles = peer.profiles("service_name", "c-recurse");
        profiles.iter().skip(from).any(&is_it).then_some(())
    });
}

#[test]
fn a_reload_changes_each_argument_live_and_no_sample_is_lost() {
    let peer = Peer::serve(&[]);
    let folder = tempfile::tempdir().unwrap();
    let other = folder.path().join("other");
    symlink(path("c-recurse"), &other).unwrap();
    let text = |arguments: &str| {
        configuration(".*/c-recurse", &peer.url, &format!("collect_interval = \"500ms\"\n {arguments}"))
    };
    let agent = Agent::run(&text(""));
    let programs =
        [Workload::start("c-recurse", &["--seconds", "240"]), Workload::start_file(&other, &["--seconds", "240"])];
    let pids = programs.each_ref().map(|program| program.pid().to_string());
    wait_for(&peer, "service_name", "c-recurse", 40, |profiles| !profiles.is_empty());

    let tags = |profile: &Value, label: &str| peer.tags(profile, label).into_keys().collect::<Vec<_>>();
    let names_of = |profile: &Value| peer.stacks(profile).into_iter().flat_map(|(names, _)| names).collect::<Vec<_>>();
    let roots =
        |profile: &Value| peer.stacks(profile).into_iter().map(|(names, _)| names[0].clone()).collect::<Vec<_>>();
    let both_names = |names: &[String]| ["c-recurse", "other"].iter().all(|name| names.iter().any(|have| have == name));
    let both_pids = |texts: &[String]| pids.iter().all(|pid| texts.contains(pid));
    type IsIt<'a> = Box<dyn Fn(&Value) -> bool + 'a>;
    let plain = || -> IsIt<'_> {
        Box::new(|profile| {
            let labels = ["comm", "pid"].iter().all(|label| tags(profile, label).is_empty());
            labels && !both_names(&roots(profile)) && profile["period"] == 1_000_000_000_i64 / 97
        })
    };
    let steps: [(&str, IsIt<'_>); 13] = [
        ("comm = \"label\"", Box::new(|profile| both_names(&tags(profile, "comm")))),
        ("comm = \"stackframe\"", Box::new(|profile| both_names(&roots(profile)) && tags(profile, "comm").is_empty())),
        ("comm = \"both\"", Box::new(|profile| both_names(&roots(profile)) && both_names(&tags(profile, "comm")))),
        ("comm = \"\"", plain()),
        ("pid_label = true", Box::new(|profile| both_pids(&tags(profile, "pid")))),
        ("sample_rate = 49", Box::new(|profile| profile["period"] == 1_000_000_000_i64 / 49)),
        ("kernel_frames = false", plain()),
        ("collect_kernel_profile = false", plain()),
        ("demangle = \"full\"", plain()),
        ("targets_only = false", plain()),
        // Go's own table goes on to be used, and what there is no unwinder for is not switched off.
        ("go_enabled = false\n python_enabled = false\n no_kernel_version_check = true\n lazy_mode = true", plain()),
        (
            "pid_cache_size = 1\n build_id_cache_size = 1\n same_file_cache_size = 1\n container_id_cache_size = 1",
            plain(),
        ),
        ("verbose_mode = true\n symb_cache_size = 7\n off_cpu_threshold = 0.5", plain()),
    ];
    for (arguments, is_it) in steps {
        let before = peer.profiles("service_name", "c-recurse").len();
        reload(&agent, &text(arguments));
        wait_for_one(&peer, before, arguments, is_it);
    }
    // The last of them has the profiler speak: of a program that was not seen before.
    let unseen = Workload::start("c-deep", &["--seconds", "60"]);
    until("it tells of the unwind rows of a program", 40, || {
        agent.log().lines().any(|line| line.contains("level=debug") && line.contains("c-deep")).then_some(())
    });
    drop(unseen);
    // Of programs that run in user space alone nothing is left without its frames, but for moments in the kernel.
    let filtered = || agent.metric("pyrope_ebpf_samples_filtered_total", "reason=\"no_frames\"").unwrap();
    let before = filtered();
    reload(&agent, &text("collect_user_profile = false"));
    until("samples without a frame are filtered", 40, || (filtered() > before + 50.0).then_some(()));
    let from = peer.profiles("service_name", "c-recurse").len();
    reload(&agent, &text(""));
    wait_for_one(&peer, from, "frames are back", |profile| names_of(profile).iter().any(|name| name == "main"));

    drop(programs);
    let (status, log) = agent.stop();
    assert!(status.success() && log.contains("balances=true") && log.contains("lost=0"), "{log}");
    let warnings: Vec<&str> = log.lines().filter(|line| line.contains("have no effect yet")).collect();
    let named = "off_cpu_threshold";
    assert!(warnings.iter().any(|line| line.contains(named)), "{warnings:?}");
    for works in ["comm", "pid_label", "verbose_mode", "lazy_mode", "no_kernel_version_check", "go_enabled"] {
        assert!(!warnings.iter().any(|line| line.contains(works)), "{works}: {warnings:?}");
    }
}

#[test]
fn nothing_is_loaded_before_there_is_a_target_when_it_is_lazy() {
    let peer = Peer::serve(&[]);
    let text = configuration(".*/c-recurse", &peer.url, "collect_interval = \"1s\"\n lazy_mode = true");
    // Nothing tells discovery of a new process before something is loaded.
    let every_second = "discovery.process \"all\" { refresh_interval = \"1s\" }";
    let agent = Agent::run(&text.replace("discovery.process \"all\" { }", every_second));
    let sessions = || agent.metric("pyroscope_ebpf_profiling_sessions_total", "").unwrap();
    until("it waits", 20, || {
        agent.get("/api/v0/agent/status").body.contains("nothing is loaded before there is a target").then_some(())
    });
    assert_eq!(sessions(), 0.0);
    let _workload = Workload::start("c-recurse", &["--seconds", "60"]);
    wait_for(&peer, "service_name", "c-recurse", 60, |profiles| !profiles.is_empty());
    assert_eq!(sessions(), 1.0);
    agent.stop();
}

#[test]
fn gos_functions_have_their_names_with_go_switched_off() {
    let peer = Peer::serve(&[]);
    let arguments = "collect_interval = \"1s\"\n go_enabled = false";
    let agent = Agent::run(&configuration(".*/go-default", &peer.url, arguments));
    let _workload = Workload::start("go-default", &["--seconds", "60"]);
    until("main.main is seen", 40, || {
        let profiles = peer.profiles("service_name", "go-default");
        let mut stacks = profiles.iter().flat_map(|profile| peer.stacks(profile));
        stacks.any(|(names, _)| names.iter().any(|name| name == "main.main")).then_some(())
    });
    agent.stop();
}
