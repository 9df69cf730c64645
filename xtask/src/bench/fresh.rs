//! New processes: of a program that is known, whose first sample is to be whole, and of one that nobody has seen.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use e2e::{Agent, Workload};

use super::api::{self, Account, sum};
use super::chosen::configuration;
use super::large;
use super::load::{ENDS_AFTER, group};
use super::roots::End;
use super::running::until;
use super::seen::Seen;
use super::summary::{Reach, Results};
use super::{Folders, Options};

const RATE: f64 = 97.0;
const INTERVAL: Duration = Duration::from_secs(5);
/// Of the built-in configuration.
const USUAL_INTERVAL: Duration = Duration::from_secs(15);
/// Processes that live for about one sample, and for how long.
const BRIEF: usize = 600;
const CPU_MS: &str = "12";
/// How often a large program is new.
const ROUNDS: u32 = 9;
const BUILT: &str = "pyrope_unwind_files_built_total";

pub(super) fn run(_: &Options, folders: &Folders, results: &mut Results) -> anyhow::Result<()> {
    known(results)?;
    never_seen(folders, results)
}

/// Most of these processes have one sample or none: it is the first. On a quiet machine nothing else runs.
fn known(results: &mut Results) -> anyhow::Result<()> {
    let agent = Agent::with(None, &[], &[]);
    brief("400")?;
    sleep(Duration::from_secs(3));
    let begin = Instant::now();
    for _ in 0..BRIEF {
        brief(CPU_MS)?;
    }
    sleep(USUAL_INTERVAL + Duration::from_secs(3));
    let seen = Seen::of(&api::profile(&agent, api::OTHERS, begin)?, 1e9 / RATE);
    let named = Seen::of(&api::profile(&agent, r#"{service_name="c-brief-bare"}"#, begin)?, 1e9 / RATE);
    let refused = api::refused(&agent);
    let (status, log) = agent.stop();
    ensure!(status.success(), "the agent failed:\n{log}");
    results.add("fresh", &format!("{BRIEF} processes of {CPU_MS} ms, known code: samples of the host"), seen.samples);
    results.add("fresh", "known code: of these with the label of the program", named.samples);
    results.add("fresh", "known code: files whose unwind rows found no room", refused);
    results.add("fresh", "known code: account", Account::of(&log)?.text());
    let title = "known code: % of samples that end at a root";
    results.reach("fresh", title, seen.percent(End::Root), Reach::AtLeast(99.0));
    for (frames, count) in seen.cuts(4) {
        results.add("fresh", &format!("known code: {count} samples end at"), frames);
    }
    Ok(())
}

fn brief(milliseconds: &str) -> anyhow::Result<()> {
    let mut command = Command::new(e2e::workload::path("c-brief-bare"));
    command.args(["--cpu-ms", milliseconds]).stdin(Stdio::null()).stdout(Stdio::null());
    ensure!(command.status()?.success(), "c-brief-bare failed");
    Ok(())
}

/// From the start of a process of some 10 MB of code without frame pointers until the kernel side has its rows: the first tick
/// is among it. What was sampled before is to be as whole as what comes after.
fn never_seen(folders: &Folders, results: &mut Results) -> anyhow::Result<()> {
    let original = large::build(folders, "large-10mb")?;
    let folder = folders.scratch("never-seen")?;
    let agent = Agent::run(&configuration(".*/never-seen-[0-9]+", RATE, INTERVAL));
    // The C library and the dynamic linker have rows already.
    let warm = Workload::start("c-recurse-bare", &["--seconds", ENDS_AFTER]);
    sleep(Duration::from_secs(2));
    drop(warm);
    let (begin, mut times) = (Instant::now(), Vec::new());
    for number in 0..ROUNDS {
        let program = folder.join(format!("never-seen-{number}"));
        large::copy(&original, &program, number + 1)?;
        times.push(until_built(&agent, &program)?);
        fs::remove_file(&program)?;
    }
    sleep(INTERVAL * 2);
    let seen = Seen::of(&api::profile(&agent, "{}", begin)?, 1e9 / RATE);
    let [stacks, repaired, left] =
        ["pyrope_kernel_events_total{event=\"stacks\"", "walks_repaired", "walks_unrepaired"].map(|name| {
            match name.split_once('{') {
                Some((name, labels)) => agent.metric(name, labels).unwrap_or(0.0),
                None => sum(&agent, &format!("pyrope_unwind_{name}_total")),
            }
        });
    let (status, log) = agent.stop();
    ensure!(status.success(), "the agent failed:\n{log}");
    let title = "never seen, 10 MB: ms from start of the process to its unwind rows";
    results.reach_median("fresh", title, times, Reach::AtMost(50.0));
    results.add("fresh", "never seen: samples", seen.samples);
    let title = "never seen: % of samples that end at a root, from the first on";
    results.reach("fresh", title, seen.percent(End::Root), Reach::AtLeast(99.0));
    let counts = format_args!("{stacks} sent with their stacks, {repaired} walks completed, {left} not");
    results.add("fresh", "never seen: walks without rows, of all programs", counts);
    for (frames, count) in seen.cuts(4) {
        results.add("fresh", &format!("never seen: {count} samples end at"), frames);
    }
    Ok(())
}

/// Milliseconds until the one file that is new has its rows; the process lives for a second more.
fn until_built(agent: &Agent, program: &Path) -> anyhow::Result<f64> {
    let before = sum(agent, BUILT);
    let started = Instant::now();
    let process = group(Command::new(program).args(["--seconds", ENDS_AFTER]))?;
    let time = until(started, Duration::from_secs(20), || sum(agent, BUILT) > before).with_context(|| {
        let refused = sum(agent, "pyrope_unwind_tables_refused_total");
        format!("no rows for {}; files of which rows found no room: {refused}", program.display())
    })?;
    sleep(Duration::from_secs(1));
    drop(process);
    Ok(time)
}
