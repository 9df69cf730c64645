//! The files that were mapped: our rows of them, and their sections as framehop wants them.

use std::collections::HashMap;
use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::rc::Rc;
use std::sync::Arc;

use elf::{Elf, FileOffset};
use framehop::ExplicitModuleSectionInfo;
use unwind::span::{Line, SPAN_BITS, search};
use unwind::{Output, Rule, Rules, compile};

/// Bytes that many share.
pub(super) type Bytes = Arc<[u8]>;

/// A file.
pub(super) struct Image {
    elf: Elf<Bytes>,
    spans: Spans,
    sections: [Option<Bytes>; 4],
}

/// The sections that framehop reads.
const SECTIONS: [&str; 4] = [".text", ".eh_frame", ".eh_frame_hdr", ".debug_frame"];

/// All files so far, by path, and the rules of all.
#[derive(Default)]
pub(super) struct Images {
    known: HashMap<String, Option<Rc<Image>>>,
    rules: Rules,
}

#[derive(Default)]
struct Spans(HashMap<u64, (usize, Vec<Line>)>);

impl Output for Spans {
    fn span(&mut self, number: u64, rows: usize, lines: &[Line]) {
        self.0.insert(number, (rows, lines.to_vec()));
    }
}

impl Images {
    /// The image of a path, if it is one.
    pub(super) fn get(&mut self, path: &str) -> Option<Rc<Image>> {
        if let Some(known) = self.known.get(path) {
            return known.clone();
        }
        let bytes = if path == "[vdso]" { vdso() } else { fs::read(path).ok() };
        let image = bytes.and_then(|bytes| {
            let (elf, _) = Elf::parse(Bytes::from(bytes)).ok()?;
            let mut spans = Spans::default();
            compile(&elf, &mut self.rules, &mut spans);
            let sections = SECTIONS.map(|name| bytes_of(&elf, name));
            Some(Rc::new(Image { elf, spans, sections }))
        });
        self.known.insert(path.to_owned(), image.clone());
        image
    }

    /// The rule at a place of a file.
    pub(super) fn rule(&self, image: &Image, offset: u64) -> Rule {
        let span = image.spans.0.get(&(offset >> SPAN_BITS));
        let number = span.map_or(0, |(rows, lines)| search(lines, *rows, (offset & ((1 << SPAN_BITS) - 1)) as u32));
        self.rules.list()[usize::from(number)]
    }
}

impl Image {
    /// What is added to an address of the file when its bytes from `offset` on are mapped at `start`.
    pub(super) fn bias(&self, start: u64, offset: u64) -> Option<u64> {
        Some(start.wrapping_sub(self.elf.svma(FileOffset(offset))?.0))
    }

    /// `.eh_frame` and `.eh_frame_hdr`, each with its address.
    pub(super) fn exceptions(&self) -> Option<[(u64, &[u8]); 2]> {
        let [_, section, header, _] = &self.sections;
        let address = |name| self.elf.section(name).map(|section| section.address.0);
        Some([(address(".eh_frame")?, section.as_ref()?), (address(".eh_frame_hdr")?, header.as_ref()?)])
    }

    /// Its sections.
    pub(super) fn sections(&self) -> ExplicitModuleSectionInfo<Bytes> {
        let range = |name: &str| {
            let section = self.elf.section(name)?;
            Some(section.address.0..section.address.0 + section.size)
        };
        let [text, eh_frame, eh_frame_hdr, debug_frame] = self.sections.clone();
        ExplicitModuleSectionInfo {
            text_svma: range(".text"),
            text,
            got_svma: range(".got"),
            eh_frame_svma: range(".eh_frame"),
            eh_frame,
            eh_frame_hdr_svma: range(".eh_frame_hdr"),
            eh_frame_hdr,
            debug_frame,
            ..Default::default()
        }
    }
}

fn bytes_of(elf: &Elf<Bytes>, name: &str) -> Option<Bytes> {
    let section = elf.section(name).filter(|section| section.has_bytes())?;
    let start = usize::try_from(section.offset.0).ok()?;
    let end = start.checked_add(usize::try_from(section.size).ok()?)?;
    Some(Bytes::from(elf.reader().get(start..end)?))
}

/// That of this process, which is that of all.
fn vdso() -> Option<Vec<u8>> {
    let maps = fs::read_to_string("/proc/self/maps").ok()?;
    let (range, _) = maps.lines().find(|line| line.ends_with("[vdso]"))?.split_once(' ')?;
    let (start, end) = range.split_once('-')?;
    let address = |text| u64::from_str_radix(text, 16).ok();
    let mut bytes = vec![0; usize::try_from(address(end)? - address(start)?).ok()?];
    File::open("/proc/self/mem").ok()?.read_exact_at(&mut bytes, address(start)?).ok()?;
    Some(bytes)
}
