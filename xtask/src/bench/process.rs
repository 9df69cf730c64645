//! CPU time and memory of a process, from /proc.

use std::collections::BTreeMap;
use std::fs;

use anyhow::Context as _;

/// CPU time of each live thread, in nanoseconds.
#[derive(Default)]
pub(super) struct Cpu(BTreeMap<u32, u64>);

impl Cpu {
    pub(super) fn of(pid: u32) -> anyhow::Result<Self> {
        let folder = format!("/proc/{pid}/task");
        let mut threads = BTreeMap::new();
        for entry in fs::read_dir(&folder).with_context(|| format!("cannot read {folder}"))? {
            let path = entry?.path();
            // A thread may end in between.
            let Ok(text) = fs::read_to_string(path.join("schedstat")) else { continue };
            let thread = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse().ok());
            let nanos = text.split_whitespace().next().and_then(|nanos| nanos.parse().ok());
            if let (Some(thread), Some(nanos)) = (thread, nanos) {
                threads.insert(thread, nanos);
            }
        }
        Ok(Self(threads))
    }

    /// Seconds used since `earlier`, without those of threads that have ended.
    pub(super) fn since(&self, earlier: &Self) -> f64 {
        let nanos: u64 =
            self.0.iter().map(|(thread, nanos)| nanos - earlier.0.get(thread).copied().unwrap_or(0).min(*nanos)).sum();
        nanos as f64 / 1e9
    }
}

/// CPU time of a process from its start on, all threads that it ever had, in seconds of 10 ms resolution.
pub(super) fn cpu_seconds(pid: u32) -> anyhow::Result<f64> {
    stat_ticks(&format!("/proc/{pid}/stat"), 13)
}

/// CPU time of the children of this process that ended and were waited for, in seconds of 10 ms resolution.
pub(super) fn cpu_seconds_of_ended_children() -> anyhow::Result<f64> {
    stat_ticks("/proc/self/stat", 15)
}

/// Two neighbouring fields, user and system time; `first` counts from 0.
fn stat_ticks(path: &str, first: usize) -> anyhow::Result<f64> {
    /// USER_HZ, which is 100 on every architecture that Linux still has.
    const TICKS_PER_SECOND: f64 = 100.0;
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?;
    // The second field is the name in parentheses, which can hold anything.
    let (_, fields) = text.rsplit_once(") ").with_context(|| format!("{path} has no name"))?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let tick = |at: usize| fields.get(at - 2).and_then(|ticks| ticks.parse::<f64>().ok()).unwrap_or(0.0);
    Ok((tick(first) + tick(first + 1)) / TICKS_PER_SECOND)
}

/// `VmRSS` or another line of /proc/PID/status, in bytes.
pub(super) fn memory(pid: u32, line: &str) -> anyhow::Result<u64> {
    let path = format!("/proc/{pid}/status");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let value = text.lines().find_map(|at| at.strip_prefix(line)?.strip_prefix(':'));
    let kilobytes = value.and_then(|value| value.split_whitespace().next()?.parse::<u64>().ok());
    Ok(kilobytes.with_context(|| format!("{path} has no {line}"))? * 1024)
}
