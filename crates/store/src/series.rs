//! The series of a partition: label sets with what they measure.

use hashbrown::HashMap;
use profile::{Labels, Profile, ProfileType, SampleLabel, SampleLabelValue};

/// Labels that follow from others, so they are not written.
const DERIVED: [&str; 6] =
    ["__type__", "__unit__", "__period_type__", "__period_unit__", "__profile_type__", "__service_name__"];

/// Labels that steer the upload and say nothing of the series.
const CONSUMED: [&str; 2] = ["__delta__", "__session_id__"];

/// A series: what queries see of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Series {
    /// All labels, the derived ones included.
    pub(crate) labels: Labels,
    pub(crate) profile_type: ProfileType,
}

impl Series {
    /// The series of `profile`'s samples that have `sample_labels`.
    pub(crate) fn of(profile: &Profile, sample_labels: &[SampleLabel]) -> Self {
        let mut labels: Vec<(&str, &str)> = Vec::with_capacity(profile.labels.len() + sample_labels.len());
        for label in sample_labels {
            if let SampleLabelValue::Text(text) = &label.value {
                labels.push((&label.key, text));
            }
        }
        labels.extend(profile.labels.iter());
        let name = match profile.name() {
            "" => "unknown",
            name => name,
        };
        let profile_type = ProfileType { name: name.into(), ..profile.profile_type.clone() };
        Self::new(labels, profile_type)
    }

    /// The series with these labels, to which the derived ones are added.
    pub(crate) fn new<'a>(labels: impl IntoIterator<Item = (&'a str, &'a str)>, profile_type: ProfileType) -> Self {
        let labels: Labels = labels.into_iter().filter(|(name, _)| !CONSUMED.contains(name)).collect();
        let service = labels.get("service_name").unwrap_or("unknown_service").to_owned();
        let id = profile_type.id();
        let added: [(&str, &str); 8] = [
            ("__name__", &profile_type.name),
            ("__type__", &profile_type.sample_type),
            ("__unit__", &profile_type.sample_unit),
            ("__period_type__", &profile_type.period_type),
            ("__period_unit__", &profile_type.period_unit),
            ("__profile_type__", &id),
            ("service_name", &service),
            ("__service_name__", &service),
        ];
        let labels = labels.iter().chain(added).collect();
        Self { labels, profile_type }
    }

    /// The labels that are written.
    pub(crate) fn written_labels(&self) -> impl Iterator<Item = (&str, &str)> {
        self.labels.iter().filter(|(name, _)| !DERIVED.contains(name))
    }
}

/// Series by id.
#[derive(Default)]
pub(crate) struct SeriesTable {
    list: Vec<Series>,
    ids: HashMap<Labels, u32>,
}

impl SeriesTable {
    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    /// Bytes on the heap, about.
    pub(crate) fn heap(&self) -> usize {
        1_000 * self.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Series> {
        self.list.iter()
    }

    pub(crate) fn get(&self, id: u32) -> Option<&Series> {
        self.list.get(id as usize)
    }

    /// The series from `id` on.
    pub(crate) fn since(&self, id: usize) -> impl Iterator<Item = (u32, &Series)> {
        (id as u32..).zip(&self.list[id..])
    }

    /// The id of `series`, new or old. Its labels alone identify it, for they hold its type.
    pub(crate) fn intern(&mut self, series: Series) -> u32 {
        if let Some(id) = self.ids.get(&series.labels) {
            return *id;
        }
        let id = self.list.len() as u32;
        self.ids.insert(series.labels.clone(), id);
        self.list.push(series);
        id
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use profile::ProfileBuilder;

    use super::*;

    #[track_caller]
    fn check(labels: &[(&str, &str)], sample_labels: &[(&str, &str)], expect: &str) {
        let labels = labels.iter().copied().collect();
        let profile = ProfileBuilder::new().finish(labels, ProfileType::cpu("process_cpu"));
        let sample_labels: Vec<SampleLabel> = sample_labels
            .iter()
            .map(|(key, text)| SampleLabel { key: Arc::from(*key), value: SampleLabelValue::Text(Arc::from(*text)) })
            .collect();
        let series = Series::of(&profile, &sample_labels);
        let written: Labels = series.written_labels().collect();
        assert_eq!(written.to_string(), expect);
        assert_eq!(Series::new(written.iter(), series.profile_type.clone()), series);
        assert_eq!(series.labels.get("__profile_type__"), Some(series.profile_type.id().as_str()));
        assert_eq!(series.labels.get("__service_name__"), series.labels.get("service_name"));
    }

    #[test]
    fn name_and_service_are_always_there() {
        check(&[], &[], r#"{__name__="process_cpu", service_name="unknown_service"}"#);
        check(&[("__name__", "mine"), ("service_name", "cart")], &[], r#"{__name__="mine", service_name="cart"}"#);
    }

    #[test]
    fn what_steers_the_upload_is_dropped() {
        check(&[("__delta__", "false"), ("service_name", "a")], &[], r#"{__name__="process_cpu", service_name="a"}"#);
    }

    #[test]
    fn labels_of_samples_join_but_never_override() {
        check(
            &[("service_name", "a"), ("pid", "1")],
            &[("comm", "worker"), ("pid", "2")],
            r#"{__name__="process_cpu", comm="worker", pid="1", service_name="a"}"#,
        );
    }
}
