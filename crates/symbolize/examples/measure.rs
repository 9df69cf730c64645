//! Prints what the names of the given files cost: `cargo run --release -p pyrope-symbolize --example measure -- FILE…`.
#![expect(clippy::print_stdout, reason = "printing is its purpose")]

use std::fs::File;
use std::time::Instant;

use elf::FileOffset;
use pyrope_symbolize::Symbols;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    for path in std::env::args().skip(1) {
        let start = Instant::now();
        let (symbols, problems) = Symbols::open(File::open(&path)?)?;
        let built = start.elapsed();
        let count = symbols.len();
        println!("{path}: {count} functions, Go: {}, problems: {problems:?}", symbols.is_go());
        println!(
            "  built in {:.1} ms ({:.0} ns each), {} heap bytes ({:.1} each)",
            built.as_secs_f64() * 1e3,
            built.as_nanos() as f64 / count.max(1) as f64,
            symbols.heap_bytes(),
            symbols.heap_bytes() as f64 / count.max(1) as f64,
        );
        let size = std::fs::metadata(&path)?.len();
        let (mut named, mut asked) = (0_u32, 0_u32);
        let start = Instant::now();
        for offset in (0..size).step_by((size / 20_000).max(1) as usize) {
            if symbols.svma(FileOffset(offset)).is_some() {
                asked += 1;
                named += u32::from(symbols.lookup(FileOffset(offset)).is_some());
            }
        }
        println!(
            "  {named} of {asked} places named, {:.0} ns each",
            start.elapsed().as_nanos() as f64 / f64::from(asked.max(1))
        );
    }
    let status = std::fs::read_to_string("/proc/self/status")?;
    status
        .lines()
        .filter(|line| line.starts_with("VmHWM") || line.starts_with("VmRSS"))
        .for_each(|line| println!("{line}"));
    Ok(())
}
