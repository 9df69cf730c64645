//! Where Go's table is, and the address its offsets count from.

use crate::address::Svma;
use crate::file::Elf;
use crate::format::{PF_X, PT_LOAD, SHT_RELA, u32_at, u64_at};
use crate::read::{ReadAt, WINDOW, Window, array};

use super::table::{HEADER_SIZE, Header};

/// Since Go 1.26 the linker puts `runtime.firstmoduledata` here.
pub(super) const MODULE_SECTION: &str = ".go.module";

/// The first word of the module data points to the table, the 22nd is where Go's text begins. Go 1.26, `runtime/symtab.go`.
const MODULE_TEXT_WORD: u64 = 22;

/// No more of a file than this is searched; the largest Go programs have some hundred megabytes of tables.
const MOST_SEARCHED: u64 = 1 << 30;

/// A place in the file where a table begins, and where what holds it ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Place {
    pub(super) start: u64,
    pub(super) end: u64,
}

impl<R: ReadAt> Elf<R> {
    /// Finds the table: by its section, by the module data, by its symbol, else by looking for its header in read-only data.
    pub(super) fn locate_pclntab(&self) -> Option<Place> {
        let by_section = [".gopclntab", ".data.rel.ro.gopclntab"].iter().find_map(|name| {
            let section = self.section(name).filter(|section| section.has_bytes())?;
            let end = section.offset.0.checked_add(section.size)?;
            self.place(section.offset.0, end)
        });
        if by_section.is_some() {
            return by_section;
        }
        if !self.may_be_go() {
            return None;
        }
        let by_module = || {
            let header = self.pointer(self.section(MODULE_SECTION)?.address)?;
            self.place_at(header)
        };
        let by_symbol = || self.place_at(self.find_symbol(b"runtime.pclntab")?);
        by_module().or_else(by_symbol).or_else(|| self.scan_for_header())
    }

    /// Where Go's text begins; what the table's offsets count from since Go 1.18.
    ///
    /// Up to Go 1.25 the header says so; since 1.26 the module data does. In a position-independent file either word may
    /// be zero with its value in a relocation. The last resort is the section of code, which also holds C code before Go's
    /// when a C linker made the file.
    pub(super) fn go_text(&self, header: &Header, place: Place) -> Option<Svma> {
        let by_header = || {
            let word = self.svma(crate::FileOffset(place.start + header.text_start_at()?))?;
            self.pointer(word)
        };
        let by_module = || {
            let module = self.section(MODULE_SECTION)?.address;
            self.pointer(Svma(module.0.checked_add(MODULE_TEXT_WORD * self.class.address_size() as u64)?))
        };
        let in_code = |address: &Svma| {
            self.segments.iter().any(|segment| {
                segment.is_code() && {
                    address.0.checked_sub(segment.address.0).is_some_and(|at| at < segment.memory_size)
                }
            })
        };
        by_header()
            .filter(in_code)
            .or_else(|| by_module().filter(in_code))
            .or_else(|| self.find_symbol(b"runtime.text").filter(in_code))
            .or_else(|| self.section(".text").map(|section| section.address))
    }

    fn may_be_go(&self) -> bool {
        self.sections.is_empty()
            || self.has_go_note()
            || self
                .sections
                .iter()
                .any(|section| section.name.starts_with(".go.") || section.name.starts_with(".note.go."))
    }

    fn place_at(&self, address: Svma) -> Option<Place> {
        let start = self.file_offset(address)?.0;
        self.place(start, self.segment_end(start)?)
    }

    fn place(&self, start: u64, end: u64) -> Option<Place> {
        let place = Place { start, end: end.min(self.size) };
        Header::read(&self.reader, place).map(|_| place)
    }

    fn segment_end(&self, offset: u64) -> Option<u64> {
        let holds = |start: u64, size: u64| offset.checked_sub(start).is_some_and(|at| at < size);
        let segment = self.segments.iter().find(|s| s.kind == PT_LOAD && holds(s.offset.0, s.file_size))?;
        segment.offset.0.checked_add(segment.file_size)
    }

    /// The address-sized value that the loader will put at `address`.
    fn pointer(&self, address: Svma) -> Option<Svma> {
        let bytes = array::<8>(&self.reader, self.file_offset(address)?.0)?;
        match self.class.address(&bytes, 0, 0) {
            0 => self.relative_addend(address),
            value => Some(Svma(value)),
        }
    }

    /// What a relocation will put at `address`. The sort of relocation is not asked: at these places only one makes sense.
    fn relative_addend(&self, address: Svma) -> Option<Svma> {
        const RECORD: usize = 24;
        if !self.class.wide {
            return None;
        }
        let mut window = Window::new(&self.reader, WINDOW);
        let mut left = MOST_SEARCHED;
        for section in self.sections.iter().filter(|s| s.kind == SHT_RELA && s.is_loaded() && s.has_bytes()) {
            let end = section.offset.0.saturating_add(section.size.min(left)).min(self.size);
            let mut at = section.offset.0;
            // Headers may say the same bytes many times.
            left -= end.saturating_sub(at);
            while at < end {
                let most = usize::try_from(end - at).unwrap_or(WINDOW).min(WINDOW / RECORD * RECORD);
                let records = window.bytes(at, most).chunks_exact(RECORD);
                if records.len() == 0 {
                    break;
                }
                at += (records.len() * RECORD) as u64;
                if let Some(record) = records.into_iter().find(|record| u64_at(record, 0) == address.0) {
                    return Some(Svma(u64_at(record, 16)));
                }
            }
        }
        None
    }

    /// Looks for the header in what is loaded and is not code.
    fn scan_for_header(&self) -> Option<Place> {
        let data = self.segments.iter().filter(|segment| segment.kind == PT_LOAD && segment.flags & PF_X == 0);
        // A C linker told to save segments puts constants beside the code.
        let code = self.segments.iter().filter(|segment| segment.is_code());
        let mut window = Window::new(&self.reader, WINDOW);
        let mut searched = 0;
        for segment in data.chain(code) {
            let end = segment.offset.0.saturating_add(segment.file_size).min(self.size);
            let mut at = segment.offset.0.saturating_add(7) & !7;
            while at < end && searched < MOST_SEARCHED {
                let most = usize::try_from(end - at).unwrap_or(WINDOW).min(WINDOW);
                let bytes = window.bytes(at, most);
                let words = bytes.chunks_exact(8).enumerate();
                let hits: Vec<u64> =
                    words.filter(|(_, word)| Header::may_begin(word)).map(|(n, _)| at + 8 * n as u64).collect();
                if let Some(place) = hits.into_iter().find_map(|start| self.place(start, end)) {
                    return Some(place);
                }
                at += WINDOW as u64;
                searched += WINDOW as u64;
            }
        }
        None
    }
}

impl Header {
    /// True for the first eight bytes of a table: a magic number, two zeros, the quantum and the size of a pointer.
    pub(super) fn may_begin(word: &[u8]) -> bool {
        u32_at(word, 0) >= 0xffff_fff0
            && word[4..6] == [0, 0]
            && matches!(word[6], 1 | 2 | 4)
            && matches!(word[7], 4 | 8)
    }

    /// Where in the table the start of the text stands, in the versions that have it.
    fn text_start_at(&self) -> Option<u64> {
        self.version.relative_to_text().then(|| 8 + 2 * u64::from(self.pointer_size))
    }
}

const _: () = assert!(HEADER_SIZE <= WINDOW);
