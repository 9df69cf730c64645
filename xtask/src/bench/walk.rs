//! BPF time a sample, against the floor.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use e2e::Agent;

use super::api::{Account, FlameGraph};
use super::kernel::{Baseline, Statistics};
use super::load::{Kind, Load};
use super::summary::{Results, Summary};
use super::{Folders, Options};

/// Frames of the recursions.
const DEPTHS: [u32; 3] = [3, 30, 180];

pub(super) fn run(options: &Options, folders: &Folders, results: &mut Results) -> anyhow::Result<()> {
    let _statistics = Statistics::on()?;
    for depth in DEPTHS {
        let (mut ratios, mut floors, mut ours, mut complete) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for pair in 0..options.pairs {
            let load = Load::start(Kind::Recursion(depth), folders)?;
            sleep(Duration::from_secs(1));
            // Neither is always the one that comes first.
            let (floor, mine) = if pair % 2 == 0 {
                let floor = floor(options, folders)?;
                (floor, pyrope(options)?)
            } else {
                let mine = pyrope(options)?;
                (floor(options, folders)?, mine)
            };
            drop(load);
            ratios.push(mine.microseconds / floor);
            floors.push(floor);
            ours.push(mine.microseconds);
            complete.push(mine.complete * 100.0);
        }
        results.add("walk", &format!("{depth} frames, pyrope / floor"), Summary::of(ratios));
        results.add("walk", &format!("{depth} frames, µs a sample, pyrope"), Summary::of(ours));
        results.add("walk", &format!("{depth} frames, µs a sample, floor"), Summary::of(floors));
        results.add("walk", &format!("{depth} frames, % of stacks that lead to main"), Summary::of(complete));
    }
    Ok(())
}

struct Measured {
    microseconds: f64,
    complete: f64,
}

/// From its start to its end: the run time of all programs over the delivered samples.
fn pyrope(options: &Options) -> anyhow::Result<Measured> {
    let baseline = Baseline::now()?;
    let agent = Agent::with(None, &[], &[]);
    sleep(options.window);
    let graph = FlameGraph::ask(&agent.address, r#"{service_name="c-recurse"}"#, 3600)?;
    // Programs are gone with the agent: this comes right before the end.
    let used = baseline.used()?;
    let (status, log) = agent.stop();
    ensure!(status.success(), "the agent failed:\n{log}");
    let delivered = Account::of(&log)?.term("delivered")?;
    Ok(Measured {
        microseconds: used.run_time_ns as f64 / 1e3 / delivered,
        complete: graph.under("main", 2) as f64 / graph.total().max(1) as f64,
    })
}

fn floor(options: &Options, folders: &Folders) -> anyhow::Result<f64> {
    let baseline = Baseline::now()?;
    let _floor = Floor::start(folders)?;
    sleep(options.window);
    let used = baseline.used()?;
    Ok(used.run_time_ns as f64 / 1e3 / used.sample_runs as f64)
}

struct Floor(Child);

impl Floor {
    fn start(folders: &Folders) -> anyhow::Result<Self> {
        let mut command = Command::new(folders.kept("floor"));
        let mut child = command
            .arg(folders.kept("floor.bpf.o"))
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start the floor")?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("it has a pipe")?).read_line(&mut line)?;
        let floor = Self(child);
        ensure!(line == "ready\n", "the floor did not start");
        Ok(floor)
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        // It may have ended by itself.
        _ = self.0.kill();
        _ = self.0.wait();
    }
}
