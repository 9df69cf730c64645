//! An ELF file: its segments, its sections, and the way between addresses and offsets.

use std::io;

use crate::address::{FileOffset, Svma};
use crate::format::{Class, PF_X, PT_LOAD, SHF_ALLOC, SHF_EXECINSTR, SHT_NOBITS};

/// A parsed file; it owns the reader, and reads more when asked.
#[derive(Debug)]
pub struct Elf<R> {
    pub(crate) reader: R,
    pub(crate) class: Class,
    /// How long the file was when it was parsed.
    pub(crate) size: u64,
    pub(crate) machine: u16,
    pub(crate) entry: Svma,
    pub(crate) segments: Vec<Segment>,
    pub(crate) sections: Vec<Section>,
}

/// A program header: what the kernel or the loader maps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Segment {
    /// `p_type`.
    pub kind: u32,
    /// `p_flags`.
    pub flags: u32,
    /// Where its bytes are in the file.
    pub offset: FileOffset,
    /// Where they are mapped, before the load bias.
    pub address: Svma,
    /// How many bytes the file has of it.
    pub file_size: u64,
    /// How many bytes it takes in memory.
    pub memory_size: u64,
}

/// A section header: what the linker put together.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Section {
    /// Its name; empty when it could not be read.
    pub name: Box<str>,
    /// `sh_type`.
    pub kind: u32,
    /// `sh_flags`.
    pub flags: u64,
    /// Where it is mapped, before the load bias.
    pub address: Svma,
    /// Where its bytes are in the file.
    pub offset: FileOffset,
    /// How many bytes it has.
    pub size: u64,
    /// `sh_link`, the number of a related section.
    pub link: u32,
    /// `sh_entsize`, the size of a record in it.
    pub record_size: u64,
}

/// Why a file is none that we can read at all.
#[derive(Debug, thiserror::Error)]
pub enum ParseError {
    /// It does not begin as an ELF file does.
    #[error("not an ELF file")]
    NotElf,
    /// It is for a big-endian machine or of an unknown class.
    #[error("not a little-endian ELF file of 32 or 64 bits")]
    Unsupported,
    /// The system refused to read it.
    #[error("cannot read the ELF header")]
    Read(#[source] io::Error),
}

/// What was wrong with a file that could be read otherwise.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Problem {
    /// A table or section reaches past the end of the file; what is there was used.
    #[error("{what} at {offset:#x} with {size} bytes reaches past the end of the file")]
    Truncated {
        /// Which.
        what: &'static str,
        /// Where it starts.
        offset: u64,
        /// How long it claims to be.
        size: u64,
    },
    /// A table has more records than any real one; the first were used.
    #[error("{what} has {count} records; the first {kept} were used")]
    TooMany {
        /// Which.
        what: &'static str,
        /// How many it claims.
        count: u64,
        /// How many were used.
        kept: u64,
    },
    /// The size of a table's records is not that of the format; the table was left out.
    #[error("{what} has records of {size} bytes")]
    RecordSize {
        /// Which.
        what: &'static str,
        /// What it claims.
        size: u64,
    },
    /// A part contradicts itself or the rest and was left out.
    #[error("{what} is malformed: {reason}")]
    Malformed {
        /// Which.
        what: &'static str,
        /// How.
        reason: &'static str,
    },
}

impl Segment {
    /// True when the loader maps it and code may run from it.
    pub fn is_code(&self) -> bool {
        self.kind == PT_LOAD && self.flags & PF_X != 0
    }
}

impl Section {
    /// True when it is part of the running program.
    pub fn is_loaded(&self) -> bool {
        self.flags & SHF_ALLOC != 0
    }

    /// True when it holds machine code.
    pub fn is_code(&self) -> bool {
        self.flags & SHF_EXECINSTR != 0
    }

    /// True when the file has bytes for it.
    pub fn has_bytes(&self) -> bool {
        self.kind != SHT_NOBITS
    }
}

impl<R> Elf<R> {
    /// What the file is read from.
    pub fn reader(&self) -> &R {
        &self.reader
    }

    /// Gives the reader back.
    pub fn into_reader(self) -> R {
        self.reader
    }

    /// `e_machine`, as 62 for x86-64.
    pub fn machine(&self) -> u16 {
        self.machine
    }

    /// Where the kernel, or the dynamic linker, enters it; 0 for most libraries.
    pub fn entry(&self) -> Svma {
        self.entry
    }

    /// True for a file of the 64-bit class.
    pub fn is_64_bit(&self) -> bool {
        self.class.wide
    }

    /// The program headers in file order.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// The section headers in file order; the first is the empty one of the format. None in a file without them.
    pub fn sections(&self) -> &[Section] {
        &self.sections
    }

    /// The first section of a name.
    pub fn section(&self, name: &str) -> Option<&Section> {
        self.sections.iter().find(|section| &*section.name == name)
    }

    /// Where a byte of the file is mapped, before the load bias. Where several segments have it, that of code is meant.
    pub fn svma(&self, offset: FileOffset) -> Option<Svma> {
        let holds = |segment: &&Segment| {
            segment.kind == PT_LOAD && offset.0.checked_sub(segment.offset.0).is_some_and(|at| at < segment.file_size)
        };
        let mut all = self.segments.iter().filter(holds);
        let first = all.next()?;
        let segment = if first.is_code() { first } else { all.find(|segment| segment.is_code()).unwrap_or(first) };
        Some(Svma(segment.address.0.wrapping_add(offset.0 - segment.offset.0)))
    }

    /// Where the byte of an address is in the file; `None` for addresses without bytes, as those of `.bss`.
    pub fn file_offset(&self, address: Svma) -> Option<FileOffset> {
        self.segments.iter().filter(|segment| segment.kind == PT_LOAD).find_map(|segment| {
            let at = address.0.checked_sub(segment.address.0)?;
            (at < segment.file_size).then(|| FileOffset(segment.offset.0.saturating_add(at)))
        })
    }
}
