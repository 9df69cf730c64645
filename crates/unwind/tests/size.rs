//! How much room rows take in the kernel, over real files.

use std::fs::{self, File};
use std::path::PathBuf;
use std::sync::Arc;

use elf::Elf;
use pyrope_unwind::span::Line;
use pyrope_unwind::{Output, Rules, compile};

struct Dropped;

impl Output for Dropped {
    fn span(&mut self, _number: u64, _rows: usize, _lines: &[Line]) {}
}

/// The largest programs and libraries of the machine, but none that takes long to read.
fn files() -> Vec<PathBuf> {
    let folders = ["/usr/bin", "/usr/lib/x86_64-linux-gnu", "/usr/lib64"];
    let entries = folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().filter_map(Result::ok);
    let mut files: Vec<(u64, PathBuf)> = entries
        .filter_map(|entry| Some((fs::metadata(entry.path()).ok().filter(|file| file.is_file())?.len(), entry.path())))
        .filter(|(bytes, _)| (100_000..20_000_000).contains(bytes))
        .collect();
    files.sort_unstable_by(|one, other| other.cmp(one));
    files.dedup();
    files.truncate(60);
    files.into_iter().map(|(_, path)| path).collect()
}

#[test]
fn a_row_takes_no_more_than_four_and_a_half_bytes_or_so() {
    let (mut rows, mut bytes, mut read) = (0, 0, 0);
    for path in files() {
        let Ok((elf, _)) = Elf::parse(Arc::new(File::open(&path).unwrap())) else { continue };
        let summary = compile(&elf, &mut Rules::default(), &mut Dropped);
        rows += summary.rows;
        // Lines of rows, and a pointer for each span.
        bytes += summary.lines * 64 + summary.spans * 4;
        read += 1;
    }
    let each = bytes as f64 / rows as f64;
    println!("{rows} rows of {read} files: {each:.3} bytes a row");
    assert!(read >= 10 && rows > 200_000, "{rows} rows of {read} files are too few to tell");
    assert!(each <= 4.6, "{each:.3} bytes a row");
}
