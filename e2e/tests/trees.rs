//! Programs whose calls form a known tree with known shares of the CPU time, built in all the ways that change what a stack looks
//! like. They run at the same time under one agent. Of each, at least 99.5 % of the samples are one of its stacks, whole from
//! the root to the leaf, and each stack has its share within five standard deviations.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use e2e::peer::Stack;
use e2e::wait::until;
use e2e::{Agent, Peer, Workload, configuration};

/// A program and its stacks: percent of the time, and frames between spaces.
struct Tree {
    program: &'static str,
    /// What comes before each of the stacks: one of these.
    roots: &'static [&'static [&'static str]],
    stacks: [(u32, &'static str); 3],
}

/// Samples of a program, on the average, that are enough to tell a wrong share.
const ENOUGH: usize = 1100;
/// Samples a second and CPU.
const RATE: i64 = 199;

/// What glibc calls `main` from; the function between has no name where its debug symbols are not installed.
const LIBC: &[&str] = &["_start", "__libc_start_main*", "*", "main"];

/// musl's functions in between end with jumps.
const MUSL: &[&str] = &["_start", "libc_start_main_stage2", "main"];

const C: [(u32, &str); 3] = [(60, "turn heavy sized leaf"), (30, "turn light chosen leaf"), (10, "turn leaf")];

const TREES: &[Tree] = &[
    Tree { program: "c-tree", roots: &[LIBC], stacks: C },
    Tree { program: "c-tree-os", roots: &[LIBC], stacks: C },
    Tree { program: "c-tree-untold", roots: &[LIBC], stacks: C },
    Tree { program: "c-tree-lto", roots: &[LIBC], stacks: C },
    Tree { program: "c-tree-cet", roots: &[LIBC], stacks: C },
    // musl describes none of its own code.
    Tree { program: "c-tree-musl", roots: &[MUSL], stacks: C },
    Tree {
        program: "c-handler-musl",
        roots: &[MUSL],
        stacks: [
            (60, "turn signalled * on_signal heavy leaf"),
            (30, "turn signalled * on_signal light leaf"),
            (10, "turn leaf"),
        ],
    },
    Tree {
        program: "c-handler",
        roots: &[LIBC],
        stacks: [
            (60, "turn signalled * on_signal heavy leaf"),
            (30, "turn signalled * on_signal light leaf"),
            (10, "turn leaf"),
        ],
    },
    Tree {
        program: "c-coroutines",
        // A coroutine returns to the first byte of a function that nobody called.
        roots: &[&["*"], LIBC],
        stacks: [(60, "first heavy leaf"), (30, "second light leaf"), (10, "turn leaf")],
    },
    Tree {
        program: "asm-tree",
        roots: &[LIBC],
        stacks: [(60, "turn heavy leaf"), (30, "turn light leaf"), (10, "turn leaf")],
    },
    Tree {
        program: "cpp-tree",
        roots: &[LIBC],
        stacks: [
            (60, "N::turn N::heavy N::Thrower::down N::Thrower::down N::Thrower::down N::Late::~Late leaf"),
            (30, "N::turn N::light leaf"),
            (10, "N::turn leaf"),
        ],
    },
    Tree {
        program: "rust-tree",
        roots: &[LIBC],
        stacks: [
            (60, "... tree::main tree::turn tree::heavy <tree::Deep_as_tree::Work>::work tree::leaf"),
            (30, "... tree::main tree::turn tree::light tree::light::{closure#0} tree::leaf"),
            (10, "... tree::main tree::turn tree::leaf"),
        ],
    },
];

#[test]
fn each_stack_is_whole_and_has_its_share() {
    let names: Vec<&str> = TREES.iter().map(|tree| tree.program).collect();
    let peer = Peer::serve(&["--limits", "real"]);
    let workloads: Vec<Workload> = names.iter().map(|name| Workload::start(name, &["--seconds", "240"])).collect();
    let extra = format!("collect_interval = \"2s\"\n sample_rate = {RATE}\n demangle = \"simplified\"");
    let agent = Agent::run(&configuration(&format!(".*/({})", names.join("|")), &peer.url, &extra));
    until("the programs were sampled often enough", 200, || {
        std::thread::sleep(Duration::from_millis(500));
        let delivered = agent.metric("pyrope_ebpf_samples_delivered_total", "")?;
        (delivered >= (ENOUGH * TREES.len()) as f64).then_some(())
    });
    drop(workloads);
    let mut stacks: BTreeMap<&str, BTreeMap<Vec<String>, i64>> = BTreeMap::new();
    let mut begun = BTreeSet::new();
    for profile in &peer.recorded("profile") {
        assert_eq!(profile["check_error"].as_str().unwrap_or(""), "");
        let service = e2e::peer::label(profile, "service_name");
        let Some(name) = names.iter().find(|name| service == Some(name)) else { continue };
        // How the first samples fare, for which no rows can be there, is asked elsewhere.
        if begun.insert(name) {
            continue;
        }
        for (frames, nanos) in peer.stacks(profile) {
            let samples = (nanos as f64 * RATE as f64 / 1e9).round() as i64;
            *stacks.entry(name).or_default().entry(frames).or_default() += samples;
        }
    }
    let faults: Vec<String> = TREES.iter().flat_map(|tree| faults(tree, stacks.remove(tree.program))).collect();
    let (status, log) = agent.stop();
    assert!(status.success(), "{log}");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// What is wrong with the stacks of a program.
fn faults(tree: &Tree, stacks: Option<BTreeMap<Vec<String>, i64>>) -> Vec<String> {
    let stacks: Vec<Stack> = stacks.unwrap_or_default().into_iter().collect();
    let all: i64 = stacks.iter().map(|(_, samples)| samples).sum();
    let mut faults = Vec::new();
    let mut known = 0;
    for (percent, wanted) in tree.stacks {
        let samples: i64 = stacks.iter().filter(|(frames, _)| is(frames, tree.roots, wanted)).map(|at| at.1).sum();
        known += samples;
        let (share, wanted_share) = (samples as f64 / all as f64, f64::from(percent) / 100.0);
        let deviation = (wanted_share * (1.0 - wanted_share) / all as f64).sqrt();
        if (share - wanted_share).abs() > 5.0 * deviation {
            faults.push(format!(
                "{}: {wanted}: {:.2} % of {all} samples, not {percent} %",
                tree.program,
                share * 100.0
            ));
        }
    }
    if (known as f64) < 0.995 * all as f64 {
        let is_known = |frames: &[String]| tree.stacks.iter().any(|(_, wanted)| is(frames, tree.roots, wanted));
        let mut others: Vec<_> = stacks.iter().filter(|(frames, _)| !is_known(frames)).collect();
        others.sort_by_key(|(_, samples)| -samples);
        let others: Vec<String> =
            others.iter().take(4).map(|(frames, samples)| format!("{samples} × {}", frames.join(" → "))).collect();
        faults.push(format!("{}: {known} of {all} samples are its stacks; {}", tree.program, others.join("; ")));
    }
    faults
}

/// Whether a stack is this one, whole. What comes after it is the kernel's, which interrupted the leaf.
fn is(frames: &[String], roots: &[&[&str]], wanted: &str) -> bool {
    let user = frames.iter().position(|frame| frame.starts_with("asm_")).unwrap_or(frames.len());
    roots.iter().any(|root| {
        let (start, rest) = frames[..user].split_at(root.len().min(user));
        // `...` stands for any frames: what the language's own library puts before its `main`.
        let (wanted, skipped) = match wanted.strip_prefix("... ") {
            Some(wanted) => (wanted, rest.len().saturating_sub(wanted.split(' ').count())),
            None => (wanted, 0),
        };
        all_same(start, root.iter().copied()) && all_same(&rest[skipped..], wanted.split(' '))
    })
}

/// A star at the end stands for any rest of a name.
fn all_same<'a>(have: &[String], want: impl Iterator<Item = &'a str>) -> bool {
    // `N` is the anonymous namespace, and an underline a space.
    let want: Vec<String> =
        want.map(|name| name.replace("N::", "(anonymous namespace)::").replace("_as_", " as ")).collect();
    let same =
        |(have, want): (&String, &String)| want.strip_suffix('*').map_or(have == want, |at| have.starts_with(at));
    have.len() == want.len() && have.iter().zip(&want).all(same)
}
