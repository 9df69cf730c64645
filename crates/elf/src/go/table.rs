//! The table: a header, functions by pc, and for each its name, files and lines.

use crate::address::Svma;
use crate::file::{Elf, Problem};
use crate::format::{Class, u32_at};
use crate::read::{ReadAt, array, string};

use super::locate::Place;
use super::pc_values;

/// Eight bytes and at most eight words.
pub(super) const HEADER_SIZE: usize = 8 + 8 * 8;

/// Search by single reads until this few functions are left, then read them at once.
const BLOCK: u32 = 256;

/// The longest name or path that is read.
const LONGEST_NAME: usize = 64 << 10;

/// One function's table of lines is not read beyond this.
const LONGEST_PC_TABLE: usize = 1 << 20;

const PCDATA_INLINE_TREE: u32 = 2;

/// The formats, by the first Go that wrote them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Version {
    /// Up to 1.15: one table with offsets from its start.
    Go1_2,
    /// Parts of their own for names, files and values; files by compilation unit.
    Go1_16,
    /// Addresses as 32-bit offsets from the start of the text.
    Go1_18,
    /// The line on which each function starts.
    Go1_20,
}

/// Go's table in one file; holds places in the file, not its contents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pclntab {
    header: Header,
    place: Place,
    text: Svma,
    range: (Svma, Svma),
}

/// A function and what the table says of one pc in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoFunction {
    /// Its name, as `net/http.(*conn).serve`.
    pub name: String,
    /// Where it begins.
    pub start: Svma,
    /// One past its end: where the next one begins.
    pub end: Svma,
    /// The source file, as the compiler was given it.
    pub file: Option<String>,
    /// The line of the pc. `None` where another function was inlined: that one's line would not be of this function.
    pub line: Option<u32>,
    /// True when the pc is in the body of a function that was inlined into this one.
    pub inlined: bool,
}

/// The header, with every part as an offset from the start of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) version: Version,
    pub(super) pointer_size: u8,
    quantum: u8,
    count: u32,
    names: u64,
    units: u64,
    files: u64,
    pc_tables: u64,
    /// The first record of the search table; records of functions are offsets from `functions`.
    search: u64,
    functions: u64,
}

impl Version {
    fn of_magic(magic: u32) -> Option<Self> {
        match magic {
            0xffff_fffb => Some(Self::Go1_2),
            0xffff_fffa => Some(Self::Go1_16),
            0xffff_fff0 => Some(Self::Go1_18),
            0xffff_fff1 => Some(Self::Go1_20),
            _ => None,
        }
    }

    /// True when addresses in the table count from the start of the text.
    pub(super) fn relative_to_text(self) -> bool {
        self >= Self::Go1_18
    }
}

impl Header {
    /// Reads and checks a header; `None` when there is none at this place.
    pub(super) fn read(reader: &impl ReadAt, place: Place) -> Option<Self> {
        let bytes = array::<HEADER_SIZE>(reader, place.start)?;
        let version = Version::of_magic(u32_at(&bytes, 0)).filter(|_| Self::may_begin(&bytes))?;
        let pointer_size = bytes[7];
        let class = Class { wide: pointer_size == 8 };
        let word = |index: usize| class.address(&bytes, 8 + 4 * index, 8 + 8 * index);

        let after_count = 8 + u64::from(pointer_size);
        let size = place.end.checked_sub(place.start)?;
        let count = u32::try_from(word(0)).ok()?;
        let mut header = Self {
            version,
            pointer_size,
            quantum: bytes[6],
            count,
            names: 0,
            units: 0,
            files: 0,
            pc_tables: 0,
            search: after_count,
            functions: 0,
        };
        match version {
            Version::Go1_2 => {}
            Version::Go1_16 | Version::Go1_18 | Version::Go1_20 => {
                // A word for the start of the text came in 1.18.
                let first = if version == Version::Go1_16 { 2 } else { 3 };
                header.names = word(first);
                header.units = word(first + 1);
                header.files = word(first + 2);
                header.pc_tables = word(first + 3);
                header.functions = word(first + 4);
                header.search = header.functions;
            }
        }
        let parts = [header.names, header.units, header.files, header.pc_tables, header.functions];
        let search_end = header.search.checked_add((2 * u64::from(count) + 1) * header.field())?;
        if count == 0 || parts.into_iter().any(|part| part >= size) || search_end > size {
            return None;
        }
        if version == Version::Go1_2 {
            // The offset of the list of files follows the search table.
            let files = array::<4>(reader, place.start.checked_add(search_end)?)?;
            header.files = u64::from(u32_at(&files, 0));
        }
        Some(header)
    }

