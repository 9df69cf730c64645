//! Any bytes give an answer: real tables with damage, compiled without a panic, and never with more rows than bytes.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::sync::LazyLock;

use elf::Elf;
use proptest::prelude::*;
use pyrope_unwind::span::Line;
use pyrope_unwind::{Output, Rules, compile};

/// This very test, which has every kind of entry that its compiler writes.
static IMAGE: LazyLock<Vec<u8>> = LazyLock::new(|| std::fs::read(std::env::current_exe().unwrap()).unwrap());

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
    fn bytes_of_chance_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let mut image = IMAGE.clone();
        let (elf, _) = Elf::parse(&*IMAGE).unwrap();
        let section = elf.section(".eh_frame").unwrap();
        let start = section.offset.0 as usize;
        image[start..start + bytes.len()].copy_from_slice(&bytes);
        compile_all(&image);
    }
}
