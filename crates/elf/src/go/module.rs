//! Where the module data of a Go program is, and what its words say: the linker's own note of where everything lies.

use crate::address::{FileOffset, Svma};
use crate::file::Elf;
use crate::format::{PF_X, PT_LOAD, SHT_RELA, u64_at};
use crate::read::{ReadAt, WINDOW, Window};

use super::locate::MODULE_SECTION;

/// No more of data or of relocations is searched, in all sections together.
const MOST_SEARCHED: u64 = 256 << 20;

/// A relocation of a 64-bit file, whose sort is not asked: where it writes, and what.
const RELOCATION: usize = 24;

impl<R: ReadAt> Elf<R> {
    /// The module data that begins with the address of the table and of its names.
    pub(super) fn locate_module(&self, table: Svma, names: Svma) -> Option<Svma> {
        if let Some(section) = self.section(MODULE_SECTION) {
            return Some(section.address);
        }
        self.scan_for_module(table, names).or_else(|| self.module_by_relocations(table, names))
    }

    /// The words of the module data from one number to another, as the loader will make them.
    pub(super) fn module_words(&self, module: Svma, numbers: std::ops::Range<u64>) -> Vec<Option<Svma>> {
        let size = self.class.address_size() as u64;
        let at = |number: u64| Svma(module.0.wrapping_add(number * size));
        let mut bytes = vec![0; ((numbers.end - numbers.start) * size) as usize];
        let read = self.file_offset(at(numbers.start)).and_then(|from| self.reader.read_at(from.0, &mut bytes).ok());
        bytes.truncate(read.unwrap_or(0));
        let words = bytes.chunks_exact(size as usize).map(|word| self.class.address(word, 0, 0));
        let mut words: Vec<Option<Svma>> = words.map(|word| (word != 0).then_some(Svma(word))).collect();
        if words.iter().all(Option::is_none) {
            let (first, end) = (at(numbers.start).0, at(numbers.end).0);
            self.for_each_relocation(|place, value| {
                if (first..end).contains(&place)
                    && let Some(word) = words.get_mut(((place - first) / size) as usize)
                {
                    *word = Some(Svma(value));
                }
                true
            });
        }
        words
    }

    /// Looks for the first two words in data.
    fn scan_for_module(&self, table: Svma, names: Svma) -> Option<Svma> {
        let size = self.class.address_size();
        let named = [".noptrdata", ".data", ".data.rel.ro"].iter().filter_map(|name| self.section(name));
        let mut ranges: Vec<(u64, u64)> =
            named.filter(|section| section.has_bytes()).map(|section| (section.offset.0, section.size)).collect();
        if self.sections.is_empty() {
            let data = self.segments.iter().filter(|segment| segment.kind == PT_LOAD && segment.flags & PF_X == 0);
            ranges.extend(data.map(|segment| (segment.offset.0.saturating_add(7) & !7, segment.file_size)));
        }
        let mut window = Window::new(&self.reader, WINDOW);
        let mut left = MOST_SEARCHED;
        let mut wanted = Vec::from(&table.0.to_le_bytes()[..size]);
        wanted.extend_from_slice(&names.0.to_le_bytes()[..size]);
        for (start, length) in ranges {
            let end = start.saturating_add(length.min(left)).min(self.size);
            let mut at = start;
            left -= end.saturating_sub(at);
            while at < end {
                let most = usize::try_from(end - at).unwrap_or(WINDOW).min(WINDOW);
                let bytes = window.bytes(at, most);
                let mut places = bytes.windows(wanted.len()).step_by(size);
                if let Some(index) = places.position(|words| words == wanted) {
                    return self.svma(FileOffset(at + (index * size) as u64));
                }
                // The two words may lie in different pieces.
                at += (WINDOW - 2 * size) as u64;
            }
        }
        None
    }

    /// The same in a position-independent file, where relocations have the words.
    fn module_by_relocations(&self, table: Svma, names: Svma) -> Option<Svma> {
        let (mut tables, mut found) = (Vec::new(), None);
        self.for_each_relocation(|place, value| {
            if value == table.0 && tables.len() < 64 {
                tables.push(place);
            } else if value == names.0 && tables.contains(&place.wrapping_sub(8)) {
                found = Some(Svma(place.wrapping_sub(8)));
            }
            found.is_none()
        });
        found
    }

    /// Shows what each relocation of a 64-bit file writes and where, until the answer is no.
    fn for_each_relocation(&self, mut show: impl FnMut(u64, u64) -> bool) {
        if !self.class.wide {
            return;
        }
        let mut window = Window::new(&self.reader, WINDOW);
        let mut left = MOST_SEARCHED;
        for section in self.sections.iter().filter(|s| s.kind == SHT_RELA && s.is_loaded() && s.has_bytes()) {
            let end = section.offset.0.saturating_add(section.size.min(left)).min(self.size);
            let mut at = section.offset.0;
            // Headers may say the same bytes many times.
            left -= end.saturating_sub(at);
            while at < end {
                let most = usize::try_from(end - at).unwrap_or(WINDOW).min(WINDOW / RELOCATION * RELOCATION);
                let records = window.bytes(at, most).chunks_exact(RELOCATION);
                if records.len() == 0 {
                    break;
                }
                at += (records.len() * RELOCATION) as u64;
                for record in records {
                    if !show(u64_at(record, 0), u64_at(record, 16)) {
                        return;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::io;

    use super::*;

    /// A head, and zeros behind it; counts the bytes that are read.
    struct Sparse {
        head: Vec<u8>,
        read: Cell<u64>,
    }

    impl ReadAt for Sparse {
        fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
            into.fill(0);
            let there = usize::try_from(offset).ok().and_then(|at| self.head.get(at..)).unwrap_or_default();
            let count = there.len().min(into.len());
            into[..count].copy_from_slice(&there[..count]);
            self.read.set(self.read.get() + into.len() as u64);
            Ok(into.len())
        }

        fn size(&self) -> io::Result<u64> {
            Ok(1 << 30)
        }
    }

    #[test]
    fn many_sections_of_the_same_bytes_are_not_searched_one_after_the_other() {
        const SECTIONS: u16 = 200;
        let mut head = b"\x7fELF\x02\x01\x01".to_vec();
        head.resize(64, 0);
        head[16] = 3;
        head[18] = 62;
        head[20] = 1;
        head[40] = 64;
        head[52] = 64;
        head[58] = 64;
        head[60..62].copy_from_slice(&SECTIONS.to_le_bytes());
        for number in 0..SECTIONS {
            let mut section = [0; 64];
            if number > 0 {
                section[4] = SHT_RELA as u8;
                section[8] = 2;
                section[24..32].copy_from_slice(&(1_u64 << 20).to_le_bytes());
                section[32..40].copy_from_slice(&(100_u64 << 20).to_le_bytes());
            }
            head.extend(section);
        }
        let file = Sparse { head, read: Cell::new(0) };
        let elf = Elf::parse(&file).unwrap().0;
        let mut shown = 0_u64;
        elf.for_each_relocation(|_, _| {
            shown += 1;
            true
        });
        assert!(shown > 4 << 20, "{shown}");
        assert!(file.read.get() <= MOST_SEARCHED + (1 << 20), "{}", file.read.get());
    }
}