    /// The size of a field of the search table.
    fn field(&self) -> u64 {
        if self.version.relative_to_text() { 4 } else { u64::from(self.pointer_size) }
    }

    fn search_class(&self) -> Class {
        Class { wide: self.field() == 8 }
    }
}

impl Pclntab {
    /// Finds the table of a file; `None` for files that Go did not make.
    pub fn find<R: ReadAt>(elf: &Elf<R>) -> (Option<Self>, Vec<Problem>) {
        const WHAT: &str = "Go's table of functions";
        let Some(place) = elf.locate_pclntab() else { return (None, Vec::new()) };
        let Some(header) = Header::read(elf.reader(), place) else { return (None, Vec::new()) };
        let malformed = |reason| (None, vec![Problem::Malformed { what: WHAT, reason }]);
        let text = if header.version.relative_to_text() {
            let Some(text) = elf.go_text(&header, place) else { return malformed("the start of the text is unknown") };
            text
        } else {
            Svma(0)
        };
        let mut table = Self { header, place, text, range: (Svma(0), Svma(0)) };
        let (Some(first), Some(end)) = (table.pc(elf.reader(), 0), table.pc(elf.reader(), table.header.count)) else {
            return malformed("it ends in the middle");
        };
        if first >= end {
            return malformed("its functions have no order");
        }
        table.range = (first, end);
        (Some(table), Vec::new())
    }

    /// The format.
    pub fn version(&self) -> Version {
        self.header.version
    }

    /// How many functions it has.
    pub fn len(&self) -> u32 {
        self.header.count
    }

    /// Always false: a table without functions is not found.
    pub fn is_empty(&self) -> bool {
        self.header.count == 0
    }

    /// Go's text: where the first function begins, and one past the last.
    pub fn range(&self) -> (Svma, Svma) {
        self.range
    }

    /// The function at a pc, read from the file: some ten small reads. `reader` is that of the file it was found in.
    pub fn lookup(&self, reader: &impl ReadAt, pc: Svma) -> Option<GoFunction> {
        let (record, start, end) = self.record(reader, pc)?;
        let name = self.string(reader, self.header.names, record.name)?;
        let distance = pc.0.checked_sub(start.0)?;
        let inlined = self.inlined_call(reader, &record, distance).is_some();
        // The first byte is always the function's own.
        let of = if inlined { 0 } else { distance };
        let file = self.value(reader, record.files, of).and_then(|number| self.file(reader, &record, number));
        let line = if inlined { None } else { self.value(reader, record.lines, distance) };
        let line = line.and_then(|line| u32::try_from(line).ok()).filter(|&line| line > 0);
        Some(GoFunction { name, start, end, file, line, inlined })
    }

    /// The record of the function at a pc, where the function begins and where the next.
    pub(super) fn record(&self, reader: &impl ReadAt, pc: Svma) -> Option<(FunctionRecord, Svma, Svma)> {
        if pc < self.range.0 || pc >= self.range.1 {
            return None;
        }
        let (start, end, offset) = self.search(reader, pc)?;
        let at = self.record_at(offset)?;
        let bytes = array::<RECORD_BYTES>(reader, self.at(at)?)?;
        Some((FunctionRecord::parse(self, at, &bytes)?, start, end))
    }

    /// The pc of one record of the search table.
    fn pc(&self, reader: &impl ReadAt, index: u32) -> Option<Svma> {
        let field = self.header.field();
        let at = self.at(self.header.search)?.checked_add(2 * field * u64::from(index))?;
        // Four bytes more than a narrow field may reach past the end of the file, so ask for the field alone.
        let mut bytes = [0; 8];
        let bytes = bytes.get_mut(..field as usize)?;
        (reader.read_at(at, bytes).ok()? == bytes.len())
            .then(|| self.absolute(self.header.search_class().address(bytes, 0, 0)))
    }

    /// Where the table is in the file, and how long what holds it goes on.
    pub(super) fn extent(&self) -> (u64, u64) {
        (self.place.start, self.place.end.saturating_sub(self.place.start))
    }

    /// Where a record of the search table is, in the table.
    pub(super) fn search_at(&self, index: u32) -> Option<u64> {
        self.header.search.checked_add(2 * self.header.field() * u64::from(index))
    }

