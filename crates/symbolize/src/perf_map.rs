//! Functions that a runtime compiled while it ran, as it wrote them to `/tmp/perf-PID.map`.
//!
//! The file has a line for each, `START SIZE NAME` with hexadecimal numbers, and grows while the program runs. Where two
//! lines claim the same bytes the later one is right: the runtime has used the memory again. Names stay in the file; an
//! entry takes some 30 bytes of the heap.

use std::collections::BTreeMap;

use elf::ReadAt;

/// No more than this is read at once, so that a huge file does not hold up everything else.
const MOST_AT_ONCE: u64 = 8 << 20;

/// A longer line is not believed.
const LONGEST_LINE: usize = 4096;

/// No more functions than this are kept of one process.
const MOST_FUNCTIONS: usize = 200_000;

const PIECE: usize = 64 << 10;

/// The functions of one process's map.
#[derive(Debug)]
pub struct PerfMap<R> {
    source: Option<Source<R>>,
    /// By start; they do not overlap.
    functions: BTreeMap<u64, Function>,
    counts: Counts,
}

#[derive(Debug)]
struct Source<R> {
    reader: R,
    identity: (u64, u64),
    /// Everything before this was taken.
    read_to: u64,
}

#[derive(Clone, Copy, Debug)]
struct Function {
    /// The function's own start; after a later line took its first bytes, the key is larger.
    start: u64,
    size: u32,
    /// Where in the file its name is.
    name: u32,
}

/// What became of the lines.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Lines that gave a function.
    pub taken: u64,
    /// Lines among them that took bytes of earlier ones.
    pub overlapping: u64,
    /// Lines that were not understood.
    pub malformed: u64,
    /// Lines that were left out because there were too many.
    pub left_out: u64,
    /// How often another file took the place of the one before, or it was cut short.
    pub replaced: u64,
}

/// A function that was compiled while the program ran.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PerfSymbol {
    /// Its name as the runtime wrote it.
    pub name: String,
    /// Where it begins.
    pub start: u64,
}

impl<R: ReadAt> Default for PerfMap<R> {
    fn default() -> Self {
        Self::new()
    }
}

impl<R: ReadAt> PerfMap<R> {
    /// A map of nothing.
    pub fn new() -> Self {
        Self { source: None, functions: BTreeMap::new(), counts: Counts::default() }
    }

    /// Takes what was written since the last time, and returns true when there is more than was read at once.
    ///
    /// `identity` is the device and inode of the file. A file with another one, or that became shorter, begins anew; a last
    /// line without an end waits until it has one.
    pub fn update(&mut self, reader: R, identity: (u64, u64)) -> bool {
        let size = reader.size().unwrap_or(0);
        let old = self.source.take();
        let same = old.as_ref().filter(|old| old.identity == identity && old.read_to <= size);
        let read_to = same.map_or(0, |old| old.read_to);
        if same.is_none() && old.is_some() {
            self.functions.clear();
            self.counts.replaced += 1;
        }
        let source = self.source.insert(Source { reader, identity, read_to });

        // Places of names are four bytes; what a file has beyond 4 GiB is not read.
        let size = size.min(u64::from(u32::MAX));
        let end = size.min(read_to.saturating_add(MOST_AT_ONCE));
        let mut buffer = vec![0; PIECE];
        while source.read_to < end {
            let Ok(count) = source.reader.read_at(source.read_to, &mut buffer) else { return false };
            let bytes = &buffer[..count];
            let Some(last) = bytes.iter().rposition(|&b| b == b'\n') else {
                if count < PIECE {
                    return false;
                }
                // A piece without a line end is garbage.
                self.counts.malformed += 1;
                source.read_to += count as u64;
                continue;
            };
            let mut at = source.read_to;
            for line in bytes[..last].split(|&b| b == b'\n') {
                match parse_line(line) {
                    Some((start, size, name)) => {
                        let name = u32::try_from(at + name as u64).unwrap_or(u32::MAX);
                        take(&mut self.functions, &mut self.counts, start, Function { start, size, name });
                    }
                    None => self.counts.malformed += u64::from(!line.is_empty()),
                }
                at += line.len() as u64 + 1;
            }
            source.read_to += last as u64 + 1;
        }
        source.read_to < size
    }

    /// The function at an address of the process.
    pub fn lookup(&self, address: u64) -> Option<PerfSymbol> {
        let (&from, function) = self.functions.range(..=address).next_back()?;
        if address - from >= u64::from(function.size) {
            return None;
        }
        let mut line = [0; LONGEST_LINE];
        let count = self.source.as_ref()?.reader.read_at(u64::from(function.name), &mut line).ok()?;
        let name = line[..count].split(|&b| b == b'\n').next()?.trim_ascii();
        (!name.is_empty())
            .then(|| PerfSymbol { name: String::from_utf8_lossy(name).into_owned(), start: function.start })
    }

