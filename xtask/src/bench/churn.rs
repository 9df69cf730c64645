//! Programs that live for milliseconds, one after the other.

use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::ensure;
use e2e::Agent;

use super::api::{self, walks};
use super::load::{ENDS_AFTER, group, run as command};
use super::roots::End;
use super::seen::Seen;
use super::summary::{Reach, Results};
use super::{Folders, Options};

/// Of the built-in configuration.
const RATE: f64 = 97.0;
const INTERVAL: Duration = Duration::from_secs(15);
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
    let agent = Agent::with(None, &[], &[]);
    // Programs that run all the time have their rows.
    sleep(Duration::from_secs(2));
    let begin = Instant::now();
    let mut again = Command::new("timeout");
    again.args([ENDS_AFTER, "sh", "-c", "while :; do git log -1; done"]).current_dir(&repository);
    let load = group(&mut again)?;
    sleep(options.watched);
    drop(load);
    sleep(INTERVAL + Duration::from_secs(3));
    let seen = Seen::of(&api::profile(&agent, api::OTHERS, begin)?, 1e9 / RATE);
    let named = Seen::of(&api::profile(&agent, r#"{service_name="git"}"#, begin)?, 1e9 / RATE);
    let (ends, refused) = (walks(&agent), api::refused(&agent));
    let (status, log) = agent.stop();
    ensure!(status.success(), "the agent failed:\n{log}");
    results.add("churn", "git log -1, over and over: samples of the host", seen.samples);
    results.add("churn", "of these with the label of git", named.samples);
    let title = "% of samples that end at a root, by names";
    results.reach("churn", title, seen.percent(End::Root), Reach::AtLeast(95.0));
    results.add("churn", "% that have no user part", format_args!("{:.2}", seen.percent(End::NoUser)));
    results.add("churn", "ends of walks", ends);
    results.add("churn", "files whose unwind rows found no room", refused);
    for (frames, count) in seen.cuts(6) {
        results.add("churn", &format!("{count} samples end at"), frames);
    }
    Ok(())
}