    /// How many bytes a record of the search table has, with the start of the next.
    pub(super) fn search_bytes(&self) -> usize {
        3 * self.header.field() as usize
    }

    /// Where a function begins, the place of its record among those, and where the next begins.
    pub(super) fn search_record(&self, bytes: &[u8]) -> Option<(Svma, u64, Svma)> {
        let field = self.header.field() as usize;
        let value = |at: usize| Some(self.header.search_class().address(bytes.get(at..at + field)?, 0, 0));
        Some((self.absolute(value(0)?), value(field)?, self.absolute(value(2 * field)?)))
    }

    /// Where a function's record is, in the table.
    pub(super) fn record_at(&self, offset: u64) -> Option<u64> {
        self.header.functions.checked_add(offset)
    }

    /// Where values begin, in the table.
    pub(super) fn value_table(&self, offset: u32) -> Option<u64> {
        self.header.pc_tables.checked_add(offset.into())
    }

    /// What one step of a pc in the values stands for, in bytes.
    pub(super) fn quantum(&self) -> u32 {
        self.header.quantum.into()
    }

    /// The name that a record has.
    pub(super) fn name_at(&self, reader: &impl ReadAt, name: u32) -> Option<String> {
        self.string(reader, self.header.names, name)
    }

    /// The file of the first byte of a function.
    pub(super) fn first_file(&self, reader: &impl ReadAt, record: &FunctionRecord) -> Option<String> {
        self.file(reader, record, self.value(reader, record.files, 0)?)
    }

    fn absolute(&self, pc: u64) -> Svma {
        Svma(self.text.0.wrapping_add(pc))
    }

    /// The last function that begins at or before `pc`: its start, the start of the next, and where its record is.
    fn search(&self, reader: &impl ReadAt, pc: Svma) -> Option<(Svma, Svma, u64)> {
        let (mut low, mut high) = (0, self.header.count);
        while high - low > BLOCK {
            let middle = low + (high - low) / 2;
            if self.pc(reader, middle)? <= pc { low = middle } else { high = middle }
        }
        let field = self.header.field() as usize;
        let mut bytes = [0; (2 * BLOCK as usize + 1) * 8];
        let bytes = &mut bytes[..(2 * (high - low) as usize + 1) * field];
        let at = self.at(self.header.search)?.checked_add((2 * field) as u64 * u64::from(low))?;
        if reader.read_at(at, bytes).ok()? < bytes.len() {
            return None;
        }
        let class = self.header.search_class();
        let records: Vec<_> = bytes.chunks(field).map(|field| class.address(field, 0, 0)).collect();
        let after =
            records.iter().step_by(2).position(|&start| self.absolute(start) > pc).unwrap_or((high - low) as usize + 1);
        let index = after.checked_sub(1)?;
        let (start, next) = (*records.get(2 * index)?, *records.get(2 * index + 2)?);
        Some((self.absolute(start), self.absolute(next), *records.get(2 * index + 1)?))
    }

    /// The number of the inlined call that is innermost at a place of a function.
    pub(super) fn inlined_call(&self, reader: &impl ReadAt, record: &FunctionRecord, distance: u64) -> Option<i32> {
        if self.header.version < Version::Go1_16 || record.pc_data_count <= PCDATA_INLINE_TREE {
            return None;
        }
        let table = record.pc_data_at.checked_add(4 * u64::from(PCDATA_INLINE_TREE));
        let table = table.and_then(|at| array::<4>(reader, at)).map(|bytes| u32_at(&bytes, 0));
        table.and_then(|table| self.value(reader, table, distance)).filter(|&index| index >= 0)
    }

    /// True when a name begins at an offset of the names: there is one, and before it ends another.
    pub(super) fn begins_name(&self, reader: &impl ReadAt, name: u32) -> bool {
        let before = name.checked_sub(1).and_then(|before| self.at(self.header.names)?.checked_add(before.into()));
        let ends = before.and_then(|at| array::<1>(reader, at)).is_some_and(|byte| byte == [0]);
        ends && self.name_at(reader, name).is_some()
    }

    /// Where the names are, in the table.
    pub(super) fn names_at(&self) -> u64 {
        self.header.names
    }

    /// The bytes of an address.
    pub(super) fn pointer_size(&self) -> u8 {
        self.header.pointer_size
    }

