//! What the tests of the store share: profiles written as text.
#![allow(dead_code, reason = "each test file uses its own part of this")]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use profile::{Function, Labels, Line, LocationId, Profile, ProfileBuilder, ProfileType};
use pyrope_store::{Config, Detail, Interval, Query, Selector, Store, TimeRange};

pub(crate) const SECOND: i64 = 1_000;

/// A time at which tests happen, in Unix milliseconds: recent, so that retention by age leaves it.
pub(crate) fn base() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    now.as_millis() as i64 / 3_600_000 * 3_600_000 - 3_600_000
}

pub(crate) fn config(path: &Path) -> Config {
    Config {
        path: path.to_owned(),
        max_age: Duration::from_secs(7 * 24 * 3600),
        max_bytes: 2 << 30,
        min_free_bytes: 0,
        partition: Duration::from_secs(6 * 3600),
    }
}

pub(crate) fn open(path: &Path) -> Store {
    Store::open(config(path)).expect("opens")
}

pub(crate) fn cpu() -> ProfileType {
    ProfileType::cpu("process_cpu")
}

/// A profile of `service` from stacks as text: `main;read 10, main 5`.
pub(crate) fn profile(service: &str, time_ms: i64, folded: &str) -> Arc<Profile> {
    let mut builder = ProfileBuilder::new();
    builder.interval(time_ms * 1_000_000, 15_000_000_000).period(10_000_000);
    for stack in folded.split(", ") {
        let (stack, value) = stack.rsplit_once(' ').expect("a value");
        let stack: Vec<LocationId> = stack
            .rsplit(';')
            .map(|name| {
                let function = builder.function(&Function::named(name));
                builder.location(None, 0, &[Line { function, line: 0 }])
            })
            .collect();
        builder.add(&stack, value.parse().expect("a number"));
    }
    let labels: Labels = [("service_name", service)].into_iter().collect();
    Arc::new(builder.finish(labels, cpu()))
}

pub(crate) fn interval(number: u64) -> Interval {
    Interval { source: 1, number }
}

pub(crate) fn query(selector: &str, range: TimeRange) -> Query {
    Query { profile_type: cpu(), selector: Selector::parse(selector).expect("a selector"), range }
}

/// The merged stacks as text, one a line.
pub(crate) fn folded(store: &Store, selector: &str, range: TimeRange) -> String {
    let query = query(selector, range);
    let frames = store.merge_profile(&query, None);
    assert_eq!(frames.missing, [""; 0]);
    let functions = store.merge(&query, Detail::Functions).value.into_profile(&query, None);
    assert_eq!(functions.folded(), frames.value.folded(), "both details have the same names here");
    frames.value.folded()
}
