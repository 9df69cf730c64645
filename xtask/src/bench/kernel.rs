//! Programs and maps of the kernel, told apart by when they appeared.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use anyhow::{Context as _, ensure};
use serde::Deserialize;

/// BPF_MAP_TYPE_RINGBUF. Source: linux/include/uapi/linux/bpf.h.
const RING: u64 = 27;
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

/// What was loaded before the agent under test was.
pub(super) struct Baseline {
    programs: BTreeSet<u32>,
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
        Ok(Self { programs: programs()?.into_iter().map(|program| program.id).collect() })
    }

    pub(super) fn used(&self) -> anyhow::Result<Used> {
        let own = programs()?.into_iter().filter(|program| !self.programs.contains(&program.id));
        Ok(own.fold(Used { run_time_ns: 0, sample_runs: 0 }, |sum, program| Used {
            run_time_ns: sum.run_time_ns + program.run_time_ns,
            sample_runs: sum.sample_runs + if program.kind == "perf_event" { program.run_cnt } else { 0 },
        }))
    }
}

/// The maps that a process holds.
#[derive(Default)]
pub(super) struct Maps {
    /// Kernel memory of all.
    pub(super) bytes: u64,
    /// Of the rings, by their size.
    pub(super) rings: u64,
}

impl Maps {
    /// By what the kernel says of its file descriptors.
    pub(super) fn of(pid: u32) -> anyhow::Result<Self> {
        let folder = format!("/proc/{pid}/fdinfo");
        let (mut maps, mut seen) = (Self::default(), BTreeSet::new());
        for entry in fs::read_dir(&folder).with_context(|| format!("cannot read {folder}"))?.flatten() {
            // A descriptor may be closed in between.
            let text = fs::read_to_string(entry.path()).unwrap_or_default();
            let number = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)?.trim().parse::<u64>().ok());
            let Some(id) = number("map_id:").filter(|id| seen.insert(*id)) else { continue };
            maps.bytes += number("memlock:").with_context(|| format!("no size of map {id}"))?;
            if number("map_type:") == Some(RING) {
                maps.rings += number("max_entries:").unwrap_or(0);
            }
        }
        ensure!(maps.bytes > 0, "process {pid} holds no maps");
        Ok(maps)
    }

    pub(super) fn mib(&self) -> f64 {
        self.bytes as f64 / f64::from(1 << 20)
    }
}

fn programs() -> anyhow::Result<Vec<Program>> {
    bpftool("prog")
}

fn bpftool<T: for<'a> Deserialize<'a>>(what: &str) -> anyhow::Result<Vec<T>> {
    let output = Command::new("bpftool").args(["-j", what, "show"]).output().context("cannot run bpftool")?;
    ensure!(output.status.success(), "bpftool failed: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).context("bpftool's answer is not what was expected")
}
