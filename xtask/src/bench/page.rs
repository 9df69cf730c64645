//! The page in Chromium: from the answer, and from the start of the agent, to a flame graph.

use std::process::Command;

use anyhow::{Context as _, ensure};

use super::summary::Results;
use super::{Folders, Options};

pub(super) fn run(_: &Options, _: &Folders, results: &mut Results) -> anyhow::Result<()> {
    let output = Command::new("node")
        .current_dir(e2e::root().join("e2e/browser"))
        .args(["--import", "./unit/loader.mjs", "--test", "--test-reporter=tap", "page/perf.test.mjs"])
        .env("PERF_SLACK", "1")
        .output()
        .context("cannot run node: run `tools/setup.sh bench` and `npm ci` in e2e/browser")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let mut notes = Vec::new();
    for line in text.lines().map(str::trim) {
        if let Some(note) = line.strip_prefix("# ").filter(|_| !line.starts_with("# Subtest")) {
            notes.push(note.to_owned());
        } else if let Some((verdict, name)) =
            line.split_once("ok ").filter(|(before, _)| matches!(*before, "" | "not "))
        {
            let verdict = if verdict.is_empty() { "within" } else { "MISSED" };
            let name = name.split_once(" - ").map_or(name, |(_, name)| name);
            results.add("page", name, format_args!("{verdict}; {}", notes.join("; ")));
            notes.clear();
        }
    }
    ensure!(
        output.status.success(),
        "a budget of the page was missed, or node failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}
