//! The same minutes by `perf record` and `perf script`.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use e2e::Agent;

use super::api::Account;
use super::load::{Kind, Load};
use super::process::{cpu_seconds, cpu_seconds_of_ended_children};
use super::summary::Results;
use super::{Folders, Options};

pub(super) fn run(options: &Options, folders: &Folders, results: &mut Results) -> anyhow::Result<()> {
    for kind in [Kind::Recursion(30), Kind::Build] {
        measure(kind, options.compared, folders, results)?;
    }
    Ok(())
}

/// Both watch the same load at the same time, each from its start to its end.
fn measure(kind: Kind, span: Duration, folders: &Folders, results: &mut Results) -> anyhow::Result<()> {
    let (name, file) = (kind.name(), folders.scratch("perf")?.join("perf.data"));
    let load = Load::start(kind, folders)?;
    let agent = Agent::with(None, &[], &[]);
    let before = cpu_seconds_of_ended_children()?;
    let status = Command::new("perf")
        .args(["record", "-q", "-a", "-F", "97", "-g", "-o"])
        .arg(&file)
        .args(["sleep", &span.as_secs().to_string()])
        .stdout(Stdio::null())
        .status()
        .context("cannot run perf: run `tools/setup.sh bench`")?;
    ensure!(status.success(), "perf record failed");
    let record = cpu_seconds_of_ended_children()? - before;
    // Its end costs it the last interval and the store's last write: read as late as can be, and once more when it has ended.
    let running = cpu_seconds(agent.pid())?;
    let before = cpu_seconds_of_ended_children()?;
    let (status, log) = agent.stop();
    ensure!(status.success(), "the agent failed:\n{log}");
    let pyrope = (cpu_seconds_of_ended_children()? - before).max(running);
    drop(load);
    let before = cpu_seconds_of_ended_children()?;
    let status =
        Command::new("perf").args(["script", "-i"]).arg(&file).stdout(Stdio::null()).stderr(Stdio::null()).status();
    ensure!(status.is_ok_and(|status| status.success()), "perf script failed");
    let script = cpu_seconds_of_ended_children()? - before;
    let bytes = fs::metadata(&file)?.len();
    let minutes = span.as_secs_f64() / 60.0;
    let title = |what: &str| format!("{name}, {minutes:.0} min: {what}");
    results.add("perf", &title("CPU-s of pyrope, start to end"), format_args!("{pyrope:.2}"));
    results.add("perf", &title("CPU-s of perf record"), format_args!("{record:.2}"));
    results.add("perf", &title("CPU-s of perf script"), format_args!("{script:.2}"));
    results.add("perf", &title("pyrope / (record + script)"), format_args!("{:.2}", pyrope / (record + script)));
    results.add("perf", &title("MB of perf.data"), format_args!("{:.1}", bytes as f64 / 1e6));
    results.add("perf", &title("account of pyrope"), Account::of(&log)?.text());
    Ok(())
}
