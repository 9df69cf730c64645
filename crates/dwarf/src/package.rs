//! A file with the split units of a whole program, as `dwp` makes it, and where each of them is in it.

use elf::{Elf, ReadAt};
use gimli::{DebugCuIndex, EndianSlice, IndexSectionId, LittleEndian};
use std::fs::File;
use std::io;

use crate::section::{Scratch, Section};
use crate::sections::Sections;
use crate::source::Source;

/// No larger list of units is read. One of a hundred thousand units has about ten megabytes.
const LARGEST_INDEX: u64 = 16 << 20;

/// The file.
#[derive(Debug)]
pub(crate) struct Package<R> {
    sections: Sections<R>,
    index: Section<R>,
}

impl<R: ReadAt + Clone> Package<R> {
    /// Finds the sections; nothing where there is no list of units.
    pub(crate) fn open(elf: &Elf<R>, scratch: &dyn Fn() -> io::Result<File>) -> io::Result<Option<Self>> {
        let index = Section::of(elf, ".debug_cu_index", &Scratch::new(scratch))?;
        if index.is_empty() || index.size > LARGEST_INDEX {
            return Ok(None);
        }
        Ok(Some(Self { sections: Sections::of(elf, ".dwo", scratch)?, index }))
    }

    /// The unit of a number, with what belongs to it, as if it were a file of its own.
    pub(crate) fn unit(&self, id: u64) -> Option<Source<R>> {
        let bytes = self.index.read(0, usize::try_from(self.index.size).ok()?);
        let index = DebugCuIndex::from(EndianSlice::new(&bytes, LittleEndian)).index().ok()?;
        let row = index.find(id)?;
        let mut sections = self.sections.whole();
        for part in index.sections(row).ok()? {
            let section = match part.section {
                IndexSectionId::DebugInfo => &mut sections.info,
                IndexSectionId::DebugAbbrev => &mut sections.abbreviations,
                IndexSectionId::DebugStrOffsets => &mut sections.string_offsets,
                IndexSectionId::DebugRngLists => &mut sections.range_lists,
                IndexSectionId::DebugLine => &mut sections.lines,
                _ => continue,
            };
            *section = section.part(part.offset.into(), part.size.into());
        }
        Some(Source::new(sections))
    }
}
