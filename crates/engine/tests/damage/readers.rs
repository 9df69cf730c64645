//! What reads files of others, each over all that it can be asked.

use std::fs::File;
use std::io;

use dwarf::Files;
use elf::debug_link::AlternateLink;
use elf::{Elf, FileOffset, GoInlines, Pclntab, Svma};
use inspect::maps::Maps;
use symbolize::{PerfMap, Sources, Symbols, demangle, kernel};
use unwind::span::Line;
use unwind::{Output, Rules};

use crate::image::Image;

/// Reads a file, with one that has more about it, and is asked about some addresses.
pub(crate) type Reader = fn(&Image<'_>, Option<&Image<'_>>, &[u64]);

/// Of programs and libraries.
pub(crate) const OF_PROGRAMS: &[(&str, Reader)] = &[
    ("elf", read_elf),
    ("unwind", read_rows),
    ("symbols", read_symbols),
    ("mini", read_mini),
    ("sources", read_sources),
];
/// Of perf maps.
pub(crate) const OF_PERF_MAPS: &[(&str, Reader)] = &[("perf map", read_perf_map)];
/// Of the kernel's list of symbols.
pub(crate) const OF_KALLSYMS: &[(&str, Reader)] = &[("kallsyms", read_kallsyms)];
/// Of the mappings of a process.
pub(crate) const OF_MAPS: &[(&str, Reader)] = &[("maps", read_maps)];
/// Of other small files about a process.
pub(crate) const OF_FACTS: &[(&str, Reader)] = &[("facts", read_facts)];
/// Of lists of mangled names.
pub(crate) const OF_NAMES: &[(&str, Reader)] = &[("demangle", read_names)];

fn read_elf(file: &Image<'_>, _: Option<&Image<'_>>, addresses: &[u64]) {
    let Ok((elf, _)) = Elf::parse(file.clone()) else { return };
    let _ = (elf.build_id(), elf.has_go_note(), elf.debug_link(), elf.alternate_link());
    if let Some(table) = elf.function_table().0 {
        let mut last = None;
        elf.for_each_function(&table, |function| last = Some(function.name));
        let _ = last.map(|name| table.name(elf.reader(), name));
    }
    if let Some(go) = Pclntab::find(&elf).0 {
        let inlines = GoInlines::find(&elf, &go);
        for &address in addresses {
            let _ = inlines.as_ref().map(|inlines| go.calls(elf.reader(), inlines, Svma(address)));
            let _ = go.lookup(elf.reader(), Svma(address));
        }
    }
}

/// Rows that are thrown away.
struct Ascending(Option<u64>);

impl Output for Ascending {
    fn span(&mut self, number: u64, rows: usize, lines: &[Line]) {
        assert!(self.0.is_none_or(|last| last < number), "span {number} after {:?}", self.0);
        assert!(rows > 0 && !lines.is_empty());
        self.0 = Some(number);
    }
}

fn read_rows(file: &Image<'_>, _: Option<&Image<'_>>, _: &[u64]) {
    if let Ok((elf, _)) = Elf::parse(file.clone()) {
        unwind::compile(&elf, &mut Rules::default(), &mut Ascending(None));
    }
}

fn read_symbols(file: &Image<'_>, beside: Option<&Image<'_>>, addresses: &[u64]) {
    let Ok((symbols, _)) = Symbols::open_with(file.clone(), beside.cloned()) else { return };
    for &address in addresses {
        let offset = FileOffset(address & 0xff_ffff);
        let (symbol, _) = (symbols.lookup(offset), symbols.start(offset));
        let _ = symbol.map(|symbol| demangle(&symbol.name, symbolize::Mode::Full).len());
    }
}

fn read_mini(file: &Image<'_>, _: Option<&Image<'_>>, addresses: &[u64]) {
    let Ok((elf, _)) = Elf::parse(file.clone()) else { return };
    let Ok(Some(names)) = symbolize::mini::unpack(&elf, tempfile::tempfile) else { return };
    let Ok((symbols, _)) = Symbols::open(names) else { return };
    for &address in addresses {
        let _ = symbols.lookup(FileOffset(address & 0xff_ffff));
    }
}

/// The only file beside.
struct Beside<'a>(Option<Image<'a>>);

impl<'a> Files<Image<'a>> for Beside<'a> {
    fn scratch(&self) -> io::Result<File> {
        tempfile::tempfile()
    }

    fn split(&self, _: &[u8]) -> Option<Image<'a>> {
        self.0.clone()
    }

    fn alternate(&self, _: &AlternateLink) -> Option<Image<'a>> {
        self.0.clone()
    }
}

fn read_sources<'a>(file: &Image<'a>, beside: Option<&Image<'a>>, addresses: &[u64]) {
    let files = Beside(beside.cloned());
    // What is beside is what was stripped, or what the file's DWARF refers to.
    for stripped in [None, beside] {
        let Ok(Some(mut sources)) = Sources::open(file, stripped, &files) else { continue };
        for &address in addresses {
            sources.lookup(Svma(address), &files, None, true);
        }
    }
}

fn read_perf_map(file: &Image<'_>, _: Option<&Image<'_>>, addresses: &[u64]) {
    let mut map = PerfMap::new();
    for inode in [1, 1, 2] {
        while map.update(file.clone(), (1, inode)) {}
        for &address in addresses {
            let _ = map.lookup(address);
        }
    }
}

fn read_kallsyms(file: &Image<'_>, _: Option<&Image<'_>>, addresses: &[u64]) {
    let mut builder = kernel::Builder::new();
    for piece in file.bytes().chunks(4096) {
        builder.feed(piece);
    }
    let symbols = builder.finish().0;
    for &address in addresses {
        let _ = symbols.lookup(address);
    }
}

fn read_maps(file: &Image<'_>, _: Option<&Image<'_>>, _: &[u64]) {
    let mut maps = Maps::new(file.bytes());
    for mapping in maps.by_ref() {
        let _ = (mapping.is_executable(), mapping.is_file(), mapping.is_vdso(), mapping.is_deleted(), mapping.path());
    }
    let _ = (maps.malformed(), inspect::maps::executable(file.bytes()).count());
}

fn read_facts(file: &Image<'_>, _: Option<&Image<'_>>, _: &[u64]) {
    let bytes = file.bytes();
    let _ = inspect::stat::parse(bytes).map(|stat| stat.has_ended());
    let _ = inspect::status::parse(bytes);
    let _ = inspect::users::Users::parse(bytes).name(0);
    let _ = inspect::namespace::inode(bytes);
    let text = String::from_utf8_lossy(bytes);
    let _ = (inspect::cgroup::container_id(&text), inspect::cgroup::joined(&text));
    let _ = inspect::cgroup::path(&text).map(inspect::cgroup::systemd_unit);
}

fn read_names(file: &Image<'_>, _: Option<&Image<'_>>, _: &[u64]) {
    for name in String::from_utf8_lossy(file.bytes()).lines() {
        for mode in [symbolize::Mode::Simplified, symbolize::Mode::Templates, symbolize::Mode::Full] {
            let _ = demangle(name, mode).len();
        }
    }
}
