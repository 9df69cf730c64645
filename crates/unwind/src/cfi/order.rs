//! In which order the entries of a table are read: that of the code.

use std::sync::Arc;

use elf::{ReadAt, Section};

use super::bytes::Bytes;
use super::entry::{RECORD, SearchTable};
use elf::pieces::Pieces;

/// The positions of entries in their section, by address.
pub(crate) enum Order<R> {
    /// As a table in the file says.
    Search { pieces: Box<Pieces<R>>, table: SearchTable, next: u64, from_header: u64 },
    /// As sorted.
    List { sorted: Arc<Sorted>, next: usize },
}

/// Entries by address.
#[derive(Debug, Default)]
pub(crate) struct Sorted {
    /// The lowest address.
    base: u64,
    /// How far from it each begins, and its position.
    entries: Vec<(u32, u32)>,
}

impl Sorted {
    /// Of addresses and positions. Those that are 4 GiB apart from the first are left out.
    pub(crate) fn new(mut found: Vec<(u64, u64)>) -> Self {
        found.sort_unstable();
        let base = found.first().map_or(0, |(start, _)| *start);
        let entry = |(start, position): (u64, u64)| Some(((start - base).try_into().ok()?, position.try_into().ok()?));
        Self { base, entries: found.into_iter().filter_map(entry).collect() }
    }
}

/// The orders that were had by reading all entries of a file, for the next time.
#[derive(Debug, Default)]
pub struct Orders {
    pub(crate) exceptions: Option<Arc<Sorted>>,
    pub(crate) debug: Option<Arc<Sorted>>,
}

impl<R: ReadAt + Clone> Order<R> {
    pub(crate) fn none() -> Self {
        Self::list(Arc::default())
    }

    pub(crate) fn list(sorted: Arc<Sorted>) -> Self {
        Self::List { sorted, next: 0 }
    }

    /// The order that `.eh_frame_hdr` has; `None` where it has none that can be used.
    pub(crate) fn search_table(reader: &R, search: &Section, frames: &Section) -> Option<Self> {
        let mut pieces = Box::new(Pieces::new(reader.clone(), search.offset.0, search.size));
        let table = SearchTable::parse(pieces.bytes(0, 32), search.address.0)?;
        let space = search.size.saturating_sub(table.header) / RECORD as u64;
        let from_header = search.address.0.wrapping_sub(frames.address.0);
        (table.records > 0 && table.records <= space).then_some(Self::Search { pieces, table, next: 0, from_header })
    }

    /// Goes on with the last entry that does not begin behind an address, if that was not reached yet. `section` is the address of
    /// the entries' section.
    pub(crate) fn seek(&mut self, address: u64, section: u64) {
        match self {
            Self::List { sorted, next } => {
                let before = sorted.entries.partition_point(|(start, _)| sorted.base + u64::from(*start) <= address);
                *next = (*next).max(before.saturating_sub(1));
            }
            Self::Search { pieces, table, next, from_header } => {
                let header = section.wrapping_add(*from_header);
                let (mut low, mut high) = (*next, table.records);
                while low < high {
                    let middle = low.midpoint(high);
                    let mut record = Bytes(pieces.bytes(table.header + middle * RECORD as u64, RECORD));
                    let Some(start) = record.u32() else { return };
                    let start = header.wrapping_add(i64::from(start.cast_signed()).cast_unsigned());
                    if start <= address { low = middle + 1 } else { high = middle }
                }
                *next = (*next).max(low.saturating_sub(1));
            }
        }
    }

    /// The next position.
    pub(crate) fn next(&mut self) -> Option<u64> {
        match self {
            Self::List { sorted, next } => {
                let (_, position) = sorted.entries.get(*next)?;
                *next += 1;
                Some(u64::from(*position))
            }
            Self::Search { pieces, table, next, from_header } => {
                if *next == table.records {
                    return None;
                }
                let mut record = Bytes(pieces.bytes(table.header + *next * RECORD as u64, RECORD));
                *next += 1;
                record.u32()?;
                let entry = i64::from(record.u32()?.cast_signed());
                Some(from_header.wrapping_add(entry.cast_unsigned()))
            }
        }
    }
}
