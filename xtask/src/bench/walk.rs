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
use super::summary::{Reach, Results, Summary};
use super::{Folders, Options};

/// Frames of the recursions.
const DEPTHS: [u32; 3] = [3, 30, 180];

pub(super) fn run(options: &Options, folders: &Folders, results: &mut Results) -> anyhow::Result<()> {
    let _statistics = Statistics::on()?;
    for depth in DEPTHS {
        compare(Kind::Recursion(depth), depth, options, folders, results)?;
        compare(Kind::BareRecursion(depth), depth, options, folders, results)?;
    }
    Ok(())
}

/// Pairs of the floor on a recursion with frame pointers, which is all that it can walk, and of pyrope on `kind`.
fn compare(kind: Kind, depth: u32, options: &Options, folders: &Folders, results: &mut Results) -> anyhow::Result<()> {
    let (mut ratios, mut floors, mut ours, mut complete) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let program = if matches!(kind, Kind::Recursion(_)) { "c-recurse" } else { "c-recurse-bare" };
    for pair in 0..options.pairs {
        let under = |kind, measure: &mut dyn FnMut() -> anyhow::Result<()>| {
            let _load = Load::start(kind, folders)?;
            sleep(Duration::from_secs(1));
            measure()
        };
        let (mut floor_us, mut mine) = (0.0, Measured::default());
        // Neither is always the one that comes first.
        for turn in [pair, pair + 1] {
            if turn % 2 == 0 {
                under(Kind::Recursion(depth), &mut || floor(options, folders).map(|us| floor_us = us))?;
            } else {
                under(kind, &mut || pyrope(options, program).map(|measured| mine = measured))?;
            }
        }
        ratios.push(mine.microseconds / floor_us);
        floors.push(floor_us);
        ours.push(mine.microseconds);
        complete.push(mine.complete * 100.0);
    }
    let reach = match (kind, depth) {
        (Kind::BareRecursion(_), 3) => Some(0.9),
        (Kind::BareRecursion(_), 30) => Some(1.2),
        (Kind::BareRecursion(_), 180) => Some(2.5),
        _ => None,
    };
    let bare = if program == "c-recurse" { "" } else { " without frame pointers" };
    let ratio = format!("{depth} frames{bare}, pyrope / floor");
    match reach {
        Some(limit) => results.reach_median("walk", &ratio, ratios, Reach::AtMost(limit)),
        None => results.add("walk", &ratio, Summary::of(ratios)),
    }
    results.add("walk", &format!("{depth} frames{bare}, µs a sample, pyrope"), Summary::of(ours));
    results.add("walk", &format!("{depth} frames{bare}, µs a sample, floor"), Summary::of(floors));
    results.add("walk", &format!("{depth} frames{bare}, % of stacks that lead to main"), Summary::of(complete));
    Ok(())
}

/// `main` is among so many frames from the root: before it are `_start` and what of the C library calls it.
const OUTSIDE: usize = 5;

#[derive(Default)]
struct Measured {
    microseconds: f64,
    complete: f64,
}

/// From its start to its end: the run time of all programs over the delivered samples.
fn pyrope(options: &Options, program: &str) -> anyhow::Result<Measured> {
    let baseline = Baseline::now()?;
    let agent = Agent::with(None, &[], &[]);
    sleep(options.window);
    let graph = FlameGraph::ask(&agent.address, &format!(r#"{{service_name="{program}"}}"#), 3600)?;
    // Programs are gone with the agent: this comes right before the end.
    let used = baseline.used()?;
    let (status, log) = agent.stop();
    ensure!(status.success(), "the agent failed:\n{log}");
    let delivered = Account::of(&log)?.term("delivered")?;
    Ok(Measured {
        microseconds: used.run_time_ns as f64 / 1e3 / delivered,
        complete: graph.under("main", OUTSIDE) as f64 / graph.total().max(1) as f64,
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
