//! Programs with known stacks: each is seen with its functions by name, in every language, and every profile that
//! arrives is valid.

use e2e::peer::{Stack, share_with, wait_for};
use e2e::{Agent, Peer, Workload, configuration};
use serde_json::Value;

fn samples(profiles: &[Value]) -> u64 {
    profiles.iter().filter_map(|profile| profile["sum_over_period"][0].as_u64()).sum()
}

/// Runs a program and checks that most of its samples have this stack, root first. Gives all stacks.
#[track_caller]
fn check(program: &str, arguments: &[&str], demangle: &str, stack: &[&str]) -> Vec<Stack> {
    let peer = Peer::serve(&["--limits", "real"]);
    let extra = format!("collect_interval = \"1s\"\n demangle = \"{demangle}\"");
    let agent = Agent::run(&configuration(&format!(".*/{program}"), &peer.url, &extra));
    let workload = Workload::start(program, &[arguments, &["--seconds", "60"]].concat());
    let profiles = wait_for(&peer, "service_name", program, 30, |profiles| samples(profiles) >= 100);
    drop(workload);
    let stacks: Vec<_> = profiles.iter().flat_map(|profile| peer.stacks(profile)).collect();
    let share = share_with(&stacks, stack);
    let common = stacks.iter().max_by_key(|(_, value)| *value).map(|(frames, _)| frames.join(";"));
    assert!(share >= 0.85, "{stack:?} in {:.0} % of the samples; most common: {common:?}", share * 100.0);
    for profile in &profiles {
        assert_eq!(profile["check_error"].as_str().unwrap_or(""), "");
        assert_eq!(profile["accepted"], true, "{profile}");
    }
    let (status, log) = agent.stop();
    assert!(status.success(), "{log}");
    stacks
}

#[test]
fn names_that_were_stripped_are_found_in_a_linked_file_and_in_the_program_itself() {
    for program in ["c-tree-debuglink", "c-tree-minidebug"] {
        let peer = Peer::serve(&["--limits", "real"]);
        let agent = Agent::run(&configuration(&format!(".*/{program}"), &peer.url, "collect_interval = \"2s\""));
        let _workload = Workload::start(program, &["--seconds", "90"]);
        let named = |profile: &Value| share_with(&peer.stacks(profile), &["main", "turn"]) >= 0.85;
        wait_for(&peer, "service_name", program, 60, |profiles| profiles.last().is_some_and(named));
        let (status, log) = agent.stop();
        assert!(status.success(), "{log}");
    }
}

#[test]
fn c_by_frame_pointers() {
    let mut stack = vec!["descend"; 10];
    stack.insert(0, "main");
    stack.push("busy_leaf");
    check("c-recurse", &[], "none", &stack);
}

#[test]
fn nine_hundred_frames() {
    let mut stack = vec!["descend"; 900];
    stack.insert(0, "main");
    check("c-deep", &[], "none", &stack);
}

#[test]
fn c_by_unwind_tables() {
    let mut stack = vec!["descend"; 10];
    stack.insert(0, "main");
    stack.push("busy_leaf");
    check("c-recurse-bare", &[], "none", &stack);
}

#[test]
fn nine_hundred_frames_by_unwind_tables() {
    let mut stack = vec!["descend"; 900];
    stack.insert(0, "main");
    check("c-deep-bare", &[], "none", &stack);
}

#[test]
fn both_ends_of_five_thousand_frames() {
    // On the wire 250 frames of the root's end, some of them before main.
    let mut stack = vec!["descend"; 200];
    stack.insert(0, "main");
    check("c-deep-bare", &["--depth", "5000"], "none", &stack);
}

#[test]
fn through_functions_of_libc() {
    check("c-sort-bare", &[], "none", &["main", "sort_forever", "*", "*"]);
}

#[test]
fn from_a_signal_handler_to_what_it_interrupted() {
    check("c-signals-bare", &[], "none", &["main", "spin", "*", "on_tick", "busy_leaf"]);
}

