//! In which order the entries of a table are read: that of the code.

use elf::{ReadAt, Section};

use super::bytes::Bytes;
use super::entry::{RECORD, SearchTable};
use elf::pieces::Pieces;

/// The positions of entries in their section, by address.
pub(crate) enum Order<R> {
    /// As a table in the file says.
    Search { pieces: Pieces<R>, table: SearchTable, next: u64, from_header: u64 },
    /// As sorted.
    List(std::vec::IntoIter<(u64, u64)>),
}

impl<R: ReadAt + Clone> Order<R> {
    pub(crate) fn none() -> Self {
        Self::List(Vec::new().into_iter())
    }

    /// Addresses and positions, in order.
    pub(crate) fn list(list: Vec<(u64, u64)>) -> Self {
        Self::List(list.into_iter())
    }

    /// The order that `.eh_frame_hdr` has; `None` where it has none that can be used.
    pub(crate) fn search_table(reader: &R, search: &Section, frames: &Section) -> Option<Self> {
        let mut pieces = Pieces::new(reader.clone(), search.offset.0, search.size);
        let table = SearchTable::parse(pieces.bytes(0, 32), search.address.0)?;
        let space = search.size.saturating_sub(table.header) / RECORD as u64;
        let from_header = search.address.0.wrapping_sub(frames.address.0);
        (table.records > 0 && table.records <= space).then_some(Self::Search { pieces, table, next: 0, from_header })
    }

    /// Goes on with the last entry that does not begin behind an address, if that was not reached yet. `section` is the address of
    /// the entries' section.
    pub(crate) fn seek(&mut self, address: u64, section: u64) {
        match self {
            Self::List(list) => {
                let before = list.as_slice().partition_point(|(start, _)| *start <= address);
                if before > 1 {
                    list.nth(before - 2);
                }
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
            Self::List(list) => list.next().map(|(_, position)| position),
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