    /// What became of all lines so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// How many ranges it has.
    pub fn len(&self) -> usize {
        self.functions.len()
    }

    /// True when it has none.
    pub fn is_empty(&self) -> bool {
        self.functions.is_empty()
    }

    /// About what it takes of the heap, for the budget. Nodes of the tree are two thirds full on average.
    pub fn heap_bytes(&self) -> usize {
        self.functions.len() * (size_of::<u64>() + size_of::<Function>()) * 3 / 2
    }
}

/// Puts a function in the place of what was there.
fn take(functions: &mut BTreeMap<u64, Function>, counts: &mut Counts, start: u64, function: Function) {
    let end = start + u64::from(function.size);
    let mut overlaps = false;
    // What lies behind the last of those that the new one takes bytes of.
    let mut rest = None;
    if let Some((&before, old)) = functions.range_mut(..start).next_back() {
        let old_end = before + u64::from(old.size);
        if old_end > start {
            overlaps = true;
            rest = (old_end > end).then(|| Function { size: (old_end - end) as u32, ..*old });
            old.size = (start - before) as u32;
        }
    }
    while let Some((&inside, &old)) = functions.range(start..end).next() {
        functions.remove(&inside);
        overlaps = true;
        let old_end = inside + u64::from(old.size);
        rest = (old_end > end).then(|| Function { size: (old_end - end) as u32, ..old });
    }
    counts.overlapping += u64::from(overlaps);
    // Without room the bytes have no name, but not that of what was there before.
    if functions.len() >= MOST_FUNCTIONS {
        counts.left_out += 1;
        return;
    }
    counts.taken += 1;
    functions.insert(start, function);
    if let Some(rest) = rest {
        // A function in two pieces is one more: without this, lines that cut ever more pieces would take all memory.
        if functions.len() < MOST_FUNCTIONS {
            functions.insert(end, rest);
        } else {
            counts.left_out += 1;
        }
    }
}

/// Start, size, and where in the line the name begins.
fn parse_line(line: &[u8]) -> Option<(u64, u32, usize)> {
    if line.len() > LONGEST_LINE {
        return None;
    }
    let first = line.iter().position(|&b| b == b' ')?;
    let second = first + 1 + line[first + 1..].iter().position(|&b| b == b' ')?;
    let start = hex(&line[..first])?;
    let size = u32::try_from(hex(&line[first + 1..second])?).ok().filter(|&size| size > 0)?;
    start.checked_add(u64::from(size))?;
    (!line[second + 1..].trim_ascii().is_empty()).then_some((start, size, second + 1))
}

