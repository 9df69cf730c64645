//! pprof bytes to profiles. The bytes may come from anyone.

use std::io::Read as _;
use std::sync::Arc;

use flate2::read::MultiGzDecoder;
use hashbrown::HashMap;

use crate::labels::Labels;
use crate::profile::{
    Function, FunctionId, LabelSetId, Line, Location, LocationId, Mapping, MappingId, Profile, Sample, SampleLabel,
    SampleLabelValue, Tables,
};
use crate::profile_type::ProfileType;
use crate::wire::{Fields, Malformed, Value, numbers};

/// The most bytes that a compressed profile may become: 64 MiB.
pub const MAX_UNCOMPRESSED: usize = 64 << 20;

/// Why bytes are not a profile we can take.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// The gzip stream is broken.
    #[error("decompress profile")]
    Gzip(#[source] std::io::Error),
    /// More bytes than allowed, after decompression.
    #[error("profile is larger than {limit} bytes uncompressed")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// Not protobuf.
    #[error("profile is not a valid protobuf message: {0}")]
    Wire(&'static str),
    /// The string table does not begin with the empty string.
    #[error("the string table of the profile does not begin with \"\"")]
    FirstString,
    /// A string is not UTF-8.
    #[error("string {index} of the profile is not UTF-8")]
    Utf8 {
        /// Its position in the string table.
        index: usize,
    },
    /// An index into the string table is out of range.
    #[error("the profile refers to string {index} of {len}")]
    StringIndex {
        /// The index.
        index: u64,
        /// How many strings there are.
        len: usize,
    },
    /// Something has the id 0, which means "none".
    #[error("a {what} of the profile has the id 0")]
    ZeroId {
        /// `mapping`, `location` or `function`.
        what: &'static str,
    },
    /// Two things have the same id.
    #[error("two {what}s of the profile have the id {id}")]
    DuplicateId {
        /// `mapping`, `location` or `function`.
        what: &'static str,
        /// The id.
        id: u64,
    },
    /// An id that nothing has.
    #[error("the profile refers to {what} {id}, which it does not contain")]
    UnknownId {
        /// `mapping`, `location` or `function`.
        what: &'static str,
        /// The id.
        id: u64,
    },
    /// Not exactly one sample type.
    #[error("the profile has {0} sample types; exactly one is supported")]
    SampleTypes(usize),
    /// A sample has not exactly one value.
    #[error("sample {index} of the profile has {values} values for one sample type")]
    Values {
        /// Its position.
        index: usize,
        /// How many values it has.
        values: usize,
    },
}

impl From<Malformed> for DecodeError {
    fn from(malformed: Malformed) -> Self {
        Self::Wire(malformed.0)
    }
}

/// Reads a pprof, plain or gzip, of at most [`MAX_UNCOMPRESSED`] bytes.
///
/// The result has no labels and an empty name in its type, for a pprof has neither. Comments, drop and keep
/// expressions, columns and fold marks are not kept.
pub fn decode(bytes: &[u8]) -> Result<Profile, DecodeError> {
    decode_limited(bytes, MAX_UNCOMPRESSED)
}

/// [`decode`] with a limit of `max_uncompressed` bytes.
pub fn decode_limited(bytes: &[u8], max_uncompressed: usize) -> Result<Profile, DecodeError> {
    if bytes.starts_with(&[0x1f, 0x8b]) {
        let mut plain = Vec::new();
        let limit = max_uncompressed as u64 + 1;
        MultiGzDecoder::new(bytes).take(limit).read_to_end(&mut plain).map_err(DecodeError::Gzip)?;
        decode_plain(&plain, max_uncompressed)
    } else {
        decode_plain(bytes, max_uncompressed)
    }
}

fn decode_plain(message: &[u8], limit: usize) -> Result<Profile, DecodeError> {
    if message.len() > limit {
        return Err(DecodeError::TooLarge { limit });
    }
    let mut head = Head::read(message)?;
    let mut decoder = Decoder { tables: Tables::empty(), ids: Ids::default() };
    for field in Fields::new(message) {
        match field? {
            (3, Value::Bytes(mapping)) => decoder.mapping(mapping, &mut head.strings)?,
            (5, Value::Bytes(function)) => decoder.function(function, &mut head.strings)?,
            _ => {}
        }
    }
    for field in Fields::new(message) {
        if let (4, Value::Bytes(location)) = field? {
            decoder.location(location)?;
        }
    }
    let mut label_sets = HashMap::new();
    for field in Fields::new(message) {
        if let (2, Value::Bytes(sample)) = field? {
            decoder.sample(sample, &mut head.strings, &mut label_sets)?;
        }
    }
    head.profile(decoder.tables)
}

/// What stands once in a profile, and its strings.
struct Head<'a> {
    strings: Strings<'a>,
    sample_types: Vec<&'a [u8]>,
    period_type: &'a [u8],
    time_nanos: i64,
    duration_nanos: i64,
    period: i64,
}

