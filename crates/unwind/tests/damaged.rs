//! Any bytes give an answer: real tables with damage, compiled without a panic, and never with more rows than bytes.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::sync::LazyLock;

use elf::Elf;
use proptest::prelude::*;
use pyrope_unwind::span::Line;
use pyrope_unwind::{Output, Rules, compile};

/// This very test, which has every kind of entry that its compiler writes. Its code is taken out: where an entry is lost it
/// would be followed, each time, and that takes long.
static IMAGE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut image = std::fs::read(std::env::current_exe().unwrap()).unwrap();
    let (elf, _) = Elf::parse(&image).unwrap();
    let text = elf.section(".text").unwrap();
    let (start, size) = (text.offset.0 as usize, text.size as usize);
    image[start..start + size].fill(0);
    image
});

struct Ascending(Option<u64>);

impl Output for Ascending {
    fn span(&mut self, number: u64, rows: usize, lines: &[Line]) {
        assert!(self.0.is_none_or(|last| last < number), "span {number} after {:?}", self.0);
        assert!(rows > 0 && !lines.is_empty());
        self.0 = Some(number);
    }
}

fn compile_all(image: &Vec<u8>) {
    if let Ok((elf, _)) = Elf::parse(image) {
        let summary = compile(&elf, &mut Rules::default(), &mut Ascending(None));
        assert!(summary.rows <= image.len() as u64);
    }
}

/// A file of one segment, of code, and nothing else.
fn only_code(code: &[u8]) -> Vec<u8> {
    let mut image = vec![0; 120];
    let size = 120 + code.len() as u64;
    let mut put = |at: usize, bytes: &[u8]| image[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, b"\x7fELF\x02\x01\x01");
    // What it is, for which machine; where it is entered; where its segments are, their size and how many.
    put(16, &[2, 0, 62, 0, 1]);
    put(24, &0x40_0078_u64.to_le_bytes());
    put(32, &[64]);
    put(52, &[64, 0, 56, 0, 1]);
    // To be loaded, read and executed; its address and its size.
    put(64, &[1, 0, 0, 0, 5]);
    put(80, &0x40_0000_u64.to_le_bytes());
    put(96, &size.to_le_bytes());
    put(104, &size.to_le_bytes());
    image.extend(code);
    image
}

#[test]
fn a_file_of_code_alone_has_rows() {
    // push rbx; sub rsp, 16; add rsp, 16; pop rbx; ret, twice
    let code = [0x53, 0x48, 0x83, 0xec, 16, 0x48, 0x83, 0xc4, 16, 0x5b, 0xc3].repeat(2);
    let image = only_code(&code);
    let (elf, _) = Elf::parse(&image).unwrap();
    let summary = compile(&elf, &mut Rules::default(), &mut Ascending(None));
    assert_eq!(summary.followed, 22);
    assert!(summary.rows >= 6, "{summary:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn damage_does_no_harm(bites in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..200), cut: Option<prop::sample::Index>) {
        let mut image = IMAGE.clone();
        let (elf, _) = Elf::parse(&*IMAGE).unwrap();
        let places: Vec<(u64, u64)> = [".eh_frame", ".eh_frame_hdr"]
            .iter()
            .filter_map(|name| elf.section(name))
            .map(|section| (section.offset.0, section.size))
            .chain([(4, 1000)])
            .collect();
        for (index, value) in &bites {
            let (start, size) = places[index.index(places.len())];
            image[start as usize + index.index(size as usize)] = *value;
        }
        if let Some(cut) = cut {
            image.truncate(cut.index(image.len()));
        }
        compile_all(&image);
    }

    #[test]
    fn code_of_chance_does_no_harm(code in prop::collection::vec(any::<u8>(), 0..3000)) {
        compile_all(&only_code(&code));
    }

    #[test]
    fn bytes_of_chance_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let mut image = IMAGE.clone();
        let (elf, _) = Elf::parse(&*IMAGE).unwrap();
        let section = elf.section(".eh_frame").unwrap();
        let start = section.offset.0 as usize;
        image[start..start + bytes.len()].copy_from_slice(&bytes);
        compile_all(&image);
    }
}
