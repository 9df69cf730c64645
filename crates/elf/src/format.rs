//! The numbers and records of the ELF format that we use, little-endian, both classes.
//!
//! Names as in the System V ABI, chapters 4 and 5, and <https://refspecs.linuxfoundation.org/LSB_5.0.0>.

pub(crate) const MAGIC: [u8; 4] = *b"\x7fELF";
pub(crate) const CLASS_32: u8 = 1;
pub(crate) const CLASS_64: u8 = 2;
pub(crate) const LITTLE_ENDIAN: u8 = 1;

pub(crate) const PT_LOAD: u32 = 1;
pub(crate) const PT_DYNAMIC: u32 = 2;
pub(crate) const PT_NOTE: u32 = 4;
pub(crate) const PF_X: u32 = 1;
/// In `e_phnum`: the real number is in `sh_info` of section 0.
pub(crate) const PN_XNUM: u16 = 0xffff;

pub(crate) const SHT_SYMTAB: u32 = 2;
pub(crate) const SHT_RELA: u32 = 4;
pub(crate) const SHT_NOTE: u32 = 7;
pub(crate) const SHT_NOBITS: u32 = 8;
pub(crate) const SHT_DYNSYM: u32 = 11;
pub(crate) const SHF_ALLOC: u64 = 2;
pub(crate) const SHF_EXECINSTR: u64 = 4;
pub(crate) const SHN_UNDEF: u16 = 0;
/// Section numbers from here on mean something else than a section.
pub(crate) const SHN_LORESERVE: u16 = 0xff00;
/// In `e_shstrndx`: the real number is in `sh_link` of section 0.
pub(crate) const SHN_XINDEX: u16 = 0xffff;

pub(crate) const STT_NOTYPE: u8 = 0;
pub(crate) const STT_FUNC: u8 = 2;
pub(crate) const STT_GNU_IFUNC: u8 = 10;
pub(crate) const STB_GLOBAL: u8 = 1;
pub(crate) const STB_WEAK: u8 = 2;
pub(crate) const STB_GNU_UNIQUE: u8 = 10;

pub(crate) const DT_NULL: u64 = 0;
pub(crate) const DT_HASH: u64 = 4;
pub(crate) const DT_STRTAB: u64 = 5;
pub(crate) const DT_SYMTAB: u64 = 6;
pub(crate) const DT_STRSZ: u64 = 10;
pub(crate) const DT_GNU_HASH: u64 = 0x6fff_fef5;

/// Sizes of the records of a class, and how their fields are read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Class {
    /// True for 64 bits.
    pub(crate) wide: bool,
}

impl Class {
    pub(crate) const fn segment_size(self) -> u64 {
        if self.wide { 56 } else { 32 }
    }

    pub(crate) const fn section_size(self) -> u64 {
        if self.wide { 64 } else { 40 }
    }

    pub(crate) const fn symbol_size(self) -> u64 {
        if self.wide { 24 } else { 16 }
    }

    pub(crate) const fn address_size(self) -> usize {
        if self.wide { 8 } else { 4 }
    }

    /// An address-sized field; `at` is its offset in each class.
    pub(crate) fn address(self, record: &[u8], narrow_at: usize, wide_at: usize) -> u64 {
        if self.wide { u64_at(record, wide_at) } else { u64::from(u32_at(record, narrow_at)) }
    }
}

/// A field of a record; zero where the record is shorter, which readers of whole records never see.
pub(crate) fn u16_at(record: &[u8], at: usize) -> u16 {
    record.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |bytes| u16::from_le_bytes(*bytes))
}

/// See [`u16_at`].
pub(crate) fn u32_at(record: &[u8], at: usize) -> u32 {
    record.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

/// See [`u16_at`].
pub(crate) fn u64_at(record: &[u8], at: usize) -> u64 {
    record.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |bytes| u64::from_le_bytes(*bytes))
}
