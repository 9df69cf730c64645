//! Requests into queries; every mistake is `invalid_argument` with a message that says what to change.

use connectrpc::ConnectError;
use profile::ProfileType;
use rpc::types::StackTraceSelector;
use store::{Query, Selector, Store, TimeRange};

/// Nodes of a flame graph when the client does not say.
pub(super) const DEFAULT_MAX_NODES: usize = 8_192;
/// The most nodes a client can ask for.
const MAX_MAX_NODES: i64 = 1 << 20;
/// The most steps that the range of a timeline can have; Prometheus has the same limit.
const MAX_STEPS: i64 = 11_000;
/// How much longer than the store keeps a range may be: clients round to their grid.
const RANGE_SLACK_MS: i64 = 3_600_000;

/// A refusal.
pub(super) fn invalid(message: impl Into<String>) -> ConnectError {
    ConnectError::invalid_argument(message)
}

/// The range of a query, in Unix milliseconds.
pub(super) fn range(start: i64, end: i64, store: &Store) -> Result<TimeRange, ConnectError> {
    if start <= 0 || end <= 0 {
        return Err(invalid("missing time range in the query: start and end are Unix milliseconds above 0"));
    }
    ordered(start, end)?;
    let longest = i64::try_from(store.max_age().as_millis()).unwrap_or(i64::MAX);
    if end - start > longest.saturating_add(RANGE_SLACK_MS) {
        return Err(invalid(format!(
            "the query time range of {} ms exceeds the limit: the store keeps {longest} ms (max_age of pyrope.store)",
            end - start
        )));
    }
    Ok(TimeRange { start, end })
}

/// Checks only that the start is not after the end.
pub(super) fn ordered(start: i64, end: i64) -> Result<(), ConnectError> {
    if start > end {
        return Err(invalid(format!("the query starts at {start}, which is after its end at {end}")));
    }
    Ok(())
}

/// Several selectors that must all match; none matches everything.
pub(super) fn matchers(matchers: &[String]) -> Result<Selector, ConnectError> {
    Selector::parse_all(matchers).map_err(|error| invalid(error.to_string()))
}

/// Type, selector and range of a query for samples.
pub(super) fn query(
    profile_type: &str,
    label_selector: &str,
    start: i64,
    end: i64,
    store: &Store,
) -> Result<Query, ConnectError> {
    if profile_type.is_empty() {
        return Err(invalid(
            "missing profile type: give its id, for instance process_cpu:cpu:nanoseconds:cpu:nanoseconds",
        ));
    }
    let profile_type = ProfileType::parse(profile_type).map_err(|error| invalid(error.to_string()))?;
    if label_selector.is_empty() {
        return Err(invalid("missing label selector: {} selects everything"));
    }
    let selector = Selector::parse(label_selector).map_err(|error| invalid(error.to_string()))?;
    Ok(Query { profile_type, selector, range: range(start, end, store)? })
}

/// The limit of nodes that was asked for; none when it was not.
pub(super) fn max_nodes(max_nodes: Option<i64>) -> Result<Option<usize>, ConnectError> {
    match max_nodes {
        None | Some(0) => Ok(None),
        Some(nodes @ 1..=MAX_MAX_NODES) => Ok(Some(nodes as usize)),
        Some(nodes) => Err(invalid(format!("max_nodes is {nodes}; it must lie between 0 and {MAX_MAX_NODES}"))),
    }
}

/// Milliseconds between the points of a timeline over `range`.
pub(super) fn step(seconds: f64, range: TimeRange) -> Result<i64, ConnectError> {
    let milliseconds = (seconds * 1000.0).round();
    if !(1.0..=1e15).contains(&milliseconds) {
        return Err(invalid(format!("step is {seconds} seconds; it must be at least 0.001")));
    }
    let step = milliseconds as i64;
    let length = range.end - range.start;
    if length / step > MAX_STEPS {
        let least = (length / (MAX_STEPS + 1) + 1) as f64 / 1000.0;
        return Err(invalid(format!(
            "exceeded the maximum resolution of {MAX_STEPS} points per time series: ask for a step of {least} seconds or \
             more, or for a shorter range"
        )));
    }
    Ok(step)
}

/// The functions that stacks must begin with, root first.
pub(super) fn call_site(selector: Option<&StackTraceSelector>) -> Result<Vec<String>, ConnectError> {
    let Some(selector) = selector else { return Ok(Vec::new()) };
    if selector.go_pgo.is_set() {
        return Err(ConnectError::unimplemented("go_pgo stack trace selectors are not supported"));
    }
    Ok(selector.call_site.iter().map(|location| location.name.clone()).collect())
}

/// Refuses selectors of single profiles, which the store merges away.
pub(super) fn no_ids(ids: &[String], what: &str) -> Result<(), ConnectError> {
    if ids.is_empty() {
        return Ok(());
    }
    Err(ConnectError::unimplemented(format!("{what} is not supported: the store keeps no ids of single profiles")))
}
