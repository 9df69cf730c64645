//! Tables of every format, written by hand: no Go of today makes the old ones.

use super::*;
use crate::{Elf, Svma};

const TEXT: u64 = 0x40_1000;

/// The parts of a table with two functions, `main.f` of 32 bytes and `main.g` of 16, in `a.go` and `b.go`.
struct Parts {
    pointer: usize,
    relative: bool,
}

impl Parts {
    fn pointer(&self, value: u64) -> Vec<u8> {
        value.to_le_bytes()[..self.pointer].to_vec()
    }

    /// A field of the search table, and the entry of a function.
    fn pc(&self, offset: u64) -> Vec<u8> {
        if self.relative { (offset as u32).to_le_bytes().to_vec() } else { self.pointer(TEXT + offset) }
    }

    fn place(&self, offset: u64) -> Vec<u8> {
        if self.relative { (offset as u32).to_le_bytes().to_vec() } else { self.pointer(offset) }
    }
}

fn words(values: &[u32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// `main.f`: line 10 for 8 bytes, then line 12. `main.g`: line 20. Files are numbers 0 and 1; 1 and 2 in the old format.
fn pc_tables(first_file: u8) -> Vec<u8> {
    let zigzag = |difference: u8| difference * 2;
    let file = |number: u8, length: u8| vec![zigzag(number + 1), length, 0];
    [
        vec![0; 1],
        file(first_file, 32),                  // at 1
        file(first_file + 1, 16),              // at 4
        vec![zigzag(11), 8, zigzag(2), 24, 0], // at 7
        vec![zigzag(21), 16, 0],               // at 12
    ]
    .concat()
}

fn function(parts: &Parts, entry: u64, name: u32, files: u32, lines: u32, version: Version) -> Vec<u8> {
    let mut record = [parts.pc(entry), words(&[name, 0, 0, 0, files, lines, 0])].concat();
    if version >= Version::Go1_16 {
        record.extend(words(&[0]));
    }
    if version >= Version::Go1_20 {
        record.extend(words(&[9]));
    }
    record.extend([0; 40]);
    record
}

fn search(parts: &Parts, first: u64, second: u64) -> Vec<u8> {
    [parts.pc(0), parts.place(first), parts.pc(32), parts.place(second), parts.pc(48)].concat()
}

fn table_1_2(parts: &Parts) -> Vec<u8> {
    let header = [&0xffff_fffb_u32.to_le_bytes()[..], &[0, 0, 1, parts.pointer as u8], &parts.pointer(2)].concat();
    let search_size = 5 * parts.pointer;
    let names_at = header.len() + search_size + 4;
    let names = b"main.f\0main.g\0a.go\0b.go\0";
    let pcs_at = names_at + names.len();
    let pcs = pc_tables(1);
    let files_at = pcs_at + pcs.len();
    let file_names = [names_at + 14, names_at + 19];
    let files = words(&[3, file_names[0] as u32, file_names[1] as u32]);
    let first_at = files_at + files.len();
    let at = |offset: usize| (pcs_at + offset) as u32;
    let first = function(parts, 0, names_at as u32, at(1), at(7), Version::Go1_2);
    let second = function(parts, 32, names_at as u32 + 7, at(4), at(12), Version::Go1_2);
    let search = search(parts, first_at as u64, (first_at + first.len()) as u64);
    [header, search, words(&[files_at as u32]), names.to_vec(), pcs, files, first, second].concat()
}

fn table_since_1_16(parts: &Parts, version: Version, magic: u32) -> Vec<u8> {
    let words_before = if version == Version::Go1_16 { 2 } else { 3 };
    let header_size = 8 + (words_before + 5) * parts.pointer;
    let names = b"main.f\0main.g\0".to_vec();
    let units = words(&[0, 5]);
    let files = b"a.go\0b.go\0".to_vec();
    let pcs = pc_tables(0);
    let first = function(parts, 0, 0, 1, 7, version);
    let second = function(parts, 32, 7, 4, 12, version);
    let search_size = search(parts, 0, 0).len() as u64;
    let functions = [search(parts, search_size, search_size + first.len() as u64), first, second].concat();

    let mut header = [&magic.to_le_bytes()[..], &[0, 0, 1, parts.pointer as u8]].concat();
    header.extend(parts.pointer(2));
    header.extend(parts.pointer(2));
    if version > Version::Go1_16 {
        header.extend(parts.pointer(TEXT));
    }
    let mut body = Vec::new();
    for part in [names, units, files, pcs, functions] {
        header.extend(parts.pointer((header_size + body.len()) as u64));
        body.extend(part);
    }
    assert_eq!(header.len(), header_size);
    [header, body].concat()
}

/// A 64-bit file with one segment of code that has 64 bytes of text and the table behind it, in a section of its own.
fn image(table: &[u8]) -> Vec<u8> {
    const NAMES: &[u8] = b"\0.gopclntab\0";
    const CODE_AT: u64 = 120;
    let table_at = CODE_AT + 64;
    let names_at = table_at + table.len() as u64;
    let sections_at = names_at + NAMES.len() as u64;
    let u16s = |values: &[u16]| values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>();
    let u64s = |values: &[u64]| values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>();
    let section = |name: u32, kind: u32, address: u64, offset: u64, size: u64| {
        [words(&[name, kind]), u64s(&[2, address, offset, size]), words(&[0, 0]), u64s(&[1, 0])].concat()
    };
    [
        b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec(),
        u16s(&[2, 62]),
        words(&[1]),
        u64s(&[TEXT, 64, sections_at]),
        words(&[0]),
        u16s(&[64, 56, 1, 64, 3, 2]),
        words(&[1, 5]),
        u64s(&[CODE_AT, TEXT, TEXT, names_at - CODE_AT, names_at - CODE_AT, 1]),
        vec![0xcc; 64],
        table.to_vec(),
        NAMES.to_vec(),
        vec![0; 64],
        section(1, 1, TEXT + 64, table_at, table.len() as u64),
        section(0, 3, 0, names_at, NAMES.len() as u64),
    ]
    .concat()
}

#[track_caller]
fn check(version: Version, table: &[u8]) {
    let image = image(table);
    let (elf, problems) = Elf::parse(&*image).unwrap();
    assert_eq!(problems, []);
    let (found, problems) = Pclntab::find(&elf);
    assert_eq!(problems, []);
    let found = found.unwrap();
    assert_eq!((found.version(), found.len()), (version, 2));
    assert_eq!(found.range(), (Svma(TEXT), Svma(TEXT + 48)));

    let at = |distance: u64| {
        let function = found.lookup(elf.reader(), Svma(TEXT + distance)).unwrap();
        (function.name, function.start.0 - TEXT, function.end.0 - TEXT, function.file.unwrap(), function.line.unwrap())
    };
    let f = |line| ("main.f".to_owned(), 0, 32, "a.go".to_owned(), line);
    let g = ("main.g".to_owned(), 32, 48, "b.go".to_owned(), 20);
    assert_eq!([at(0), at(7), at(8), at(31), at(32), at(47)], [f(10), f(10), f(12), f(12), g.clone(), g]);
    assert_eq!(found.lookup(elf.reader(), Svma(TEXT + 48)), None);

    // Cut anywhere, the table is refused or tells less.
    for end in 0..table.len() {
        let image = self::image(&table[..end]);
        let (elf, _) = Elf::parse(&*image).unwrap();
        if let (Some(found), _) = Pclntab::find(&elf) {
            let _ = found.lookup(elf.reader(), Svma(TEXT + 8));
        }
    }
}

#[test]
fn the_format_of_go_1_2() {
    for pointer in [4, 8] {
        check(Version::Go1_2, &table_1_2(&Parts { pointer, relative: false }));
    }
}

#[test]
fn the_format_of_go_1_16() {
    for pointer in [4, 8] {
        check(Version::Go1_16, &table_since_1_16(&Parts { pointer, relative: false }, Version::Go1_16, 0xffff_fffa));
    }
}

#[test]
fn the_formats_since_go_1_18() {
    for (version, magic) in [(Version::Go1_18, 0xffff_fff0), (Version::Go1_20, 0xffff_fff1)] {
        check(version, &table_since_1_16(&Parts { pointer: 8, relative: true }, version, magic));
    }
}

#[test]
fn tables_of_values_that_do_not_end_are_read_up_to_a_bound() {
    let mut table = table_since_1_16(&Parts { pointer: 8, relative: true }, Version::Go1_20, 0xffff_fff1);
    let find = |table: &[u8], bytes: &[u8]| table.windows(bytes.len()).position(|window| window == bytes).unwrap();
    // What the first function has on the stack is another value for no byte, again and again.
    let stack = table.len() - find(&table, &pc_tables(0));
    let before_files = find(&table, &words(&[1, 7])) - 4;
    table[before_files..][..4].copy_from_slice(&(stack as u32).to_le_bytes());
    table.extend([2, 0].repeat(2 << 20));
    let image = image(&table);
    let (elf, _) = Elf::parse(&*image).unwrap();
    let mut frames = GoFrames::new(&Pclntab::find(&elf).0.unwrap(), elf.reader());
    let frame = frames.next().unwrap();
    let mut read = || {
        let before = frames.spent;
        assert!(!frames.stack(&frame, |_, _| {}));
        let read = frames.spent - before;
        frames.spent = frames::MOST_PC_BYTES + 1;
        read
    };
    assert!(read() > 1 << 20, "the table is as it is meant");
    assert_eq!(read(), 256);
}

#[test]
fn another_number_at_the_start_is_no_table() {
    let mut table = table_since_1_16(&Parts { pointer: 8, relative: true }, Version::Go1_20, 0xffff_fff1);
    table[0] = 0xf2;
    let image = image(&table);
    assert_eq!(Pclntab::find(&Elf::parse(&*image).unwrap().0), (None, Vec::new()));
}
