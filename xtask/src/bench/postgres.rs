//! Debian's postgres under pgbench: whether its CPU time is attributed to it, and whether its stacks are whole.

use std::collections::BTreeMap;
use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::ensure;
use e2e::Agent;

use super::api::{self, FlameGraph, walks};
use super::load::Postgres;
use super::process::Cpu;
use super::roots::End;
use super::seen::Seen;
use super::summary::{Reach, Results};
use super::{Folders, Options};

/// Of the built-in configuration.
const RATE: f64 = 97.0;
const INTERVAL: Duration = Duration::from_secs(15);
const SELECTOR: &str = r#"{service_name="postgres"}"#;

pub(super) fn run(options: &Options, folders: &Folders, results: &mut Results) -> anyhow::Result<()> {
    let server = Postgres::start(folders)?;
    let (begin, agent) = (Instant::now(), Agent::with(None, &[], &[]));
    let before = processes()?;
    let load = server.bench()?;
    sleep(options.steady);
    // Backends end with their clients, and with them what /proc says.
    let after = processes()?;
    drop(load);
    let none = Cpu::default();
    let used: f64 = after.iter().map(|(pid, cpu)| cpu.since(before.get(pid).unwrap_or(&none))).sum();
    sleep(INTERVAL + Duration::from_secs(3));
    let attributed = FlameGraph::ask(&agent.address, SELECTOR, 3600)?.total() as f64 / 1e9;
    let seen = Seen::of(&api::profile(&agent, SELECTOR, begin)?, 1e9 / RATE);
    let (ends, refused) = (walks(&agent), api::refused(&agent));
    let (status, log) = agent.stop();
    ensure!(status.success(), "the agent failed:\n{log}");
    results.add("postgres", "CPU-s of its processes, by /proc", format_args!("{used:.2}"));
    results.add("postgres", "CPU-s attributed to it", format_args!("{attributed:.2}"));
    results.reach(
        "postgres",
        "% of its CPU time that is attributed to it",
        attributed / used * 100.0,
        Reach::AtLeast(99.0),
    );
    let title = "% of its samples that end at a root, by names";
    results.reach("postgres", title, seen.percent(End::Root), Reach::AtLeast(99.5));
    results.add("postgres", "ends of walks of the whole host", ends);
    results.add("postgres", "files whose unwind rows found no room", refused);
    for (frames, count) in seen.cuts(4) {
        results.add("postgres", &format!("{count} samples end at"), frames);
    }
    Ok(())
}

/// CPU time of each process of this name.
fn processes() -> anyhow::Result<BTreeMap<u32, Cpu>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir("/proc")?.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        // It may end in between.
        let name = fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
        if name.trim_end() == "postgres"
            && let Ok(cpu) = Cpu::of(pid)
        {
            found.insert(pid, cpu);
        }
    }
    Ok(found)
}
