//! What is lost at 97 Hz: with both cores busy, and in a storm of new processes.

use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::ensure;
use e2e::Agent;

use super::api::{Account, series};
use super::kernel::Maps;
use super::load::{Kind, Load};
use super::summary::{Reach, Results};
use super::{Folders, Options};

const QUIET: Duration = Duration::from_secs(60);
const STORM: Duration = Duration::from_secs(20);

pub(super) fn run(_: &Options, folders: &Folders, results: &mut Results) -> anyhow::Result<()> {
    let agent = Agent::with(None, &[], &[]);
    let load = Load::start(Kind::Recursion(30), folders)?;
    sleep(QUIET);
    drop(load);
    let rings = Maps::of(agent.pid())?.rings;
    let (status, log) = agent.stop();
    ensure!(status.success(), "the agent failed:\n{log}");
    ensure!(rings > 0, "it holds no ring");
    results.reach("losses", "MiB of rings", rings as f64 / f64::from(1 << 20), Reach::AtMost(8.0));
    results.reach("losses", "both cores busy for 60 s: % lost", lost(&log)?, Reach::AtMost(0.01));
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
    results.reach("losses", "storm: % lost", lost(&log)?, Reach::AtMost(0.01));
    results.add("losses", "storm: lost by reason", reasons);
    results.add("losses", "storm: account", Account::of(&log)?.text());
    Ok(())
}

/// Percent of the samples that were lost, by the account.
fn lost(log: &str) -> anyhow::Result<f64> {
    let account = Account::of(log)?;
    Ok(account.term("lost")? / account.term("taken")?.max(1.0) * 100.0)
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
