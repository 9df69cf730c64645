//! A tree as a pprof-shaped profile.

use profile::{Labels, Profile, ProfileBuilder, ProfileType};

use crate::dictionary::{Dictionary, Frame, ROOT};
use crate::ingest::KERNEL_START;
use crate::tree::StackTree;

/// The times of a merged profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// Start of the range, Unix nanoseconds.
    pub time_nanos: i64,
    /// Its length in nanoseconds.
    pub duration_nanos: i64,
    /// The period of the profiles.
    pub period: i64,
}

impl StackTree {
    /// The tree as a profile, its samples with their mappings, files and lines as far as they were kept.
    pub fn to_profile(&self, labels: Labels, profile_type: ProfileType, times: Times) -> Profile {
        let mut builder = ProfileBuilder::new();
        builder.interval(times.time_nanos, times.duration_nanos).period(times.period);
        let mut locations = Locations::new(&mut builder, &self.dictionary);
        let mut stack = Vec::new();
        let mut samples = Vec::new();
        let mut frames = Vec::new();
        for node in 0..self.len() {
            if self.selves[node] == 0 {
                continue;
            }
            let start = frames.len();
            locations.stack(node as u32, &mut stack);
            frames.extend_from_slice(&stack);
            samples.push((start, frames.len(), self.selves[node]));
        }
        for (start, end, value) in samples {
            builder.add(&frames[start..end], value);
        }
        builder.finish(labels, profile_type)
    }
}

/// Makes the locations of a profile from the frames of a dictionary.
struct Locations<'a> {
    builder: &'a mut ProfileBuilder,
    dictionary: &'a Dictionary,
    mappings: Vec<profile::MappingId>,
    functions: Vec<profile::FunctionId>,
    /// The location of each frame that has one for itself.
    single: Vec<Option<profile::LocationId>>,
}

impl<'a> Locations<'a> {
    fn new(builder: &'a mut ProfileBuilder, dictionary: &'a Dictionary) -> Self {
        let text = |id| std::sync::Arc::<str>::from(dictionary.strings.get(id));
        let lines = dictionary.frames.iter().any(|frame| frame.function != 0 && frame.place != 0);
        let mappings = dictionary
            .mappings
            .iter()
            .map(|mapping| {
                builder.mapping(&profile::Mapping {
                    memory_start: if mapping.kernel { KERNEL_START } else { 0 },
                    memory_limit: if mapping.kernel { u64::MAX } else { KERNEL_START },
                    file_offset: 0,
                    filename: text(mapping.file),
                    build_id: text(mapping.build_id),
                    has_functions: true,
                    has_filenames: true,
                    has_line_numbers: lines,
                    has_inline_frames: true,
                })
            })
            .collect();
        let functions = dictionary
            .functions
            .iter()
            .map(|function| {
                builder.function(&profile::Function {
                    name: text(function.name),
                    system_name: text(0),
                    filename: text(function.file),
                    start_line: i64::from(function.start_line),
                })
            })
            .collect();
        Self { builder, dictionary, mappings, functions, single: vec![None; dictionary.frames.len()] }
    }

    /// The stack of `node`, leaf first.
    fn stack(&mut self, mut node: u32, stack: &mut Vec<profile::LocationId>) {
        stack.clear();
        let mut lines = Vec::new();
        while node != ROOT {
            let id = self.dictionary.node_frames[node as usize] as usize;
            let frame = self.dictionary.frames[id];
            let parent = self.dictionary.parents[node as usize];
            let line = self.line(frame);
            if frame.inlined && parent != ROOT {
                lines.extend(line);
            } else if lines.is_empty() {
                let location = match self.single[id] {
                    Some(location) => location,
                    None => {
                        let location = self.location(frame, line.as_slice());
                        *self.single[id].insert(location)
                    }
                };
                stack.push(location);
            } else {
                lines.extend(line);
                stack.push(self.location(frame, &lines));
                lines.clear();
            }
            node = parent;
        }
    }

    fn line(&self, frame: Frame) -> Option<profile::Line> {
        let function = frame.function.checked_sub(1)?;
        Some(profile::Line {
            function: self.functions[function as usize],
            line: i64::try_from(frame.place).unwrap_or(0),
        })
    }

    fn location(&mut self, frame: Frame, lines: &[profile::Line]) -> profile::LocationId {
        let mapping = frame.mapping.checked_sub(1).map(|mapping| self.mappings[mapping as usize]);
        let address = if frame.function == 0 { frame.place } else { 0 };
        self.builder.location(mapping, address, lines)
    }
}
