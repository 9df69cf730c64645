//! All functions in the order of their addresses, with what each has put on the stack at each place.

use std::collections::HashMap;

use crate::address::Svma;
use crate::pieces::Pieces;
use crate::read::ReadAt;

use super::pc_values::Steps;
use super::table::{FunctionRecord, Pclntab, RECORD_BYTES, Version};

/// A longer table is of no real function.
const LONGEST_PC_TABLE: usize = 1 << 20;
/// All that is read of them in a program: of each function at least the first 256 bytes.
pub(super) const MOST_PC_BYTES: u64 = 1 << 28;
/// Source files whose kind is remembered. A program has some ten thousand.
const MOST_FILES: usize = 1 << 16;

/// Goes through the functions of a table. A megabyte or two of the table are in memory at once.
#[derive(Debug)]
pub struct GoFrames<R> {
    table: Pclntab,
    reader: R,
    search: Pieces<R>,
    /// Records of functions, and their values, which lie in different parts.
    records: Pieces<R>,
    values: Pieces<R>,
    index: u32,
    /// Whether files have assembly, by the place of the value that names them and by unit.
    assembly: HashMap<(u32, u32), bool>,
    /// Bytes of tables of values that were read.
    pub(super) spent: u64,
}

/// One function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GoFrame {
    /// Where it begins.
    pub start: Svma,
    /// One past its end: where the next one begins.
    pub end: Svma,
    /// True for one that was written in assembly.
    pub assembly: bool,
    /// True for one that has no caller: a goroutine or a thread begins with it. Only Go 1.17 and later say so.
    pub top: bool,
    /// True for one that moves the stack pointer elsewhere. Only Go 1.17 and later say so.
    pub switches: bool,
    name: u32,
    stack: u32,
}

impl<R: ReadAt + Clone> GoFrames<R> {
    /// The functions of `table`, which was found in the file that `reader` reads.
    pub fn new(table: &Pclntab, reader: &R) -> Self {
        let (start, size) = table.extent();
        let pieces = || Pieces::new(reader.clone(), start, size);
        Self {
            table: table.clone(),
            reader: reader.clone(),
            search: pieces(),
            records: pieces(),
            values: pieces(),
            index: 0,
            assembly: HashMap::new(),
            spent: 0,
        }
    }

    /// The name of a function.
    pub fn name(&self, frame: &GoFrame) -> Option<String> {
        self.table.name_at(&self.reader, frame.name)
    }

    /// How many bytes a function has on the stack, besides the return address: `row` gets one past the end of each stretch,
    /// and the bytes. Nothing is known of a few. False when the table makes no sense from some place on.
    pub fn stack(&mut self, frame: &GoFrame, mut row: impl FnMut(Svma, i32)) -> bool {
        if frame.stack == 0 {
            return true;
        }
        let Some(at) = self.table.value_table(frame.stack) else { return false };
        let (mut most, mut done) = (256, frame.start);
        loop {
            let bytes = self.values.bytes(at, most);
            self.spent += bytes.len() as u64;
            let short = bytes.len() < most;
            let mut steps = Steps::new(bytes, self.table.quantum());
            for (distance, value) in &mut steps {
                let end = Svma(frame.start.0.saturating_add(distance)).min(frame.end);
                // What was shown before more bytes were read is not shown again.
                if end > done {
                    row(end, value);
                    done = end;
                }
            }
            if steps.ended() || done == frame.end {
                return true;
            }
            if short || most >= LONGEST_PC_TABLE || self.spent > MOST_PC_BYTES {
                return false;
            }
            most *= 16;
        }
    }

    /// Goes on with the last function that does not begin behind an address, if that was not reached yet.
    pub fn seek(&mut self, address: Svma) {
        let (mut low, mut high) = (self.index, self.table.len());
        while low < high {
            let middle = low.midpoint(high);
            let Some(at) = self.table.search_at(middle) else { return };
            let bytes = self.search.bytes(at, self.table.search_bytes());
            let Some((start, ..)) = self.table.search_record(bytes) else { return };
            if start <= address { low = middle + 1 } else { high = middle }
        }
        self.index = self.index.max(low.saturating_sub(1));
    }

    fn frame(&mut self, index: u32) -> Option<GoFrame> {
        let bytes = self.search.bytes(self.table.search_at(index)?, self.table.search_bytes());
        let (start, offset, end) = self.table.search_record(bytes)?;
        let at = self.table.record_at(offset)?;
        let record = FunctionRecord::parse(&self.table, at, self.records.bytes(at, RECORD_BYTES))?;
        let assembly = match self.table.version() {
            Version::Go1_2 | Version::Go1_16 => self.is_in_assembly_file(&record),
            Version::Go1_18 | Version::Go1_20 => record.flags & 4 != 0,
        };
        Some(GoFrame {
            start,
            end,
            assembly,
            top: record.flags & 1 != 0,
            switches: record.flags & 2 != 0,
            name: record.name,
            stack: record.stack,
        })
    }

    fn is_in_assembly_file(&mut self, record: &FunctionRecord) -> bool {
        let key = (record.files, record.unit);
        if let Some(known) = self.assembly.get(&key) {
            return *known;
        }
        if self.assembly.len() >= MOST_FILES {
            self.assembly.clear();
        }
        let is = self.table.first_file(&self.reader, record).is_some_and(|file| file.ends_with(".s"));
        self.assembly.insert(key, is);
        is
    }
}

impl<R: ReadAt + Clone> Iterator for GoFrames<R> {
    type Item = GoFrame;

    /// The next function that has code. Those that cannot be read are left out.
    fn next(&mut self) -> Option<GoFrame> {
        while self.index < self.table.len() {
            self.index += 1;
            if let Some(frame) = self.frame(self.index - 1).filter(|frame| frame.start < frame.end) {
                return Some(frame);
            }
        }
        None
    }
}
