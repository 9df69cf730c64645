//! A span that is compiled by itself has the rules that it has when the whole file is compiled.

#![expect(clippy::unwrap_used, reason = "a failure here is the test's")]

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use elf::Elf;
use pyrope_unwind::span::{Line, SPAN_BITS, search};
use pyrope_unwind::{Orders, Output, Rule, Rules, compile, compile_span, spans_of};

#[derive(Default)]
struct Spans(BTreeMap<u64, (usize, Vec<Line>)>);

impl Output for Spans {
    fn span(&mut self, number: u64, rows: usize, lines: &[Line]) {
        assert!(self.0.insert(number, (rows, lines.to_vec())).is_none(), "span {number} twice");
    }
}

impl Spans {
    fn rule(&self, rules: &Rules, number: u64, place: u32) -> Rule {
        let found = self.0.get(&number).map_or(0, |(rows, lines)| search(lines, *rows, place));
        rules.list()[usize::from(found)]
    }
}

/// Compares each place of each span, and gives how many spans there are and how many places differ.
fn compare(path: &Path) -> (usize, u64, u64) {
    let elf = Elf::parse(Arc::new(File::open(path).unwrap())).unwrap().0;
    let (mut whole, mut rules) = (Spans::default(), Rules::default());
    compile(&elf, &mut rules, &mut whole);
    let (mut known, mut lost, mut count) = (0, 0, 0);
    let mut orders = Orders::default();
    for number in spans_of(&elf).into_iter().flatten() {
        let (mut alone, mut own) = (Spans::default(), Rules::default());
        compile_span(&elf, number, &mut orders, &mut own, &mut alone);
        assert!(alone.0.keys().all(|other| *other == number));
        count += 1;
        for place in 0..1 << SPAN_BITS {
            let (expect, found) = (whole.rule(&rules, number, place), alone.rule(&own, number, place));
            // Padding before the first function of the span belongs to no function, and code that no table describes may be
            // understood only by what lies before it.
            if expect != Rule::Unknown && found == Rule::Unknown {
                lost += 1;
            } else {
                assert_eq!(found, expect, "{} span {number} at {place:#x}", path.display());
            }
            known += u64::from(expect != Rule::Unknown);
        }
    }
    (count, known, lost)
}

#[test]
fn each_span_by_itself_is_as_in_the_whole() {
    let folder = tempfile::tempdir().unwrap();
    let go = folder.path().join("program");
    std::fs::write(folder.path().join("main.go"), "package main\nfunc main() { println(1) }\n").unwrap();
    let built = Command::new("go").current_dir(&folder).args(["build", "-o"]).arg(&go).arg("main.go").status();
    assert!(built.unwrap().success());
    // One whose tables are in no order.
    let unordered = folder.path().join("unordered");
    let copied = Command::new("objcopy")
        .args(["--remove-section", ".eh_frame_hdr"])
        .arg(std::env::current_exe().unwrap())
        .arg(&unordered)
        .status();
    assert!(copied.unwrap().success());
    let libc = PathBuf::from("/lib/x86_64-linux-gnu/libc.so.6");
    for path in [std::env::current_exe().unwrap(), unordered, libc, go] {
        let (spans, known, lost) = compare(&path);
        assert!(spans > 20 && known > 100_000, "{}: {spans} spans, {known} places", path.display());
        assert!(lost * 1000 < known, "{}: {lost} of {known} places", path.display());
    }
}
