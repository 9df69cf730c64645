//! Calls that Go's compiler put in line, from the trees of them that the linker leaves for the runtime.
//!
//! A function with such calls has a list of them, and says for each pc which of them it is in. Each call says where in the
//! function it was made, and what holds at that place says which call that was in turn in. The lists are described in Go's
//! `runtime/symtabinl.go`; they are in read-only data since 1.18, counted from a place that only the module data has, and were
//! pointed to before.

use crate::address::{FileOffset, Svma};
use crate::file::{Elf, Segment};
use crate::format::{PT_LOAD, u32_at, u64_at};
use crate::read::{ReadAt, array};

use super::table::{FunctionRecord, Pclntab, RECORD_BYTES, Version};

/// The words of the module data of which one is the place: the 40th since Go 1.20, the 38th before.
const WORDS: std::ops::Range<u64> = 36..48;
/// Functions by which the right word is told, and how many are looked at to find so many.
const WITNESSES: usize = 8;
const MOST_ASKED: u32 = 20_000;
/// Which of a function's lists of data is that of its calls, since Go 1.16.
const TREE: u8 = 3;
/// A place in more calls than this, one in the other, makes no sense.
const DEEPEST: usize = 64;
/// Longer lists are not believed.
const MOST_CALLS: i32 = 1 << 20;

/// Where the lists of a program are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoInlines {
    base: Base,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Base {
    /// Places in the file are these and what a function says.
    Offset(u64),
    /// A function says an address; these are the segments that it may lie in.
    Absolute(Box<[Segment]>),
}

/// A function at a pc, or one that was put in line there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoCall {
    /// Its name.
    pub name: String,
    /// The source file; empty where it is not known.
    pub file: String,
    /// The line: of the pc for the innermost one, of the call for those around it. 0 where it is not known.
    pub line: u32,
}

impl GoInlines {
    /// Finds the lists that belong to `table`, which was found in the same file. Those of Go before 1.16 are not read.
    pub fn find<R: ReadAt>(elf: &Elf<R>, table: &Pclntab) -> Option<Self> {
        if table.version() == Version::Go1_2 {
            return None;
        }
        if !table.version().relative_to_text() {
            let data = elf.segments().iter().filter(|segment| segment.kind == PT_LOAD && !segment.is_code());
            return Some(Self { base: Base::Absolute(data.copied().collect()) });
        }
        let start = elf.svma(FileOffset(table.extent().0))?;
        let names = Svma(start.0.checked_add(table.names_at())?);
        let module = elf.locate_module(start, names)?;
        let witnesses = table.functions_with_calls(elf.reader());
        let is_right = |inlines: &Self| {
            !witnesses.is_empty()
                && witnesses.iter().all(|(record, length)| inlines.makes_sense(elf.reader(), table, record, *length))
        };
        let words = elf.module_words(module, WORDS).into_iter().flatten();
        let places = words.filter_map(|word| elf.file_offset(word));
        places.map(|place| Self { base: Base::Offset(place.0) }).find(is_right)
    }

    /// Where in the file a function's list is.
    fn list<R: ReadAt>(&self, reader: &R, table: &Pclntab, record: &FunctionRecord) -> Option<u64> {
        if record.func_data_count <= TREE {
            return None;
        }
        let (number, behind) = (TREE, record.pc_data_at.checked_add(4 * u64::from(record.pc_data_count))?);
        match &self.base {
            Base::Offset(base) => {
                let offset = u32_at(&array::<4>(reader, behind.checked_add(4 * u64::from(number))?)?, 0);
                (offset != u32::MAX).then(|| base.checked_add(offset.into()))?
            }
            Base::Absolute(segments) => {
                let size = u64::from(table.pointer_size());
                let at = behind.checked_next_multiple_of(size)?.checked_add(size * u64::from(number))?;
                let mut word = [0; 8];
                let count = reader.read_at(at, word.get_mut(..size as usize)?).ok()?;
                let address = Some(u64_at(&word, 0)).filter(|&address| address != 0 && count == size as usize)?;
                segments.iter().find_map(|segment| {
                    let within = address.checked_sub(segment.address.0).filter(|&at| at < segment.file_size)?;
                    segment.offset.0.checked_add(within)
                })
            }
        }
    }

