//! Deep stacks without frame pointers, and stacks through a C library that has none.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::ensure;
use e2e::{Agent, Workload};

use super::api;
use super::load::ENDS_AFTER;
use super::roots::End;
use super::seen::Seen;
use super::summary::{Reach, Results};
use super::{Folders, Options};

/// Of the built-in configuration.
const RATE: f64 = 97.0;
const INTERVAL: Duration = Duration::from_secs(15);

pub(super) fn run(options: &Options, _: &Folders, results: &mut Results) -> anyhow::Result<()> {
    // The first fits whole; of the second, which is walked to its end, the middle is left out.
    for (depth, least) in [("990", 990.0), ("8000", 1000.0)] {
        let (deepest, seen) = watch("c-recurse-bare", depth, options, results)?;
        let title = |what: &str| format!("a recursion of {depth}: {what}");
        results.add("deep", &title("samples"), seen.samples);
        results.reach("deep", &title("frames shown at most"), deepest as f64, Reach::AtLeast(least));
        results.reach("deep", &title("% that end at a root"), seen.percent(End::Root), Reach::AtLeast(99.9));
        for (frames, count) in seen.cuts(4) {
            results.add("deep", &title(&format!("{count} samples end at")), frames);
        }
    }
    let (_, seen) = watch("c-sort-bare", "180", options, results)?;
    results.add("deep", "180 frames under qsort of the C library: samples", seen.samples);
    let title = "180 frames under qsort of the C library: % that end at a root";
    results.reach("deep", title, seen.percent(End::Root), Reach::AtLeast(99.9));
    for (frames, count) in seen.cuts(4) {
        results.add("deep", &format!("{count} samples end at"), frames);
    }
    Ok(())
}

/// Two of a program for a while: the deepest stack, and what was seen.
fn watch(program: &str, depth: &str, options: &Options, results: &mut Results) -> anyhow::Result<(usize, Seen)> {
    let (begin, agent) = (Instant::now(), Agent::with(None, &[], &[]));
    let arguments = ["--depth", depth, "--seconds", ENDS_AFTER];
    let workloads = [Workload::start(program, &arguments), Workload::start(program, &arguments)];
    sleep(options.watched);
    drop(workloads);
    sleep(INTERVAL);
    let profile = api::profile(&agent, &format!(r#"{{service_name="{program}"}}"#), begin)?;
    let refused = api::refused(&agent);
    let (status, log) = agent.stop();
    ensure!(status.success(), "the agent failed:\n{log}");
    results.add("deep", &format!("{program} {depth}: files whose unwind rows found no room"), refused);
    let deepest = profile.samples().iter().map(|sample| profile.stack(sample).len()).max().unwrap_or(0);
    Ok((deepest, Seen::of(&profile, 1e9 / RATE)))
}
