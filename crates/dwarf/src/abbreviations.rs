//! Tables of abbreviations: which attributes each kind of entry has. Many units share one.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use elf::ReadAt;
use gimli::{Abbreviations, DebugAbbrev, DebugAbbrevOffset, LittleEndian};

use crate::section::Section;

/// So many tables are kept, and no more than were read of so many bytes.
const MOST: usize = 64;
const MOST_BYTES: usize = 1 << 20;
/// A table is not longer than this. In memory it takes many times as much.
const LONGEST: usize = 1 << 20;

/// The tables of one file that were read lately.
#[derive(Debug, Default)]
pub(crate) struct Tables(RefCell<Kept>);

#[derive(Debug, Default)]
struct Kept {
    by_offset: HashMap<u64, Rc<Abbreviations>>,
    bytes: usize,
}

impl Tables {
    /// The table at an offset of `.debug_abbrev`.
    pub(crate) fn get<R: ReadAt + Clone>(&self, section: &Section<R>, offset: u64) -> Option<Rc<Abbreviations>> {
        if let Some(table) = self.0.borrow().by_offset.get(&offset) {
            return Some(Rc::clone(table));
        }
        let (table, bytes) = read(section, offset)?;
        let table = Rc::new(table);
        let mut kept = self.0.borrow_mut();
        if kept.by_offset.len() >= MOST || kept.bytes + bytes > MOST_BYTES {
            *kept = Kept::default();
        }
        kept.by_offset.insert(offset, Rc::clone(&table));
        kept.bytes += bytes;
        Some(table)
    }
}

/// The table, and of how many bytes at most.
fn read<R: ReadAt + Clone>(section: &Section<R>, offset: u64) -> Option<(Abbreviations, usize)> {
    let mut size: usize = 4 << 10;
    loop {
        let bytes = section.read(offset, size);
        match DebugAbbrev::new(&bytes, LittleEndian).abbreviations(DebugAbbrevOffset(0)) {
            Ok(table) => return Some((table, bytes.len())),
            // More of it may help only where there is more.
            Err(gimli::Error::UnexpectedEof(_)) if bytes.len() == size && size < LONGEST => size *= 4,
            Err(_) => return None,
        }
    }
}
