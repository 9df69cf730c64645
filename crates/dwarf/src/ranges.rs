//! Lists of ranges of addresses: `.debug_ranges` up to DWARF 4, `.debug_rnglists` from DWARF 5 on.

use std::cell::Cell;

use elf::ReadAt;
use gimli::{DwRle, EndianSlice, LittleEndian, Reader as _, constants as dw};

use crate::section::Section;

/// Addresses from `start` up to, without it, `end`, as the file states them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Range {
    pub(crate) start: u64,
    pub(crate) end: u64,
}

/// How the entries of a list are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Pairs of addresses.
    Pairs,
    /// A letter before each entry, DWARF 5.
    Tagged,
}

/// A list is not longer than this.
const LONGEST: usize = 2 << 20;

/// The ranges of the list at an offset. `base` is what its offsets count from at first; `room` says how many bytes may be read,
/// and gets less; `address` reads the table of addresses.
pub(crate) fn read<R: ReadAt + Clone>(
    section: &Section<R>,
    offset: u64,
    (form, address_size): (Form, u8),
    (base, room): (u64, &Cell<usize>),
    address: &dyn Fn(u64) -> Option<u64>,
) -> Vec<Range> {
    let mut size = 512;
    loop {
        let bytes = section.read(offset, size);
        let list = List { form, address_size, base, address };
        let (ranges, ended, used) = list.parse(EndianSlice::new(&bytes, LittleEndian));
        let Some(left) = room.get().checked_sub(used) else { return Vec::new() };
        room.set(left);
        if ended || bytes.len() < size || size >= LONGEST {
            return ranges;
        }
        size *= 8;
    }
}

struct List<'a> {
    form: Form,
    address_size: u8,
    base: u64,
    address: &'a dyn Fn(u64) -> Option<u64>,
}

enum Entry {
    End,
    Base(u64),
    Range(u64, u64),
    Unknown,
}

impl List<'_> {
    /// The ranges up to the end of the list or of the bytes, whether the list's end was seen, and after how many bytes.
    fn parse(mut self, mut bytes: EndianSlice<'_, LittleEndian>) -> (Vec<Range>, bool, usize) {
        let mut ranges = Vec::new();
        let length = bytes.len();
        let ended = loop {
            let entry = match self.form {
                Form::Pairs => self.pair(&mut bytes),
                Form::Tagged => self.tagged(&mut bytes),
            };
            match entry {
                Ok(Entry::End) => break true,
                Ok(Entry::Base(base)) => self.base = base,
                Ok(Entry::Range(start, end)) => ranges.extend((start < end).then_some(Range { start, end })),
                Ok(Entry::Unknown) => {}
                Err(gimli::Error::UnexpectedEof(_)) => break false,
                Err(_) => break true,
            }
        };
        (ranges, ended, length - bytes.len())
    }

    fn pair(&self, bytes: &mut EndianSlice<'_, LittleEndian>) -> gimli::Result<Entry> {
        let start = bytes.read_address(self.address_size)?;
        let end = bytes.read_address(self.address_size)?;
        let highest = if self.address_size == 4 { u64::from(u32::MAX) } else { u64::MAX };
        Ok(match (start, end) {
            (0, 0) => Entry::End,
            _ if start == highest => Entry::Base(end),
            _ => self.relative(start, end),
        })
    }

    fn tagged(&self, bytes: &mut EndianSlice<'_, LittleEndian>) -> gimli::Result<Entry> {
        let known = |range: Option<(u64, u64)>| range.map_or(Entry::Unknown, |(start, end)| Entry::Range(start, end));
        Ok(match DwRle(bytes.read_u8()?) {
            dw::DW_RLE_end_of_list => Entry::End,
            dw::DW_RLE_base_addressx => (self.address)(bytes.read_uleb128()?).map_or(Entry::Unknown, Entry::Base),
            dw::DW_RLE_startx_endx => {
                let (start, end) = (bytes.read_uleb128()?, bytes.read_uleb128()?);
                known((self.address)(start).zip((self.address)(end)))
            }
            dw::DW_RLE_startx_length => {
                let (start, length) = (bytes.read_uleb128()?, bytes.read_uleb128()?);
                known((self.address)(start).map(|start| (start, start.saturating_add(length))))
            }
            dw::DW_RLE_offset_pair => {
                let (start, end) = (bytes.read_uleb128()?, bytes.read_uleb128()?);
                self.relative(start, end)
            }
            dw::DW_RLE_base_address => Entry::Base(bytes.read_address(self.address_size)?),
            dw::DW_RLE_start_end => {
                Entry::Range(bytes.read_address(self.address_size)?, bytes.read_address(self.address_size)?)
            }
            dw::DW_RLE_start_length => {
                let (start, length) = (bytes.read_address(self.address_size)?, bytes.read_uleb128()?);
                Entry::Range(start, start.saturating_add(length))
            }
            unknown => return Err(gimli::Error::UnknownRangeListsEntry(unknown)),
        })
    }

    fn relative(&self, start: u64, end: u64) -> Entry {
        match (self.base.checked_add(start), self.base.checked_add(end)) {
            (Some(start), Some(end)) => Entry::Range(start, end),
            _ => Entry::Unknown,
        }
    }
}
