//! What the kernel's verifier makes of the programs: instructions that it looked at, and the time until profiling runs.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::ensure;
use e2e::{Agent, http};

use super::running::Running;
use super::summary::{Reach, Results};
use super::{Folders, Options};

const ROUNDS: usize = 9;
/// With the log at this level the agent asks the verifier for its statistics.
const CONFIGURATION: &str = r#"
    logging { level = "debug" }
    discovery.process "all" { }
    pyroscope.ebpf "all" {
        targets    = discovery.process.all.targets
        forward_to = []
    }
"#;

pub(super) fn run(_: &Options, folders: &Folders, results: &mut Results) -> anyhow::Result<()> {
    let agent = Agent::run(CONFIGURATION);
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(20) && agent.metric(SESSIONS, "") != Some(1.0) {
        sleep(Duration::from_millis(50));
    }
    let (_, log) = agent.stop();
    let looked: Vec<(&str, f64)> = log.lines().filter_map(instructions).collect();
    ensure!(!looked.is_empty(), "the log has no statistics of the verifier:\n{log}");
    let most = looked.iter().map(|(_, count)| *count).fold(0.0, f64::max);
    let each: Vec<String> = looked.iter().map(|(program, count)| format!("{program} {count}")).collect();
    results.add("verifier", "instructions looked at", each.join(", "));
    results.reach("verifier", "instructions looked at, of the program with the most", most, Reach::AtMost(200_000.0));
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let agent = Running::start(&folders.scratch("data")?)?;
        times.push(agent.until(|| sessions(&agent.address).is_some_and(|sessions| sessions > 0.0))?);
        agent.stop()?;
    }
    let title = "ms from the start of the agent until all is loaded and attached";
    results.reach_median("verifier", title, times, Reach::AtMost(150.0));
    Ok(())
}

const SESSIONS: &str = "pyroscope_ebpf_profiling_sessions_total";

fn sessions(address: &str) -> Option<f64> {
    let body = http::get(address, "/metrics")?.body;
    let line = body.lines().find(|line| line.starts_with(SESSIONS))?;
    line.rsplit(' ').next()?.parse().ok()
}

/// The program and the number in a line about the verifier's work.
fn instructions(line: &str) -> Option<(&str, f64)> {
    let (_, fields) = line.split_once("the verifier looked at a program\" program=")?;
    let (program, processed) = fields.split_once(" processed=\"")?;
    Some((program, processed.split(' ').next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::instructions;

    #[test]
    fn the_verifiers_work_is_read_from_the_log() {
        let line =
            r#"level=debug msg="the verifier looked at a program" program=on_fork processed="99 insns (limit 1)""#;
        assert_eq!(instructions(line), Some(("on_fork", 99.0)));
        assert_eq!(instructions("level=debug msg=other"), None);
    }
}
