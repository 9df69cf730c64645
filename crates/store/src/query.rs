//! Questions to the store. Each sees one moment: all windows appended before it and what was open then.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use hashbrown::HashMap;
use profile::{Labels, Profile, ProfileType};

use crate::codec::decompress;
use crate::ingest::Detail;
use crate::partition::{Columns, FileError, Partition, read};
use crate::range::TimeRange;
use crate::selector::Selector;
use crate::series::{Series, SeriesTable};
use crate::store::{Inner, Store};
use crate::tree::{StackTree, Times};
use crate::window::{Entry, add_samples, decode_entries};

mod labels;

/// What is asked for, and when.
#[derive(Clone, Debug)]
pub struct Query {
    /// Which kind of profiles.
    pub profile_type: ProfileType,
    /// Which series.
    pub selector: Selector,
    /// When.
    pub range: TimeRange,
}

/// An answer, and what is missing from it: a message for each file that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer<T> {
    /// What was found.
    pub value: T,
    /// What is missing; empty when nothing is.
    pub missing: Vec<String>,
}

/// How values that fall on one point become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aggregation {
    /// Their sum.
    Sum,
    /// Their mean per profile.
    Average,
}

/// A line of a timeline.
#[derive(Clone, Debug, PartialEq)]
pub struct TimeSeries {
    /// The labels by which it was grouped.
    pub labels: Labels,
    /// Time in Unix milliseconds, ascending, and value. Points without data are left out.
    pub points: Vec<(i64, f64)>,
}

/// A query for timelines.
#[derive(Clone, Debug)]
pub struct SeriesQuery {
    /// What to sum.
    pub query: Query,
    /// Milliseconds between points, at least 1. A point stands for the step before it, itself included.
    pub step: i64,
    /// The labels that tell one line from another.
    pub group_by: Vec<String>,
    /// How values are combined.
    pub aggregation: Aggregation,
    /// At most so many lines, those with the largest sums.
    pub limit: Option<usize>,
}

/// Stacks merged over time and series.
pub struct Merged {
    /// The stacks.
    pub tree: StackTree,
    /// The period of the profiles; 0 when there are none.
    pub period: i64,
    /// How many profiles were merged.
    pub profiles: u64,
}

/// What a query may see.
struct Snapshot {
    partitions: Vec<(Arc<Partition>, i64)>,
    open: Vec<Arc<Profile>>,
}

impl Store {
    /// Timelines: a line for each combination of the values of `group_by`, the largest first.
    ///
    /// Points lie at `start`, `start + step` … up to the end of the range. A profile counts at the first point that is
    /// not before it.
    pub fn select_series(&self, query: &SeriesQuery) -> Answer<Vec<TimeSeries>> {
        let SeriesQuery { query, step, group_by, aggregation, limit } = query;
        let TimeRange { start, end } = query.range;
        let step = (*step).max(1);
        let range = TimeRange { start: start.saturating_sub(step).saturating_add(1), end };
        let mut lines: HashMap<Labels, BTreeMap<i64, (i64, u64)>> = HashMap::new();
        let missing = self.inner.each_entry(query, range, |series, time, total| {
            let point = time.saturating_sub(start).max(0).saturating_add(step - 1) / step * step + start;
            if point <= end {
                let labels = series.labels.filter(|name| group_by.iter().any(|wanted| wanted == name));
                let (sum, count) = lines.entry(labels).or_default().entry(point).or_default();
                *sum = sum.saturating_add(total);
                *count += 1;
            }
        });
        let mut lines: Vec<(i64, TimeSeries)> = lines
            .into_iter()
            .map(|(labels, points)| {
                let total = points.values().fold(0, |sum: i64, (value, _)| sum.saturating_add(*value));
                let value = |(sum, count): (i64, u64)| match aggregation {
                    Aggregation::Sum => sum as f64,
                    Aggregation::Average => sum as f64 / count as f64,
                };
                let points = points.into_iter().map(|(time, point)| (time, value(point))).collect();
                (total, TimeSeries { labels, points })
            })
            .collect();
        lines.sort_by(|(a, left), (b, right)| b.cmp(a).then_with(|| left.labels.cmp(&right.labels)));
        lines.truncate(limit.unwrap_or(usize::MAX));
        Answer { value: lines.into_iter().map(|(_, line)| line).collect(), missing }
    }

