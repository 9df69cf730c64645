//! From the start of the process to ready, to the first sample, to a flame graph with names.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use e2e::{Workload, http};

use super::api::FlameGraph;
use super::load::ENDS_AFTER;
use super::summary::{Results, Summary};
use super::{Folders, Options};

const ROUNDS: usize = 9;
const LIMIT: Duration = Duration::from_secs(20);

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

pub(super) fn run(_: &Options, folders: &Folders, results: &mut Results) -> anyhow::Result<()> {
    let _workload = Workload::start("c-recurse", &["--depth", "26", "--seconds", ENDS_AFTER]);
    let [mut ready, mut sampled, mut named] = [const { Vec::new() }; 3];
    for _ in 0..ROUNDS {
        let address = free_address()?;
        let started = Instant::now();
        let _agent = start(&address, folders)?;
        ready.push(until(started, || http::get(&address, "/-/ready").is_some_and(|answer| answer.status == 200))?);
        sampled.push(until(started, || taken(&address).is_some_and(|taken| taken > 0.0))?);
        let selector = r#"{service_name="c-recurse"}"#;
        named.push(until(started, || {
            FlameGraph::ask(&address, selector, 60)
                .is_ok_and(|graph| graph.names("descend") && graph.names("busy_leaf"))
        })?);
    }
    results.add("start", "ms to ready", Summary::of(ready));
    results.add("start", "ms to the first sample in /metrics", Summary::of(sampled));
    results.add("start", "ms to a flame graph with names in the API", Summary::of(named));
    Ok(())
}

/// A port that nobody listens on at this moment.
fn free_address() -> anyhow::Result<String> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}

fn start(address: &str, folders: &Folders) -> anyhow::Result<Running> {
    let child = Command::new(e2e::agent::binary())
        .arg("run")
        .arg(format!("--server.http.listen-addr={address}"))
        .arg(format!("--storage.path={}", folders.scratch("data")?.display()))
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    Ok(Running(child.context("cannot start the agent")?))
}

/// Milliseconds since the start when this becomes true.
fn until(started: Instant, mut ask: impl FnMut() -> bool) -> anyhow::Result<f64> {
    while started.elapsed() < LIMIT {
        if ask() {
            return Ok(started.elapsed().as_secs_f64() * 1e3);
        }
        sleep(Duration::from_millis(2));
    }
    bail!("not within {} s", LIMIT.as_secs())
}

fn taken(address: &str) -> Option<f64> {
    let body = http::get(address, "/metrics")?.body;
    let line = body.lines().find(|line| line.starts_with("pyrope_ebpf_samples_taken_total"))?;
    line.rsplit(' ').next()?.parse().ok()
}