    /// The value at a pc from the table at `table`; 0 means that there is none.
    pub(super) fn value(&self, reader: &impl ReadAt, table: u32, distance: u64) -> Option<i32> {
        if table == 0 {
            return None;
        }
        let at = self.at(self.header.pc_tables)?.checked_add(u64::from(table))?;
        let mut bytes = [0; 256];
        let count = reader.read_at(at, &mut bytes).ok()?;
        let quantum = u32::from(self.header.quantum);
        let found = pc_values::value_at(&bytes[..count], quantum, distance);
        if found.is_some() || count < bytes.len() {
            return found;
        }
        // Long tables are those of long functions: read all that this one can have.
        let most = usize::try_from(self.place.end.saturating_sub(at)).unwrap_or(LONGEST_PC_TABLE).min(LONGEST_PC_TABLE);
        let mut length = 16 * bytes.len();
        loop {
            let mut bytes = vec![0; length.min(most)];
            let count = reader.read_at(at, &mut bytes).ok()?;
            let found = pc_values::value_at(&bytes[..count], quantum, distance);
            if found.is_some() || count < bytes.len() || length >= most {
                return found;
            }
            length *= 16;
        }
    }

    pub(super) fn file(&self, reader: &impl ReadAt, record: &FunctionRecord, number: i32) -> Option<String> {
        let number = u64::try_from(number).ok()?;
        let entry = |list: u64, index: u64| {
            let at = self.at(list)?.checked_add(index.checked_mul(4)?)?;
            Some(u32_at(&array::<4>(reader, at)?, 0)).filter(|&offset| offset != u32::MAX)
        };
        if self.header.version == Version::Go1_2 {
            return self.string(reader, 0, entry(self.header.files, number)?);
        }
        let offset = entry(self.header.units, u64::from(record.unit).checked_add(number)?)?;
        self.string(reader, self.header.files, offset)
    }

    fn string(&self, reader: &impl ReadAt, part: u64, offset: u32) -> Option<String> {
        let at = self.at(part)?.checked_add(u64::from(offset))?;
        let room = usize::try_from(self.place.end.checked_sub(at)?).unwrap_or(LONGEST_NAME).min(LONGEST_NAME);
        let text = string(reader, at, room)?;
        (!text.is_empty()).then(|| String::from_utf8_lossy(&text).into_owned())
    }

    pub(super) fn at(&self, part: u64) -> Option<u64> {
        self.place.start.checked_add(part)
    }
}

/// The bytes of a record that are read: without its lists, except that of the oldest formats their beginning is read too.
pub(super) const RECORD_BYTES: usize = 44;

/// What we use of a `_func`: fields of four bytes after the entry, whose size is that of the search table's fields.
pub(super) struct FunctionRecord {
    pub(super) name: u32,
    /// How many bytes are on the stack.
    pub(super) stack: u32,
    pub(super) files: u32,
    pub(super) lines: u32,
    pub(super) unit: u32,
    pub(super) pc_data_count: u32,
    pub(super) pc_data_at: u64,
    pub(super) func_data_count: u8,
    /// Since Go 1.17; before, no bits are set. Bit 0: has no caller; 1: moves the stack pointer elsewhere; 2, since 1.18:
    /// assembly.
    pub(super) flags: u8,
}

impl FunctionRecord {
    /// The record whose bytes begin at `at` of the table.
    pub(super) fn parse(table: &Pclntab, at: u64, bytes: &[u8]) -> Option<Self> {
        let entry = table.header.field() as usize;
        // Behind these come the line of the function since 1.20, and four bytes of flags, before the list of tables.
        let fixed = match table.header.version {
            Version::Go1_2 => 7,
            Version::Go1_16 | Version::Go1_18 => 8,
            Version::Go1_20 => 9,
        };
        let flags = entry + 4 * fixed;
        if bytes.len() < flags + 4 {
            return None;
        }
        let field = |number: usize| u32_at(bytes, entry + 4 * (number - 1));
        Some(Self {
            name: field(1),
            stack: field(4),
            files: field(5),
            lines: field(6),
            pc_data_count: field(7),
            unit: if fixed > 7 { field(8) } else { 0 },
            pc_data_at: table.at(at)?.checked_add(flags as u64 + 4)?,
            func_data_count: bytes[flags + 3],
            flags: if fixed > 7 { bytes[flags + 1] } else { 0 },
        })
    }
}