    /// All stacks of matching series in the range, merged.
    pub fn merge(&self, query: &Query, detail: Detail) -> Answer<Merged> {
        let snapshot = self.inner.snapshot(query.range);
        let mut merged = Merged { tree: StackTree::new(detail), period: 0, profiles: 0 };
        let missing = self.inner.each_partition(&snapshot, |partition, last| {
            let Some(wanted) = partition.with_series(|series| wanted_series(series, query))? else { return Ok(()) };
            let mut sums = Sums { values: Vec::new(), period: 0, profiles: 0 };
            let nodes = partition.with_dictionary(|dictionary| dictionary.nodes())?;
            sums.read(partition, last, query.range, &wanted, nodes)?;
            partition.with_dictionary(|dictionary| merged.tree.absorb(dictionary, &sums.values))?;
            merged.period = merged.period.max(sums.period);
            merged.profiles += sums.profiles;
            Ok(())
        });
        for profile in &snapshot.open {
            let wanted = open_series(profile, query);
            if wanted.iter().any(|wanted| *wanted) {
                merged.tree.add(profile, |sample| wanted[sample.labels.index()]);
                merged.period = merged.period.max(profile.period);
                merged.profiles += 1;
            }
        }
        merged.tree.finish();
        self.inner.trim();
        Answer { value: merged, missing }
    }

    /// The merged stacks as one profile, pruned to about `max_nodes` nodes of its call tree when given.
    pub fn merge_profile(&self, query: &Query, max_nodes: Option<usize>) -> Answer<Profile> {
        let Answer { value: merged, missing } = self.merge(query, Detail::Frames);
        Answer { value: merged.into_profile(query, max_nodes), missing }
    }
}

impl Merged {
    /// The stacks as one profile of the query's type and range, pruned when `max_nodes` is given.
    pub fn into_profile(self, query: &Query, max_nodes: Option<usize>) -> Profile {
        let tree = match max_nodes {
            Some(max_nodes) => self.tree.prune(max_nodes),
            None => self.tree,
        };
        let times = Times {
            time_nanos: query.range.start.saturating_mul(1_000_000),
            duration_nanos: query.range.end.saturating_sub(query.range.start).saturating_mul(1_000_000),
            period: self.period,
        };
        tree.to_profile(Labels::empty(), query.profile_type.clone(), times)
    }
}

/// Values by node of one partition.
struct Sums {
    values: Vec<i64>,
    period: i64,
    profiles: u64,
}

impl Sums {
    fn read(
        &mut self,
        partition: &Partition,
        last: i64,
        range: TimeRange,
        wanted: &[bool],
        nodes: usize,
    ) -> Result<(), FileError> {
        self.values = vec![0; nodes];
        let wanted =
            |entry: &Entry| range.contains(entry.time) && wanted.get(entry.series as usize).copied().unwrap_or(false);
        let (mut plain, mut entries, mut scratch) = (Vec::new(), Vec::new(), Vec::new());
        partition.for_each_window(last, range, Columns::EntriesAndSamples, |min_time, packed, samples| {
            decompress(packed, &mut plain, "entries")?;
            decode_entries(&plain, min_time, &mut entries)?;
            let mut any = false;
            for entry in entries.iter().filter(|entry| wanted(entry)) {
                any = true;
                self.period = self.period.max(entry.period);
                self.profiles += 1;
            }
            if any {
                decompress(samples, &mut plain, "samples")?;
                add_samples(&plain, &entries, wanted, &mut scratch, &mut self.values)?;
            }
            Ok(())
        })
    }
}

/// Which series a query means; none when it means none of them.
fn wanted_series(series: &SeriesTable, query: &Query) -> Option<Vec<bool>> {
    let wanted: Vec<bool> = series.iter().map(|series| is_wanted(series, query)).collect();
    wanted.iter().any(|wanted| *wanted).then_some(wanted)
}

fn is_wanted(series: &Series, query: &Query) -> bool {
    series.profile_type == query.profile_type && query.selector.matches(&series.labels)
}

