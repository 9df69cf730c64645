//! Profiles into a dictionary: each sample becomes a node of the trie.

use std::fmt::Write as _;

use profile::{Location, LocationId, Profile, Sample};

use crate::dictionary::{Dictionary, Frame, Function, Mapping, ROOT};

/// Where the kernel's half of the address space begins.
pub(crate) const KERNEL_START: u64 = 0xffff_8000_0000_0000;

/// How much of a frame tells it from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Only the function's name, as in a flame graph.
    Functions,
    /// Mapping, function, source file, line, and whether it was inlined, as in a pprof.
    Frames,
}

/// Calls `each` with every sample of `profile` and the node of its stack.
pub(crate) fn add_profile(
    dictionary: &mut Dictionary,
    profile: &Profile,
    detail: Detail,
    mut each: impl FnMut(&Sample, u32),
) {
    let tables = profile.tables();
    let frames = LocationFrames::new(dictionary, profile, detail);
    // Neighbouring samples mostly share their outer frames, so the walk begins where the stacks part.
    let mut last: Vec<(LocationId, u32)> = Vec::new();
    for sample in tables.samples() {
        let stack = tables.stack(sample);
        let shared = last.iter().zip(stack.iter().rev()).take_while(|((last, _), id)| last == *id).count();
        last.truncate(shared);
        let mut node = last.last().map_or(ROOT, |(_, node)| *node);
        for id in stack.iter().rev().skip(shared) {
            for frame in frames.of(*id) {
                node = dictionary.child(node, *frame);
            }
            last.push((*id, node));
        }
        each(sample, node);
    }
}

/// The frames of each location, outermost first.
struct LocationFrames {
    frames: Vec<u32>,
    ends: Vec<usize>,
}

impl LocationFrames {
    fn new(dictionary: &mut Dictionary, profile: &Profile, detail: Detail) -> Self {
        let mut this = Self { frames: Vec::new(), ends: Vec::with_capacity(profile.tables().locations().len()) };
        match detail {
            Detail::Frames => this.add_frames(dictionary, profile),
            Detail::Functions => this.add_names(dictionary, profile),
        }
        this
    }

    fn of(&self, id: LocationId) -> &[u32] {
        let start = id.index().checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.frames[start..self.ends[id.index()]]
    }

    fn add_frames(&mut self, dictionary: &mut Dictionary, profile: &Profile) {
        let tables = profile.tables();
        let mapping = |mapping: &profile::Mapping| {
            let file = dictionary.strings.intern(&mapping.filename);
            let build_id = dictionary.strings.intern(&mapping.build_id);
            // What stands for "nowhere" beside mappings is none.
            if mapping.filename.is_empty() && mapping.build_id.is_empty() {
                return 0;
            }
            1 + dictionary.mapping(Mapping { file, build_id, kernel: mapping.memory_start >= KERNEL_START })
        };
        let mappings: Vec<u32> = tables.mappings().iter().map(mapping).collect();
        let function = |function: &profile::Function| 1 + dictionary.shared_function(function);
        let functions: Vec<u32> = tables.functions().iter().map(function).collect();
        for location in tables.locations() {
            let mapping = location.mapping.map_or(0, |id| mappings[id.index()]);
            if location.lines.is_empty() {
                let place = address(profile, location);
                let frame = Frame { mapping, function: 0, place, inlined: false };
                // An address in no file means nothing but in one process, and code that is made at run time has many.
                let frame = if mapping == 0 { named(dictionary, "") } else { dictionary.frame(frame) };
                self.frames.push(frame);
            }
            for (at, line) in location.lines.iter().enumerate().rev() {
                let function = functions[line.function.index()];
                let place = u64::try_from(line.line).unwrap_or(0);
                let inlined = at + 1 < location.lines.len();
                self.frames.push(dictionary.frame(Frame { mapping, function, place, inlined }));
            }
            self.ends.push(self.frames.len());
        }
    }

    fn add_names(&mut self, dictionary: &mut Dictionary, profile: &Profile) {
        let tables = profile.tables();
        let names: Vec<u32> = tables.functions().iter().map(|function| named(dictionary, &function.name)).collect();
        for location in tables.locations() {
            if location.lines.is_empty() {
                let file = location.mapping.map_or("", |id| &tables.mappings()[id.index()].filename);
                let name = if file.is_empty() { String::new() } else { address_name(file, address(profile, location)) };
                self.frames.push(named(dictionary, &name));
            }
            self.frames.extend(location.lines.iter().rev().map(|line| names[line.function.index()]));
            self.ends.push(self.frames.len());
        }
    }
}

