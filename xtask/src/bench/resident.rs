//! Memory with the page open: at rest, with a hundred processes, and with three hundred that have 1,500 libraries.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use e2e::Agent;

use super::api::{Account, FlameGraph, RECENT_SECONDS};
use super::kernel::Maps;
use super::large;
use super::limits::{BUDGET_MB, MAPS_MIB};
use super::load::ENDS_AFTER;
use super::process::memory;
use super::summary::{Reach, Results};
use super::{Folders, Options};

const PROCESSES: u32 = 100;
/// The crowd: processes, and libraries that each has of its own.
const CROWD: u32 = 300;
const LIBRARIES: u32 = 5;

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
            processes.add(command)?;
        }
        Ok(processes)
    }

    /// Each with a program and some libraries that no other has.
    fn crowd(folders: &Folders) -> anyhow::Result<Self> {
        let (programs, libraries) = (folders.scratch("programs")?, folders.scratch("libraries")?);
        large::libraries(folders, &libraries, CROWD * LIBRARIES)?;
        let mut files = fs::read_dir(&libraries)?.flatten().map(|entry| entry.path());
        let mut processes = Self(Vec::new());
        for number in 0..CROWD {
            let (program, own) = (programs.join(format!("crowd-{number}")), programs.join(format!("of-{number}")));
            large::copy(&e2e::workload::path("c-crowd"), &program, number)?;
            fs::create_dir(&own)?;
            for file in files.by_ref().take(LIBRARIES as usize) {
                fs::rename(&file, own.join(file.file_name().unwrap_or_default()))?;
            }
            let mut command = Command::new(&program);
            // As most processes do, they rest most of the time; all together take about a core.
            command.arg("--libraries").arg(&own).args(["--rest-ms", "10", "--seconds", ENDS_AFTER]);
            command.stdin(Stdio::null()).stdout(Stdio::null());
            processes.add(command)?;
        }
        Ok(processes)
    }

    fn add(&mut self, mut command: Command) -> anyhow::Result<()> {
        let program = command.get_program().to_owned();
        self.0.push(command.spawn().with_context(|| format!("cannot start {}", program.display()))?);
        Ok(())
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
    measure("at rest", 40.0, options.resident / 2, None, results)?;
    let processes = Processes::start(folders)?;
    measure("100 processes of 100 programs", BUDGET_MB, options.resident, Some(processes), results)?;
    let processes = Processes::crowd(folders)?;
    measure("300 processes and 1,500 libraries", BUDGET_MB, options.resident / 2, Some(processes), results)
}

/// Watches an agent beside some processes; they end before the next ones start.
fn measure(
    what: &str,
    reach: f64,
    span: Duration,
    processes: Option<Processes>,
    results: &mut Results,
) -> anyhow::Result<()> {
    let agent = Agent::with(None, &[], &[]);
    let (end, mut resident) = (Instant::now() + span, Vec::new());
    while Instant::now() < end {
        sleep(Duration::from_secs(2));
        // What a page in live mode asks for.
        FlameGraph::ask(&agent.address, "{}", RECENT_SECONDS)?;
        resident.push(memory(agent.pid(), "VmRSS")? as f64 / 1e6);
    }
    let (peak, anonymous) = (memory(agent.pid(), "VmHWM")?, memory(agent.pid(), "RssAnon")?);
    let maps = Maps::of(agent.pid())?.mib();
    let (status, log) = agent.stop();
    drop(processes);
    ensure!(status.success(), "the agent failed:\n{log}");
    let title = |figure: &str| format!("{what}: {figure}");
    results.reach_median("resident", &title("MB of VmRSS"), resident, Reach::AtMost(reach));
    results.reach("resident", &title("MB of VmHWM"), peak as f64 / 1e6, Reach::AtMost(reach));
    results.add("resident", &title("MB of RssAnon at the end"), format_args!("{:.1}", anonymous as f64 / 1e6));
    results.reach("resident", &title("MiB of BPF maps"), maps, Reach::AtMost(MAPS_MIB));
    results.add("resident", &title("account"), Account::of(&log)?.text());
    Ok(())
}
