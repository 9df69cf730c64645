//! A profile in memory: tables of mappings, functions, locations and stacks, and what they were measured on.

use std::fmt;
use std::sync::Arc;

use crate::labels::Labels;
use crate::profile_type::ProfileType;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub u32);

        impl $name {
            /// The position in its table.
            pub fn index(self) -> usize {
                self.0 as usize
            }
        }
    };
}

id!(
    /// Position in [`Tables::mappings`], from 0.
    MappingId
);
id!(
    /// Position in [`Tables::functions`], from 0.
    FunctionId
);
id!(
    /// Position in [`Tables::locations`], from 0.
    LocationId
);
id!(
    /// Position in [`Tables::label_sets`]; 0 is the empty set.
    LabelSetId
);

/// A file, or the kernel, mapped into the address space of what was sampled.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Mapping {
    /// First address.
    pub memory_start: u64,
    /// First address after it.
    pub memory_limit: u64,
    /// Where in the file `memory_start` lies, in bytes.
    pub file_offset: u64,
    /// Path or name of the file, or a name such as `vmlinux`; may be empty.
    pub filename: Arc<str>,
    /// Build id in hex; empty when unknown.
    pub build_id: Arc<str>,
    /// Whether its locations have their function names.
    pub has_functions: bool,
    /// Whether its functions have their source files.
    pub has_filenames: bool,
    /// Whether its locations have line numbers.
    pub has_line_numbers: bool,
    /// Whether its locations have inlined functions expanded.
    pub has_inline_frames: bool,
}

/// A function by name and place.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Function {
    /// The name to show.
    pub name: Arc<str>,
    /// The name the linker knows; empty when the same or unknown.
    pub system_name: Arc<str>,
    /// Source file; empty when unknown.
    pub filename: Arc<str>,
    /// Line of its first statement; 0 when unknown.
    pub start_line: i64,
}

impl Function {
    /// A function of which only the name is known.
    pub fn named(name: impl Into<Arc<str>>) -> Self {
        Self { name: name.into(), system_name: Arc::from(""), filename: Arc::from(""), start_line: 0 }
    }
}

/// One function at one line; a location that was inlined into has several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Line {
    /// The function.
    pub function: FunctionId,
    /// The source line; 0 when unknown.
    pub line: i64,
}

/// A place in the code: an address, named as far as known.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Location {
    /// What the address lies in.
    pub mapping: Option<MappingId>,
    /// The address; 0 when it has none.
    pub address: u64,
    /// Innermost (inlined) function first; empty when no name is known.
    pub lines: Box<[Line]>,
}

/// A stack and its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Where its frames begin in [`Tables::frames`].
    pub start: usize,
    /// How many frames it has.
    pub len: u32,
    /// Its labels, beside those of the series.
    pub labels: LabelSetId,
    /// The value in the unit of the profile's type.
    pub value: i64,
}

/// A label of a sample, such as the thread's name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SampleLabel {
    /// Its name.
    pub key: Arc<str>,
    /// Its value.
    pub value: SampleLabelValue,
}

/// Text, or a number with a unit.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SampleLabelValue {
    /// A text; never empty in a decoded profile.
    Text(Arc<str>),
    /// A number and its unit, which may be empty.
    Number(i64, Arc<str>),
}

/// What samples point into. Every id within is valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tables {
    pub(crate) mappings: Vec<Mapping>,
    pub(crate) functions: Vec<Function>,
    pub(crate) locations: Vec<Location>,
    pub(crate) frames: Vec<LocationId>,
    pub(crate) samples: Vec<Sample>,
    pub(crate) label_sets: Vec<Box<[SampleLabel]>>,
}

impl Tables {
    pub(crate) fn empty() -> Self {
        Self {
            mappings: Vec::new(),
            functions: Vec::new(),
            locations: Vec::new(),
            frames: Vec::new(),
            samples: Vec::new(),
            label_sets: vec![Box::from([])],
        }
    }

