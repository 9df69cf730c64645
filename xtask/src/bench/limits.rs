//! Too much of something: each within the budget of memory, and nothing stops.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use e2e::{Agent, Watch, Workload};

use super::api::{self, Account, FlameGraph, sum};
use super::kernel::Maps;
use super::large;
use super::load::ENDS_AFTER;
use super::process::memory;
use super::roots::End;
use super::seen::Seen;
use super::summary::{Reach, Results};
use super::{Folders, Options};

/// The default budget, and that of the maps on up to four CPUs.
pub(super) const BUDGET_MB: f64 = 60.0;
pub(super) const MAPS_MIB: f64 = 24.0;
/// Of the built-in configuration.
const RATE: f64 = 97.0;
const INTERVAL: Duration = Duration::from_secs(15);
const STARTS: u32 = 20_000;

/// A scenario: what it is called, the service whose stacks are looked at, what starts it.
struct Scenario {
    name: &'static str,
    /// None is the whole host.
    service: &'static str,
    start: fn(&Folders) -> anyhow::Result<Vec<Workload>>,
}

const SCENARIOS: [Scenario; 5] = [
    Scenario { name: "a program of 1 GB", service: "large-1gb", start: |folders| two(folders, "large-1gb") },
    Scenario { name: "2.8 million rows", service: "large-rows", start: |folders| two(folders, "large-rows") },
    Scenario { name: "1,500 libraries in a process", service: "c-crowd", start: crowd },
    Scenario { name: "20,000 starts of processes", service: "", start: |_| Ok(Vec::new()) },
    Scenario { name: "128,000 mappings in a process", service: "c-crowd", start: mappings },
];

pub(super) fn run(options: &Options, folders: &Folders, results: &mut Results) -> anyhow::Result<()> {
    for scenario in &SCENARIOS {
        measure(scenario, options, folders, results).with_context(|| format!("with {}", scenario.name))?;
    }
    Ok(())
}

fn measure(scenario: &Scenario, options: &Options, folders: &Folders, results: &mut Results) -> anyhow::Result<()> {
    let load = (scenario.start)(folders)?;
    // A recursion beside it, so that there is always something to deliver.
    let neighbour = Workload::start("c-recurse", &["--seconds", ENDS_AFTER]);
    let begin = Instant::now();
    let agent = Agent::with(None, &[], &[]);
    sleep(Duration::from_secs(2));
    let watch = Watch::begin(&agent);
    let starts = if load.is_empty() { STARTS } else { 0 };
    let mut resident = Vec::new();
    let (mut started, end) = (0, Instant::now() + options.watched);
    while Instant::now() < end || started < starts {
        if started < starts {
            start_some(&mut started, starts)?;
        } else {
            sleep(Duration::from_secs(2));
            // What a page in live mode asks for.
            FlameGraph::ask(&agent.address, "{}", 900)?;
        }
        resident.push(memory(agent.pid(), "VmRSS")? as f64 / 1e6);
    }
    drop(load);
    sleep(INTERVAL + Duration::from_secs(3));
    // Programs that end at once have no label.
    let selector = match scenario.service {
        "" => api::OTHERS.to_owned(),
        service => format!(r#"{{service_name="{service}"}}"#),
    };
    let seen = Seen::of(&api::profile(&agent, &selector, begin)?, 1e9 / RATE);
    let maps = Maps::of(agent.pid())?.mib();
    let (peak, watched) = (memory(agent.pid(), "VmHWM")? as f64 / 1e6, watch.end());
    let counts = ["unwind_rows_built", "unwind_tables_evicted", "unwind_tables_refused", "memory_shed"]
        .map(|name| format!("{name} {}", sum(&agent, &format!("pyrope_{name}_total"))));
    let (status, log) = agent.stop();
    drop(neighbour);
    ensure!(status.success(), "the agent failed:\n{log}");
    let title = |what: &str| format!("{}: {what}", scenario.name);
    results.reach_median("limits", &title("MB of VmRSS"), resident, Reach::AtMost(BUDGET_MB));
    results.reach("limits", &title("MB of VmHWM"), peak, Reach::AtMost(BUDGET_MB));
    results.reach("limits", &title("MiB of BPF maps"), maps, Reach::AtMost(MAPS_MIB));
    let answer = watched.answer.as_secs_f64();
    results.reach("limits", &title("s to an answer at most"), answer, Reach::AtMost(1.0));
    let silence = watched.silence.as_secs_f64() - INTERVAL.as_secs_f64();
    results.reach("limits", &title("s that an interval was late at most"), silence, Reach::AtMost(1.0));
    results.add("limits", &title("samples of it"), seen.samples);
    results.add("limits", &title("% that end at a root"), format_args!("{:.2}", seen.percent(End::Root)));
    for (frames, count) in seen.cuts(3) {
        results.add("limits", &title(&format!("{count} samples end at")), frames);
    }
    results.add("limits", &title("counts"), counts.join(", "));
    results.add("limits", &title("account"), Account::of(&log)?.text());
    Ok(())
}

fn two(folders: &Folders, name: &str) -> anyhow::Result<Vec<Workload>> {
    let program = large::build(folders, name)?;
    Ok(vec![
        Workload::start_file(&program, &["--seconds", ENDS_AFTER]),
        Workload::start_file(&program, &["--seconds", ENDS_AFTER]),
    ])
}

fn crowd(folders: &Folders) -> anyhow::Result<Vec<Workload>> {
    let folder = folders.scratch("libraries")?;
    large::libraries(folders, &folder, 1_500)?;
    Ok(vec![Workload::start("c-crowd", &["--libraries", &folder.display().to_string(), "--seconds", ENDS_AFTER])])
}

fn mappings(_: &Folders) -> anyhow::Result<Vec<Workload>> {
    let _most = MostMappings::raise()?;
    Ok(vec![Workload::start("c-crowd", &["--mappings", "128000", "--seconds", ENDS_AFTER])])
}

/// Starts a few processes, one after the other.
fn start_some(started: &mut u32, most: u32) -> anyhow::Result<()> {
    for _ in 0..200.min(most - *started) {
        Command::new("/bin/true").stdin(Stdio::null()).status()?;
        *started += 1;
    }
    Ok(())
}

/// Lets a process have more mappings than is usual, while this lives.
struct MostMappings {
    before: String,
}

impl MostMappings {
    const SETTING: &str = "/proc/sys/vm/max_map_count";

    fn raise() -> anyhow::Result<Self> {
        let setting = Path::new(Self::SETTING);
        let before = fs::read_to_string(setting).context("cannot read vm.max_map_count")?;
        fs::write(setting, "262144").context("cannot set vm.max_map_count: run this as root")?;
        Ok(Self { before })
    }
}

impl Drop for MostMappings {
    fn drop(&mut self) {
        // What the process has it keeps.
        _ = fs::write(Self::SETTING, self.before.trim());
    }
}
