//! What is lost at 97 Hz: with both cores busy, and in a storm of new processes.

use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::ensure;
use e2e::Agent;

use super::api::{Account, series};
use super::load::{Kind, Load};
use super::summary::Results;
use super::{Folders, Options};

const QUIET: Duration = Duration::from_secs(60);
const STORM: Duration = Duration::from_secs(20);

pub(super) fn run(_: &Options, folders: &Folders, results: &mut Results) -> anyhow::Result<()> {
    let agent = Agent::with(None, &[], &[]);
    let load = Load::start(Kind::Recursion(30), folders)?;
    sleep(QUIET);
    drop(load);
    let (status, log) = agent.stop();
    ensure!(status.success(), "the agent failed:\n{log}");
    results.add("losses", "both cores busy for 60 s: account", Account::of(&log)?.text());

    let agent = Agent::with(None, &[], &[]);
    let begin = Instant::now();
    let processes = std::thread::scope(|scope| {
        let storms = [(); 2].map(|()| scope.spawn(|| storm(begin + STORM)));
        storms.into_iter().try_fold(0, |sum, storm| match storm.join() {
            Ok(started) => Ok(sum + started?),
            Err(_) => anyhow::bail!("a storm panicked"),
        })
    })?;
    let rate = f64::from(processes) / begin.elapsed().as_secs_f64();
    sleep(Duration::from_secs(2));
    let reasons = reasons(&agent);
    let (status, log) = agent.stop();
    ensure!(status.success(), "the agent failed:\n{log}");
    results.add("losses", "storm: new processes a second", format_args!("{rate:.0}"));
    results.add("losses", "storm: lost by reason", reasons);
    results.add("losses", "storm: account", Account::of(&log)?.text());
    Ok(())
}

/// Starts processes one after the other until then; how many.
fn storm(end: Instant) -> anyhow::Result<u32> {
    let mut started = 0;
    while Instant::now() < end {
        Command::new("/bin/true").stdin(Stdio::null()).status()?;
        started += 1;
    }
    Ok(started)
}

fn reasons(agent: &Agent) -> String {
    let lost = series(agent, "pyrope_ebpf_samples_lost_total", "reason");
    lost.iter().map(|(reason, count)| format!("{reason}={count}")).collect::<Vec<_>>().join(" ")
}