    /// The mappings, by [`MappingId`].
    pub fn mappings(&self) -> &[Mapping] {
        &self.mappings
    }

    /// The functions, by [`FunctionId`].
    pub fn functions(&self) -> &[Function] {
        &self.functions
    }

    /// The locations, by [`LocationId`].
    pub fn locations(&self) -> &[Location] {
        &self.locations
    }

    /// The samples; those made by a builder have distinct stacks.
    pub fn samples(&self) -> &[Sample] {
        &self.samples
    }

    /// The frames of `sample`, leaf first. `sample` must be one of this profile's.
    pub fn stack(&self, sample: &Sample) -> &[LocationId] {
        &self.frames[sample.start..sample.start + sample.len as usize]
    }

    /// The labels of `sample`. `sample` must be one of this profile's.
    pub fn sample_labels(&self, sample: &Sample) -> &[SampleLabel] {
        &self.label_sets[sample.labels.index()]
    }

    /// All distinct sets of sample labels; the first is the empty one.
    pub fn label_sets(&self) -> &[Box<[SampleLabel]>] {
        &self.label_sets
    }
}

/// The samples of one label set over one interval. A clone, and one with other labels, shares the tables.
#[derive(Clone, PartialEq, Eq)]
pub struct Profile {
    /// The series it belongs to, with `__name__` where it is known.
    pub labels: Labels,
    /// What its values are.
    pub profile_type: ProfileType,
    /// Start of the interval, in nanoseconds of Unix time.
    pub time_nanos: i64,
    /// Length of the interval in nanoseconds; 0 when unknown.
    pub duration_nanos: i64,
    /// Distance between samples in the unit of the period; 0 when unknown.
    pub period: i64,
    pub(crate) tables: Arc<Tables>,
}

impl Profile {
    /// The tables and samples.
    pub fn tables(&self) -> &Tables {
        &self.tables
    }

    /// The samples.
    pub fn samples(&self) -> &[Sample] {
        &self.tables.samples
    }

    /// The frames of `sample`, leaf first.
    pub fn stack(&self, sample: &Sample) -> &[LocationId] {
        self.tables.stack(sample)
    }

    /// The sum of all values; it saturates.
    pub fn total(&self) -> i64 {
        self.tables.samples.iter().fold(0, |sum: i64, sample| sum.saturating_add(sample.value))
    }

    /// The same samples under other labels.
    #[must_use]
    pub fn with_labels(&self, labels: Labels) -> Self {
        Self { labels, ..self.clone() }
    }

    /// Name of the profile's family: the label `__name__`, else the name in its type.
    pub fn name(&self) -> &str {
        self.labels.get("__name__").unwrap_or(&self.profile_type.name)
    }

    /// The stacks as text, one line each, root first: `main;read 20`. For tests and logs.
    ///
    /// A location without a name is written as `file+0xaddress`.
    pub fn folded(&self) -> String {
        let mut lines: Vec<String> = Vec::new();
        for sample in self.samples() {
            let mut line = String::new();
            for id in self.stack(sample).iter().rev() {
                self.write_location(&mut line, *id);
            }
            line.pop();
            lines.push(format!("{line} {}\n", sample.value));
        }
        lines.sort();
        lines.concat()
    }

    fn write_location(&self, line: &mut String, id: LocationId) {
        let location = &self.tables.locations[id.index()];
        for inlined in location.lines.iter().rev() {
            line.push_str(&self.tables.functions[inlined.function.index()].name);
            line.push(';');
        }
        if location.lines.is_empty() {
            let file = location.mapping.map_or("", |mapping| &*self.tables.mappings[mapping.index()].filename);
            line.push_str(&format!("{file}+{:#x};", location.address));
        }
    }
}

impl fmt::Debug for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { labels, profile_type, time_nanos, duration_nanos, period, tables: _ } = self;
        writeln!(f, "{profile_type} {labels} at {time_nanos} for {duration_nanos} every {period}")?;
        f.write_str(&self.folded())
    }
}
