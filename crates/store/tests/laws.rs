//! Whatever is asked, the answer equals a filter over the list of what was appended.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use common::*;
use profile::Profile;
use proptest::prelude::*;
use pyrope_store::{Aggregation, Selector, SeriesQuery, Store, TimeRange};

#[derive(Clone, Debug)]
struct Appended {
    service: usize,
    /// Seconds after the base.
    second: i64,
    stacks: Vec<(Vec<u8>, u8)>,
}

const SERVICES: [&str; 4] = ["cart", "catalog", "db", "ü"];

fn any_window() -> impl Strategy<Value = Vec<Appended>> {
    let stack = (prop::collection::vec(0_u8..4, 1..6), 0_u8..5);
    let profile = (0..SERVICES.len(), 0_i64..600, prop::collection::vec(stack, 0..6))
        .prop_map(|(service, second, stacks)| Appended { service, second, stacks });
    prop::collection::vec(profile, 0..4)
}

fn build(appended: &Appended, base: i64) -> Option<Arc<Profile>> {
    let stacks: Vec<String> = appended
        .stacks
        .iter()
        .map(|(stack, value)| {
            let names: Vec<String> = stack.iter().map(|name| format!("f{name}")).collect();
            format!("{} {value}", names.join(";"))
        })
        .collect();
    let text = stacks.join(", ");
    (!text.is_empty()).then(|| profile(SERVICES[appended.service], base + appended.second * SECOND, &text))
}

/// The model: a list, filtered.
fn expected_stacks(list: &[Arc<Profile>], services: &[&str], range: TimeRange) -> String {
    let mut sums: BTreeMap<String, i64> = BTreeMap::new();
    for profile in list.iter().filter(|profile| wanted(profile, services, range)) {
        for line in profile.folded().lines() {
            let (stack, value) = line.rsplit_once(' ').unwrap();
            *sums.entry(stack.to_owned()).or_default() += value.parse::<i64>().unwrap();
        }
    }
    let mut lines: Vec<String> =
        sums.into_iter().filter(|(_, value)| *value != 0).map(|(stack, value)| format!("{stack} {value}\n")).collect();
    lines.sort();
    lines.concat()
}

fn wanted(profile: &Profile, services: &[&str], range: TimeRange) -> bool {
    range.contains(profile.time_nanos / 1_000_000)
        && services.contains(&profile.labels.get("service_name").unwrap())
        && profile.total() != 0
}

fn expected_line(list: &[Arc<Profile>], services: &[&str], range: TimeRange, step: i64) -> Vec<(i64, f64)> {
    let mut points: BTreeMap<i64, f64> = BTreeMap::new();
    let fetched = TimeRange { start: range.start - step + 1, end: range.end };
    for profile in list.iter().filter(|profile| wanted(profile, services, fetched)) {
        let time = profile.time_nanos / 1_000_000;
        let point = (0..).map(|at| range.start + at * step).find(|point| *point >= time).unwrap();
        if point <= range.end {
            *points.entry(point).or_default() += profile.total() as f64;
        }
    }
    points.into_iter().collect()
}

fn answers_equal_the_model(store: &Store, list: &[Arc<Profile>], range: TimeRange, step: i64) {
    let cases: [(&str, &[&str]); 4] = [
        ("{}", &SERVICES),
        (r#"{service_name="cart"}"#, &["cart"]),
        (r#"{service_name=~"cat.*|cart"}"#, &["cart", "catalog"]),
        (r#"{service_name!="db", service_name!~"c.*"}"#, &["ü"]),
    ];
    for (selector, services) in cases {
        assert_eq!(folded(store, selector, range), expected_stacks(list, services, range), "{selector} {range:?}");
        let series = SeriesQuery {
            query: query(selector, range),
            step,
            group_by: Vec::new(),
            aggregation: Aggregation::Sum,
            limit: None,
        };
        let lines = store.select_series(&series).value;
        let points = lines.first().map_or(Vec::new(), |line| line.points.clone());
        assert_eq!(points, expected_line(list, services, range, step), "{selector} {range:?}");
        let names: BTreeSet<String> = list
            .iter()
            .filter(|profile| wanted(profile, services, range))
            .map(|profile| profile.labels.get("service_name").unwrap().to_owned())
            .collect();
        let selector = Selector::parse(selector).unwrap();
        let values = store.label_values("service_name", &selector, range).value;
        assert_eq!(values, names.into_iter().collect::<Vec<_>>());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn queries_equal_a_filter_over_a_list(
        windows in prop::collection::vec(any_window(), 1..10),
        open in any_window(),
        reopen in any::<bool>(),
        partition in 30_u64..700,
        ranges in prop::collection::vec((-60_i64..660, 0_i64..700, 1_i64..90_000), 1..4),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let mut config = config(folder.path());
        config.partition = Duration::from_secs(partition);
        let base = base();
        let mut store = Store::open(config.clone()).unwrap();
        let mut list = Vec::new();
        for (number, window) in (1..).zip(&windows) {
            let profiles: Vec<Arc<Profile>> = window.iter().filter_map(|appended| build(appended, base)).collect();
            store.set_open(interval(number), profiles.clone());
            store.append(interval(number), &profiles).unwrap();
            list.extend(profiles);
        }
        if reopen {
            drop(store);
            store = Store::open(config).unwrap();
        }
        let open: Vec<Arc<Profile>> = open.iter().filter_map(|appended| build(appended, base)).collect();
        store.set_open(interval(100), open.clone());
        list.extend(open);
        for (start, length, step) in ranges {
            let start = base + start * SECOND;
            answers_equal_the_model(&store, &list, TimeRange { start, end: start + length * SECOND }, step);
        }
    }
}
