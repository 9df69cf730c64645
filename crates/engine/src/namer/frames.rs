//! What each frame is called.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hashbrown::HashMap;
use inspect::ProcessKey;
use profile::{Function, FunctionId, Line, LocationId, Mapping, MappingId, ProfileBuilder};
use symbolize::Mode;

use crate::beside::Beside;
use crate::cache::CacheLimits;
use crate::frame::{Frame, SpaceKind};
use crate::symbol_cache::{SymbolCache, SymbolCounts};

use super::files::Files;
use super::names::{Found, MapState, Names};
use crate::files::FileCounts;

/// How often processes are asked what more they tell of the code that they made.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// What stands for the frames in the middle of a stack that is too deep.
pub(super) const LEFT_OUT: &str = "[stack cut: too deep]";

/// First address of the kernel's half.
const KERNEL_START: u64 = 0xffff_8000_0000_0000;

/// What is known of a frame, in a form that every profile can take over.
#[derive(Clone, Copy)]
struct Known {
    /// Position in `mappings`.
    mapping: u32,
    address: u64,
    /// Position in `lines` and how many.
    lines: (u32, u32),
    /// Whether it is worth asking again: its file was still being opened, or the kernel has no such function yet.
    pending: bool,
}

/// Frames of a process in code that it made while it ran.
#[derive(Default)]
struct OwnCode {
    frames: Vec<u32>,
    /// How far its list of that code was read when they were named.
    seen: MapState,
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
    /// By number of the process.
    own_code: HashMap<u32, OwnCode>,
    asked: Option<Instant>,
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
    Vsyscall,
    /// A file, and whether the places in it have names: a server may look for names only where a mapping says that it has
    /// none.
    File(u64, bool),
    /// What no mapping is known of. A server refuses to look for names in a profile with a place without one.
    Nowhere,
}

impl Frames {
    pub(crate) fn new(files: FileCounts, symbols: SymbolCounts, caches: CacheLimits) -> Self {
        Self { files: Files::new(files), names: Names::new(symbols, caches), ..Self::default() }
    }

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

    /// Takes debug files that were found for a file, and sees to it that its frames are named again.
    pub(crate) fn set_beside(&mut self, file: u64, beside: Beside, frames: &[Frame]) {
        if !self.files.set_beside(file, beside) {
            return;
        }
        self.names.close(file);
        self.starts.retain(|(number, _), _| *number != file);
        let named = frames.iter().take(self.known.len()).enumerate();
        let of_file =
            named.filter(|(_, frame)| matches!(frame.space.kind(), SpaceKind::File(number) if number == file));
        self.pending.extend(of_file.map(|(id, _)| id as u32));
        self.pending.sort_unstable();
        self.pending.dedup();
    }

    /// The newest BPF program has this number; nothing where that cannot be told.
    pub(crate) fn set_newest_program(&mut self, program: Option<u32>) {
        self.names.set_newest_program(program);
    }

    /// Names the frames that are new, and those of which more may be known since.
    pub(crate) fn name(&mut self, frames: &[Frame]) {
        self.names.begin();
        let mut todo: Vec<u32> = std::mem::take(&mut self.pending);
        self.name_again(&mut todo);
        for id in self.known.len() as u32..frames.len() as u32 {
            if let SpaceKind::Process(process) = frames[id as usize].space.kind() {
                self.own_code.entry(process).or_default().frames.push(id);
            }
            todo.push(id);
        }
        let unknown = Known { mapping: self.nowhere(), address: 0, lines: (0, 0), pending: false };
        self.known.resize(frames.len(), unknown);
        // File by file, so that each one's symbols are opened once.
        todo.sort_unstable_by_key(|id| (frames[*id as usize].space, frames[*id as usize].address));
        for id in todo {
            let mut known = self.resolve(frames[id as usize]);
            let before = self.known[id as usize];
            if known.lines.1 == 0 && known.pending && before.lines.1 > 0 {
                // Its file is closed: it keeps the name that it has.
                known = Known { pending: false, ..before };
            }
            if known.pending {
                self.pending.push(id);
            }
            self.known[id as usize] = known;
        }
    }

    /// Adds the frames in code that a process made whose list of that code has grown: all where it replaced something,
    /// else those without a name.
    fn name_again(&mut self, todo: &mut Vec<u32>) {
        if self.asked.is_some_and(|asked| asked.elapsed() < ASK_AGAIN) {
            return;
        }
        self.asked = Some(Instant::now());
        let Self { own_code, processes, names, known, .. } = self;
        own_code.retain(|process, code| {
            let state = processes.get(*process as usize).and_then(|key| names.map_state(*key));
            let Some(state) = state else { return false };
            let replaced = state.replaced != code.seen.replaced;
            if state != code.seen {
                let nameless = |id: &&u32| known[**id as usize].lines.1 == 0;
                todo.extend(code.frames.iter().filter(|id| replaced || nameless(id)));
            }
            code.seen = state;
            !state.ended
        });
    }

