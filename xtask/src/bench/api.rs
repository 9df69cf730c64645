//! What a running agent says about itself.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use abi::WalkEnd;
use anyhow::Context as _;
use buffa::Message as _;
use e2e::{Agent, http};
use rpc::querier::SelectMergeProfileRequest;
use serde_json::Value;

/// CPU profiles.
pub(super) const PROFILE_TYPE: &str = "process_cpu:cpu:nanoseconds:cpu:nanoseconds";

/// The series of all but the agent itself: many processes end before anybody knows what they are called.
pub(super) const OTHERS: &str = r#"{service_name!="pyrope"}"#;

/// How far back a query looks.
pub(super) const RECENT_SECONDS: i64 = 900;

/// Milliseconds since 1970.
pub(super) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_millis().try_into().unwrap_or(i64::MAX)
}

/// A flame graph in the query API's form: for each depth the frames from left to right.
pub(super) struct FlameGraph {
    names: Vec<String>,
    levels: Vec<Vec<Frame>>,
}

#[derive(Clone, Copy)]
struct Frame {
    total: u64,
    own: u64,
    name: usize,
}

impl FlameGraph {
    /// That of the last `seconds` of the series that `selector` names, the open interval among them.
    pub(super) fn ask(address: &str, selector: &str, seconds: i64) -> anyhow::Result<Self> {
        let now = now_ms();
        let query = serde_json::json!({
            "profileTypeID": PROFILE_TYPE,
            "labelSelector": selector,
            "start": now - seconds * 1000,
            "end": now + 1000,
            "maxNodes": 1_000_000,
        });
        let path = "/querier.v1.QuerierService/SelectMergeStacktraces";
        let headers = ["Content-Type: application/json"];
        let answer = http::request(address, "POST", path, &headers, query.to_string()).context("no answer")?;
        anyhow::ensure!(answer.status == 200, "{path}: {} {}", answer.status, answer.body);
        Self::read(&serde_json::from_str(&answer.body)?).context("not the flame graph that was expected")
    }

    fn read(answer: &Value) -> Option<Self> {
        let graph = &answer["flamegraph"];
        let names = graph["names"].as_array()?.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect();
        let level = |level: &Value| -> Option<Vec<Frame>> {
            // Four numbers a frame: offset, total, self, name; 64-bit numbers are strings in protobuf's JSON.
            let numbers = level["values"].as_array()?.iter().map(|number| number.as_str()?.parse::<u64>().ok());
            let numbers: Vec<u64> = numbers.collect::<Option<_>>()?;
            let frame = |at: &[u64]| Frame { total: at[1], own: at[2], name: at[3] as usize };
            Some(numbers.chunks_exact(4).map(frame).collect())
        };
        Some(Self { names, levels: graph["levels"].as_array()?.iter().map(level).collect::<Option<_>>()? })
    }

    /// The value of the whole.
    pub(super) fn total(&self) -> u64 {
        self.levels.first().and_then(|level| level.first()).map_or(0, |frame| frame.total)
    }

    /// The value under frames of this name among the first `depth` frames from the root.
    pub(super) fn under(&self, name: &str, depth: usize) -> u64 {
        let named = |frame: &&Frame| self.names.get(frame.name).is_some_and(|at| at == name);
        self.levels.iter().take(depth + 1).flatten().filter(named).map(|frame| frame.total).sum()
    }

    /// Whether a frame has this name.
    pub(super) fn names(&self, name: &str) -> bool {
        self.names.iter().any(|at| at == name)
    }

    /// Whether this is part of the name of a frame.
    pub(super) fn has_name_with(&self, part: &str) -> bool {
        self.names.iter().any(|at| at.contains(part))
    }

    /// How many different stacks of names there are.
    pub(super) fn stacks(&self) -> usize {
        self.levels.iter().flatten().filter(|frame| frame.own > 0).count()
    }
}

/// All that was kept of the series that `selector` names since then, whole.
pub(super) fn profile(agent: &Agent, selector: &str, begin: Instant) -> anyhow::Result<profile::Profile> {
    Ok(profile::decode(&pprof(agent, selector, begin)?)?)
}

/// The same as bytes.
pub(super) fn pprof(agent: &Agent, selector: &str, begin: Instant) -> anyhow::Result<Vec<u8>> {
    let since = i64::try_from(begin.elapsed().as_millis()).unwrap_or(RECENT_SECONDS * 1000);
    let now = now_ms();
    let query = SelectMergeProfileRequest {
        profile_typeID: PROFILE_TYPE.to_owned(),
        label_selector: selector.to_owned(),
        start: now - since,
        end: now + 1000,
        ..Default::default()
    };
    let path = "/querier.v1.QuerierService/SelectMergeProfile";
    let headers = ["Content-Type: application/proto"];
    http::bytes(&agent.address, "POST", path, &headers, query.encode_to_vec()).context("no answer")
}

