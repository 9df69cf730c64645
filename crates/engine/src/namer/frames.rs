//! What each frame is called.

use std::sync::Arc;

use hashbrown::HashMap;
use inspect::ProcessKey;
use profile::{Function, FunctionId, Line, LocationId, Mapping, MappingId, ProfileBuilder};
use symbolize::Mode;

use crate::frame::{Frame, SpaceKind};

use super::files::Files;
use super::names::{Found, Names};

/// First address of the kernel's half.
const KERNEL_START: u64 = 0xffff_8000_0000_0000;

/// What is known of a frame, in a form that every profile can take over.
#[derive(Clone, Copy)]
struct Known {
    /// Position in `mappings`, or `u32::MAX`.
    mapping: u32,
    address: u64,
    /// Position in `lines` and how many.
    lines: (u32, u32),
    /// Whether it is worth asking again: its file was still being opened.
    pending: bool,
}

/// A function by the name the linker knows.
#[derive(Clone, PartialEq, Eq, Hash)]
struct RawFunction {
    name: Arc<str>,
    file: Arc<str>,
    /// Whether demangling applies: names of interpreters and of the kernel are shown as they are.
    native: bool,
}

/// Names by frame, and all they consist of.
#[derive(Default)]
pub(crate) struct Frames {
    pub(crate) files: Files,
    pub(crate) processes: Vec<ProcessKey>,
    names: Names,
    known: Vec<Known>,
    pending: Vec<u32>,
    lines: Vec<(u32, i64)>,
    functions: Vec<RawFunction>,
    function_index: HashMap<RawFunction, u32>,
    /// The function that starts at an offset of a file: most new frames are in functions that others were in.
    starts: HashMap<(u64, u64), u32>,
    /// Per demangle mode, the function as profiles take it.
    shown: HashMap<(u8, u32), Function>,
    mappings: Vec<Mapping>,
    mapping_index: HashMap<(SpaceKindKey, u64), u32>,
    /// Mapping and function → their ids in the profile being built.
    in_profile: (HashMap<u32, MappingId>, HashMap<u32, FunctionId>),
}

/// A mapping by what it belongs to.
#[derive(Clone, PartialEq, Eq, Hash)]
enum SpaceKindKey {
    Kernel(Arc<str>),
    Vdso,
    File(u64),
}

impl Frames {
    /// Forgets all frames, because their numbers begin anew. Files stay.
    pub(crate) fn restart(&mut self) {
        let Self { files, names, .. } = std::mem::take(self);
        *self = Self { files, names, ..Self::default() };
    }

    /// Closes a file. What it has names for must have them.
    pub(crate) fn close(&mut self, file: u64) {
        self.files.close(file);
        self.names.close(file);
    }

    /// Names the frames that are new, and those whose file has come since.
    pub(crate) fn name(&mut self, frames: &[Frame]) {
        self.names.begin();
        let mut todo: Vec<u32> = std::mem::take(&mut self.pending);
        todo.extend(self.known.len() as u32..frames.len() as u32);
        let unknown = Known { mapping: u32::MAX, address: 0, lines: (0, 0), pending: false };
        self.known.resize(frames.len(), unknown);
        // File by file, so that each one's symbols are opened once.
        todo.sort_unstable_by_key(|id| (frames[*id as usize].space, frames[*id as usize].address));
        for id in todo {
            let known = self.resolve(frames[id as usize]);
            if known.pending {
                self.pending.push(id);
            }
            self.known[id as usize] = known;
        }
    }

    fn resolve(&mut self, frame: Frame) -> Known {
        let address = frame.address;
        match frame.space.kind() {
            SpaceKind::Kernel => {
                let found = self.names.kernel(address);
                let module = found.as_ref().and_then(|found| found.module.clone()).unwrap_or_else(|| "vmlinux".into());
                let mapping = self.mapping(SpaceKindKey::Kernel(module.clone()), 0, |mapping| {
                    mapping.memory_start = KERNEL_START;
                    mapping.memory_limit = u64::MAX;
                    mapping.filename = module;
                });
                self.known(mapping, address, found, false)
            }
            SpaceKind::Vdso => {
                let found = self.names.vdso(address);
                let mapping = self.mapping(SpaceKindKey::Vdso, 0, |mapping| {
                    mapping.memory_limit = 0x10_0000;
                    mapping.filename = "[vdso]".into();
                });
                self.known(mapping, address, found, true)
            }
            SpaceKind::Process(number) => {
                let found = self.processes.get(number as usize).and_then(|key| self.names.process(*key, address));
                self.known(u32::MAX, address, found, true)
            }
            SpaceKind::File(number) => self.resolve_file(number, address),
        }
    }

