//! What is kept of a file's names for the next time: the numbers of the parts, and the first of them, which says what the others
//! were made of. `docs/format/symbols.md` draws them.

use cache::{Bytes, Pack};
use elf::{Elf, FileOffset, Svma};
use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// The head.
pub(crate) const HEAD: u64 = 0;
/// The table of functions.
pub(crate) const FUNCTIONS: u64 = 1;
/// Which unit of DWARF has which code.
pub(crate) const UNITS: u64 = 2;
/// The unit of DWARF that begins at an offset is this plus the offset; an empty one cannot be read.
pub(crate) const UNIT: u64 = 1 << 62;

const NAMES_BESIDE: u32 = 1;
const GO: u32 = 2;

#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Fixed {
    flags: U32,
    code: U32,
}

/// A range of the file that holds code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(crate) struct Code {
    offset: U64,
    address: U64,
    size: U64,
}

impl Code {
    /// Those of a file.
    pub(crate) fn of<R>(elf: &Elf<R>) -> Vec<Self> {
        let code = elf.segments().iter().filter(|segment| segment.is_code());
        code.map(|segment| Self {
            offset: segment.offset.0.into(),
            address: segment.address.0.into(),
            size: segment.file_size.into(),
        })
        .collect()
    }

    /// The address of a byte, as the file states it.
    pub(crate) fn address_of(&self, offset: FileOffset) -> Option<Svma> {
        let at = offset.0.checked_sub(self.offset.get()).filter(|&at| at < self.size.get())?;
        self.address.get().checked_add(at).map(Svma)
    }
}

/// The head of what is kept.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    fixed: Fixed,
    code: Box<[Code]>,
}

impl Head {
    /// True when the names are in the file beside it.
    pub(crate) fn names_beside(&self) -> bool {
        self.fixed.flags.get() & NAMES_BESIDE != 0
    }

    pub(crate) fn go(&self) -> bool {
        self.fixed.flags.get() & GO != 0
    }

    pub(crate) fn code(&self) -> Box<[Code]> {
        self.code.clone()
    }
}

/// Writes a head.
pub(crate) fn head(names_beside: bool, go: bool, code: &[Code]) -> Bytes {
    let flags = if names_beside { NAMES_BESIDE } else { 0 } | if go { GO } else { 0 };
    let fixed = Fixed { flags: flags.into(), code: (code.len() as u32).into() };
    let mut bytes = fixed.as_bytes().to_vec();
    bytes.extend_from_slice(code.as_bytes());
    bytes.into()
}

/// What is kept of one file's names.
#[derive(Debug)]
pub struct Kept(Pack);

impl Kept {
    /// Takes what a cache had.
    pub fn new(pack: Pack) -> Self {
        Self(pack)
    }

    /// What the parts were made of; nothing where they are of no use.
    pub(crate) fn head(&self) -> Option<Head> {
        let bytes = self.0.part(HEAD)?;
        let (fixed, code) = Fixed::read_from_prefix(&bytes).ok()?;
        let code = <[Code]>::ref_from_bytes(code).ok()?;
        (code.len() == fixed.code.get() as usize).then(|| Head { fixed, code: code.into() })
    }

    /// True when what the tables were is no longer whole.
    pub(crate) fn is_damaged(&self) -> bool {
        [FUNCTIONS, UNITS].into_iter().any(|number| self.0.is_damaged(number))
    }

    pub(crate) fn part(&self, number: u64) -> Option<Bytes> {
        self.0.part(number)
    }

    /// True once its file was changed: what it has said since may be wrong.
    pub fn has_changed(&self) -> bool {
        self.0.has_changed()
    }

    /// True once its file did not have what was looked at.
    pub fn has_lost(&self) -> bool {
        self.0.has_lost()
    }

    /// All that is there and whole.
    pub fn parts(&self) -> Vec<(u64, Bytes)> {
        self.0.numbers().filter_map(|number| Some((number, self.0.part(number)?))).collect()
    }

    /// About how many of its bytes are in memory.
    pub fn bytes(&self) -> usize {
        self.0.bytes_seen()
    }
}
