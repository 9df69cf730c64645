//! The lines of one unit: from which address on which line of which file.

use elf::ReadAt;
use gimli::{DebugLine, DebugLineOffset, FileEntry, LineProgramHeader, LittleEndian};

use crate::ranges::Range;
use crate::unit::{Slice, Unit};

/// From `start` on, up to the next row, code comes from a line of a file; line 0 is code that the compiler made by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) start: u64,
    pub(crate) file: u32,
    pub(crate) line: u32,
}

/// The file of what comes from none.
pub(crate) const NO_FILE: u32 = u32::MAX;

/// Rows, and the files that they and the unit's entries mean.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    pub(crate) rows: Vec<Row>,
    /// Full paths by the numbers of the format; some numbers stand for nothing.
    pub(crate) files: Vec<Vec<u8>>,
}

/// The lines of one unit take no more bytes than this, and the names of files before them no more than that: in memory both
/// are many times as large.
const LONGEST: u64 = 8 << 20;
const LONGEST_HEADER: u64 = 256 << 10;
/// No more rows are kept of one unit.
const MOST_ROWS: usize = 1 << 20;
/// The paths of one unit take no more bytes than this.
const MOST_TEXT: usize = 4 << 20;
/// No unit has more files; their numbers are those of the format.
const MOST_FILES: u64 = 1 << 20;

impl Lines {
    /// Reads what stands at an offset of `.debug_line`. Rows outside of `code` are those of functions that the linker removed.
    pub(crate) fn read<R: ReadAt + Clone>(unit: &Unit<'_, R>, offset: u64, folder: &[u8], code: Range) -> Option<Self> {
        let section = &unit.source.sections.lines;
        let (length, more) = match section.number(offset, 4)? {
            0xffff_ffff => (section.number(offset + 4, 8)?, 12),
            length => (length, 4),
        };
        let word = if more == 12 { 8 } else { 4 };
        let version = section.number(offset.checked_add(more)?, 2)?;
        let header = section.number(offset + more + if version >= 5 { 4 } else { 2 }, word)?;
        if header > LONGEST_HEADER {
            return None;
        }
        let bytes =
            section.read(offset, usize::try_from(length.checked_add(more).filter(|&length| length <= LONGEST)?).ok()?);
        let program = DebugLine::new(&bytes, LittleEndian);
        let program = program.program(DebugLineOffset(0), unit.head.encoding.address_size, None, None).ok()?;
        let mut lines = Self { rows: Vec::new(), files: files(unit, program.header(), folder) };
        let mut rows = program.rows();
        let mut sequence = Vec::new();
        while lines.rows.len() + sequence.len() < MOST_ROWS
            && let Ok(Some((_, row))) = rows.next_row()
        {
            let file = if row.end_sequence() { u64::from(NO_FILE) } else { row.file_index() };
            let line = row.line().filter(|_| !row.end_sequence()).map_or(0, |line| line.get());
            let (Ok(file), Ok(line)) = (u32::try_from(file), u32::try_from(line)) else { continue };
            sequence.push(Row { start: row.address(), file, line });
            if row.end_sequence() {
                lines.take(&mut sequence, code);
            }
        }
        lines.sort();
        Some(lines)
    }

    /// Takes the rows of one stretch of code, which ends with the last one.
    fn take(&mut self, sequence: &mut Vec<Row>, code: Range) {
        let starts = sequence.first().map_or(0, |row| row.start);
        let ends = sequence.last().map_or(0, |row| row.start);
        if starts >= code.start && ends <= code.end && starts < ends {
            self.rows.append(sequence);
        }
        sequence.clear();
    }

    fn sort(&mut self) {
        // Where a sequence ends and another one starts, the start counts; of several rows of one address the last counts.
        self.rows.sort_by_key(|row| (row.start, row.file != NO_FILE));
        self.rows.dedup_by(|row, last| {
            if last.start == row.start {
                *last = *row;
            }
            last.start == row.start || (last.file, last.line) == (row.file, row.line)
        });
    }
}

fn files<R: ReadAt + Clone>(unit: &Unit<'_, R>, header: &LineProgramHeader<Slice<'_>>, folder: &[u8]) -> Vec<Vec<u8>> {
    let count = (header.file_names().len() as u64 + 1).min(MOST_FILES);
    let mut room = MOST_TEXT;
    let path = |number| {
        let path = header.file(number).and_then(|file| path(unit, header, file, folder)).unwrap_or_default();
        let left = room.checked_sub(path.len());
        room = left.unwrap_or(room);
        left.map_or_else(Vec::new, |_| path)
    };
    (0..count).map(path).collect()
}

fn path<R: ReadAt + Clone>(
    unit: &Unit<'_, R>,
    header: &LineProgramHeader<Slice<'_>>,
    file: &FileEntry<Slice<'_>>,
    folder: &[u8],
) -> Option<Vec<u8>> {
    let name = unit.string(&file.path_name())?;
    if name.starts_with(b"/") {
        return Some(name);
    }
    let inner = file.directory(header).and_then(|directory| unit.string(&directory)).unwrap_or_default();
    let mut path = Vec::new();
    if !inner.starts_with(b"/") {
        path.extend_from_slice(folder);
    }
    for part in [&inner, &name] {
        let part = part.strip_prefix(b"./").unwrap_or(part);
        if part.is_empty() || part == b"." {
            continue;
        }
        if path.last().is_some_and(|&letter| letter != b'/') {
            path.push(b'/');
        }
        path.extend_from_slice(part);
    }
    Some(path)
}
