//! What one unit says, in bytes that can be kept in a file and looked up where they lie.
//!
//! All numbers are little-endian and of four bytes, but for the first:
//!
//! | part | of each entry |
//! |---|---|
//! | head | `base` (8 bytes), then how many of each part there are, and the bytes of the texts |
//! | stretches | start, from `base`; node |
//! | nodes | parent node; name, a text; place of the call |
//! | rows | start, from `base`; place |
//! | files | a text |
//! | wide places | file; line |
//! | texts | each with a NUL behind it; a text is where it starts here |
//!
//! Stretches and rows are in order of their starts; each reaches to the next. Node `0xffff_ffff` is none. A place is one
//! more than the number of a file in its upper bits and a line in the lower 19, or, with the highest bit, the number of a wide place; place
//! 0 is none. Line 0 is not known.

use std::collections::HashMap;

use crate::flatten::{NOTHING, Stretch};
use crate::lines::Row;
use crate::strings::Strings;

const HEAD: usize = 32;
const LINE_BITS: u32 = 19;
const WIDE: u32 = 1 << 31;

/// What one unit says about its code.
#[derive(Clone, Copy, Debug)]
pub struct Table<B> {
    bytes: B,
    base: u64,
    stretches: Part,
    nodes: Part,
    rows: Part,
    files: Part,
    wide: Part,
    texts: Part,
}

/// Where the entries of one kind are.
#[derive(Clone, Copy, Debug)]
struct Part {
    start: usize,
    count: usize,
    /// In numbers of four bytes; texts count bytes.
    width: usize,
}

/// A function that has a byte of code, or that was inlined there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place<'t> {
    /// Its name, mangled if the compiler mangles; empty where it is not known.
    pub function: &'t str,
    /// The source file, with its folder; empty where it is not known.
    pub file: &'t str,
    /// The line: of the byte for the innermost one, of the call for those around it. 0 where it is not known.
    pub line: u32,
}

impl<B: AsRef<[u8]>> Table<B> {
    /// Understands bytes that [`Builder`] made; nothing where they are none.
    pub fn new(bytes: B) -> Option<Self> {
        let all = bytes.as_ref();
        let number = |index: usize| {
            let number = all.get(index * 4..index * 4 + 4)?;
            Some(u32::from_le_bytes(number.try_into().ok()?) as usize)
        };
        let base = u64::from_le_bytes(all.get(..8)?.try_into().ok()?);
        let mut start = HEAD;
        let mut part = |index, width: usize, unit: usize| {
            let part = Part { start, count: number(index)?, width };
            start = start.checked_add(part.count.checked_mul(width * unit)?)?;
            Some(part)
        };
        let (stretches, nodes, rows) = (part(2, 2, 4)?, part(3, 3, 4)?, part(4, 2, 4)?);
        let (files, wide, texts) = (part(5, 1, 4)?, part(6, 2, 4)?, part(7, 1, 1)?);
        (start == all.len()).then_some(())?;
        Some(Self { base, stretches, nodes, rows, files, wide, texts, bytes })
    }

