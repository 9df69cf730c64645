//! The sections of DWARF in one file.

use std::fs::File;
use std::io;

use elf::{Elf, ReadAt};

use crate::section::{Scratch, Section};

/// All that is read of DWARF: places in the code and names; nothing of variables and types.
#[derive(Debug)]
pub(crate) struct Sections<R> {
    pub(crate) info: Section<R>,
    pub(crate) abbreviations: Section<R>,
    pub(crate) strings: Section<R>,
    pub(crate) line_strings: Section<R>,
    pub(crate) string_offsets: Section<R>,
    pub(crate) addresses: Section<R>,
    /// Up to DWARF 4.
    pub(crate) ranges: Section<R>,
    /// From DWARF 5 on.
    pub(crate) range_lists: Section<R>,
    pub(crate) lines: Section<R>,
}

impl<R: ReadAt + Clone> Sections<R> {
    /// The sections of a file; `suffix` is `.dwo` for those of split DWARF.
    pub(crate) fn of(elf: &Elf<R>, suffix: &str, scratch: &dyn Fn() -> io::Result<File>) -> io::Result<Self> {
        let scratch = Scratch::new(scratch);
        let section = |name: &str| Section::of(elf, &format!(".debug_{name}{suffix}"), &scratch);
        Ok(Self {
            info: section("info")?,
            abbreviations: section("abbrev")?,
            strings: section("str")?,
            line_strings: section("line_str")?,
            string_offsets: section("str_offsets")?,
            addresses: section("addr")?,
            ranges: section("ranges")?,
            range_lists: section("rnglists")?,
            lines: section("line")?,
        })
    }

    /// True once the system refused to read something of it.
    pub(crate) fn have_failed(&self) -> bool {
        let Self { info, abbreviations, strings, line_strings, string_offsets, addresses, ranges, range_lists, lines } =
            self;
        [info, abbreviations, strings, line_strings, string_offsets, addresses, ranges, range_lists, lines]
            .iter()
            .any(|section| section.has_failed())
    }

    /// The same once more.
    pub(crate) fn whole(&self) -> Self {
        let whole = |section: &Section<R>| section.part(0, section.size);
        Self {
            info: whole(&self.info),
            abbreviations: whole(&self.abbreviations),
            strings: whole(&self.strings),
            line_strings: whole(&self.line_strings),
            string_offsets: whole(&self.string_offsets),
            addresses: whole(&self.addresses),
            ranges: whole(&self.ranges),
            range_lists: whole(&self.range_lists),
            lines: whole(&self.lines),
        }
    }
}
