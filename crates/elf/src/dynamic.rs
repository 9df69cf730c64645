//! The symbols of a file without sections, found the way the dynamic linker finds them.

use crate::address::{FileOffset, Svma};
use crate::file::Elf;
use crate::format::{DT_GNU_HASH, DT_HASH, DT_NULL, DT_STRSZ, DT_STRTAB, DT_SYMTAB, PT_DYNAMIC, u32_at};
use crate::read::{ReadAt, WINDOW, Window, array};
use crate::symbols::{MOST_SYMBOLS, SymbolTable};

/// No more entries than this are read of a dynamic segment; real ones have about thirty.
const MOST_ENTRIES: usize = 4096;

#[derive(Default)]
struct Dynamic {
    symbols: Option<FileOffset>,
    strings: Option<FileOffset>,
    strings_size: u64,
    hash: Option<FileOffset>,
    gnu_hash: Option<FileOffset>,
}

impl<R: ReadAt> Elf<R> {
    /// The table that `PT_DYNAMIC` points to. How many records it has only the hash tables tell.
    pub(crate) fn dynamic_symbols(&self) -> Option<SymbolTable> {
        let dynamic = self.dynamic()?;
        let (symbols, strings) = (dynamic.symbols?, dynamic.strings?);
        let count = match (dynamic.hash, dynamic.gnu_hash) {
            // The second word of the old table is the number of its chains, which is that of symbols.
            (Some(hash), _) => u64::from(u32_at(&array::<8>(&self.reader, hash.0)?, 4)),
            (None, Some(hash)) => self.gnu_hash_count(hash)?,
            (None, None) => return None,
        };
        Some(self.table_at(symbols, count, strings, dynamic.strings_size))
    }

    fn dynamic(&self) -> Option<Dynamic> {
        let segment = self.segments.iter().find(|segment| segment.kind == PT_DYNAMIC)?;
        let width = self.class.address_size();
        let mut window = Window::new(&self.reader, 4096);
        let mut found = Dynamic::default();
        for index in 0..MOST_ENTRIES.min(usize::try_from(segment.file_size).ok()? / (2 * width)) {
            let record = window.bytes(segment.offset.0.checked_add((index * 2 * width) as u64)?, 2 * width);
            let (tag, value) = (self.class.address(record, 0, 0), self.class.address(record, 4, 8));
            match tag {
                DT_NULL => break,
                DT_SYMTAB => found.symbols = self.file_offset(Svma(value)),
                DT_STRTAB => found.strings = self.file_offset(Svma(value)),
                DT_STRSZ => found.strings_size = value,
                DT_HASH => found.hash = self.file_offset(Svma(value)),
                DT_GNU_HASH => found.gnu_hash = self.file_offset(Svma(value)),
                _ => {}
            }
        }
        Some(found)
    }

    /// The last chain of the GNU table ends at the last symbol.
    fn gnu_hash_count(&self, hash: FileOffset) -> Option<u64> {
        let header = array::<16>(&self.reader, hash.0)?;
        let (buckets, first, filters) = (u32_at(&header, 0), u32_at(&header, 4), u32_at(&header, 8));
        if u64::from(buckets) > MOST_SYMBOLS {
            return None;
        }
        let bucket_table = hash.0.checked_add(16 + u64::from(filters) * self.class.address_size() as u64)?;
        let chain_table = bucket_table.checked_add(u64::from(buckets) * 4)?;

        let mut window = Window::new(&self.reader, WINDOW);
        let mut word = |offset: u64| {
            let bytes = window.bytes(offset, 4);
            (bytes.len() == 4).then(|| u32_at(bytes, 0))
        };
        let mut last = 0;
        for bucket in 0..u64::from(buckets) {
            last = last.max(word(bucket_table + bucket * 4)?);
        }
        if last < first {
            return Some(u64::from(first));
        }
        // The lowest bit marks the end of a chain.
        while word(chain_table.checked_add(u64::from(last - first) * 4)?)? & 1 == 0 {
            last = last.checked_add(1)?;
            if u64::from(last) > MOST_SYMBOLS {
                return None;
            }
        }
        Some(u64::from(last) + 1)
    }
}
