//! A flame graph of an hour from a full store, over HTTP.

use std::process::Command;
use std::time::Instant;

use anyhow::ensure;
use e2e::Agent;

use super::api::FlameGraph;
use super::load::run as command;
use super::summary::{Results, Summary};
use super::{Folders, Options};

const ROUNDS: usize = 21;

pub(super) fn run(_: &Options, folders: &Folders, results: &mut Results) -> anyhow::Result<()> {
    let store = folders.scratch("hour")?;
    command(
        Command::new(env!("CARGO"))
            .current_dir(e2e::root())
            .args(["run", "--quiet", "--release", "--package", "pyrope-store", "--example", "bench", "--"])
            .arg(&store),
    )?;
    let configuration = format!("pyrope.store \"hour\" {{ path = \"{}\" }}", store.display());
    let agent = Agent::run(&configuration);
    let ask = || FlameGraph::ask(&agent.address, "{}", 4_000);
    let first = Instant::now();
    let stacks = ask()?.stacks();
    let first = first.elapsed().as_secs_f64() * 1e3;
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let begin = Instant::now();
        ensure!(ask()?.stacks() == stacks, "two answers differ");
        times.push(begin.elapsed().as_secs_f64() * 1e3);
    }
    agent.stop();
    results.add("query", "distinct stacks", stacks);
    results.add("query", "ms a flame graph of the hour, whole, as JSON over HTTP", Summary::of(times));
    results.add("query", "ms the first one after the start", format_args!("{first:.1}"));
    Ok(())
}