/// The frame that is only a name.
pub(crate) fn named(dictionary: &mut Dictionary, name: &str) -> u32 {
    let name = dictionary.strings.intern(if name.is_empty() { "[unknown]" } else { name });
    let function = 1 + dictionary.function(Function { name, file: 0, start_line: 0 });
    dictionary.frame(Frame { mapping: 0, function, place: 0, inlined: false })
}

/// The name of a frame of which only file and address are known: `libc.so.6!0x29d90`.
pub(crate) fn address_name(file: &str, address: u64) -> String {
    let base = file.rsplit('/').next().unwrap_or(file);
    let mut name = String::with_capacity(base.len() + 16);
    name.push_str(base);
    if !base.is_empty() {
        name.push('!');
    }
    write!(name, "{address:#x}").expect("writing to a string cannot fail");
    name
}

/// The address to keep: in the kernel as it is, in a file as the offset there, so that it means the same in each
/// process.
fn address(profile: &Profile, location: &Location) -> u64 {
    let Some(mapping) = location.mapping.map(|id| &profile.tables().mappings()[id.index()]) else {
        return location.address;
    };
    let within = (mapping.memory_start..mapping.memory_limit).contains(&location.address);
    if within && mapping.memory_start < KERNEL_START {
        (location.address - mapping.memory_start).wrapping_add(mapping.file_offset)
    } else {
        location.address
    }
}

#[cfg(test)]
mod tests {
    use profile::{Function, Labels, Line, ProfileBuilder, ProfileType};

    use super::*;

    #[test]
    fn inlined_functions_become_frames_of_their_own() {
        let mut builder = ProfileBuilder::new();
        let mut line = |name: &str, line| Line { function: builder.function(&Function::named(name)), line };
        let (inner, outer, main) = (line("inner", 3), line("outer", 9), line("main", 1));
        let leaf = builder.location(None, 0, &[inner, outer]);
        let root = builder.location(None, 0, &[main]);
        builder.add(&[leaf, root], 1);
        builder.add(&[leaf, leaf, root], 1);
        let profile = builder.finish(Labels::empty(), ProfileType::cpu("process_cpu"));

        let mut dictionary = Dictionary::new();
        let mut stacks = Vec::new();
        add_profile(&mut dictionary, &profile, Detail::Frames, |_, node| stacks.push(node));
        let text = |mut node: u32| {
            let mut text = Vec::new();
            while node != ROOT {
                let frame = dictionary.frames[dictionary.node_frames[node as usize] as usize];
                let name = dictionary.strings.get(dictionary.functions[frame.function as usize - 1].name);
                text.push(format!("{name}:{}{}", frame.place, if frame.inlined { "*" } else { "" }));
                node = dictionary.parents[node as usize];
            }
            text.join(" < ")
        };
        assert_eq!(text(stacks[0]), "inner:3* < outer:9 < main:1");
        assert_eq!(text(stacks[1]), "inner:3* < outer:9 < inner:3* < outer:9 < main:1");
    }

    #[test]
    fn an_address_without_a_name_is_that_in_the_file() {
        let mapping = |start, limit, offset| profile::Mapping {
            memory_start: start,
            memory_limit: limit,
            file_offset: offset,
            filename: "/usr/lib/libc.so.6".into(),
            build_id: "".into(),
            has_functions: false,
            has_filenames: false,
            has_line_numbers: false,
            has_inline_frames: false,
        };
        let check = |mapping: profile::Mapping, at: u64, expect: &str| {
            let mut builder = ProfileBuilder::new();
            let mapping = builder.mapping(&mapping);
            builder.location(Some(mapping), at, &[]);
            let profile = builder.finish(Labels::empty(), ProfileType::cpu("process_cpu"));
            let address = address(&profile, &profile.tables().locations()[0]);
            assert_eq!(address_name("/usr/lib/libc.so.6", address), expect);
        };
        check(mapping(0x7f00_0000_1000, 0x7f00_0000_9000, 0x1000), 0x7f00_0000_1234, "libc.so.6!0x1234");
        check(mapping(0x1000, 0x2000, 0), 0x5000, "libc.so.6!0x5000");
        check(mapping(KERNEL_START, u64::MAX, 0), KERNEL_START + 5, "libc.so.6!0xffff800000000005");
    }
}
