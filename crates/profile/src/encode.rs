//! Profiles to pprof bytes, written directly: this is the agent's dearest step per profile.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use hashbrown::HashMap;

use crate::profile::{Profile, SampleLabelValue};
use crate::wire;

impl Profile {
    /// The profile as an uncompressed pprof message.
    ///
    /// Ids count from 1 in table order, the string table begins with `""`, and a location without a mapping has mapping
    /// id 0. Labels of the series are not written.
    pub fn encode(&self) -> Vec<u8> {
        let tables = self.tables();
        let mut strings = Strings::new();
        let mut out = Vec::with_capacity(
            128 + tables.frames.len() * 2
                + tables.samples.len() * 12
                + tables.locations.len() * 24
                + tables.functions.len() * 64,
        );
        let mut scratch = Vec::with_capacity(256);

        let kind = &self.profile_type;
        self.write_value_type(&mut out, 1, strings.id(&kind.sample_type), strings.id(&kind.sample_unit));
        self.write_samples(&mut out, &mut strings);
        for (at, mapping) in tables.mappings.iter().enumerate() {
            scratch.clear();
            wire::uint(&mut scratch, 1, at as u64 + 1);
            wire::uint(&mut scratch, 2, mapping.memory_start);
            wire::uint(&mut scratch, 3, mapping.memory_limit);
            wire::uint(&mut scratch, 4, mapping.file_offset);
            wire::uint(&mut scratch, 5, strings.id(&mapping.filename));
            wire::uint(&mut scratch, 6, strings.id(&mapping.build_id));
            wire::uint(&mut scratch, 7, u64::from(mapping.has_functions));
            wire::uint(&mut scratch, 8, u64::from(mapping.has_filenames));
            wire::uint(&mut scratch, 9, u64::from(mapping.has_line_numbers));
            wire::uint(&mut scratch, 10, u64::from(mapping.has_inline_frames));
            wire::bytes(&mut out, 3, &scratch);
        }
        let mut inner = Vec::with_capacity(16);
        for (at, location) in tables.locations.iter().enumerate() {
            scratch.clear();
            wire::uint(&mut scratch, 1, at as u64 + 1);
            wire::uint(&mut scratch, 2, location.mapping.map_or(0, |mapping| u64::from(mapping.0) + 1));
            wire::uint(&mut scratch, 3, location.address);
            for line in &location.lines {
                inner.clear();
                wire::uint(&mut inner, 1, u64::from(line.function.0) + 1);
                wire::uint(&mut inner, 2, line.line as u64);
                wire::bytes(&mut scratch, 4, &inner);
            }
            wire::bytes(&mut out, 4, &scratch);
        }
        for (at, function) in tables.functions.iter().enumerate() {
            scratch.clear();
            wire::uint(&mut scratch, 1, at as u64 + 1);
            wire::uint(&mut scratch, 2, strings.id(&function.name));
            wire::uint(&mut scratch, 3, strings.id(&function.system_name));
            wire::uint(&mut scratch, 4, strings.id(&function.filename));
            wire::uint(&mut scratch, 5, function.start_line as u64);
            wire::bytes(&mut out, 5, &scratch);
        }
        wire::uint(&mut out, 9, self.time_nanos as u64);
        wire::uint(&mut out, 10, self.duration_nanos as u64);
        let (period_type, period_unit) = (strings.id(&kind.period_type), strings.id(&kind.period_unit));
        if (period_type, period_unit) != (0, 0) {
            self.write_value_type(&mut out, 11, period_type, period_unit);
        }
        wire::uint(&mut out, 12, self.period as u64);
        for string in strings.list {
            wire::bytes(&mut out, 6, string.as_bytes());
        }
        out
    }

    /// [`encode`](Self::encode) and [`gzip`] in one.
    pub fn encode_gzip(&self, level: u32) -> Vec<u8> {
        gzip(&self.encode(), level)
    }

    fn write_value_type(&self, out: &mut Vec<u8>, field: u32, kind: u64, unit: u64) {
        let mut inner = Vec::with_capacity(8);
        wire::uint(&mut inner, 1, kind);
        wire::uint(&mut inner, 2, unit);
        wire::bytes(out, field, &inner);
    }

    fn write_samples<'a>(&'a self, out: &mut Vec<u8>, strings: &mut Strings<'a>) {
        let tables = self.tables();
        let label_sets: Vec<Vec<u8>> = tables
            .label_sets
            .iter()
            .map(|set| {
                let mut bytes = Vec::new();
                let mut inner = Vec::new();
                for label in set {
                    inner.clear();
                    wire::uint(&mut inner, 1, strings.id(&label.key));
                    match &label.value {
                        SampleLabelValue::Text(text) => wire::uint(&mut inner, 2, strings.id(text)),
                        SampleLabelValue::Number(number, unit) => {
                            wire::uint(&mut inner, 3, *number as u64);
                            wire::uint(&mut inner, 4, strings.id(unit));
                        }
                    }
                    wire::bytes(&mut bytes, 3, &inner);
                }
                bytes
            })
            .collect();
        for sample in &tables.samples {
            let stack = tables.stack(sample);
            let ids_len: usize = stack.iter().map(|id| wire::varint_len(u64::from(id.0) + 1)).sum();
            let value_len = wire::varint_len(sample.value as u64);
            let labels = &label_sets[sample.labels.index()];
            let head_len = if stack.is_empty() { 0 } else { 1 + wire::varint_len(ids_len as u64) };
            wire::head(out, 2, head_len + ids_len + 2 + value_len + labels.len());
            if !stack.is_empty() {
                wire::head(out, 1, ids_len);
                for id in stack {
                    wire::varint(out, u64::from(id.0) + 1);
                }
            }
            wire::head(out, 2, value_len);
            wire::varint(out, sample.value as u64);
            out.extend_from_slice(labels);
        }
    }
}

/// `bytes` in gzip; `level` from 0 (stored) to 9 (smallest), higher ones count as 9.
pub fn gzip(bytes: &[u8], level: u32) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 3 + 64), Compression::new(level.min(9)));
    encoder.write_all(bytes).expect("writing to a vector cannot fail");
    encoder.finish().expect("writing to a vector cannot fail")
}

/// The string table under construction; `""` is 0.
struct Strings<'a> {
    list: Vec<&'a str>,
    ids: HashMap<&'a str, u64>,
}

impl<'a> Strings<'a> {
    fn new() -> Self {
        Self { list: vec![""], ids: HashMap::new() }
    }

    fn id(&mut self, string: &'a str) -> u64 {
        if string.is_empty() {
            return 0;
        }
        *self.ids.entry(string).or_insert_with(|| {
            self.list.push(string);
            self.list.len() as u64 - 1
        })
    }
}
