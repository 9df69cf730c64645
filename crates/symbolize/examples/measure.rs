//! Prints what names cost: `cargo run --release -p pyrope-symbolize --example measure -- FILE…`, and of the kernel without
//! a file.
#![expect(clippy::print_stdout, reason = "printing is its purpose")]

use std::error::Error;
use std::fs::File;
use std::io::Read as _;
use std::time::Instant;

use elf::FileOffset;
use pyrope_symbolize::{KernelSymbols, Symbols, kernel};

fn main() -> Result<(), Box<dyn Error>> {
    let paths: Vec<_> = std::env::args().skip(1).collect();
    if paths.is_empty() {
        measure_kernel()?;
    }
    for path in paths {
        measure_file(&path)?;
    }
    let status = std::fs::read_to_string("/proc/self/status")?;
    status
        .lines()
        .filter(|line| line.starts_with("VmHWM") || line.starts_with("VmRSS"))
        .for_each(|line| println!("{line}"));
    Ok(())
}

fn measure_file(path: &str) -> Result<(), Box<dyn Error>> {
    let start = Instant::now();
    let (symbols, problems) = Symbols::open(File::open(path)?)?;
    let built = start.elapsed().as_nanos() as f64;
    let count = symbols.len();
    println!("{path}: {count} functions, Go: {}, problems: {problems:?}", symbols.is_go());
    print_cost(built, count, symbols.heap_bytes());

    let size = std::fs::metadata(path)?.len();
    let (mut named, mut asked) = (0_u32, 0_u32);
    let start = Instant::now();
    for offset in (0..size).step_by((size / 20_000).max(1) as usize) {
        if symbols.svma(FileOffset(offset)).is_some() {
            asked += 1;
            named += u32::from(symbols.lookup(FileOffset(offset)).is_some());
        }
    }
    print_lookups(start, named, asked);
    Ok(())
}

fn measure_kernel() -> Result<(), Box<dyn Error>> {
    let start = Instant::now();
    let mut file = File::open("/proc/kallsyms")?;
    let mut builder = kernel::Builder::new();
    let mut piece = vec![0; 64 << 10];
    loop {
        match file.read(&mut piece)? {
            0 => break,
            count => builder.feed(&piece[..count]),
        }
    }
    let (symbols, problems): (KernelSymbols, _) = builder.finish();
    let built = start.elapsed().as_nanos() as f64;
    println!("kernel: {} functions, problems: {problems:?}", symbols.len());
    print_cost(built, symbols.len(), symbols.heap_bytes());

    let (mut named, mut asked) = (0_u32, 0_u32);
    let start = Instant::now();
    for address in (0xffff_ffff_8100_0000..0xffff_ffff_8200_0000_u64).step_by(777) {
        asked += 1;
        named += u32::from(symbols.lookup(address).is_some());
    }
    print_lookups(start, named, asked);
    Ok(())
}

fn print_cost(nanoseconds: f64, count: usize, heap: usize) {
    let each = count.max(1) as f64;
    let (milliseconds, each_ns, each_bytes) = (nanoseconds / 1e6, nanoseconds / each, heap as f64 / each);
    println!("  built in {milliseconds:.1} ms ({each_ns:.0} ns each), {heap} heap bytes ({each_bytes:.1} each)");
}

fn print_lookups(start: Instant, named: u32, asked: u32) {
    let each = start.elapsed().as_nanos() as f64 / f64::from(asked.max(1));
    println!("  {named} of {asked} places named, {each:.0} ns each");
}