/// The sum of all series of a metric, 0 if it has none.
pub(super) fn sum(agent: &Agent, name: &str) -> f64 {
    agent.metric(name, "").unwrap_or(0.0)
}

/// Times that the unwind rows of a file found no room: then the machine was not quiet, or has more than fits.
pub(super) fn refused(agent: &Agent) -> f64 {
    sum(agent, "pyrope_unwind_tables_refused_total")
}

/// The series of a metric: what is in quotes after `label=`, and the value.
pub(super) fn series(agent: &Agent, name: &str, label: &str) -> Vec<(String, f64)> {
    let (name, label) = (format!("{name}{{"), format!("{label}=\""));
    let text = agent.get("/metrics").body;
    let lines = text.lines().filter(|line| line.starts_with(&name));
    lines
        .filter_map(|line| {
            let (value, rest) = line.split_once(&label)?.1.split_once('"')?;
            Some((value.to_owned(), rest.rsplit(' ').next()?.parse().ok()?))
        })
        .collect()
}

/// `end=share` in percent of all user walks, the frequent ones first.
pub(super) fn walks(agent: &Agent) -> String {
    let mut counts = series(agent, "pyrope_ebpf_walks_total", "end");
    counts.sort_by(|one, other| other.1.total_cmp(&one.1));
    let all: f64 = counts.iter().map(|(_, count)| count).sum();
    let shares = counts.iter().filter(|(_, count)| *count > 0.0);
    shares.map(|(end, count)| format!("{end}={:.2}%", count / all * 100.0)).collect::<Vec<_>>().join(" ")
}

/// Percent of all user walks that reached the outermost frame.
pub(super) fn complete_walks(agent: &Agent) -> f64 {
    let counts = series(agent, "pyrope_ebpf_walks_total", "end");
    let complete = |name: &str| WalkEnd::ALL.iter().any(|end| end.name() == name && end.complete());
    let all: f64 = counts.iter().map(|(_, count)| count).sum();
    let whole: f64 = counts.iter().filter(|(end, _)| complete(end)).map(|(_, count)| count).sum();
    whole / all.max(1.0) * 100.0
}

/// The account that the agent wrote when its session ended.
#[derive(Debug)]
pub(super) struct Account(String);

impl Account {
    /// From the agent's log; it has one session.
    pub(super) fn of(log: &str) -> anyhow::Result<Self> {
        let line = log.lines().rfind(|line| line.contains("profiling session ended"));
        Ok(Self(line.with_context(|| format!("the log has no account of a session:\n{log}"))?.to_owned()))
    }

    /// A term of it by its key.
    pub(super) fn term(&self, key: &str) -> anyhow::Result<f64> {
        let value = self.0.split_whitespace().find_map(|word| word.strip_prefix(key)?.strip_prefix('='));
        value.and_then(|value| value.parse().ok()).with_context(|| format!("no number {key} in: {}", self.0))
    }

    /// All terms, as they were written.
    pub(super) fn text(&self) -> &str {
        self.0.split_once("taken=").map_or(&self.0, |(before, _)| &self.0[before.len()..])
    }
}

#[cfg(test)]
mod tests {
    use super::{Account, FlameGraph};

    #[test]
    fn a_flame_graph_is_read_level_by_level() {
        let answer = serde_json::json!({ "flamegraph": { "names": ["total", "libc", "main", "leaf"], "levels": [
            { "values": ["0", "10", "0", "0"] },
            { "values": ["0", "8", "0", "1", "0", "2", "2", "3"] },
            { "values": ["0", "8", "8", "2"] },
        ] } });
        let graph = FlameGraph::read(&answer).expect("it is one");
        assert_eq!((graph.total(), graph.under("main", 2), graph.under("main", 1)), (10, 8, 0));
        assert_eq!(graph.stacks(), 2);
    }

    #[test]
    fn the_account_is_read_from_the_log() {
        let log = "a\nts=1 msg=\"profiling session ended\" component_id=x taken=12 delivered=10 lost=2\nb";
        let account = Account::of(log).expect("it is there");
        assert_eq!(account.term("delivered").ok(), Some(10.0));
        assert_eq!(account.text(), "taken=12 delivered=10 lost=2");
        assert!(account.term("absent").is_err());
    }
}
