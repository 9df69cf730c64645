//! Splits a profile that is too large for one message.

use crate::profile::{
    Function, FunctionId, LabelSetId, Line, Location, LocationId, Mapping, MappingId, Profile, Sample, SampleLabel,
    SampleLabelValue, Tables,
};
use crate::wire::varint_len;

impl Profile {
    /// Upper bound of the profile's size when encoded, in bytes. Each table is read once and nothing is allocated.
    pub fn encoded_bound(&self) -> usize {
        let tables = self.tables();
        let sizes = Sizes::of(self);
        let samples: usize = tables.samples.iter().map(|sample| sizes.sample(tables, sample)).sum();
        let locations: usize = tables.locations.iter().map(|location| sizes.location(location)).sum();
        let functions: usize = tables.functions.iter().map(|function| sizes.function(function)).sum();
        let mappings: usize = tables.mappings.iter().map(|mapping| sizes.mapping(mapping)).sum();
        sizes.fixed(self) + samples + locations + functions + mappings
    }

    /// The profile in parts of at most `max_samples` samples and `max_bytes` bytes when encoded.
    ///
    /// Each part is a profile of its own with the tables that its samples need. No sample is divided: one that alone
    /// exceeds `max_bytes` is a part by itself. Sizes are judged by an upper bound, so a part can turn out smaller than
    /// it had to be. A profile without samples is one part. Table entries that no sample uses are in no part.
    pub fn split(&self, max_samples: usize, max_bytes: usize) -> Vec<Profile> {
        let mut splitter = Splitter::new(self);
        let mut parts = Vec::new();
        for sample in self.samples() {
            let mut cost = splitter.cost(sample);
            let samples = splitter.part.samples.len();
            if samples > 0 && (samples >= max_samples || splitter.bytes + cost > max_bytes) {
                parts.push(splitter.finish());
                cost = splitter.cost(sample);
            }
            splitter.add(sample, cost);
        }
        parts.push(splitter.finish());
        parts
    }
}

/// Not in this part yet.
const ABSENT: u32 = u32::MAX;

/// Upper bounds of what the parts of a profile take when encoded.
struct Sizes {
    /// An id of any table, and a string's index.
    id: usize,
    string: usize,
}

impl Sizes {
    fn of(profile: &Profile) -> Self {
        let tables = profile.tables();
        let largest = tables.locations.len().max(tables.functions.len()).max(tables.mappings.len()) as u64;
        let labels: usize = tables.label_sets.iter().map(|set| set.len()).sum();
        let strings = 8 + 3 * tables.functions.len() + 2 * tables.mappings.len() + 2 * labels;
        Self { id: varint_len(largest + 1), string: varint_len(strings as u64) }
    }

    /// Value types, their strings, times and period.
    fn fixed(&self, profile: &Profile) -> usize {
        let kind = &profile.profile_type;
        let names = [&kind.sample_type, &kind.sample_unit, &kind.period_type, &kind.period_unit];
        let strings: usize = names.iter().map(|name| string_cost(name)).sum();
        2 + strings + 2 * (4 + 2 * (1 + self.string)) + 3 * 11
    }

    fn sample(&self, tables: &Tables, sample: &Sample) -> usize {
        let ids = sample.len as usize * self.id;
        let labels: usize = tables.sample_labels(sample).iter().map(|label| self.label(label)).sum();
        let message = 1 + varint_len(ids as u64) + ids + 2 + varint_len(sample.value as u64) + labels;
        1 + varint_len(message as u64) + message
    }

    fn label(&self, label: &SampleLabel) -> usize {
        let value = match &label.value {
            SampleLabelValue::Text(text) => 1 + self.string + string_cost(text),
            SampleLabelValue::Number(_, unit) => 11 + 1 + self.string + string_cost(unit),
        };
        2 + 1 + self.string + string_cost(&label.key) + value
    }

    /// Without its mapping and functions.
    fn location(&self, location: &Location) -> usize {
        let line = |line: &Line| 2 + 1 + self.id + 1 + varint_len(line.line as u64);
        let lines: usize = location.lines.iter().map(line).sum();
        let message = 2 * (1 + self.id) + 1 + varint_len(location.address) + lines;
        1 + varint_len(message as u64) + message
    }

    fn function(&self, function: &Function) -> usize {
        let strings = [&function.name, &function.system_name, &function.filename];
        let strings: usize = strings.map(|string| string_cost(string)).iter().sum();
        2 + 1 + self.id + 3 * (1 + self.string) + 1 + varint_len(function.start_line as u64) + strings
    }

    fn mapping(&self, mapping: &Mapping) -> usize {
        let strings = string_cost(&mapping.filename) + string_cost(&mapping.build_id);
        2 + 1 + self.id + 3 * 11 + 2 * (1 + self.string) + 4 * 2 + strings
    }
}

