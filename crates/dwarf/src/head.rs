//! The header of a unit: one compiler's output for one source file, or a part that several share.

use elf::ReadAt;
use gimli::{Encoding, Format};

use crate::section::Section;

/// What stands before the entries of a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// Where it starts in its section.
    pub(crate) offset: u64,
    /// Its bytes, with the header.
    pub(crate) length: u64,
    /// The bytes of the header.
    pub(crate) size: u64,
    pub(crate) encoding: Encoding,
    pub(crate) abbreviations: u64,
    pub(crate) kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Code, and what it needs.
    Compile,
    /// What other units refer to.
    Partial,
    /// Types, which nothing here needs.
    Type,
    /// The place of a unit in another file, and the number of that one. DWARF 4 has it among the attributes.
    Skeleton(u64),
    /// The unit in the other file.
    Split(u64),
}

/// The longest header, that of a type unit of 64-bit DWARF 5.
const LONGEST: usize = 40;

impl Head {
    /// Reads the header at an offset of `.debug_info`; nothing where it makes no sense.
    pub(crate) fn read<R: ReadAt + Clone>(info: &Section<R>, offset: u64) -> Option<Self> {
        let mut at = Cursor { bytes: &info.read_near(offset, LONGEST), used: 0 };
        let (mut length, mut format) = (at.number(4)?, Format::Dwarf32);
        if length == u64::from(u32::MAX) {
            (length, format) = (at.number(8)?, Format::Dwarf64);
        }
        let length = length.checked_add(at.used as u64)?;
        let word = usize::from(format.word_size());
        let version = u16::try_from(at.number(2)?).ok()?;
        let (kind, address_size, abbreviations);
        match version {
            2..=4 => {
                abbreviations = at.number(word)?;
                address_size = at.number(1)?;
                kind = Kind::Compile;
            }
            5 => {
                let unit_type = at.number(1)?;
                address_size = at.number(1)?;
                abbreviations = at.number(word)?;
                kind = match unit_type {
                    1 => Kind::Compile,
                    2 | 6 => Kind::Type,
                    3 => Kind::Partial,
                    4 => Kind::Skeleton(at.number(8)?),
                    5 => Kind::Split(at.number(8)?),
                    _ => return None,
                };
                if kind == Kind::Type {
                    at.number(8)?;
                    at.number(word)?;
                }
            }
            _ => return None,
        }
        let size = at.used as u64;
        let address_size = u8::try_from(address_size).ok().filter(|size| matches!(size, 4 | 8))?;
        let fits = length >= size && offset.checked_add(length)? <= info.size;
        let encoding = Encoding { address_size, format, version };
        fits.then_some(Self { offset, length, size, encoding, abbreviations, kind })
    }

    /// The headers of all units of a section, up to the first that makes no sense.
    pub(crate) fn all<R: ReadAt + Clone>(info: &Section<R>) -> impl Iterator<Item = Self> {
        let mut offset = 0;
        std::iter::from_fn(move || {
            let head = Self::read(info, offset)?;
            offset += head.length;
            Some(head)
        })
    }

    /// The bytes of an offset within DWARF: four, or eight.
    pub(crate) fn word(&self) -> usize {
        usize::from(self.encoding.format.word_size())
    }
}

struct Cursor<'a> {
    bytes: &'a [u8],
    used: usize,
}

impl Cursor<'_> {
    fn number(&mut self, size: usize) -> Option<u64> {
        let bytes = self.bytes.get(self.used..self.used + size)?;
        self.used += size;
        let mut number = [0; 8];
        number[..size].copy_from_slice(bytes);
        Some(u64::from_le_bytes(number))
    }
}