fn hex(text: &[u8]) -> Option<u64> {
    let text = text.strip_prefix(b"0x").unwrap_or(text);
    if text.first().is_none_or(|b| !b.is_ascii_hexdigit()) {
        return None;
    }
    u64::from_str_radix(str::from_utf8(text).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(text: &str) -> PerfMap<Vec<u8>> {
        let mut map = PerfMap::new();
        assert!(!map.update(text.as_bytes().to_vec(), (1, 1)));
        map
    }

    #[track_caller]
    fn check<R: ReadAt>(map: &PerfMap<R>, address: u64, expect: Option<(&str, u64)>) {
        assert_eq!(map.lookup(address).as_ref().map(|s| (&*s.name, s.start)), expect, "{address:#x}");
    }

    #[test]
    fn a_line_names_a_range() {
        let map = map("1000 20 LazyCompile:*run /app/x.js:3:1\n0x2000 0x10 Foo.bar(int)\n");
        check(&map, 0xfff, None);
        check(&map, 0x1000, Some(("LazyCompile:*run /app/x.js:3:1", 0x1000)));
        check(&map, 0x101f, Some(("LazyCompile:*run /app/x.js:3:1", 0x1000)));
        check(&map, 0x1020, None);
        check(&map, 0x2008, Some(("Foo.bar(int)", 0x2000)));
    }

    #[test]
    fn the_last_writer_wins() {
        let map = map("1000 100 old\n1040 20 new\n2000 10 a\n2010 10 b\n2008 10 c\n3000 8 d\n2ff0 100 e\n");
        check(&map, 0x103f, Some(("old", 0x1000)));
        check(&map, 0x1040, Some(("new", 0x1040)));
        check(&map, 0x1060, Some(("old", 0x1000)));
        check(&map, 0x2007, Some(("a", 0x2000)));
        check(&map, 0x2017, Some(("c", 0x2008)));
        check(&map, 0x2018, Some(("b", 0x2010)));
        check(&map, 0x3004, Some(("e", 0x2ff0)));
        assert_eq!(map.counts(), Counts { taken: 7, overlapping: 3, ..Counts::default() });
    }

    #[test]
    fn a_file_that_grows_is_read_on() {
        let mut map = map("1000 10 a\n2000 10 unfin");
        check(&map, 0x2000, None);
        assert!(!map.update(b"1000 10 a\n2000 10 unfinished\n3000 10 b\n".to_vec(), (1, 1)));
        check(&map, 0x1000, Some(("a", 0x1000)));
        check(&map, 0x2000, Some(("unfinished", 0x2000)));
        check(&map, 0x3000, Some(("b", 0x3000)));
        assert_eq!(map.counts(), Counts { taken: 3, ..Counts::default() });
    }

    #[test]
    fn another_file_begins_anew() {
        let mut map = map("1000 10 a\n2000 10 b\n");
        map.update(b"3000 10 c\n".to_vec(), (1, 2));
        check(&map, 0x1000, None);
        check(&map, 0x3000, Some(("c", 0x3000)));
        map.update(b"4 1 d\n".to_vec(), (1, 2));
        check(&map, 4, Some(("d", 4)));
        assert_eq!((map.counts().replaced, map.len()), (2, 1));
    }

    #[test]
    fn garbage_is_counted() {
        let map = map(
            "\nx\n1000 10\n1000 10 \n1000 0 zero\nffffffffffffffff 2 wraps\n-1 2 sign\n1000 100000000 big\n5 1 good\n",
        );
        check(&map, 5, Some(("good", 5)));
        assert_eq!(map.counts(), Counts { taken: 1, malformed: 7, ..Counts::default() });
        let endless = vec![b'x'; 3 * PIECE + 5];
        let mut map = PerfMap::new();
        assert!(!map.update(endless, (1, 1)));
        assert_eq!(map.counts().malformed, 3);
    }

    #[test]
    fn a_huge_file_is_read_in_several_turns() {
        let lines: String =
            (0..400_000_u64).map(|n| format!("{:x} 10 function number {n}\n", 0x1000 + 16 * n)).collect();
        let mut map = PerfMap::new();
        let mut turns = 1;
        while map.update(lines.as_bytes(), (1, 1)) {
            turns += 1;
        }
        assert_eq!((turns, map.len()), (2, MOST_FUNCTIONS));
        assert_eq!(map.counts().left_out, 200_000);
    }

    #[test]
    fn a_line_without_room_takes_the_old_name_all_the_same() {
        let mut lines: String = (0..MOST_FUNCTIONS as u64).map(|n| format!("{:x} 100 f\n", n << 8)).collect();
        lines.push_str("80 10 g\n");
        let map = map(&lines);
        check(&map, 0x7f, Some(("f", 0)));
        check(&map, 0x80, None);
        assert_eq!((map.len(), map.counts().left_out, map.counts().overlapping), (MOST_FUNCTIONS, 1, 1));
    }

    #[test]
    fn lines_that_cut_others_into_pieces_have_a_limit_too() {
        let mut lines: String = (0..MOST_FUNCTIONS as u64 - 1).map(|n| format!("{:x} 100 f\n", n << 8)).collect();
        lines.extend((0..MOST_FUNCTIONS as u64 - 1).map(|n| format!("{:x} 1 g\n", n << 8)));
        let map = map(&lines);
        assert_eq!(map.len(), MOST_FUNCTIONS);
        check(&map, 0, Some(("g", 0)));
        check(&map, 1, Some(("f", 0)));
        check(&map, 0x100, Some(("g", 0x100)));
        check(&map, 0x101, None);
    }

    proptest::proptest! {
        /// What a plain array of "who wrote this byte last" says.
        #[test]
        fn it_agrees_with_an_array(lines in proptest::collection::vec((0_u64..64, 1_u32..40), 0..40)) {
            let mut bytes: [Option<usize>; 128] = [None; 128];
            let mut text = String::new();
            for (number, (start, size)) in lines.iter().enumerate() {
                text.push_str(&format!("{start:x} {size:x} f{number}\n"));
                bytes[*start as usize..(*start + u64::from(*size)) as usize].fill(Some(number));
            }
            let map = map(&text);
            for (address, expect) in (0..).zip(bytes) {
                let expect = expect.map(|number| PerfSymbol { name: format!("f{number}"), start: lines[number].0 });
                proptest::prop_assert_eq!(map.lookup(address), expect);
            }
        }

        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>, address: u64) {
            let mut map = PerfMap::new();
            map.update(bytes, (1, 1));
            let _ = map.lookup(address);
        }
    }
}
