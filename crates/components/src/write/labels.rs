//! The labels of a profile as a server gets them.

use std::collections::BTreeMap;

use profile::Labels;

use crate::receiver::AppendError;

/// Checks the labels as they came, strips the reserved ones and puts the external ones on top; an empty external
/// value takes a label away.
pub(super) fn prepare(labels: &Labels, external: &BTreeMap<String, String>) -> Result<Labels, AppendError> {
    check(labels).map_err(AppendError::Labels)?;
    let ours = labels.iter().filter(|(name, _)| !name.starts_with("__") || matches!(*name, "__name__" | "__delta__"));
    let theirs = external.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    Ok(ours.chain(theirs).collect())
}

/// Names are checked before any is stripped. UTF-8 and uniqueness of names are given by the type.
fn check(labels: &Labels) -> Result<(), String> {
    if labels.is_empty() {
        return Err("service name is required".to_owned());
    }
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'.';
    match labels.iter().find(|(name, _)| name.is_empty() || !name.bytes().all(legal)) {
        Some((name, _)) => Err(format!("invalid label name: {name}")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(labels: &[(&str, &str)], external: &[(&str, &str)], expect: &str) {
        let labels = labels.iter().copied().collect();
        let external = external.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let shown = match prepare(&labels, &external) {
            Ok(labels) => labels.to_string(),
            Err(error) => error.to_string(),
        };
        assert_eq!(shown, expect);
    }

    #[test]
    fn reserved_labels_are_stripped() {
        let labels = [("__name__", "process_cpu"), ("__container_id__", "c"), ("__delta__", "false"), ("a", "1")];
        check(&labels, &[], r#"{__delta__="false", __name__="process_cpu", a="1"}"#);
    }

    #[test]
    fn external_labels_override_and_delete() {
        let labels = [("a", "1"), ("b", "2"), ("c", "3")];
        check(&labels, &[("a", "x"), ("b", ""), ("d", "4")], r#"{a="x", c="3", d="4"}"#);
    }

    #[test]
    fn illegal_names_are_refused_reserved_ones_too() {
        check(&[], &[], "invalid labels in profile: service name is required");
        check(&[("a-b", "1")], &[], "invalid labels in profile: invalid label name: a-b");
        check(&[("__meta é", "1"), ("a", "1")], &[], "invalid labels in profile: invalid label name: __meta é");
        check(&[("9.otel.scope.name", "1")], &[], r#"{9.otel.scope.name="1"}"#);
    }
}
