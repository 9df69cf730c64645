//! `labels`: which series reach the server for a target. Runs the built binary on a real process, with a real receiver.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::case::{Case, Line};

/// A line for each distinct label set that arrives.
pub(super) fn answer(case: &Case) -> Result<Vec<Line>, String> {
    let object = |name: &str| case.fields[name].as_object().ok_or_else(|| format!("the case has no {name}"));
    let empty = Map::new();
    let series = e2e::labels::series(object("target")?, object("external_labels").unwrap_or(&empty));
    Ok(series.into_iter().map(|labels| line(&labels)).collect())
}

/// The recorded label sets in the same form. The labels that tell which agent made a profile are not compared.
pub(super) fn expected(series: &Value) -> Vec<Line> {
    let sets: Vec<BTreeMap<String, String>> = serde_json::from_value(series.clone()).unwrap_or_default();
    let mut lines: Vec<Line> = sets
        .into_iter()
        .map(|mut labels| {
            labels.retain(|name, _| !name.starts_with("otel.scope."));
            line(&labels)
        })
        .collect();
    lines.sort();
    lines
}

fn line(labels: &BTreeMap<String, String>) -> Line {
    Line::new("series", serde_json::json!(labels).to_string())
}
