//! The functions of one file, sorted by place: twelve bytes for each, names left in the file.
//!
//! The table is bytes, to be kept in a file: a [`Head`], then the entries.

use std::cmp::Reverse;

use cache::Bytes;
use elf::{Binding, Elf, FileOffset, Function, ReadAt, Strings, Svma, SymbolTable};
use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::alias;

/// How many entries before the nearest one are asked whether they reach as far as the address: a function may have parts
/// of others inside, but not deeply.
const NESTING: usize = 8;

/// What the entries are relative to.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Head {
    /// The place in the file that starts count from.
    base: U64,
    /// Where the names are in their file, and how many bytes of them there are.
    strings: U64,
    strings_size: U64,
}

/// A name in the file, and the bytes it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Entry {
    /// Bytes from the table's base.
    start: U32,
    /// The number of bytes; while the table is built, its three upper bits are the [`rank`].
    size: U32,
    /// Where the name is among the strings of the file's table.
    name: U32,
}

const _: () = assert!(size_of::<Entry>() == 12 && size_of::<Head>() == 24);

const RANK_SHIFT: u32 = 29;
const LARGEST: u32 = (1 << RANK_SHIFT) - 1;

/// The functions of one file.
#[derive(Debug)]
pub(crate) struct Table {
    head: Head,
    bytes: Bytes,
}

/// A range of the file that holds code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Code {
    start: u64,
    end: u64,
}

impl Table {
    /// Reads the functions of `source`, a table of `names`, which is the file itself or one beside it. Those that `skip` tells are left out, as are those whose place is too far from the
    /// first code of the file to be written in four bytes; how many these were comes back too.
    pub(crate) fn build<R: ReadAt>(
        elf: &Elf<R>,
        names: &Elf<R>,
        source: SymbolTable,
        skip: impl Fn(Svma) -> bool,
    ) -> (Self, usize) {
        let code = code_ranges(elf);
        let base = code.first().map_or(0, |code| code.start);
        let mut too_far = 0;
        let place = |function: &Function| {
            let offset = code_offset(elf, function.address).filter(|_| !skip(function.address))?;
            offset.0.checked_sub(base)
        };

        let mut count = 0;
        names.for_each_function(&source, |function| count += usize::from(place(&function).is_some()));
        let Strings { offset, size } = source.strings;
        let head = Head { base: base.into(), strings: offset.0.into(), strings_size: size.into() };
        let mut bytes = Vec::with_capacity(size_of::<Head>() + count * size_of::<Entry>());
        bytes.extend_from_slice(head.as_bytes());
        names.for_each_function(&source, |function| {
            let Some(start) = place(&function) else { return };
            let Ok(start) = u32::try_from(start) else {
                too_far += 1;
                return;
            };
            let is_name = |name: Vec<u8>| !name.is_empty() && !name.starts_with(b".L") && !name.starts_with(b"$");
            if !function.typed && !source.strings.beginning(names.reader(), function.name).is_some_and(is_name) {
                return;
            }
            let size = u32::try_from(function.size).unwrap_or(LARGEST).min(LARGEST);
            let size = size | (rank(&function) << RANK_SHIFT);
            let entry = Entry { start: start.into(), size: size.into(), name: function.name.into() };
            bytes.extend_from_slice(entry.as_bytes());
        });

        let mut kept = 0;
        if let Ok(entries) = <[Entry]>::mut_from_bytes(&mut bytes[size_of::<Head>()..]) {
            entries.sort_unstable_by_key(|entry| {
                (entry.start.get(), Reverse(entry.size.get() >> RANK_SHIFT), entry.name.get())
            });
            kept = keep_one_name(entries, source.strings, names.reader());
            kept = settle_sizes(&mut entries[..kept], base, &code);
        }
        bytes.truncate(size_of::<Head>() + kept * size_of::<Entry>());
        bytes.shrink_to_fit();
        (Self { head, bytes: bytes.into() }, too_far)
    }

    /// The table that was built earlier and kept; nothing where the bytes are none.
    pub(crate) fn restore(bytes: Bytes) -> Option<Self> {
        let (head, entries) = Head::read_from_prefix(&bytes).ok()?;
        (entries.len() % size_of::<Entry>() == 0).then_some(Self { head, bytes })
    }

    /// Its bytes, to be kept.
    pub(crate) fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    fn entries(&self) -> &[Entry] {
        let entries = self.bytes.get(size_of::<Head>()..).unwrap_or_default();
        <[Entry]>::ref_from_bytes(entries).unwrap_or_default()
    }

    fn base(&self) -> u64 {
        self.head.base.get()
    }

    /// How many functions it has.
    pub(crate) fn len(&self) -> usize {
        self.entries().len()
    }

    /// What it takes of the heap.
    pub(crate) fn heap_bytes(&self) -> usize {
        if self.bytes.is_mapped() { 0 } else { self.bytes.len() }
    }

    /// Where the function starts that has this byte of the file.
    pub(crate) fn start(&self, offset: FileOffset) -> Option<FileOffset> {
        Some(FileOffset(self.base() + u64::from(self.entry(offset)?.start)))
    }

