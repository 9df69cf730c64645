//! Collects samples into a profile, interning everything by value.

use std::hash::{BuildHasher, Hash};
use std::sync::Arc;

use hashbrown::{DefaultHashBuilder, HashTable};

use crate::labels::Labels;
use crate::profile::{
    Function, FunctionId, LabelSetId, Line, Location, LocationId, Mapping, MappingId, Profile, Sample, SampleLabel,
    Tables,
};
use crate::profile_type::ProfileType;

/// Makes one [`Profile`]: equal mappings, functions and locations get one id, equal stacks are merged into one sample.
///
/// Looking something up allocates nothing; only what is new is copied, and its strings are shared. Ids of one builder
/// mean nothing to another: [`location`](Self::location) and [`add`](Self::add) panic on an id that is out of range.
pub struct ProfileBuilder {
    tables: Tables,
    mappings: HashTable<u32>,
    functions: HashTable<u32>,
    locations: HashTable<u32>,
    samples: HashTable<u32>,
    label_sets: HashTable<u32>,
    hasher: DefaultHashBuilder,
    time_nanos: i64,
    duration_nanos: i64,
    period: i64,
}

impl Default for ProfileBuilder {
    fn default() -> Self {
        Self::new()
    }
}

/// Finds `value` in `list` through `index`, or appends what `make` gives.
fn intern<T, Q: Hash + ?Sized>(
    index: &mut HashTable<u32>,
    list: &mut Vec<T>,
    hasher: &DefaultHashBuilder,
    value: &Q,
    same: impl Fn(&T, &Q) -> bool,
    hash_of: impl Fn(&T) -> u64,
    make: impl FnOnce() -> T,
) -> u32 {
    let hash = hasher.hash_one(value);
    let entry = index.entry(hash, |id| same(&list[*id as usize], value), |id| hash_of(&list[*id as usize]));
    match entry {
        hashbrown::hash_table::Entry::Occupied(found) => *found.get(),
        hashbrown::hash_table::Entry::Vacant(free) => {
            let id = u32::try_from(list.len()).expect("four billion table entries do not fit into memory");
            list.push(make());
            free.insert(id);
            id
        }
    }
}

impl ProfileBuilder {
    /// A builder without samples, with time, duration and period 0.
    pub fn new() -> Self {
        Self {
            tables: Tables::empty(),
            mappings: HashTable::new(),
            functions: HashTable::new(),
            locations: HashTable::new(),
            samples: HashTable::new(),
            label_sets: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            time_nanos: 0,
            duration_nanos: 0,
            period: 0,
        }
    }

    /// Sets the interval: its start in nanoseconds of Unix time, and its length in nanoseconds.
    pub fn interval(&mut self, time_nanos: i64, duration_nanos: i64) -> &mut Self {
        self.time_nanos = time_nanos;
        self.duration_nanos = duration_nanos;
        self
    }

    /// Sets the period, for CPU profiles in nanoseconds.
    pub fn period(&mut self, period: i64) -> &mut Self {
        self.period = period;
        self
    }

    /// The id of `mapping`.
    pub fn mapping(&mut self, mapping: &Mapping) -> MappingId {
        let hasher = &self.hasher;
        MappingId(intern(
            &mut self.mappings,
            &mut self.tables.mappings,
            hasher,
            mapping,
            |have, want| have == want,
            |have| hasher.hash_one(have),
            || mapping.clone(),
        ))
    }

    /// The id of `function`.
    pub fn function(&mut self, function: &Function) -> FunctionId {
        let hasher = &self.hasher;
        FunctionId(intern(
            &mut self.functions,
            &mut self.tables.functions,
            hasher,
            function,
            |have, want| have == want,
            |have| hasher.hash_one(have),
            || function.clone(),
        ))
    }

    /// The id of the place at `address`; `lines` innermost (inlined) first, empty when it has no name.
    pub fn location(&mut self, mapping: Option<MappingId>, address: u64, lines: &[Line]) -> LocationId {
        assert!(mapping.is_none_or(|id| id.index() < self.tables.mappings.len()), "a mapping of this builder");
        assert!(
            lines.iter().all(|line| line.function.index() < self.tables.functions.len()),
            "functions of this builder"
        );
        let hasher = &self.hasher;
        LocationId(intern(
            &mut self.locations,
            &mut self.tables.locations,
            hasher,
            &(mapping, address, lines),
            |have, want| (have.mapping, have.address, &*have.lines) == *want,
            |have| hasher.hash_one((have.mapping, have.address, &*have.lines)),
            || Location { mapping, address, lines: Box::from(lines) },
        ))
    }

    /// Adds `value` to the sample with this stack, leaf first.
    pub fn add(&mut self, stack: &[LocationId], value: i64) {
        self.add_to(stack, LabelSetId(0), value);
    }

