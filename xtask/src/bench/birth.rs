//! A new process: how long it runs before its samples carry its labels.

use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};
use std::{fs, iter};

use anyhow::{Context as _, bail, ensure};
use e2e::Agent;

use super::api::FlameGraph;
use super::process::cpu_seconds_of_ended_children;
use super::summary::{Results, Summary};
use super::{Folders, Options};

/// Processes of about 100 ms of CPU time each.
const BRIEF: usize = 200;
const SHOWN: usize = 10;

pub(super) fn run(_: &Options, folders: &Folders, results: &mut Results) -> anyhow::Result<()> {
    let agent = Agent::with(None, &[], &[]);
    sleep(Duration::from_secs(2));
    let folder = folders.scratch("births")?;

    // What is not attributed of many short lives is what each of them ran before it was a target.
    let brief = folder.join("newborn");
    fs::copy(e2e::workload::path("c-recurse"), &brief)?;
    let before = cpu_seconds_of_ended_children()?;
    for _ in 0..BRIEF {
        run_for_100_ms(&brief)?;
    }
    let used = cpu_seconds_of_ended_children()? - before;
    sleep(Duration::from_secs(3));
    let attributed = FlameGraph::ask(&agent.address, r#"{service_name="newborn"}"#, 900)?.total() as f64 / 1e9;
    results.add("birth", &format!("{BRIEF} lives: CPU-s used"), format_args!("{used:.2}"));
    results.add("birth", "CPU-s attributed to their service", format_args!("{attributed:.2}"));
    let missing = (used - attributed) / BRIEF as f64 * 1e3;
    results.add("birth", "ms a life that were not", format_args!("{missing:.2}"));

    // And how long it takes until a question about it has an answer: the open interval is refreshed once a second.
    let mut shown = Vec::new();
    for number in 0..SHOWN {
        let program = folder.join(format!("newborn-{number}"));
        fs::copy(e2e::workload::path("c-recurse"), &program)?;
        shown.push(milliseconds_to_an_answer(&agent, &program)?);
    }
    results.add("birth", "ms from start to its flame graph in the API", Summary::of(shown));
    let (status, log) = agent.stop();
    ensure!(status.success(), "the agent failed:\n{log}");
    Ok(())
}

fn run_for_100_ms(program: &Path) -> anyhow::Result<()> {
    let mut child = Command::new(program).args(["--seconds", "100"]).stdout(Stdio::null()).spawn()?;
    sleep(Duration::from_millis(100));
    child.kill()?;
    child.wait()?;
    Ok(())
}

fn milliseconds_to_an_answer(agent: &Agent, program: &Path) -> anyhow::Result<f64> {
    let name = program.file_name().and_then(|name| name.to_str()).context("it has a name")?;
    let selector = format!(r#"{{service_name="{name}"}}"#);
    let started = Instant::now();
    let mut child = Command::new(program).args(["--seconds", "100"]).stdout(Stdio::null()).spawn()?;
    let asked = iter::repeat_with(|| {
        sleep(Duration::from_millis(5));
        FlameGraph::ask(&agent.address, &selector, 60).is_ok_and(|graph| graph.total() > 0)
    });
    let found = asked.take(2_000).any(|found| found);
    let took = started.elapsed();
    child.kill()?;
    child.wait()?;
    if !found {
        bail!("{name} did not appear");
    }
    Ok(took.as_secs_f64() * 1e3)
}
