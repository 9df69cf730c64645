//! A flame graph of an hour from a full store, over HTTP.

use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use e2e::{Agent, http};

use super::api::{FlameGraph, PROFILE_TYPE, now_ms};
use super::load::run as command;
use super::summary::{Results, Summary};
use super::{Folders, Options};

const ROUNDS: usize = 21;
/// A little more than the hour that is there.
const SECONDS: i64 = 4_000;

pub(super) fn run(_: &Options, folders: &Folders, results: &mut Results) -> anyhow::Result<()> {
    let store = folders.scratch("hour")?;
    command(
        Command::new(env!("CARGO"))
            .current_dir(e2e::root())
            .args(["run", "--quiet", "--release", "--package", "pyrope-store", "--example", "bench", "--"])
            .arg(&store),
    )?;
    let configuration = format!("pyrope.store \"hour\" {{ path = \"{}\" }}", store.display());
    let agent = Agent::run(&configuration);
    let stacks = FlameGraph::ask(&agent.address, "{}", SECONDS)?.stacks();
    results.add("query", "distinct stacks", stacks);
    for (what, method, max_nodes) in [
        ("flame graph, 8,192 nodes", "SelectMergeStacktraces", 8_192),
        ("the page's profile, 65,536 nodes", "SelectMergeProfile", 65_536),
    ] {
        let mut times = Vec::new();
        for _ in 0..ROUNDS {
            let query = query(max_nodes);
            let begin = Instant::now();
            let headers = ["Content-Type: application/proto"];
            let path = format!("/querier.v1.QuerierService/{method}");
            let answer = http::request(&agent.address, "POST", &path, &headers, &query).context("no answer")?;
            times.push(begin.elapsed().as_secs_f64() * 1e3);
            ensure!(answer.status == 200 && answer.body.len() > 10_000, "{path}: {}", answer.status);
        }
        results.add("query", &format!("ms of an hour: {what}"), Summary::of(times));
    }
    agent.stop();
    Ok(())
}

/// The request in protobuf, which both methods share: type, selector, start, end, nodes.
fn query(max_nodes: u64) -> Vec<u8> {
    let now = now_ms();
    let mut out = Vec::new();
    for (field, text) in [(1, PROFILE_TYPE), (2, "{}")] {
        out.extend([field << 3 | 2, text.len() as u8]);
        out.extend(text.bytes());
    }
    for (field, number) in [(3, (now - SECONDS * 1000) as u64), (4, now as u64), (5, max_nodes)] {
        out.push(field << 3);
        varint(number, &mut out);
    }
    out
}

fn varint(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}
