//! The entries of a table: what functions have in common (CIE), and one stretch of code each (FDE).

use super::bytes::Bytes;
use super::pointer::{self, ABSOLUTE, Bases, OMITTED};
use super::program::State;

/// The two sections that hold such tables, which differ in details.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// `.eh_frame`.
    Exceptions,
    /// `.debug_frame`.
    Debug,
}

/// What several functions have in common.
#[derive(Clone, Debug)]
pub(crate) struct Cie {
    pub(crate) code_alignment: u64,
    pub(crate) data_alignment: i64,
    /// How addresses are encoded.
    pub(crate) encoding: u8,
    pub(crate) is_signal: bool,
    has_augmentation: bool,
    /// What holds at the begin of each function.
    pub(crate) initial: State,
}

/// A stretch of code, and how its rows come about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fde<'b> {
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) program: &'b [u8],
    /// The address of the program, to which pointers in it are relative.
    pub(crate) place: u64,
}

/// The frame of an entry: where it ends and what it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Header {
    /// Bytes from the begin of the entry to that of the next.
    pub(crate) size: u64,
    /// Bytes from the begin of the entry to its contents.
    pub(crate) body: u64,
    pub(crate) kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Cie,
    /// With where its CIE begins in the section.
    Fde(u64),
    /// The table ends here.
    End,
}

/// More bytes than any header has.
pub(crate) const HEADER: usize = 20;

impl Header {
    /// The header at `position` of the section; `None` where it is cut short or points outside.
    pub(crate) fn parse(bytes: &[u8], position: u64, layout: Layout) -> Option<Self> {
        let all = bytes.len();
        let mut bytes = Bytes(bytes);
        let (length, wide) = match bytes.u32()? {
            0 => return Some(Self { size: 4, body: 4, kind: Kind::End }),
            0xffff_ffff => (bytes.u64()?, true),
            length => (u64::from(length), false),
        };
        let field = (all - bytes.len()) as u64;
        let id = if wide && layout == Layout::Debug { bytes.u64()? } else { u64::from(bytes.u32()?) };
        let body = (all - bytes.len()) as u64;
        let kind = match layout {
            Layout::Exceptions if id == 0 => Kind::Cie,
            Layout::Exceptions => Kind::Fde(position.checked_add(field)?.checked_sub(id)?),
            Layout::Debug if id == if wide { u64::MAX } else { 0xffff_ffff } => Kind::Cie,
            Layout::Debug => Kind::Fde(id),
        };
        let size = field.checked_add(length)?;
        (size >= body).then_some(Self { size, body, kind })
    }
}

impl Cie {
    /// From its contents; also the instructions that all its functions begin with.
    pub(crate) fn parse(body: &[u8]) -> Option<(Self, &[u8])> {
        let mut bytes = Bytes(body);
        let version = bytes.u8()?;
        if !matches!(version, 1 | 3 | 4) {
            return None;
        }
        let augmentation = bytes.string()?;
        if version == 4 {
            // Sizes of an address and of a segment selector.
            if bytes.u8()? != 8 || bytes.u8()? != 0 {
                return None;
            }
        }
        let (code_alignment, data_alignment) = (bytes.uleb()?, bytes.sleb()?);
        let return_address = if version == 1 { u64::from(bytes.u8()?) } else { bytes.uleb()? };
        if return_address != 16 {
            return None;
        }
        let mut cie = Self {
            code_alignment,
            data_alignment,
            encoding: ABSOLUTE,
            is_signal: false,
            has_augmentation: false,
            initial: State::START,
        };
        if let Some((b'z', letters)) = augmentation.split_first() {
            cie.has_augmentation = true;
            let length = bytes.uleb()?;
            let mut data = Bytes(bytes.take(length)?);
            for letter in letters {
                match letter {
                    b'L' => _ = data.u8()?,
                    b'P' => {
                        let encoding = data.u8()?;
                        pointer::number(&mut data, encoding & 0x7f)?;
                    }
                    b'R' => cie.encoding = data.u8()?,
                    b'S' => cie.is_signal = true,
                    // What is unknown comes after what is known, and its length is.
                    _ => break,
                }
            }
        } else if !augmentation.is_empty() {
            return None;
        }
        Some((cie, bytes.0))
    }
}

impl<'b> Fde<'b> {
    /// From its contents, which lie at the address `place`.
    pub(crate) fn parse(body: &'b [u8], place: u64, cie: &Cie) -> Option<Self> {
        let mut bytes = Bytes(body);
        let start = pointer::read(&mut bytes, cie.encoding, Bases { place, data: 0 })?;
        let length = pointer::number(&mut bytes, cie.encoding & 0x7f)?;
        if cie.has_augmentation {
            let length = bytes.uleb()?;
            bytes.take(length)?;
        }
        let place = place.wrapping_add((body.len() - bytes.len()) as u64);
        Some(Self { start, end: start.checked_add(length)?, program: bytes.0, place })
    }
}

/// The table of `.eh_frame_hdr`, ordered by address. Source: Linux Standard Base 5.0, section 10.6.2.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SearchTable {
    /// Bytes before the first record.
    pub(crate) header: u64,
    pub(crate) records: u64,
}

/// Bytes of a record: an address and the place of its entry, both relative to the section.
pub(crate) const RECORD: usize = 8;

impl SearchTable {
    /// From the section's first bytes, which lie at the address `place`. `None` where it has no table, or one in an encoding
    /// that no linker writes.
    pub(crate) fn parse(bytes: &[u8], place: u64) -> Option<Self> {
        let all = bytes.len();
        let mut bytes = Bytes(bytes);
        let (version, frames, count, table) = (bytes.u8()?, bytes.u8()?, bytes.u8()?, bytes.u8()?);
        if version != 1 || count == OMITTED || table != pointer::TO_DATA | pointer::S32 {
            return None;
        }
        let bases = |bytes: &Bytes<'_>| Bases { place: place.wrapping_add((all - bytes.len()) as u64), data: place };
        if frames != OMITTED {
            let bases = bases(&bytes);
            pointer::read(&mut bytes, frames, bases)?;
        }
        let bases = bases(&bytes);
        let records = pointer::read(&mut bytes, count, bases)?;
        Some(Self { header: (all - bytes.len()) as u64, records })
    }
}