    fn entry(&self, offset: FileOffset) -> Option<&Entry> {
        let at = u32::try_from(offset.0.checked_sub(self.base())?).ok()?;
        let entries = self.entries();
        let after = entries.partition_point(|entry| entry.start.get() <= at);
        entries[..after].iter().rev().take(NESTING).find(|entry| {
            // A table that was cut while it is mapped is not in order.
            at.checked_sub(entry.start.get()).is_some_and(|within| within < entry.size.get())
        })
    }

    /// The function that has this byte of the file: its name, which is in the file of `reader`, and where it starts.
    pub(crate) fn lookup(&self, reader: &impl ReadAt, offset: FileOffset) -> Option<(Vec<u8>, FileOffset)> {
        let entry = self.entry(offset)?;
        let strings = Strings { offset: FileOffset(self.head.strings.get()), size: self.head.strings_size.get() };
        let name = strings.name(reader, entry.name.get()).filter(|name| !name.is_empty())?;
        Some((name, FileOffset(self.base() + u64::from(entry.start))))
    }
}

/// How good a name is among those of one address: of a known size, called a function, strongly bound; three bits.
fn rank(function: &Function) -> u32 {
    let sized = if function.size > 0 { 4 } else { 0 };
    let bound = match function.binding {
        Binding::Global => 2,
        Binding::Weak => 1,
        Binding::Local => 0,
    };
    // A label without a type is the weakest, whatever its binding.
    if function.typed { sized + 1 + bound.min(2) } else { sized }
}

/// Of the entries with one start, leaves the one to show; says how many are left.
fn keep_one_name(entries: &mut [Entry], names: Strings, reader: &impl ReadAt) -> usize {
    let mut kept = 0;
    let mut from = 0;
    while from < entries.len() {
        let first = entries[from];
        let same_start = entries[from..].iter().take_while(|entry| entry.start == first.start).count();
        let rank = |entry: &Entry| entry.size.get() >> RANK_SHIFT;
        let same_rank = entries[from..from + same_start].iter().take_while(|entry| rank(entry) == rank(&first));
        let mut best = first;
        if same_rank.clone().any(|entry| entry.name != first.name) {
            let mut best_name = names.beginning(reader, first.name.get()).unwrap_or_default();
            for entry in same_rank.skip(1) {
                let name = names.beginning(reader, entry.name.get()).unwrap_or_default();
                if best_name.is_empty() || (!name.is_empty() && alias::compare(&name, &best_name).is_lt()) {
                    (best, best_name) = (*entry, name);
                }
            }
        }
        entries[kept] = best;
        kept += 1;
        from += same_start;
    }
    kept
}

/// Takes the ranks out of the sizes, and gives those without a size one: up to the next function or the end of the section.
/// One that lies inside a function of known size is a label of that function and is dropped. Says how many are left.
fn settle_sizes(entries: &mut [Entry], base: u64, code: &[Code]) -> usize {
    let mut covered = 0;
    let mut kept = 0;
    for index in 0..entries.len() {
        let mut entry = entries[index];
        let (start, mut size) = (entry.start.get(), entry.size.get() & LARGEST);
        if size == 0 {
            if start < covered {
                continue;
            }
            let at = base + u64::from(start);
            let range = code.partition_point(|code| code.start <= at).checked_sub(1).map(|index| code[index]);
            let end = range.filter(|range| at < range.end).map_or(at, |range| range.end);
            let room = u32::try_from(end - at).unwrap_or(LARGEST).min(LARGEST);
            size = entries.get(index + 1).map_or(room, |next| room.min(next.start.get() - start));
        } else {
            covered = covered.max(start.saturating_add(size));
        }
        entry.size = size.into();
        entries[kept] = entry;
        kept += 1;
    }
    kept
}

/// Where an address of code is in the file.
fn code_offset<R>(elf: &Elf<R>, address: Svma) -> Option<FileOffset> {
    elf.segments().iter().filter(|segment| segment.is_code()).find_map(|segment| {
        let at = address.0.checked_sub(segment.address.0)?;
        (at < segment.file_size).then(|| FileOffset(segment.offset.0.saturating_add(at)))
    })
}

/// The sections of code by place, or the segments of a file without sections.
fn code_ranges<R>(elf: &Elf<R>) -> Vec<Code> {
    let range = |start: u64, size: u64| Code { start, end: start.saturating_add(size) };
    let segments = elf.segments().iter().filter(|segment| segment.is_code());
    let mut code: Vec<_> = segments.clone().map(|segment| range(segment.offset.0, segment.file_size)).collect();
    let sections =
        elf.sections().iter().filter(|section| section.is_code() && section.is_loaded() && section.has_bytes());
    // Symbols may lie before the first section, so the segments stay as a base; the nearest start decides.
    code.extend(sections.map(|section| range(section.offset.0, section.size)));
    code.sort_unstable_by_key(|code| (code.start, Reverse(code.end)));
    code
}
