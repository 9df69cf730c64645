//! The answer to a query for stacks: one trie with values.

use profile::{Labels, Profile, ProfileBuilder, ProfileType};

use crate::dictionary::{Dictionary, Frame, Function, Mapping, ROOT};
use crate::ingest::{Detail, KERNEL_START, add_profile, address_name, named};

/// Stacks merged into a tree. Node 0 is the root and stands for no function; a parent's id is smaller than its children's.
pub struct StackTree {
    detail: Detail,
    dictionary: Dictionary,
    /// By node: the value of samples that end there.
    selves: Vec<i64>,
    /// By node: its own value and that of all below; there once the tree is finished.
    totals: Vec<i64>,
}

impl StackTree {
    pub(crate) fn new(detail: Detail) -> Self {
        Self { detail, dictionary: Dictionary::new(), selves: vec![0], totals: Vec::new() }
    }

    /// How many nodes there are, the root included.
    pub fn len(&self) -> usize {
        self.selves.len()
    }

    /// Whether it holds no stack.
    pub fn is_empty(&self) -> bool {
        self.len() == 1
    }

    /// The sum of all values.
    pub fn total(&self) -> i64 {
        self.totals[0]
    }

    /// The value of the samples that end at `node`.
    pub fn self_value(&self, node: u32) -> i64 {
        self.selves[node as usize]
    }

    /// The value of the samples that pass through `node` or end there.
    pub fn total_of(&self, node: u32) -> i64 {
        self.totals[node as usize]
    }

    /// The caller of `node`. The root's is the root.
    pub fn parent(&self, node: u32) -> u32 {
        self.dictionary.parents[node as usize]
    }

    /// The function's name. The root's is empty. In a tree of [`Detail::Frames`] it is empty where it is unknown.
    pub fn name(&self, node: u32) -> &str {
        if node == ROOT {
            return "";
        }
        let frame = self.dictionary.frames[self.dictionary.node_frames[node as usize] as usize];
        match frame.function.checked_sub(1) {
            Some(function) => self.dictionary.strings.get(self.dictionary.functions[function as usize].name),
            None => "",
        }
    }

    /// The children of each node, by name in byte order.
    pub fn children(&self) -> Children {
        let nodes = self.len();
        // Rank names once, so that sorting compares numbers.
        let mut names: Vec<u32> = (0..self.dictionary.frames.len() as u32).collect();
        let name_of = |frame: u32| {
            let function = self.dictionary.frames[frame as usize].function;
            function
                .checked_sub(1)
                .map_or("", |function| self.dictionary.strings.get(self.dictionary.functions[function as usize].name))
        };
        names.sort_by_key(|frame| name_of(*frame));
        let mut ranks = vec![0_u32; names.len()];
        for (rank, frame) in (0..).zip(&names) {
            ranks[*frame as usize] = rank;
        }
        let mut starts = vec![0_u32; nodes + 1];
        for node in 1..nodes {
            starts[self.dictionary.parents[node] as usize + 1] += 1;
        }
        for node in 0..nodes {
            starts[node + 1] += starts[node];
        }
        let mut free = starts.clone();
        let mut list = vec![0_u32; nodes - 1];
        for node in 1..nodes {
            let slot = &mut free[self.dictionary.parents[node] as usize];
            list[*slot as usize] = node as u32;
            *slot += 1;
        }
        for node in 0..nodes {
            list[starts[node] as usize..starts[node + 1] as usize]
                .sort_unstable_by_key(|child| ranks[self.dictionary.node_frames[*child as usize] as usize]);
        }
        Children { starts, list }
    }

    /// The least total that a node needs so that at most `max_nodes` remain; 0 when all may. The root does not count.
    pub fn least_total(&self, max_nodes: usize) -> i64 {
        let nodes = self.len() - 1;
        if nodes <= max_nodes {
            return 0;
        }
        if max_nodes == 0 {
            return i64::MAX;
        }
        let mut totals = self.totals[1..].to_vec();
        let (_, least, _) = totals.select_nth_unstable_by(max_nodes - 1, |a, b| b.cmp(a));
        *least
    }

    /// The tree with about `max_nodes` nodes: those with smaller totals are replaced by one child `other` of their
    /// parent that has their sum.
    #[must_use]
    pub fn prune(self, max_nodes: usize) -> StackTree {
        let least = self.least_total(max_nodes);
        if least <= 0 {
            return self;
        }
        let mut pruned = StackTree::new(self.detail);
        let other = named(&mut pruned.dictionary, "other");
        let mut copier = Copier::new(&self.dictionary);
        // The node that stands for each of ours, or for what it was folded into.
        let mut stands = vec![ROOT; self.len()];
        let mut kept = vec![true; self.len()];
        for node in 1..self.len() {
            let parent = self.dictionary.parents[node] as usize;
            kept[node] = kept[parent] && self.totals[node] >= least;
            stands[node] = if kept[node] {
                let frame = copier.frame(&mut pruned.dictionary, &self.dictionary, self.dictionary.node_frames[node]);
                pruned.dictionary.child(stands[parent], frame)
            } else if kept[parent] {
                pruned.dictionary.child(stands[parent], other)
            } else {
                stands[parent]
            };
        }
        pruned.selves.resize(pruned.dictionary.nodes(), 0);
        for (stand, value) in stands.iter().zip(&self.selves) {
            let slot = &mut pruned.selves[*stand as usize];
            *slot = slot.saturating_add(*value);
        }
        pruned.finish();
        pruned
    }