    /// Adds `value` to the sample with this stack, leaf first, and these labels.
    pub fn add_labelled(&mut self, stack: &[LocationId], labels: &[SampleLabel], value: i64) {
        let labels = self.label_set(labels);
        self.add_to(stack, labels, value);
    }

    /// How many distinct samples there are.
    pub fn len(&self) -> usize {
        self.tables.samples.len()
    }

    /// Whether nothing was added.
    pub fn is_empty(&self) -> bool {
        self.tables.samples.is_empty()
    }

    /// The profile of what was added.
    pub fn finish(mut self, labels: Labels, profile_type: ProfileType) -> Profile {
        self.tables.mappings.shrink_to_fit();
        self.tables.functions.shrink_to_fit();
        self.tables.locations.shrink_to_fit();
        self.tables.frames.shrink_to_fit();
        self.tables.samples.shrink_to_fit();
        Profile {
            labels,
            profile_type,
            time_nanos: self.time_nanos,
            duration_nanos: self.duration_nanos,
            period: self.period,
            tables: Arc::new(self.tables),
        }
    }

    fn label_set(&mut self, labels: &[SampleLabel]) -> LabelSetId {
        if labels.is_empty() {
            return LabelSetId(0);
        }
        let hasher = &self.hasher;
        LabelSetId(intern(
            &mut self.label_sets,
            &mut self.tables.label_sets,
            hasher,
            labels,
            |have, want| &**have == want,
            |have| hasher.hash_one(&**have),
            || Box::from(labels),
        ))
    }

    fn add_to(&mut self, stack: &[LocationId], labels: LabelSetId, value: i64) {
        assert!(stack.iter().all(|id| id.index() < self.tables.locations.len()), "locations of this builder");
        let Tables { frames, samples, .. } = &mut self.tables;
        let hasher = &self.hasher;
        let of = |sample: &Sample| &frames[sample.start..sample.start + sample.len as usize];
        let hash = hasher.hash_one((stack, labels));
        let entry = self.samples.entry(
            hash,
            |at| samples[*at as usize].labels == labels && of(&samples[*at as usize]) == stack,
            |at| hasher.hash_one((of(&samples[*at as usize]), samples[*at as usize].labels)),
        );
        match entry {
            hashbrown::hash_table::Entry::Occupied(found) => {
                let sample = &mut samples[*found.get() as usize];
                sample.value = sample.value.saturating_add(value);
            }
            hashbrown::hash_table::Entry::Vacant(free) => {
                free.insert(u32::try_from(samples.len()).expect("four billion samples do not fit into memory"));
                let len = u32::try_from(stack.len()).expect("a stack of four billion frames does not fit into memory");
                samples.push(Sample { start: frames.len(), len, labels, value });
                frames.extend_from_slice(stack);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::SampleLabelValue;

    fn text(key: &str, value: &str) -> SampleLabel {
        SampleLabel { key: Arc::from(key), value: SampleLabelValue::Text(Arc::from(value)) }
    }

    #[test]
    fn equal_things_are_kept_once_and_equal_stacks_are_summed() {
        let mut builder = ProfileBuilder::new();
        for _ in 0..3 {
            let leaf = builder.function(&Function::named("read"));
            let root = builder.function(&Function::named("main"));
            let leaf = builder.location(None, 1, &[Line { function: leaf, line: 0 }]);
            let root = builder.location(None, 2, &[Line { function: root, line: 0 }]);
            builder.add(&[leaf, root], 10);
            builder.add(&[root], 1);
        }
        let profile = builder.finish(Labels::empty(), ProfileType::cpu("process_cpu"));
        assert_eq!(profile.folded(), "main 3\nmain;read 30\n");
        assert_eq!((profile.tables().functions().len(), profile.tables().locations().len()), (2, 2));
        assert_eq!(profile.total(), 33);
    }

    #[test]
    fn samples_with_different_labels_stay_apart() {
        let mut builder = ProfileBuilder::new();
        builder.add_labelled(&[], &[text("comm", "a")], 1);
        builder.add_labelled(&[], &[text("comm", "b")], 2);
        builder.add_labelled(&[], &[text("comm", "a")], 4);
        builder.add_labelled(&[], &[], 8);
        builder.add(&[], 16);
        let profile = builder.finish(Labels::empty(), ProfileType::cpu("process_cpu"));
        let values: Vec<i64> = profile.samples().iter().map(|sample| sample.value).collect();
        assert_eq!(values, [5, 2, 24]);
    }

    #[test]
    fn a_sum_saturates() {
        let mut builder = ProfileBuilder::new();
        builder.add(&[], i64::MAX);
        builder.add(&[], 1);
        assert_eq!(builder.finish(Labels::empty(), ProfileType::cpu("process_cpu")).total(), i64::MAX);
    }
}
