//! From the start of the process to ready, to the first sample, to a flame graph with names.

use e2e::{Workload, http};

use super::api::FlameGraph;
use super::load::ENDS_AFTER;
use super::running::Running;
use super::summary::{Results, Summary};
use super::{Folders, Options};

const ROUNDS: usize = 9;

pub(super) fn run(_: &Options, folders: &Folders, results: &mut Results) -> anyhow::Result<()> {
    let _workload = Workload::start("c-recurse", &["--depth", "26", "--seconds", ENDS_AFTER]);
    let [mut ready, mut sampled, mut named] = [const { Vec::new() }; 3];
    for _ in 0..ROUNDS {
        let agent = Running::start(&folders.scratch("data")?)?;
        let address = agent.address.clone();
        ready.push(agent.until(|| http::get(&address, "/-/ready").is_some_and(|answer| answer.status == 200))?);
        sampled.push(agent.until(|| taken(&address).is_some_and(|taken| taken > 0.0))?);
        let selector = r#"{service_name="c-recurse"}"#;
        named.push(agent.until(|| {
            FlameGraph::ask(&address, selector, 60)
                .is_ok_and(|graph| graph.names("descend") && graph.names("busy_leaf"))
        })?);
    }
    results.add("start", "ms to ready", Summary::of(ready));
    results.add("start", "ms to the first sample in /metrics", Summary::of(sampled));
    results.add("start", "ms to a flame graph with names in the API", Summary::of(named));
    Ok(())
}

fn taken(address: &str) -> Option<f64> {
    let body = http::get(address, "/metrics")?.body;
    let line = body.lines().find(|line| line.starts_with("pyrope_ebpf_samples_taken_total"))?;
    line.rsplit(' ').next()?.parse().ok()
}