    /// Only the stacks that begin, root first, with the functions of `path`.
    #[must_use]
    pub fn under(mut self, path: &[impl AsRef<str>]) -> StackTree {
        if path.is_empty() {
            return self;
        }
        // How much of the path each node has behind it; none when it has left it.
        let mut depths: Vec<Option<usize>> = vec![None; self.len()];
        depths[0] = Some(0);
        for node in 1..self.len() {
            depths[node] = match depths[self.dictionary.parents[node] as usize] {
                Some(depth) if depth == path.len() => Some(depth),
                Some(depth) if self.name(node as u32) == path[depth].as_ref() => Some(depth + 1),
                _ => None,
            };
        }
        for (depth, value) in depths.iter().zip(&mut self.selves) {
            if *depth != Some(path.len()) {
                *value = 0;
            }
        }
        let values = std::mem::take(&mut self.selves);
        let mut rest = StackTree::new(self.detail);
        rest.absorb(&self.dictionary, &values);
        rest.finish();
        rest
    }

    /// Adds what a partition, or another tree, holds: `values` by node of `dictionary`.
    pub(crate) fn absorb(&mut self, dictionary: &Dictionary, values: &[i64]) {
        let nodes = values.len().min(dictionary.nodes());
        let mut used: Vec<bool> = values[..nodes].iter().map(|value| *value != 0).collect();
        for node in (1..nodes).rev() {
            if used[node] {
                used[dictionary.parents[node] as usize] = true;
            }
        }
        let mut copier = Copier::new(dictionary);
        let mut copies = vec![ROOT; nodes];
        for node in 1..nodes {
            if used[node] {
                let parent = copies[dictionary.parents[node] as usize];
                let frame = dictionary.node_frames[node];
                let frame = match self.detail {
                    Detail::Frames => copier.frame(&mut self.dictionary, dictionary, frame),
                    Detail::Functions => copier.name(&mut self.dictionary, dictionary, frame),
                };
                copies[node] = self.dictionary.child(parent, frame);
            }
        }
        self.selves.resize(self.dictionary.nodes(), 0);
        for (copy, value) in copies.iter().zip(values) {
            let slot = &mut self.selves[*copy as usize];
            *slot = slot.saturating_add(*value);
        }
    }

    /// Adds the samples of a profile that is not in any partition.
    pub(crate) fn add(&mut self, profile: &Profile, wanted: impl Fn(&profile::Sample) -> bool) {
        let selves = &mut self.selves;
        add_profile(&mut self.dictionary, profile, self.detail, |sample, node| {
            if wanted(sample) {
                if selves.len() <= node as usize {
                    selves.resize(node as usize + 1, 0);
                }
                let slot = &mut selves[node as usize];
                *slot = slot.saturating_add(sample.value);
            }
        });
        self.selves.resize(self.dictionary.nodes(), 0);
    }

    /// Computes the totals.
    pub(crate) fn finish(&mut self) {
        self.totals.clone_from(&self.selves);
        for node in (1..self.totals.len()).rev() {
            let total = self.totals[node];
            let parent = &mut self.totals[self.dictionary.parents[node] as usize];
            *parent = parent.saturating_add(total);
        }
    }

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

/// Children by node.
pub struct Children {
    starts: Vec<u32>,
    list: Vec<u32>,
}

impl Children {
    /// The children of `node`, by name in byte order.
    pub fn of(&self, node: u32) -> &[u32] {
        &self.list[self.starts[node as usize] as usize..self.starts[node as usize + 1] as usize]
    }
}

const ABSENT: u32 = u32::MAX;

/// Takes frames from one dictionary to another, each once.
struct Copier {
    frames: Vec<u32>,
}

impl Copier {
    fn new(from: &Dictionary) -> Self {
        Self { frames: vec![ABSENT; from.frames.len()] }
    }

    fn frame(&mut self, to: &mut Dictionary, from: &Dictionary, id: u32) -> u32 {
        if self.frames[id as usize] == ABSENT {
            let frame = from.frames[id as usize];
            let mapping = frame.mapping.checked_sub(1).map_or(0, |mapping| {
                let mapping = from.mappings[mapping as usize];
                let file = to.strings.intern(from.strings.get(mapping.file));
                let build_id = to.strings.intern(from.strings.get(mapping.build_id));
                1 + to.mapping(Mapping { file, build_id, kernel: mapping.kernel })
            });
            let function = frame.function.checked_sub(1).map_or(0, |function| {
                let function = from.functions[function as usize];
                let name = to.strings.intern(from.strings.get(function.name));
                let file = to.strings.intern(from.strings.get(function.file));
                1 + to.function(Function { name, file, start_line: function.start_line })
            });
            self.frames[id as usize] = to.frame(Frame { mapping, function, ..frame });
        }
        self.frames[id as usize]
    }

    fn name(&mut self, to: &mut Dictionary, from: &Dictionary, id: u32) -> u32 {
        if self.frames[id as usize] == ABSENT {
            let frame = from.frames[id as usize];
            self.frames[id as usize] = match frame.function.checked_sub(1) {
                Some(function) => named(to, from.strings.get(from.functions[function as usize].name)),
                None => {
                    let mapping = frame.mapping.checked_sub(1).map(|mapping| from.mappings[mapping as usize]);
                    let file = mapping.map_or("", |mapping| from.strings.get(mapping.file));
                    named(to, &address_name(file, frame.place))
                }
            };
        }
        self.frames[id as usize]
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
