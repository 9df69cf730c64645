//! Programs that live for milliseconds, one after the other.

use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::ensure;
use e2e::Agent;

use super::api::{self, walks};
use super::chosen::configuration;
use super::load::{ENDS_AFTER, group, run as command};
use super::process::cpu_seconds_of_ended_children;
use super::roots::End;
use super::seen::Seen;
use super::summary::{Reach, Results};
use super::{Folders, Options};

const RATE: f64 = 97.0;
const INTERVAL: Duration = Duration::from_secs(5);

pub(super) fn run(options: &Options, folders: &Folders, results: &mut Results) -> anyhow::Result<()> {
    let repository = folders.scratch("repository")?;
    let git = |arguments: &[&str]| {
        let who = ["-c", "user.name=bench", "-c", "user.email=bench@localhost"];
        command(Command::new("git").args(who).args(arguments).current_dir(&repository))
    };
    git(&["init", "-q"])?;
    for number in 0..20 {
        git(&["commit", "-q", "--allow-empty", "-m", &format!("commit {number}")])?;
    }
    let (begin, agent) = (Instant::now(), Agent::run(&configuration(".*/git", RATE, INTERVAL)));
    let before = cpu_seconds_of_ended_children()?;
    let mut again = Command::new("timeout");
    again.args([ENDS_AFTER, "sh", "-c", "while :; do git log -1; done"]).current_dir(&repository);
    let load = group(&mut again)?;
    sleep(options.watched);
    drop(load);
    let used = cpu_seconds_of_ended_children()? - before;
    sleep(INTERVAL * 2);
    let seen = Seen::of(&api::profile(&agent, "{}", begin)?, 1e9 / RATE);
    let ends = walks(&agent);
    let (status, log) = agent.stop();
    ensure!(status.success(), "the agent failed:\n{log}");
    results.add("churn", "git log -1, over and over: samples of git", seen.samples);
    results.add("churn", "CPU-s of it, as far as its parent waited for it", format_args!("{used:.2}"));
    let title = "% of samples of git that end at a root, by names";
    results.reach("churn", title, seen.percent(End::Root), Reach::AtLeast(95.0));
    results.add("churn", "% that have no user part", format_args!("{:.2}", seen.percent(End::NoUser)));
    results.add("churn", "ends of walks", ends);
    for (frames, count) in seen.cuts(6) {
        results.add("churn", &format!("{count} samples end at"), frames);
    }
    Ok(())
}