    fn resolve_file(&mut self, number: u64, offset: u64) -> Known {
        let Some(file) = self.files.get(number) else {
            return Known { mapping: u32::MAX, address: offset, lines: (0, 0), pending: true };
        };
        if file.handle.is_none() {
            self.files.count_nameless();
        }
        let (name, build_id) = (file.name.clone(), file.build_id.clone());
        let segment = file.segments.iter().find(|s| (s.offset..s.offset + s.size).contains(&offset)).copied();
        let start_of = self.names.start(number, file, offset).map(|start| (number, start));
        let seen = start_of.and_then(|start| self.starts.get(&start)).copied();
        let found = if seen.is_some() { None } else { self.names.file(number, file, offset) };
        // Without the file its offsets are all there is; they serve as addresses, so that a server can still count.
        let (start, file_offset, size) = segment.map_or((0, 0, 1 << 40), |s| (s.address, s.offset, s.size));
        let mapping = self.mapping(SpaceKindKey::File(number), start, |mapping| {
            mapping.memory_start = start;
            mapping.memory_limit = start.saturating_add(size);
            mapping.file_offset = file_offset;
            mapping.filename = name;
            mapping.build_id = build_id;
        });
        let address = offset - file_offset + start;
        if let Some(function) = seen {
            return self.in_function(mapping, address, function, 0);
        }
        let known = self.known(mapping, address, found, true);
        if let (Some(start), Some((function, _))) = (start_of, self.lines.get(known.lines.0 as usize)) {
            self.starts.insert(start, *function);
        }
        known
    }

    fn mapping(&mut self, key: SpaceKindKey, start: u64, fill: impl FnOnce(&mut Mapping)) -> u32 {
        *self.mapping_index.entry((key, start)).or_insert_with(|| {
            let mut mapping = Mapping {
                memory_start: 0,
                memory_limit: 0,
                file_offset: 0,
                filename: "".into(),
                build_id: "".into(),
                has_functions: true,
                has_filenames: false,
                has_line_numbers: false,
                has_inline_frames: false,
            };
            fill(&mut mapping);
            self.mappings.push(mapping);
            self.mappings.len() as u32 - 1
        })
    }

    fn known(&mut self, mapping: u32, address: u64, found: Option<Found>, native: bool) -> Known {
        let Some(found) = found else {
            return Known { mapping, address, lines: (self.lines.len() as u32, 0), pending: false };
        };
        let raw = RawFunction { name: found.name, file: found.file, native };
        let function = match self.function_index.get(&raw) {
            Some(function) => *function,
            None => {
                let function = self.functions.len() as u32;
                self.functions.push(raw.clone());
                self.function_index.insert(raw, function);
                function
            }
        };
        self.in_function(mapping, address, function, found.line)
    }

    fn in_function(&mut self, mapping: u32, address: u64, function: u32, line: i64) -> Known {
        let start = self.lines.len() as u32;
        self.lines.push((function, line));
        Known { mapping, address, lines: (start, 1), pending: false }
    }

    /// Begins another profile, whose ids are its own.
    pub(crate) fn begin_profile(&mut self) {
        self.in_profile.0.clear();
        self.in_profile.1.clear();
    }

    /// The location of a frame in the profile being built.
    pub(crate) fn locate(&mut self, frame: u32, mode: Mode, builder: &mut ProfileBuilder) -> LocationId {
        let known = self.known[frame as usize];
        let mapping = self
            .mappings
            .get(known.mapping as usize)
            .map(|mapping| *self.in_profile.0.entry(known.mapping).or_insert_with(|| builder.mapping(mapping)));
        let range = known.lines.0 as usize..(known.lines.0 + known.lines.1) as usize;
        let mut lines = Vec::with_capacity(range.len());
        for (raw, line) in &self.lines[range] {
            let function = *self.in_profile.1.entry(*raw).or_insert_with(|| {
                let shown =
                    self.shown.entry((mode as u8, *raw)).or_insert_with(|| show(&self.functions[*raw as usize], mode));
                builder.function(shown)
            });
            lines.push(Line { function, line: *line });
        }
        builder.location(mapping, known.address, &lines)
    }

    /// Gives back what can be had again.
    pub(crate) fn trim(&mut self) {
        self.names.trim();
    }
}

fn show(raw: &RawFunction, mode: Mode) -> Function {
    let name: Arc<str> = if raw.native {
        match symbolize::demangle(&raw.name, mode) {
            std::borrow::Cow::Borrowed(name) if name == &*raw.name => Arc::clone(&raw.name),
            name => Arc::from(&*name),
        }
    } else {
        Arc::clone(&raw.name)
    };
    let system_name = if name == raw.name { Arc::from("") } else { Arc::clone(&raw.name) };
    Function { name, system_name, filename: Arc::clone(&raw.file), start_line: 0 }
}
