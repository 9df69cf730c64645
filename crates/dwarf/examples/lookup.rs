//! Reads the DWARF of a file, and says how long it takes and what it knows of addresses given in hexadecimal digits.

use std::error::Error;
use std::fs::File;
use std::io::{self, Write as _};
use std::sync::Arc;
use std::time::Instant;

use elf::Elf;
use elf::debug_link::AlternateLink;
use pyrope_dwarf::{Dwarf, Files, Index, Table};

struct Alone;

impl Files<Arc<File>> for Alone {
    fn scratch(&self) -> io::Result<File> {
        tempfile::tempfile()
    }

    fn split(&self, _: &[u8]) -> Option<Arc<File>> {
        None
    }

    fn alternate(&self, link: &AlternateLink) -> Option<Arc<File>> {
        File::open(&*link.path).ok().map(Arc::new)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut out = io::stdout().lock();
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("lookup FILE ADDRESS…")?;
    let started = Instant::now();
    let elf = Elf::parse(Arc::new(File::open(path)?))?.0;
    let dwarf = Dwarf::open(&elf, &elf, &Alone)?.ok_or("the file has no DWARF")?;
    let index = Index::new(dwarf.index()).ok_or("the index is none")?;
    writeln!(out, "index: {:?}, {} bytes", started.elapsed(), index.bytes().len())?;
    for address in arguments {
        let address = u64::from_str_radix(&address, 16)?;
        let started = Instant::now();
        let table = index.unit(address).and_then(|unit| Table::new(dwarf.table(unit, &Alone)?.bytes));
        let Some(table) = table else { continue };
        writeln!(out, "{address:#x}: table of {} bytes in {:?}", table.bytes().len(), started.elapsed())?;
        for place in table.lookup(address) {
            writeln!(out, "  {} {}:{}", place.function, place.file, place.line)?;
        }
    }
    let text = std::fs::read_to_string("/proc/self/status")?;
    writeln!(out, "{}", text.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default())?;
    Ok(())
}
