//! Memory with a hundred processes, the page open.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use e2e::Agent;

use super::api::{Account, FlameGraph, RECENT_SECONDS};
use super::kernel::Baseline;
use super::load::ENDS_AFTER;
use super::process::memory;
use super::summary::{Results, Summary};
use super::{Folders, Options};

const PROCESSES: u32 = 100;

/// Every copy of a workload is a file, and so a program, of its own.
struct Processes(Vec<Child>);

impl Processes {
    fn start(folders: &Folders) -> anyhow::Result<Self> {
        let folder = folders.scratch("programs")?;
        let mut processes = Self(Vec::new());
        for (number, kind) in (0..PROCESSES).zip(["c-recurse", "cpp-names", "rust-v0", "go-default"].iter().cycle()) {
            let program = folder.join(format!("{kind}-{number}"));
            fs::copy(e2e::workload::path(kind), &program)?;
            let mut command = Command::new(&program);
            command.args(["--seconds", ENDS_AFTER]).stdin(Stdio::null()).stdout(Stdio::null());
            if *kind == "c-recurse" {
                command.args(["--depth", &(3 + number).to_string()]);
            }
            processes.0.push(command.spawn().with_context(|| format!("cannot start {}", program.display()))?);
        }
        Ok(processes)
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        for child in &mut self.0 {
            // It may have ended by itself.
            _ = child.kill();
            _ = child.wait();
        }
    }
}

pub(super) fn run(options: &Options, folders: &Folders, results: &mut Results) -> anyhow::Result<()> {
    let processes = Processes::start(folders)?;
    let baseline = Baseline::now()?;
    let agent = Agent::with(None, &[], &[]);
    let (end, mut resident) = (Instant::now() + options.resident, Vec::new());
    while Instant::now() < end {
        sleep(Duration::from_secs(2));
        // What a page in live mode asks for.
        FlameGraph::ask(&agent.address, "{}", RECENT_SECONDS)?;
        resident.push(memory(agent.pid(), "VmRSS")? as f64 / 1e6);
    }
    let (peak, anonymous) = (memory(agent.pid(), "VmHWM")?, memory(agent.pid(), "RssAnon")?);
    let maps = baseline.map_bytes()?;
    let (status, log) = agent.stop();
    drop(processes);
    ensure!(status.success(), "the agent failed:\n{log}");
    results.add("resident", "MB of VmRSS", Summary::of(resident));
    results.add("resident", "MB of VmHWM", format_args!("{:.1}", peak as f64 / 1e6));
    results.add("resident", "MB of RssAnon at the end", format_args!("{:.1}", anonymous as f64 / 1e6));
    results.add("resident", "MiB of BPF maps", format_args!("{:.2}", maps as f64 / f64::from(1 << 20)));
    results.add("resident", "account", Account::of(&log)?.text());
    Ok(())
}