/// Which sets of sample labels of an open profile a query means.
fn open_series(profile: &Profile, query: &Query) -> Vec<bool> {
    let time = profile.time_nanos.div_euclid(1_000_000);
    let sets = profile.tables().label_sets();
    if !query.range.contains(time) {
        return vec![false; sets.len()];
    }
    sets.iter().map(|labels| is_wanted(&Series::of(profile, labels), query)).collect()
}

impl Inner {
    fn snapshot(&self, range: TimeRange) -> Snapshot {
        let query = self.counts.queries.fetch_add(1, Ordering::Relaxed);
        let state = read(&self.state);
        let seen = |partition: &&Arc<Partition>| partition.span().is_some_and(|span| range.overlaps(span));
        let partitions = state.partitions.iter().filter(seen).map(|partition| {
            partition.last_used.store(query, Ordering::Relaxed);
            (partition.clone(), partition.committed())
        });
        Snapshot { partitions: partitions.collect(), open: state.open.profiles() }
    }

    /// Calls `each` with every partition; gives a message for each that failed. A damaged one is set aside.
    fn each_partition(
        &self,
        snapshot: &Snapshot,
        mut each: impl FnMut(&Partition, i64) -> Result<(), FileError>,
    ) -> Vec<String> {
        let mut missing = Vec::new();
        for (partition, last) in &snapshot.partitions {
            match each(partition, *last) {
                Ok(()) => {}
                Err(_) if partition.is_removed() => {}
                Err(error) => {
                    tracing::warn!(path = %partition.path.display(), error = %error, "a file of the store cannot be read");
                    missing.push(format!("{} cannot be read: {error}", partition.path.display()));
                    partition.unload();
                }
            }
        }
        missing
    }

    /// Calls `each` with series, time and total of all matching entries in `range`.
    fn each_entry(&self, query: &Query, range: TimeRange, mut each: impl FnMut(&Series, i64, i64)) -> Vec<String> {
        let snapshot = self.snapshot(range);
        let missing = self.each_partition(&snapshot, |partition, last| {
            let Some(wanted) = partition.with_series(|series| wanted_series(series, query))? else { return Ok(()) };
            let mut found: Vec<Entry> = Vec::new();
            let (mut plain, mut entries) = (Vec::new(), Vec::new());
            partition.for_each_window(last, range, Columns::Entries, |min_time, packed, _| {
                decompress(packed, &mut plain, "entries")?;
                decode_entries(&plain, min_time, &mut entries)?;
                found.extend(entries.iter().filter(|entry| {
                    range.contains(entry.time) && wanted.get(entry.series as usize).copied().unwrap_or(false)
                }));
                Ok(())
            })?;
            partition.with_series(|table| {
                for entry in &found {
                    if let Some(series) = table.get(entry.series) {
                        each(series, entry.time, entry.total);
                    }
                }
            })
        });
        for profile in &snapshot.open {
            let time = profile.time_nanos.div_euclid(1_000_000);
            let in_range = Query { range, ..query.clone() };
            let wanted = open_series(profile, &in_range);
            for (set, labels) in profile.tables().label_sets().iter().enumerate().filter(|(set, _)| wanted[*set]) {
                let samples = profile.samples().iter().filter(|sample| sample.labels.index() == set);
                let total = samples.fold(0, |sum: i64, sample| sum.saturating_add(sample.value));
                if total != 0 {
                    each(&Series::of(profile, labels), time, total);
                }
            }
        }
        self.trim();
        missing
    }

    /// Forgets the tables of the partitions that were used longest ago, until those of all but the newest fit the cache.
    pub(crate) fn trim(&self) {
        let partitions = read(&self.state).partitions.clone();
        let Some((_, older)) = partitions.split_last() else { return };
        let mut loaded: Vec<(u64, usize, &Arc<Partition>)> = older
            .iter()
            .map(|partition| (partition.last_used.load(Ordering::Relaxed), partition.heap(), partition))
            .filter(|(_, heap, _)| *heap > 0)
            .collect();
        let mut bytes: usize = loaded.iter().map(|(_, heap, _)| heap).sum();
        loaded.sort_by_key(|(used, _, _)| *used);
        for (_, heap, partition) in loaded {
            if bytes <= self.cache_bytes {
                break;
            }
            partition.unload();
            bytes -= heap;
        }
    }
}