impl<'a> Head<'a> {
    fn read(message: &'a [u8]) -> Result<Self, DecodeError> {
        let strings = Strings { texts: Vec::new(), shared: Vec::new() };
        let mut head =
            Self { strings, sample_types: Vec::new(), period_type: &[], time_nanos: 0, duration_nanos: 0, period: 0 };
        for field in Fields::new(message) {
            match field? {
                (1, Value::Bytes(sample_type)) => head.sample_types.push(sample_type),
                (6, Value::Bytes(text)) => {
                    let index = head.strings.texts.len();
                    let text = std::str::from_utf8(text).map_err(|_| DecodeError::Utf8 { index })?;
                    head.strings.texts.push(text);
                }
                (9, Value::Varint(nanos)) => head.time_nanos = nanos as i64,
                (10, Value::Varint(nanos)) => head.duration_nanos = nanos as i64,
                (11, Value::Bytes(period_type)) => head.period_type = period_type,
                (12, Value::Varint(period)) => head.period = period as i64,
                (1..=6 | 11, Value::Varint(_) | Value::Fixed) => {
                    return Err(DecodeError::Wire("a number in place of a message"));
                }
                _ => {}
            }
        }
        if head.strings.texts.first().is_some_and(|first| !first.is_empty()) {
            return Err(DecodeError::FirstString);
        }
        if head.strings.texts.is_empty() {
            head.strings.texts.push("");
        }
        head.strings.shared = vec![None; head.strings.texts.len()];
        Ok(head)
    }

    fn profile(mut self, tables: Tables) -> Result<Profile, DecodeError> {
        let [sample_type] = self.sample_types[..] else {
            return Err(DecodeError::SampleTypes(self.sample_types.len()));
        };
        let (sample_type, sample_unit) = self.value_type(sample_type)?;
        let (period_type, period_unit) = self.value_type(self.period_type)?;
        let profile_type = ProfileType { name: Arc::from(""), sample_type, sample_unit, period_type, period_unit };
        Ok(Profile {
            labels: Labels::empty(),
            profile_type,
            time_nanos: self.time_nanos,
            duration_nanos: self.duration_nanos,
            period: self.period,
            tables: Arc::new(tables),
        })
    }

    fn value_type(&mut self, message: &[u8]) -> Result<(Arc<str>, Arc<str>), DecodeError> {
        let (mut kind, mut unit) = (0, 0);
        for field in Fields::new(message) {
            match field? {
                (1, Value::Varint(index)) => kind = index,
                (2, Value::Varint(index)) => unit = index,
                _ => {}
            }
        }
        Ok((self.strings.get(kind)?, self.strings.get(unit)?))
    }
}

/// The string table; a string is copied when it is first asked for.
struct Strings<'a> {
    texts: Vec<&'a str>,
    shared: Vec<Option<Arc<str>>>,
}

impl Strings<'_> {
    fn get(&mut self, index: u64) -> Result<Arc<str>, DecodeError> {
        let len = self.texts.len();
        let at = usize::try_from(index).ok().filter(|at| *at < len).ok_or(DecodeError::StringIndex { index, len })?;
        Ok(self.shared[at].get_or_insert_with(|| Arc::from(self.texts[at])).clone())
    }
}

/// The ids of the message, which may be any numbers, and where they went.
#[derive(Default)]
struct Ids {
    mappings: HashMap<u64, MappingId>,
    functions: HashMap<u64, FunctionId>,
    locations: HashMap<u64, LocationId>,
}

fn insert<T>(ids: &mut HashMap<u64, T>, what: &'static str, id: u64, new: T) -> Result<(), DecodeError> {
    if id == 0 {
        return Err(DecodeError::ZeroId { what });
    }
    match ids.insert(id, new) {
        None => Ok(()),
        Some(_) => Err(DecodeError::DuplicateId { what, id }),
    }
}

fn find<T: Copy>(ids: &HashMap<u64, T>, what: &'static str, id: u64) -> Result<T, DecodeError> {
    ids.get(&id).copied().ok_or(DecodeError::UnknownId { what, id })
}

fn next_id<T>(list: &[T]) -> u32 {
    u32::try_from(list.len()).expect("a message of at most 4 GiB has fewer entries, each takes two bytes")
}

struct Decoder {
    tables: Tables,
    ids: Ids,
}

