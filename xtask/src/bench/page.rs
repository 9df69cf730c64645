//! The page in Chromium: what its own tests measure, and the way from the start of the agent to a flame graph.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, ensure};
use e2e::Workload;

use super::load::ENDS_AFTER;
use super::summary::{Results, Summary};
use super::{Folders, Options};

/// Starts that are measured.
const ROUNDS: u32 = 7;

pub(super) fn run(_: &Options, _: &Folders, results: &mut Results) -> anyhow::Result<()> {
    let busy = Workload::start("c-recurse", &["--depth", "30", "--seconds", ENDS_AFTER]);
    let output = node(&["start.mjs", &e2e::agent::binary().display().to_string(), "busy_leaf", &ROUNDS.to_string()])?;
    drop(busy);
    let times: Vec<f64> = serde_json::from_str(&output).context("start.mjs printed no list")?;
    results.add("page", "ms from start to a flame graph with names on the page", Summary::of(times));

    let output = node(&["--import", "./unit/loader.mjs", "--test", "--test-reporter=tap", "page/perf.test.mjs"])?;
    for (name, notes) in read(&output) {
        results.add("page", &name, notes.join("; "));
    }
    Ok(())
}

/// Runs a script of the browser tests; what it printed.
fn node(arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new("node")
        .current_dir(folder())
        .args(arguments)
        .env("PERF_SLACK", "1")
        .output()
        .context("cannot run node: run `tools/setup.sh bench`, and `npm ci` in e2e/browser")?;
    let (text, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "node failed, or a budget of the page was missed:\n{text}{errors}");
    Ok(text.into_owned())
}

fn folder() -> PathBuf {
    e2e::root().join("e2e/browser")
}

/// Name and notes of each test in TAP, where notes follow their test.
fn read(text: &str) -> Vec<(String, Vec<String>)> {
    let mut tests: Vec<(String, Vec<String>)> = Vec::new();
    for line in text.lines().map(str::trim) {
        if line.starts_with("# Subtest") {
            continue;
        }
        if line.starts_with("1..") {
            break;
        }
        if let Some(rest) = line.strip_prefix("ok ") {
            let name = rest.split_once(" - ").map_or(rest, |(_, name)| name);
            tests.push((name.to_owned(), Vec::new()));
        } else if let (Some(note), Some((_, notes))) = (line.strip_prefix("# "), tests.last_mut()) {
            notes.push(note.to_owned());
        }
    }
    tests
}

#[cfg(test)]
mod tests {
    #[test]
    fn notes_belong_to_the_test_before_them() {
        let text = "TAP version 13\n# Subtest: fast\nok 1 - fast\n  ---\n  ...\n# 5 ms\n# Subtest: small\nok 2 - small\n# 9 kB\n\
                    1..2\n# tests 2\n";
        let expect = [("fast".to_owned(), vec!["5 ms".to_owned()]), ("small".to_owned(), vec!["9 kB".to_owned()])];
        assert_eq!(super::read(text), expect);
    }
}
