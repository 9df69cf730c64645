//! Programs and maps of the kernel, told apart by when they appeared.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use anyhow::{Context as _, ensure};
use serde::Deserialize;

const STATISTICS: &str = "/proc/sys/kernel/bpf_stats_enabled";

/// Has the kernel count the run time of BPF programs while this lives.
pub(super) struct Statistics {
    before: String,
}

impl Statistics {
    pub(super) fn on() -> anyhow::Result<Self> {
        let before = fs::read_to_string(STATISTICS).context("cannot read kernel.bpf_stats_enabled")?;
        fs::write(STATISTICS, "1").context("cannot set kernel.bpf_stats_enabled: run this as root")?;
        Ok(Self { before })
    }
}

impl Drop for Statistics {
    fn drop(&mut self) {
        // The setting costs a few nanoseconds a run; there is nobody to tell.
        _ = fs::write(STATISTICS, self.before.trim());
    }
}

#[derive(Deserialize)]
struct Program {
    id: u32,
    #[serde(default)]
    run_time_ns: u64,
    #[serde(default)]
    run_cnt: u64,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
struct Map {
    id: u32,
    #[serde(default)]
    bytes_memlock: u64,
    #[serde(default)]
    name: String,
    #[serde(default)]
    max_entries: u64,
}

/// What was loaded before the agent under test was.
pub(super) struct Baseline {
    programs: BTreeSet<u32>,
    maps: BTreeSet<u32>,
}

/// What the programs that came after the baseline have used.
#[derive(Debug, Clone, Copy)]
pub(super) struct Used {
    /// Of all programs.
    pub(super) run_time_ns: u64,
    /// Of those on perf events: one run a sample, those of idle CPUs among them.
    pub(super) sample_runs: u64,
}

impl Baseline {
    pub(super) fn now() -> anyhow::Result<Self> {
        Ok(Self {
            programs: programs()?.into_iter().map(|program| program.id).collect(),
            maps: maps()?.into_iter().map(|map| map.id).collect(),
        })
    }

    pub(super) fn used(&self) -> anyhow::Result<Used> {
        let own = programs()?.into_iter().filter(|program| !self.programs.contains(&program.id));
        Ok(own.fold(Used { run_time_ns: 0, sample_runs: 0 }, |sum, program| Used {
            run_time_ns: sum.run_time_ns + program.run_time_ns,
            sample_runs: sum.sample_runs + if program.kind == "perf_event" { program.run_cnt } else { 0 },
        }))
    }

    /// Bytes of the maps that came after the baseline.
    pub(super) fn map_bytes(&self) -> anyhow::Result<u64> {
        Ok(maps()?.into_iter().filter(|map| !self.maps.contains(&map.id)).map(|map| map.bytes_memlock).sum())
    }

    /// Bytes of the rings, by their size, that came after the baseline.
    pub(super) fn ring_bytes(&self, names: &[&str]) -> anyhow::Result<u64> {
        let ours = maps()?.into_iter().filter(|map| !self.maps.contains(&map.id));
        Ok(ours.filter(|map| names.contains(&map.name.as_str())).map(|map| map.max_entries).sum())
    }
}

fn programs() -> anyhow::Result<Vec<Program>> {
    bpftool("prog")
}

fn maps() -> anyhow::Result<Vec<Map>> {
    bpftool("map")
}

fn bpftool<T: for<'a> Deserialize<'a>>(what: &str) -> anyhow::Result<Vec<T>> {
    let output = Command::new("bpftool").args(["-j", what, "show"]).output().context("cannot run bpftool")?;
    ensure!(output.status.success(), "bpftool failed: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).context("bpftool's answer is not what was expected")
}