    /// Keeps what names the code that a process makes for itself, for when the process is gone.
    pub(crate) fn hold(&mut self, key: ProcessKey) {
        self.names.hold_map(key);
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
                let pending = found.is_none();
                Known { pending, ..self.known(mapping, address, found, false) }
            }
            SpaceKind::Vdso => {
                let found = self.names.vdso(address);
                let mapping = self.mapping(SpaceKindKey::Vdso, 0, |mapping| {
                    mapping.memory_limit = 0x10_0000;
                    mapping.filename = "[vdso]".into();
                });
                self.known(mapping, address, found, true)
            }
            SpaceKind::Vsyscall => {
                let mapping = self.mapping(SpaceKindKey::Vsyscall, 0, |mapping| {
                    mapping.memory_limit = 0x1000;
                    mapping.filename = "[vsyscall]".into();
                });
                let found = Found { name: vsyscall(address).into(), ..Found::default() };
                self.known(mapping, address, Some(found), false)
            }
            SpaceKind::Process(number) => {
                let found = self.processes.get(number as usize).and_then(|key| self.names.process(*key, address));
                let mapping = self.nowhere();
                self.known(mapping, address, found, true)
            }
            SpaceKind::File(number) => self.resolve_file(number, address),
            SpaceKind::LeftOut => {
                let mapping = self.nowhere();
                let found = Found { name: LEFT_OUT.into(), ..Found::default() };
                self.known(mapping, 0, Some(found), false)
            }
        }
    }

    fn resolve_file(&mut self, number: u64, offset: u64) -> Known {
        let Some(file) = self.files.get(number) else {
            return Known { mapping: self.nowhere(), address: offset, lines: (0, 0), pending: true };
        };
        if file.handle.as_ref().is_none_or(|handle| handle.is_silent()) {
            self.files.count_nameless();
        }
        let (name, build_id) = (file.name.clone(), file.build_id.clone());
        let segment = file.segments.iter().find(|s| (s.offset..s.offset + s.size).contains(&offset)).copied();
        let start_of = self.names.start(number, file, offset).map(|start| (number, start));
        let seen = start_of.and_then(|start| self.starts.get(&start)).copied();
        let found = if seen.is_some() { None } else { self.names.file(number, file, offset) };
        // Without the file its offsets are all there is; they serve as addresses, so that a server can still count.
        let (start, file_offset, size) = segment.map_or((0, 0, 1 << 40), |s| (s.address, s.offset, s.size));
        let named = seen.is_some() || found.is_some();
        let mapping = self.mapping(SpaceKindKey::File(number, named), start, |mapping| {
            mapping.memory_start = start;
            mapping.memory_limit = start.saturating_add(size);
            mapping.file_offset = file_offset;
            mapping.filename = name;
            mapping.build_id = build_id;
            mapping.has_functions = named;
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

    fn nowhere(&mut self) -> u32 {
        self.mapping(SpaceKindKey::Nowhere, 0, |_| {})
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
        let start = self.lines.len() as u32;
        for call in found.inlined {
            let function = self.function(RawFunction { name: call.name, file: call.file, native });
            self.lines.push((function, call.line));
        }
        let function = self.function(RawFunction { name: found.name, file: found.file, native });
        self.lines.push((function, found.line));
        let count = self.lines.len() as u32 - start;
        Known { mapping, address, lines: (start, count), pending: found.unread }
    }

    fn function(&mut self, raw: RawFunction) -> u32 {
        if let Some(function) = self.function_index.get(&raw) {
            return *function;
        }
        let function = self.functions.len() as u32;
        self.functions.push(raw.clone());
        self.function_index.insert(raw, function);
        function
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
        let mapping = Some(self.place(known.mapping, builder));
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

    /// The location of what is in no code, as the end of a stack that was cut, in the profile being built.
    pub(crate) fn locate_none(&mut self, name: &str, builder: &mut ProfileBuilder) -> LocationId {
        let nowhere = self.nowhere();
        let mapping = self.place(nowhere, builder);
        let function = builder.function(&Function::named(name));
        builder.location(Some(mapping), 0, &[Line { function, line: 0 }])
    }

    fn place(&mut self, mapping: u32, builder: &mut ProfileBuilder) -> MappingId {
        let mappings = &self.mappings;
        *self.in_profile.0.entry(mapping).or_insert_with(|| builder.mapping(&mappings[mapping as usize]))
    }

    /// Gives back what can be had again.
    pub(crate) fn trim(&mut self, most: usize) {
        self.names.trim(most);
    }

    /// What symbol tables take, in bytes.
    pub(crate) fn symbol_bytes(&self) -> usize {
        self.names.bytes()
    }

    /// Keeps symbol tables in another folder from now on, or nowhere.
    pub(crate) fn keep_in(&mut self, place: Option<&SymbolCache>) {
        self.names.keep_in(place);
    }

    /// Keeps all that is new of the symbol tables.
    pub(crate) fn keep_all(&mut self) {
        self.names.keep_all();
    }
}

/// What the page for old programs' system calls does at this offset. It has 1 KiB for each and is the same everywhere.
/// Source: arch/x86/entry/vsyscall/vsyscall_emu_64.S.
fn vsyscall(offset: u64) -> &'static str {
    ["gettimeofday", "time", "getcpu", "[vsyscall]"][(offset >> 10 & 3) as usize]
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