    /// The functions at an address as the file states it, the innermost first; none where the unit knows nothing of it.
    pub fn lookup(&self, address: u64) -> Vec<Place<'_>> {
        let mut places = Vec::new();
        let Some(at) = address.checked_sub(self.base).and_then(|at| u32::try_from(at).ok()) else { return places };
        let mut place = self.last_before(self.rows, at).map_or(0, |row| self.number(self.rows, row, 1));
        let stretch = self.last_before(self.stretches, at);
        let mut node = stretch.map_or(NOTHING, |stretch| self.number(self.stretches, stretch, 1));
        // A damaged table may have a circle.
        for _ in 0..self.nodes.count {
            if node as usize >= self.nodes.count {
                break;
            }
            let function = self.text(self.number(self.nodes, node as usize, 1));
            let (file, line) = self.place(place);
            places.push(Place { function, file, line });
            place = self.number(self.nodes, node as usize, 2);
            node = self.number(self.nodes, node as usize, 0);
        }
        if places.is_empty() && place != 0 {
            let (file, line) = self.place(place);
            places.push(Place { function: "", file, line });
        }
        places
    }

    /// The bytes, to be kept.
    pub fn bytes(&self) -> &B {
        &self.bytes
    }

    /// The last entry of a part that starts at or before a place.
    fn last_before(&self, part: Part, at: u32) -> Option<usize> {
        let (mut low, mut high) = (0, part.count);
        while low < high {
            let middle = low.midpoint(high);
            if self.number(part, middle, 0) <= at { low = middle + 1 } else { high = middle }
        }
        low.checked_sub(1)
    }

    fn number(&self, part: Part, index: usize, field: usize) -> u32 {
        let at = part.start + (index * part.width + field) * 4;
        let bytes = self.bytes.as_ref().get(at..at + 4).filter(|_| index < part.count);
        bytes.map_or(0, |bytes| u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    fn place(&self, place: u32) -> (&str, u32) {
        let (file, line) = if place & WIDE == 0 {
            ((place >> LINE_BITS).wrapping_sub(1), place & ((1 << LINE_BITS) - 1))
        } else {
            let wide = (place & !WIDE) as usize;
            (self.number(self.wide, wide, 0), self.number(self.wide, wide, 1))
        };
        let text = (place != 0).then(|| self.text(self.number(self.files, file as usize, 0)));
        (text.unwrap_or_default(), line)
    }

    fn text(&self, at: u32) -> &str {
        let texts = self.bytes.as_ref().get(self.texts.start..).unwrap_or_default();
        let text = texts.get(at as usize..).unwrap_or_default();
        let end = text.iter().position(|&letter| letter == 0).unwrap_or(0);
        std::str::from_utf8(&text[..end]).unwrap_or_default()
    }
}

/// Makes a table.
#[derive(Debug, Default)]
pub(crate) struct Builder {
    strings: Strings,
    nodes: Vec<u32>,
    files: Vec<u32>,
    wide: Vec<u32>,
    wide_places: HashMap<(u32, u32), u32>,
}

impl Builder {
    /// Adds the files by number, before anything that names one.
    pub(crate) fn files(&mut self, files: &[Vec<u8>]) {
        for file in files {
            let file = self.text(file);
            self.files.push(file);
        }
    }

    /// Adds a node; its number is how many came before.
    pub(crate) fn node(&mut self, parent: u32, name: &[u8], file: u32, line: u32) {
        let (name, call) = (self.text(name), self.place(file, line));
        self.nodes.extend([parent, name, call]);
    }

    fn text(&mut self, text: &[u8]) -> u32 {
        match std::str::from_utf8(text) {
            Ok(_) => self.strings.add(text),
            Err(_) => self.strings.add(String::from_utf8_lossy(text).as_bytes()),
        }
    }

    fn place(&mut self, file: u32, line: u32) -> u32 {
        if file as usize >= self.files.len() {
            return 0;
        }
        if file + 1 < 1 << (31 - LINE_BITS) && line < 1 << LINE_BITS {
            return (file + 1) << LINE_BITS | line;
        }
        *self.wide_places.entry((file, line)).or_insert_with(|| {
            self.wide.extend([file, line]);
            WIDE | (self.wide.len() as u32 / 2 - 1)
        })
    }

    /// The table. What lies four GiB or more behind the first is left out.
    pub(crate) fn finish(mut self, stretches: &[Stretch], rows: &[Row]) -> Vec<u8> {
        let base = stretches.first().map(|stretch| stretch.start).into_iter().chain(rows.first().map(|row| row.start));
        let base = base.min().unwrap_or(0);
        let near = |start: u64| u32::try_from(start - base).ok();
        let stretches: Vec<u32> =
            stretches.iter().filter_map(|stretch| Some([near(stretch.start)?, stretch.node])).flatten().collect();
        let rows: Vec<u32> =
            rows.iter().filter_map(|row| Some([near(row.start)?, self.place(row.file, row.line)])).flatten().collect();
        let texts = self.strings.bytes();
        let mut bytes = base.to_le_bytes().to_vec();
        let counts = [
            stretches.len() / 2,
            self.nodes.len() / 3,
            rows.len() / 2,
            self.files.len(),
            self.wide.len() / 2,
            texts.len(),
        ];
        for count in counts {
            bytes.extend_from_slice(&(count as u32).to_le_bytes());
        }
        for part in [&stretches, &self.nodes, &rows, &self.files, &self.wide] {
            for number in part {
                bytes.extend_from_slice(&number.to_le_bytes());
            }
        }
        bytes.extend_from_slice(texts);
        bytes
    }
}
