//! Tables of abbreviations: which attributes each kind of entry has. Many units share one.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use elf::ReadAt;
use gimli::{Abbreviations, DebugAbbrev, DebugAbbrevOffset, LittleEndian};

use crate::section::Section;

/// So many tables are kept.
const MOST: usize = 64;
/// A table is not longer than this.
const LONGEST: usize = 16 << 20;

/// The tables of one file that were read lately.
#[derive(Debug, Default)]
pub(crate) struct Tables(RefCell<HashMap<u64, Rc<Abbreviations>>>);

impl Tables {
    /// The table at an offset of `.debug_abbrev`.
    pub(crate) fn get<R: ReadAt + Clone>(&self, section: &Section<R>, offset: u64) -> Option<Rc<Abbreviations>> {
        if let Some(table) = self.0.borrow().get(&offset) {
            return Some(Rc::clone(table));
        }
        let table = Rc::new(read(section, offset)?);
        let mut kept = self.0.borrow_mut();
        if kept.len() >= MOST {
            kept.clear();
        }
        kept.insert(offset, Rc::clone(&table));
        Some(table)
    }
}

fn read<R: ReadAt + Clone>(section: &Section<R>, offset: u64) -> Option<Abbreviations> {
    let mut size = 4 << 10;
    loop {
        let bytes = section.read(offset, size);
        match DebugAbbrev::new(&bytes, LittleEndian).abbreviations(DebugAbbrevOffset(0)) {
            Ok(table) => return Some(table),
            // More of it may help only where there is more.
            Err(gimli::Error::UnexpectedEof(_)) if bytes.len() == size && size < LONGEST => size *= 4,
            Err(_) => return None,
        }
    }
}