#[test]
fn from_a_signal_handler_on_a_stack_of_its_own() {
    check("c-signals-bare", &["--stack", "1"], "none", &["main", "spin", "*", "on_tick", "busy_leaf"]);
}

#[test]
fn cpp_by_unwind_tables() {
    let stack = ["main", "shop::checkout", "shop::stock::Basket::total"];
    check("cpp-names-bare", &[], "simplified", &stack);
}

#[test]
fn rust_by_unwind_tables() {
    let grind = "<names::mill::Pair<> as names::mill::Grind>::grind";
    check("rust-v0-bare", &[], "simplified", &["names::main", "names::turn", grind]);
}

#[test]
fn a_library_loaded_while_it_runs() {
    check("c-dlopen", &[], "none", &["main", "run_plugin", "plugin_entry", "plugin_leaf"]);
}

#[test]
fn user_frames_below_those_of_the_kernel() {
    check("c-syscalls", &[], "none", &["main", "syscall_loop", "issue_read", "entry_SYSCALL_64*", "do_syscall_64*"]);
}

#[test]
fn from_the_page_for_old_system_calls() {
    let stacks = check("c-vsyscall", &[], "none", &["_start", "__libc_start_main*", "*", "main", "turn", "asked"]);
    // The rest is the way back from the fault, which is the caller's.
    let inside = share_with(&stacks, &["turn", "asked", "gettimeofday"]);
    assert!(inside >= 0.5, "{:.0} % in the page", inside * 100.0);
}

#[test]
fn code_made_at_run_time() {
    check("c-perfmap", &[], "none", &["main", "call_code", "Script:outer demo.js:1", "Script:*inner demo.js:7"]);
}

#[test]
fn cpp_simplified() {
    let stack = [
        "main",
        "shop::checkout",
        "shop::stock::Basket::total",
        "shop::checkout()::{lambda(unsigned long)#1}::operator()",
        "shop::Discount::operator()",
        "shop::Receipt::~Receipt",
        "(anonymous namespace)::burn",
    ];
    check("cpp-names", &[], "simplified", &stack);
}

#[test]
fn cpp_with_templates() {
    check(
        "cpp-names",
        &[],
        "templates",
        &["main", "shop::checkout", "shop::stock::Basket<unsigned long, 3ul>::total*"],
    );
}

#[test]
fn cpp_in_full() {
    check(
        "cpp-names",
        &[],
        "full",
        &["main", "shop::checkout(shop::stock::Basket<unsigned long, 3ul> const&, unsigned long)"],
    );
}

#[test]
fn rust_with_legacy_names() {
    let grind = "<names::mill::Pair<T> as names::mill::Grind>::grind";
    check(
        "rust-legacy",
        &[],
        "simplified",
        &["names::main", "names::turn", grind, "names::mill::apply", "names::mill::call"],
    );
}

#[test]
fn rust_with_version_0_names() {
    let grind = "<names::mill::Pair<> as names::mill::Grind>::grind";
    check("rust-v0", &[], "simplified", &["names::main", "names::turn", grind]);
}

#[test]
fn go_with_a_symbol_table() {
    check("go-default", &[], "none", &["runtime.main", "main.main", "main.work"]);
}

#[test]
fn go_without_a_symbol_table() {
    let stack = ["main.main", "main.work", "main.apply[go.shape.uint64]", "main.work.func1", "main.(*Tank).leaf"];
    check("go-ldstripped", &[], "none", &stack);
}

#[test]
fn go_stripped() {
    let stack = ["main.main", "main.work", "main.apply[go.shape.uint64]", "main.work.func1", "main.(*Tank).leaf"];
    check("go-stripped", &[], "none", &stack);
}

#[test]
fn go_position_independent() {
    check("go-pie", &[], "none", &["main.main", "main.work"]);
}