impl Decoder {
    fn mapping(&mut self, message: &[u8], strings: &mut Strings<'_>) -> Result<(), DecodeError> {
        let mut numbers = [0; 11];
        for field in Fields::new(message) {
            if let (field @ 1..=10, Value::Varint(number)) = field? {
                numbers[field as usize] = number;
            }
        }
        insert(&mut self.ids.mappings, "mapping", numbers[1], MappingId(next_id(&self.tables.mappings)))?;
        self.tables.mappings.push(Mapping {
            memory_start: numbers[2],
            memory_limit: numbers[3],
            file_offset: numbers[4],
            filename: strings.get(numbers[5])?,
            build_id: strings.get(numbers[6])?,
            has_functions: numbers[7] != 0,
            has_filenames: numbers[8] != 0,
            has_line_numbers: numbers[9] != 0,
            has_inline_frames: numbers[10] != 0,
        });
        Ok(())
    }

    fn function(&mut self, message: &[u8], strings: &mut Strings<'_>) -> Result<(), DecodeError> {
        let mut numbers = [0; 6];
        for field in Fields::new(message) {
            if let (field @ 1..=5, Value::Varint(number)) = field? {
                numbers[field as usize] = number;
            }
        }
        insert(&mut self.ids.functions, "function", numbers[1], FunctionId(next_id(&self.tables.functions)))?;
        self.tables.functions.push(Function {
            name: strings.get(numbers[2])?,
            system_name: strings.get(numbers[3])?,
            filename: strings.get(numbers[4])?,
            start_line: numbers[5] as i64,
        });
        Ok(())
    }

    fn location(&mut self, message: &[u8]) -> Result<(), DecodeError> {
        let (mut id, mut mapping, mut address) = (0, 0, 0);
        let mut lines = Vec::new();
        for field in Fields::new(message) {
            match field? {
                (1, Value::Varint(number)) => id = number,
                (2, Value::Varint(number)) => mapping = number,
                (3, Value::Varint(number)) => address = number,
                (4, Value::Bytes(line)) => lines.push(self.line(line)?),
                _ => {}
            }
        }
        let mapping = match mapping {
            0 => None,
            id => Some(find(&self.ids.mappings, "mapping", id)?),
        };
        insert(&mut self.ids.locations, "location", id, LocationId(next_id(&self.tables.locations)))?;
        self.tables.locations.push(Location { mapping, address, lines: lines.into_boxed_slice() });
        Ok(())
    }

    fn line(&self, message: &[u8]) -> Result<Line, DecodeError> {
        let (mut function, mut line) = (0, 0);
        for field in Fields::new(message) {
            match field? {
                (1, Value::Varint(number)) => function = number,
                (2, Value::Varint(number)) => line = number as i64,
                _ => {}
            }
        }
        Ok(Line { function: find(&self.ids.functions, "function", function)?, line })
    }

    fn sample(
        &mut self,
        message: &[u8],
        strings: &mut Strings<'_>,
        label_sets: &mut HashMap<Box<[SampleLabel]>, LabelSetId>,
    ) -> Result<(), DecodeError> {
        let start = self.tables.frames.len();
        let (mut value, mut values) = (0, 0);
        let mut labels = Vec::new();
        let mut unknown = None;
        for field in Fields::new(message) {
            match field? {
                (1, ids) => numbers(ids, |id| match self.ids.locations.get(&id) {
                    Some(location) => self.tables.frames.push(*location),
                    None => unknown = Some(id),
                })?,
                (2, list) => numbers(list, |number| {
                    value = number as i64;
                    values += 1;
                })?,
                (3, Value::Bytes(label)) => labels.push(sample_label(label, strings)?),
                _ => {}
            }
        }
        if let Some(id) = unknown {
            return Err(DecodeError::UnknownId { what: "location", id });
        }
        if values != 1 {
            return Err(DecodeError::Values { index: self.tables.samples.len(), values });
        }
        let labels = self.label_set(labels, label_sets);
        let len = next_id(&self.tables.frames[start..]);
        self.tables.samples.push(Sample { start, len, labels, value });
        Ok(())
    }

    fn label_set(
        &mut self,
        labels: Vec<SampleLabel>,
        known: &mut HashMap<Box<[SampleLabel]>, LabelSetId>,
    ) -> LabelSetId {
        if labels.is_empty() {
            return LabelSetId(0);
        }
        let labels = labels.into_boxed_slice();
        if let Some(id) = known.get(&labels) {
            return *id;
        }
        let id = LabelSetId(next_id(&self.tables.label_sets));
        self.tables.label_sets.push(labels.clone());
        known.insert(labels, id);
        id
    }
}

fn sample_label(message: &[u8], strings: &mut Strings<'_>) -> Result<SampleLabel, DecodeError> {
    let mut numbers = [0; 5];
    for field in Fields::new(message) {
        if let (field @ 1..=4, Value::Varint(number)) = field? {
            numbers[field as usize] = number;
        }
    }
    let text = strings.get(numbers[2])?;
    let value = if text.is_empty() {
        SampleLabelValue::Number(numbers[3] as i64, strings.get(numbers[4])?)
    } else {
        SampleLabelValue::Text(text)
    };
    Ok(SampleLabel { key: strings.get(numbers[1])?, value })
}