    /// One call of a list: its name, as an offset, and the distance from the function's start at which it was made.
    fn call<R: ReadAt>(reader: &R, version: Version, list: u64, index: i32) -> Option<(u32, u32)> {
        let (size, name, parent) = if version >= Version::Go1_20 { (16, 4, 8) } else { (20, 12, 16) };
        let index = u64::try_from(index).ok().filter(|_| index < MOST_CALLS)?;
        let bytes = array::<20>(reader, list.checked_add(size * index)?)?;
        Some((u32_at(&bytes, name), u32_at(&bytes, parent)))
    }

    fn makes_sense<R: ReadAt>(&self, reader: &R, table: &Pclntab, record: &FunctionRecord, length: u64) -> bool {
        let Some(list) = self.list(reader, table, record) else { return false };
        let Some((name, parent)) = Self::call(reader, table.version(), list, 0) else { return false };
        u64::from(parent) < length && table.begins_name(reader, name)
    }
}

impl Pclntab {
    /// The function at a pc and what was put in line there, the innermost first. `reader` is that of the file it was found in.
    pub fn calls<R: ReadAt>(&self, reader: &R, inlines: &GoInlines, pc: Svma) -> Vec<GoCall> {
        self.calls_at(reader, inlines, pc).unwrap_or_default()
    }

    fn calls_at<R: ReadAt>(&self, reader: &R, inlines: &GoInlines, pc: Svma) -> Option<Vec<GoCall>> {
        let (record, start, end) = self.record(reader, pc)?;
        let mut distance = pc.0.checked_sub(start.0)?;
        let mut calls = Vec::new();
        while calls.len() < DEEPEST {
            let file = self.value(reader, record.files, distance).and_then(|file| self.file(reader, &record, file));
            let line = self.value(reader, record.lines, distance).and_then(|line| u32::try_from(line).ok());
            let inlined = self.inlined_call(reader, &record, distance);
            let call = match inlined {
                Some(index) => {
                    let list = inlines.list(reader, self, &record)?;
                    Some(GoInlines::call(reader, self.version(), list, index)?)
                }
                None => None,
            };
            let name = self.name_at(reader, call.map_or(record.name, |(name, _)| name))?;
            calls.push(GoCall { name, file: file.unwrap_or_default(), line: line.unwrap_or(0) });
            let Some((_, parent)) = call else { return Some(calls) };
            distance = u64::from(parent);
            if distance >= end.0.checked_sub(start.0)? {
                return None;
            }
        }
        None
    }

    /// Some functions that have such calls, with their lengths.
    fn functions_with_calls<R: ReadAt>(&self, reader: &R) -> Vec<(FunctionRecord, u64)> {
        let mut found = Vec::new();
        for index in 0..self.len().min(MOST_ASKED) {
            let function = || {
                let mut bytes = [0; 24];
                let bytes = bytes.get_mut(..self.search_bytes())?;
                reader.read_at(self.at(self.search_at(index)?)?, bytes).ok()?;
                let (start, offset, end) = self.search_record(bytes)?;
                let at = self.record_at(offset)?;
                let record = FunctionRecord::parse(self, at, &array::<RECORD_BYTES>(reader, self.at(at)?)?)?;
                let (number, behind) = (TREE, record.pc_data_at.checked_add(4 * u64::from(record.pc_data_count))?);
                let offset = array::<4>(reader, behind.checked_add(4 * u64::from(number))?)?;
                let has = record.func_data_count > number && u32_at(&offset, 0) != u32::MAX;
                has.then_some((record, end.0.checked_sub(start.0)?))
            };
            found.extend(function());
            if found.len() >= WITNESSES {
                break;
            }
        }
        found
    }
}
