//! A file can claim any number of entries of any size, on disk all but empty. No more than a part of them is looked at.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use elf::{Elf, ReadAt};
use pyrope_unwind::span::Line;
use pyrope_unwind::{Output, Rules, compile};

/// Counts what is read.
#[derive(Clone)]
struct Counted(Arc<(File, AtomicU64)>);

impl ReadAt for Counted {
    fn read_at(&self, offset: u64, into: &mut [u8]) -> std::io::Result<usize> {
        self.0.1.fetch_add(into.len() as u64, Relaxed);
        ReadAt::read_at(&self.0.0, offset, into)
    }

    fn size(&self) -> std::io::Result<u64> {
        ReadAt::size(&self.0.0)
    }
}

struct Nowhere;

impl Output for Nowhere {
    fn span(&mut self, _: u64, _: usize, _: &[Line]) {}
}

const PAGE: u64 = 4096;
/// Bytes of each of the common entries, and how many there are.
const LARGE: u64 = 1 << 20;
const COUNT: u64 = 2048;

/// One page of code, and a table whose entries each have a common entry of their own, of which each is read.
fn file_of_large_entries() -> File {
    let file = tempfile::tempfile().unwrap();
    let put = |at: u64, bytes: &[u8]| file.write_all_at(bytes, at).unwrap();
    let numbers = |at: u64, numbers: &[u64]| {
        put(at, &numbers.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>());
    };
    let (table, names, sections) = (2 * PAGE, PAGE + 64, PAGE + 256);
    put(0, b"\x7fELF\x02\x01\x01");
    put(16, &[2, 0, 62, 0, 1]);
    numbers(24, &[0x40_0000, 64, sections]);
    put(52, &[64, 0, 56, 0, 1, 0, 64, 0, 3, 0, 2, 0]);
    // A segment of code: to be loaded, read and executed.
    put(64, &[1, 0, 0, 0, 5, 0, 0, 0]);
    numbers(72, &[0, 0x40_0000, 0x40_0000, PAGE, PAGE, PAGE]);
    put(names, b"\0.eh_frame\0.shstrtab\0");
    // Of both sections: where it lies in memory and in the file, and its size.
    let section = |number: u64, name: u8, kind: u8, rest: [u64; 4]| {
        put(sections + number * 64, &[name, 0, 0, 0, kind]);
        numbers(sections + number * 64 + 8, &rest);
    };
    let entry = LARGE + 32;
    section(1, 1, 1, [2, 0x80_0000, table, COUNT * entry]);
    section(2, 11, 3, [0, 0, names, 21]);
    for number in 0..COUNT {
        let at = table + number * entry;
        put(at, &((LARGE - 4) as u32).to_le_bytes());
        // A version that nobody knows: it is read for nothing.
        put(at + 8, &[9]);
        let fde = at + LARGE;
        put(fde, &28_u32.to_le_bytes());
        put(fde + 4, &((LARGE + 4) as u32).to_le_bytes());
        numbers(fde + 8, &[0x40_0200 + number, 1]);
    }
    file
}

#[test]
fn large_common_entries_are_read_up_to_a_bound() {
    let file = Counted(Arc::new((file_of_large_entries(), AtomicU64::new(0))));
    let elf = Elf::parse(file.clone()).unwrap().0;
    assert!(elf.section(".eh_frame").unwrap().size > COUNT * LARGE);
    compile(&elf, &mut Rules::default(), &mut Nowhere);
    let read = file.0.1.load(Relaxed);
    assert!(read > 256 << 20, "{read} bytes: the entries are as they are meant");
    assert!(read < 1 << 30, "{read} bytes of {}", COUNT * LARGE);
}
