//! Labels as they reach the server, compared with what Alloy sends for the same targets.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

#[test]
fn labels_are_those_that_alloy_sends() {
    let cases = include_str!("../testdata/labels.jsonl");
    let mut wrong = Vec::new();
    for line in cases.lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let target = case["target"].as_object().unwrap();
        let external = case["external_labels"].as_object().unwrap();
        let mut expected: BTreeSet<BTreeMap<String, String>> = serde_json::from_value(case["series"].clone()).unwrap();
        expected = expected
            .into_iter()
            .map(|mut labels| {
                labels.retain(|name, _| !name.starts_with("otel.scope."));
                // The specification lets the target's own name win; Alloy overwrites it.
                if let Some(name) = target.get("__name__").and_then(Value::as_str) {
                    labels.insert("__name__".to_owned(), name.to_owned());
                }
                labels
            })
            .collect();
        let got = e2e::labels::series(target, external);
        if got != expected {
            wrong.push(format!("{}: expected {expected:?}, got {got:?}", case["id"]));
        }
    }
    assert_eq!(wrong, [""; 0]);
}
