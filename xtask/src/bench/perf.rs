//! The same minutes by `perf record` and `perf script`.

use std::collections::HashSet;
use std::fs;
use std::hash::{BuildHasher as _, RandomState};
use std::io::{BufRead as _, BufReader};
use std::path::Path;
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
    let (bytes, stacks) = (fs::metadata(&file)?.len(), distinct_stacks(&file)?);
    let minutes = span.as_secs_f64() / 60.0;
    let title = |what: &str| format!("{name}, {minutes:.0} min: {what}");
    results.add("perf", &title("CPU-s of pyrope, start to end"), format_args!("{pyrope:.2}"));
    results.add("perf", &title("CPU-s of perf record"), format_args!("{record:.2}"));
    results.add("perf", &title("CPU-s of perf script"), format_args!("{script:.2}"));
    results.add("perf", &title("pyrope / (record + script)"), format_args!("{:.2}", pyrope / (record + script)));
    results.add("perf", &title("MB of perf.data"), format_args!("{:.1}", bytes as f64 / 1e6));
    results.add("perf", &title("distinct stacks, at least"), stacks);
    results.add("perf", &title("account of pyrope"), Account::of(&log)?.text());
    Ok(())
}

/// How many stacks in the file differ, by address within the function or, where there is no symbol, by the place within the
/// page: the same code lies elsewhere in each process. Some that differ look the same so, none that are the same do not.
fn distinct_stacks(file: &Path) -> anyhow::Result<usize> {
    let mut script = Command::new("perf")
        .args(["script", "--no-inline", "-F", "ip,sym,symoff,dso", "-i"])
        .arg(file)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .context("cannot run perf")?;
    let (hasher, mut seen, mut stack) = (RandomState::new(), HashSet::new(), String::new());
    for line in BufReader::new(script.stdout.take().context("perf has no output")?).split(b'\n') {
        let line = String::from_utf8_lossy(&line?).trim().to_owned();
        if !line.is_empty() {
            stack.push_str(&place(&line));
            stack.push('\n');
        } else if !stack.is_empty() {
            seen.insert(hasher.hash_one(std::mem::take(&mut stack)));
        }
    }
    ensure!(script.wait()?.success(), "perf script failed");
    Ok(seen.len())
}

/// A frame as perf prints it, without where its file is mapped.
fn place(line: &str) -> String {
    match line.split_once(' ') {
        Some((address, rest)) if rest.starts_with("[unknown]") => {
            format!("{} {rest}", &address[address.len().saturating_sub(3)..])
        }
        Some((_, rest)) => rest.to_owned(),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::place;

    #[test]
    fn a_frame_is_the_same_wherever_its_file_is_mapped() {
        assert_eq!(place("7f3a12345678 [unknown] (/usr/lib/cc1plus)"), "678 [unknown] (/usr/lib/cc1plus)");
        assert_eq!(place("7f3a12345678 main+0x1f (/bin/x)"), "main+0x1f (/bin/x)");
        assert_eq!(place("odd"), "odd");
    }
}