struct Splitter<'a> {
    whole: &'a Profile,
    part: Tables,
    sizes: Sizes,
    /// Upper bound of the part's encoded size.
    bytes: usize,
    mappings: Vec<u32>,
    functions: Vec<u32>,
    locations: Vec<u32>,
    label_sets: Vec<u32>,
    /// Locations that `cost` has counted for the sample at hand.
    seen: Vec<u32>,
    round: u32,
}

impl<'a> Splitter<'a> {
    fn new(whole: &'a Profile) -> Self {
        let tables = whole.tables();
        let sizes = Sizes::of(whole);
        let mut label_sets = vec![ABSENT; tables.label_sets.len()];
        label_sets[0] = 0;
        Self {
            whole,
            part: Tables::empty(),
            bytes: sizes.fixed(whole),
            sizes,
            mappings: vec![ABSENT; tables.mappings.len()],
            functions: vec![ABSENT; tables.functions.len()],
            locations: vec![ABSENT; tables.locations.len()],
            label_sets,
            seen: vec![0; tables.locations.len()],
            round: 0,
        }
    }

    /// Upper bound of what `sample` adds to this part. Mappings and functions that two new locations share count twice:
    /// an upper bound is enough.
    fn cost(&mut self, sample: &Sample) -> usize {
        let tables = self.whole.tables();
        let mut cost = self.sizes.sample(tables, sample);
        self.round += 1;
        for id in tables.stack(sample) {
            if self.locations[id.index()] == ABSENT && self.seen[id.index()] != self.round {
                self.seen[id.index()] = self.round;
                cost += self.location_cost(&tables.locations[id.index()]);
            }
        }
        cost
    }

    fn location_cost(&self, location: &Location) -> usize {
        let tables = self.whole.tables();
        let functions = location.lines.iter().map(|line| line.function.index());
        let new = functions.filter(|function| self.functions[*function] == ABSENT);
        let functions: usize = new.map(|function| self.sizes.function(&tables.functions[function])).sum();
        let mapping = location.mapping.filter(|mapping| self.mappings[mapping.index()] == ABSENT);
        let mapping = mapping.map_or(0, |mapping| self.sizes.mapping(&tables.mappings[mapping.index()]));
        self.sizes.location(location) + functions + mapping
    }

    fn add(&mut self, sample: &Sample, cost: usize) {
        self.bytes += cost;
        let start = self.part.frames.len();
        for id in self.whole.tables().stack(sample) {
            let id = self.location(*id);
            self.part.frames.push(id);
        }
        let labels = self.label_set(sample.labels);
        self.part.samples.push(Sample { start, labels, ..*sample });
    }

    fn location(&mut self, id: LocationId) -> LocationId {
        if self.locations[id.index()] == ABSENT {
            let mut location = self.whole.tables().locations[id.index()].clone();
            location.mapping = location.mapping.map(|mapping| self.mapping(mapping));
            for line in &mut location.lines {
                *line = Line { function: self.function(line.function), ..*line };
            }
            self.locations[id.index()] = self.part.locations.len() as u32;
            self.part.locations.push(location);
        }
        LocationId(self.locations[id.index()])
    }

    fn mapping(&mut self, id: MappingId) -> MappingId {
        if self.mappings[id.index()] == ABSENT {
            self.mappings[id.index()] = self.part.mappings.len() as u32;
            self.part.mappings.push(self.whole.tables().mappings[id.index()].clone());
        }
        MappingId(self.mappings[id.index()])
    }

    fn function(&mut self, id: FunctionId) -> FunctionId {
        if self.functions[id.index()] == ABSENT {
            self.functions[id.index()] = self.part.functions.len() as u32;
            self.part.functions.push(self.whole.tables().functions[id.index()].clone());
        }
        FunctionId(self.functions[id.index()])
    }

    fn label_set(&mut self, id: LabelSetId) -> LabelSetId {
        if self.label_sets[id.index()] == ABSENT {
            self.label_sets[id.index()] = self.part.label_sets.len() as u32;
            self.part.label_sets.push(self.whole.tables().label_sets[id.index()].clone());
        }
        LabelSetId(self.label_sets[id.index()])
    }

    /// Gives the part and begins the next.
    fn finish(&mut self) -> Profile {
        self.mappings.fill(ABSENT);
        self.functions.fill(ABSENT);
        self.locations.fill(ABSENT);
        self.label_sets[1..].fill(ABSENT);
        self.bytes = self.sizes.fixed(self.whole);
        let part = std::mem::replace(&mut self.part, Tables::empty());
        Profile { tables: std::sync::Arc::new(part), ..self.whole.clone() }
    }
}

fn string_cost(string: &str) -> usize {
    1 + varint_len(string.len() as u64) + string.len()
}
