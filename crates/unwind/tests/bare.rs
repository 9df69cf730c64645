//! What the code of real files tells is what their tables say: each file is compiled once more as if it had none.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;
use std::fs;

use elf::Elf;
use pyrope_unwind::span::{Line, SPAN_BITS, search};
use pyrope_unwind::{Cfa, Frame, Output, Rule, Rules, SavedFp, compile};

#[derive(Default)]
struct Kept(BTreeMap<u64, (usize, Vec<Line>)>);

impl Output for Kept {
    fn span(&mut self, number: u64, rows: usize, lines: &[Line]) {
        self.0.insert(number, (rows, lines.to_vec()));
    }
}

struct Compiled {
    rules: Rules,
    kept: Kept,
}

impl Compiled {
    fn of(image: &Vec<u8>) -> Self {
        let (elf, _) = Elf::parse(image).unwrap();
        let (mut rules, mut kept) = (Rules::default(), Kept::default());
        compile(&elf, &mut rules, &mut kept);
        Self { rules, kept }
    }

    fn rule(&self, offset: u64) -> Rule {
        let found = self.kept.0.get(&(offset >> SPAN_BITS));
        let number = found.map_or(0, |(rows, lines)| search(lines, *rows, (offset & 0x3fff) as u32));
        self.rules.list()[usize::from(number)]
    }

    /// Where rules begin.
    fn places(&self) -> impl Iterator<Item = u64> {
        self.kept.0.iter().flat_map(|(number, (rows, lines))| {
            let index = pyrope_unwind::span::index_lines(*rows);
            let words = lines[index..].iter().flatten().take(*rows);
            words.map(move |row| (number << SPAN_BITS) + u64::from(row >> 16))
        })
    }
}

/// The same file, in which no section of tables has its name.
fn without_tables(image: &[u8]) -> Vec<u8> {
    let mut other = image.to_vec();
    for name in [&b"\0.eh_frame"[..], b"\0.debug_frame"] {
        let mut at = 0;
        while let Some(found) = image[at..].windows(name.len()).position(|bytes| bytes == name) {
            at += found + 1;
            other[at] = b'!';
        }
    }
    other
}

#[derive(Default, Debug)]
struct Tally {
    files: u64,
    places: u64,
    same: u64,
    unknown: u64,
    /// The table goes by the frame pointer and the code by the stack pointer, or the other way round.
    by_another: u64,
    lost: u64,
    wrong: u64,
}

fn compare(path: &str, tally: &mut Tally, wrong: &mut Vec<String>) {
    let image = fs::read(path).unwrap();
    let (elf, _) = Elf::parse(&image).unwrap();
    if !elf.is_64_bit() || elf.machine() != 62 || elf.section(".eh_frame").is_none() {
        return;
    }
    let (tables, code) = (Compiled::of(&image), Compiled::of(&without_tables(&image)));
    tally.files += 1;
    let mut places: Vec<u64> = tables.places().chain(code.places()).collect();
    places.sort_unstable();
    places.dedup();
    for place in places {
        let Rule::Frame(table) = tables.rule(place) else { continue };
        tally.places += 1;
        match code.rule(place) {
            Rule::Frame(frame) => match verdict(table, frame) {
                Verdict::Same => tally.same += 1,
                Verdict::ByAnother => tally.by_another += 1,
                Verdict::Lost => tally.lost += 1,
                Verdict::Wrong => {
                    tally.wrong += 1;
                    wrong.push(format!("{path}+{place:#x}: {frame:?}, the table has {table:?}"));
                }
            },
            Rule::Unknown => tally.unknown += 1,
            other => {
                tally.wrong += 1;
                wrong.push(format!("{path}+{place:#x}: {other:?}, the table has {table:?}"));
            }
        }
    }
}

enum Verdict {
    Same,
    ByAnother,
    Lost,
    Wrong,
}

fn verdict(table: Frame, frame: Frame) -> Verdict {
    match (table.cfa, frame.cfa) {
        (Cfa::Register(one, _), Cfa::Register(other, _)) if one != other => return Verdict::ByAnother,
        (Cfa::Deref(..) | Cfa::DerefPlus(..), _) => return Verdict::ByAnother,
        (one, other) if one != other => return Verdict::Wrong,
        _ => {}
    }
    match (table.fp, frame.fp) {
        (one, other) if one == other => Verdict::Same,
        (_, SavedFp::Lost) => Verdict::Lost,
        // It was saved, and is in its register still or again.
        (SavedFp::Same, SavedFp::AtCfa(_)) | (SavedFp::AtCfa(_), SavedFp::Same) => Verdict::Same,
        _ => Verdict::Wrong,
    }
}

#[test]
fn code_tells_what_tables_say() {
    let mut files = Vec::new();
    for folder in ["/usr/lib/x86_64-linux-gnu", "/usr/bin", "/lib64"] {
        let list = fs::read_dir(folder).into_iter().flatten().flatten();
        files.extend(
            list.filter(|file| file.metadata().is_ok_and(|data| data.is_file()))
                .map(|file| file.path().display().to_string()),
        );
    }
    files.sort();
    let most = std::env::var("UNWIND_FILES").ok().and_then(|most| most.parse().ok()).unwrap_or(60);
    // With symbols.
    files.insert(0, std::env::current_exe().unwrap().display().to_string());
    files.retain(|file| fs::read(file).is_ok_and(|bytes| bytes.starts_with(b"\x7fELF")));
    let (mut tally, mut wrong) = (Tally::default(), Vec::new());
    for file in files.iter().take(most) {
        let before = (tally.places, tally.unknown, tally.wrong);
        compare(file, &mut tally, &mut wrong);
        let [places, unknown, wrong] = [tally.places - before.0, tally.unknown - before.1, tally.wrong - before.2];
        println!("{file}: {places} places, {unknown} unknown, {wrong} wrong");
    }
    println!("{tally:?}");
    let some: Vec<_> = wrong.iter().take(60).collect();
    // Tables of hand-written code leave out what it pushes.
    assert!(tally.wrong * 10_000 <= tally.places, "{tally:?} {some:#?}");
    println!("{some:#?}");
}
