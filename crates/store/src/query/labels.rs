//! Which types, labels and series there are.

use std::collections::{BTreeMap, BTreeSet};

use profile::{Labels, ProfileType};

use crate::codec::decompress;
use crate::partition::{Columns, FileError, Partition};
use crate::query::Answer;
use crate::range::TimeRange;
use crate::selector::Selector;
use crate::series::{Series, SeriesTable};
use crate::store::{Inner, Store};
use crate::window::decode_entries;

impl Store {
    /// The types of profiles with data in `range`, by id.
    pub fn profile_types(&self, range: TimeRange) -> Answer<Vec<ProfileType>> {
        let mut types = BTreeMap::new();
        let missing = self.inner.each_series(&Selector::all(), range, |series| {
            types.insert(series.profile_type.id(), series.profile_type.clone());
        });
        Answer { value: types.into_values().collect(), missing }
    }

    /// The names of labels of matching series with data in `range`.
    pub fn label_names(&self, selector: &Selector, range: TimeRange) -> Answer<Vec<String>> {
        let mut names = BTreeSet::new();
        let missing = self.inner.each_series(selector, range, |series| {
            for (name, _) in series.labels.iter() {
                if !names.contains(name) {
                    names.insert(name.to_owned());
                }
            }
        });
        Answer { value: names.into_iter().collect(), missing }
    }

    /// The values of the label `name` of matching series with data in `range`.
    pub fn label_values(&self, name: &str, selector: &Selector, range: TimeRange) -> Answer<Vec<String>> {
        let mut values = BTreeSet::new();
        let missing = self.inner.each_series(selector, range, |series| {
            if let Some(value) = series.labels.get(name)
                && !values.contains(value)
            {
                values.insert(value.to_owned());
            }
        });
        Answer { value: values.into_iter().collect(), missing }
    }

    /// The distinct label sets of matching series with data in `range`, reduced to `names`; to none of them means all.
    pub fn series(&self, selector: &Selector, names: &[String], range: TimeRange) -> Answer<Vec<Labels>> {
        let mut sets = BTreeSet::new();
        let missing = self.inner.each_series(selector, range, |series| {
            let labels = match names {
                [] => series.labels.clone(),
                names => series.labels.filter(|name| names.iter().any(|wanted| wanted == name)),
            };
            sets.insert(labels);
        });
        Answer { value: sets.into_iter().filter(|labels| !labels.is_empty()).collect(), missing }
    }
}

impl Inner {
    /// Calls `each` with the matching series that have data in `range`; with one series several times.
    fn each_series(&self, selector: &Selector, range: TimeRange, mut each: impl FnMut(&Series)) -> Vec<String> {
        let snapshot = self.snapshot(range);
        let missing = self.each_partition(&snapshot, |partition, last| {
            let present = match partition.span() {
                Some(span) if range.covers(span) => None,
                _ => Some(present_series(partition, last, range)?),
            };
            partition.with_series(|table| {
                for (id, series) in table.iter().enumerate() {
                    let present = present.as_ref().is_none_or(|present| present.get(id).copied().unwrap_or(false));
                    if present && selector.matches(&series.labels) {
                        each(series);
                    }
                }
            })
        });
        for profile in &snapshot.open {
            let tables = profile.tables();
            if !range.contains(profile.time_nanos.div_euclid(1_000_000)) || tables.samples().is_empty() {
                continue;
            }
            let mut used = vec![false; tables.label_sets().len()];
            for sample in tables.samples() {
                used[sample.labels.index()] |= sample.value != 0;
            }
            for (labels, _) in tables.label_sets().iter().zip(used).filter(|(_, used)| *used) {
                let series = Series::of(profile, labels);
                if selector.matches(&series.labels) {
                    each(&series);
                }
            }
        }
        self.trim();
        missing
    }
}

/// The series with an entry in `range`.
fn present_series(partition: &Partition, last: i64, range: TimeRange) -> Result<Vec<bool>, FileError> {
    let mut present = vec![false; partition.with_series(SeriesTable::len)?];
    let (mut plain, mut entries) = (Vec::new(), Vec::new());
    partition.for_each_window(last, range, Columns::Entries, |min_time, packed, _| {
        decompress(packed, &mut plain, "entries")?;
        decode_entries(&plain, min_time, &mut entries)?;
        for entry in entries.iter().filter(|entry| range.contains(entry.time)) {
            if let Some(present) = present.get_mut(entry.series as usize) {
                *present = true;
            }
        }
        Ok(())
    })?;
    Ok(present)
}
