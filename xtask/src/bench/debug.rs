//! Debug information of 500 MB: how long until a flame graph has names that only it knows, and what memory that takes.

use std::fs::File;
use std::io;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::ensure;
use e2e::Agent;

use super::api::FlameGraph;
use super::large;
use super::load::{ENDS_AFTER, group};
use super::process::{cpu_seconds, memory};
use super::running::until;
use super::summary::{Reach, Results};
use super::{Folders, Options};

const ROUNDS: usize = 3;
/// More of its places are named meanwhile.
const LATER: Duration = Duration::from_secs(30);
/// A function that is inlined wherever it is called.
const INLINED: &str = "spin_inlined";

pub(super) fn run(options: &Options, folders: &Folders, results: &mut Results) -> anyhow::Result<()> {
    let program = large::build(folders, "large-debug")?;
    // Its pages are in memory, as those of a program that runs for a while are.
    let bytes = io::copy(&mut File::open(&program)?, &mut io::sink())?;
    let (mut times, mut peaks, mut used) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS.min(options.pairs) {
        let agent = Agent::with(None, &[], &[]);
        sleep(Duration::from_secs(3));
        let (started, before) = (Instant::now(), cpu_seconds(agent.pid())?);
        let process = group(Command::new(&program).args(["--seconds", ENDS_AFTER]))?;
        times.push(until(started, Duration::from_secs(60), || {
            FlameGraph::ask(&agent.address, r#"{service_name="large-debug"}"#, 60)
                .is_ok_and(|graph| graph.has_name_with(INLINED))
        })?);
        sleep(LATER);
        peaks.push(memory(agent.pid(), "VmHWM")? as f64 / 1e6);
        used.push(cpu_seconds(agent.pid())? - before);
        drop(process);
        let (status, log) = agent.stop();
        ensure!(status.success(), "the agent failed:\n{log}");
    }
    results.add("debug", "MB of the program", format_args!("{:.0}", bytes as f64 / 1e6));
    let title = "ms from start of the process to names of inlined functions in the API";
    results.reach_median("debug", title, times, Reach::AtMost(2000.0));
    results.reach_median("debug", "MB resident at most, from the start on", peaks, Reach::AtMost(60.0));
    results.add("debug", "CPU-s of the agent meanwhile", super::summary::Summary::of(used));
    Ok(())
}
