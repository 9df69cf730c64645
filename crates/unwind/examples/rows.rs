//! What the rows of files cost: `cargo run --release -p pyrope-unwind --example rows FILE…`

use std::fs::File;
use std::io::{self, Write as _};
use std::time::Instant;

use elf::Elf;
use pyrope_unwind::span::Line;
use pyrope_unwind::{Output, Rules, compile};

struct Dropped;

impl Output for Dropped {
    fn span(&mut self, _number: u64, _rows: usize, _lines: &[Line]) {}
}

fn main() -> io::Result<()> {
    let mut out = io::stdout().lock();
    for path in std::env::args().skip(1) {
        let Ok((elf, _)) = Elf::parse(std::sync::Arc::new(File::open(&path)?)) else {
            writeln!(out, "{path}: not an ELF file")?;
            continue;
        };
        let mut rules = Rules::default();
        let begin = Instant::now();
        let summary = compile(&elf, &mut rules, &mut Dropped);
        let seconds = begin.elapsed().as_secs_f64();
        writeln!(
            out,
            "{path}: {} rows of {} rules, {:.2} bytes a row, {:.1} % of the code, {} malformed, {:.1} ms, {:.1} M rows/s",
            summary.rows,
            rules.list().len(),
            (summary.lines * 64 + summary.spans * 4) as f64 / summary.rows as f64,
            summary.covered as f64 / summary.code as f64 * 100.0,
            summary.malformed,
            seconds * 1e3,
            summary.rows as f64 / seconds / 1e6,
        )?;
    }
    Ok(())
}
