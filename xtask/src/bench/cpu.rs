//! CPU time of the agent, steady.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::ensure;
use e2e::Agent;

use super::api::{Account, FlameGraph, RECENT_SECONDS, complete_walks, walks};
use super::load::{Kind, Load};
use super::process::{Cpu, memory};
use super::summary::{Reach, Results};
use super::{Folders, Options};

/// Files are opened and names found for the first time before this.
const SETTLE: Duration = Duration::from_secs(30);

pub(super) fn run(options: &Options, folders: &Folders, results: &mut Results) -> anyhow::Result<()> {
    for kind in [Kind::Recursion(30), Kind::Build] {
        measure(kind, options, folders, results)?;
    }
    Ok(())
}

fn measure(kind: Kind, options: &Options, folders: &Folders, results: &mut Results) -> anyhow::Result<()> {
    let name = kind.name();
    let load = Load::start(kind, folders)?;
    let agent = Agent::with(None, &[], &[]);
    sleep(SETTLE);
    let (begin, before, taken) = (Instant::now(), Cpu::of(agent.pid())?, kept(&agent));
    sleep(options.steady);
    let (after, samples) = (Cpu::of(agent.pid())?, kept(&agent) - taken);
    let (seconds, cpu) = (begin.elapsed().as_secs_f64(), after.since(&before));
    let peak = memory(agent.pid(), "VmHWM")?;
    let graph = FlameGraph::ask(&agent.address, "{}", RECENT_SECONDS)?;
    let (ends, complete) = (walks(&agent), complete_walks(&agent));
    let (status, log) = agent.stop();
    drop(load);
    ensure!(status.success(), "the agent failed:\n{log}");
    let cost = format!("{name}: CPU-s a million samples");
    results.reach("cpu", &cost, cpu / samples * 1e6, Reach::AtMost(10.0));
    let whole = format!("{name}: % of user walks that are complete");
    results.reach("cpu", &whole, complete, Reach::AtLeast(99.0));
    results.add("cpu", &format!("{name}: % of one core"), format_args!("{:.3}", cpu / seconds * 100.0));
    results.add("cpu", &format!("{name}: samples in {seconds:.0} s"), samples);
    results.add("cpu", &format!("{name}: distinct stacks of names"), graph.stacks());
    results.add("cpu", &format!("{name}: ends of user walks"), ends);
    results.add("cpu", &format!("{name}: peak resident MB"), format_args!("{:.1}", peak as f64 / 1e6));
    results.add("cpu", &format!("{name}: account"), Account::of(&log)?.text());
    Ok(())
}

/// Samples taken so far, without those that were left out or lost.
fn kept(agent: &Agent) -> f64 {
    ["delivered_total", "open"]
        .map(|term| agent.metric(&format!("pyrope_ebpf_samples_{term}"), "").unwrap_or(0.0))
        .iter()
        .sum()
}
