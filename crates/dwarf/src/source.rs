//! One file with DWARF: its sections, and what was read of them lately.

use std::cell::OnceCell;
use std::fs::File;
use std::io;

use elf::{Elf, ReadAt};

use crate::abbreviations::Tables;
use crate::head::{Head, Kind};
use crate::sections::Sections;

/// References lead to so many units of a file.
const MOST_UNITS: usize = 1 << 18;

/// The file of a program, one beside it with what was stripped, a `.dwo`, or what `dwz` took out of several.
#[derive(Debug)]
pub(crate) struct Source<R> {
    pub(crate) sections: Sections<R>,
    pub(crate) tables: Tables,
    /// The units by offset, once a unit refers to another one.
    heads: OnceCell<Vec<Head>>,
}

impl<R: ReadAt + Clone> Source<R> {
    pub(crate) fn of(elf: &Elf<R>, suffix: &str, scratch: &dyn Fn() -> io::Result<File>) -> io::Result<Self> {
        Ok(Self::new(Sections::of(elf, suffix, scratch)?))
    }

    pub(crate) fn new(sections: Sections<R>) -> Self {
        Self { sections, tables: Tables::default(), heads: OnceCell::new() }
    }

    /// The unit that has an offset of `.debug_info`.
    pub(crate) fn unit_at(&self, offset: u64) -> Option<Head> {
        let heads = self.heads.get_or_init(|| {
            let units = Head::all(&self.sections.info).filter(|head| !matches!(head.kind, Kind::Type));
            units.take(MOST_UNITS).collect()
        });
        let index = heads.partition_point(|head| head.offset <= offset).checked_sub(1)?;
        heads.get(index).filter(|head| offset - head.offset < head.length).copied()
    }
}
