//! Files made by the system's C compiler and linker.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;
use std::process::Command;

use object::{Object as _, ObjectSymbol as _};
use proptest::prelude::*;
use pyrope_elf::symbols::Names;
use pyrope_elf::{BuildId, Elf, FileOffset, Pclntab, Problem, ReadAt, Svma};

use crate::built::{Folder, bytes, run};

const SOURCE: &str = r#"
__attribute__((noinline)) static int quiet(int x) { return x * 3; }
int loud(int x) { return quiet(x) + 1; }
__attribute__((weak)) int soft(int x) { return x; }
int second(int) __attribute__((alias("loud")));
static int (*choose(void))(int) { return loud; }
int chosen(int) __attribute__((ifunc("choose")));
__asm__(".text\n.globl bare_label\nbare_label:\n nop\n nop\n ret\n");
int data = 1;
int main(int argc, char **argv) { return loud(argc) + soft(data) + chosen(1); }
"#;

fn open(path: &Path) -> Elf<File> {
    let (elf, problems) = Elf::parse(File::open(path).unwrap()).unwrap();
    assert_eq!(problems, []);
    elf
}

/// Each function as (address, size, name).
fn functions<R: ReadAt>(elf: &Elf<R>) -> BTreeSet<(u64, u64, String)> {
    let (table, problems) = elf.function_table();
    assert_eq!(problems, []);
    let Some(table) = table else { return BTreeSet::new() };
    let mut names = Names::new(table, elf.reader());
    let mut found = BTreeSet::new();
    elf.for_each_function(&table, |function| {
        let name = String::from_utf8(names.get(function.name).unwrap().to_vec()).unwrap();
        assert_eq!(table.name(elf.reader(), function.name).unwrap(), name.as_bytes());
        found.insert((function.address.0, function.size, name));
    });
    found
}

fn names<R: ReadAt>(elf: &Elf<R>) -> Vec<String> {
    functions(elf).into_iter().map(|(_, _, name)| name).collect()
}

#[test]
fn every_kind_of_function_is_seen() {
    let folder = Folder::new();
    let elf = open(&folder.cc(SOURCE, &["-O1"], "program"));
    let seen = names(&elf);
    for name in ["quiet", "loud", "second", "soft", "chosen", "bare_label", "main", "_start"] {
        assert!(seen.iter().any(|seen| seen == name), "{name} in {seen:?}");
    }
    assert!(!seen.iter().any(|seen| seen == "data"), "{seen:?}");
    assert_eq!(Pclntab::find(&elf), (None, Vec::new()));
}

#[track_caller]
fn check_against_object(path: &Path) {
    let image = bytes(path);
    let file = object::File::parse(&*image).unwrap();
    let complete = file.symbols().next().is_some();
    let of_object = |symbol: object::Symbol<'_, '_>| {
        let name = symbol.name().unwrap().split('@').next().unwrap().to_owned();
        let object::SymbolFlags::Elf { st_info, .. } = symbol.flags() else { panic!("not ELF") };
        let function = matches!(st_info.st_type(), object::elf::STT_FUNC | object::elf::STT_GNU_IFUNC);
        (function && !symbol.is_undefined()).then_some((symbol.address(), symbol.size(), name))
    };
    let expect: BTreeSet<_> = if complete {
        file.symbols().filter_map(of_object).collect()
    } else {
        file.dynamic_symbols().filter_map(of_object).collect()
    };
    let elf = open(path);
    // Labels without a type are seen by us alone.
    let mut typed = BTreeSet::new();
    let (table, _) = elf.function_table();
    let table = table.unwrap();
    elf.for_each_function(&table, |function| {
        if function.typed {
            let name = String::from_utf8(table.name(elf.reader(), function.name).unwrap()).unwrap();
            typed.insert((function.address.0, function.size, name));
        }
    });
    assert_eq!(table.complete, complete);
    assert!(typed.len() > 3, "{} functions", typed.len());
    assert_eq!(typed, expect);
}

#[test]
fn functions_are_those_that_the_object_crate_sees() {
    let folder = Folder::new();
    check_against_object(&folder.cc(SOURCE, &["-O1"], "program"));
    check_against_object(&folder.cc(SOURCE, &["-O1", "-no-pie"], "fixed"));
    check_against_object(&folder.cc(SOURCE, &["-O1", "-shared", "-fPIC", "-s"], "stripped.so"));
    check_against_object(&std::env::current_exe().unwrap());
}

#[test]
fn offsets_and_addresses_lead_to_each_other() {
    let folder = Folder::new();
    let elf = open(&folder.cc(SOURCE, &["-O1"], "program"));
    for (address, _, name) in functions(&elf) {
        let offset = elf.file_offset(Svma(address)).unwrap();
        assert_eq!(elf.svma(offset), Some(Svma(address)), "{name}");
    }
    assert_eq!(elf.file_offset(Svma(u64::MAX)), None);
    assert_eq!(elf.svma(FileOffset(u64::MAX)), None);
    let bss = elf.section(".bss").unwrap();
    assert_eq!(elf.file_offset(Svma(bss.address.0 + bss.size - 1)), None);
}

#[test]
fn a_build_id_is_found_by_segment_and_by_section() {
    let folder = Folder::new();
    let path = folder.cc(SOURCE, &["-Wl,--build-id=0xDEADBEEF01"], "program");
    let expect = Some(BuildId::Gnu([0xde, 0xad, 0xbe, 0xef, 1].into()));
    assert_eq!(open(&path).build_id(), expect);
    assert_eq!(without_sections(&path).build_id(), expect);
    assert_eq!(without_segments(&path).build_id(), expect);
    let none = folder.cc(SOURCE, &["-Wl,--build-id=none"], "none");
    assert_eq!(open(&none).build_id(), None);
}

fn without_sections(path: &Path) -> Elf<Vec<u8>> {
    let mut image = bytes(path);
    image[0x28..0x30].fill(0);
    image[0x3c..0x40].fill(0);
    Elf::parse(image).unwrap().0
}

fn without_segments(path: &Path) -> Elf<Vec<u8>> {
    let mut image = bytes(path);
    image[0x38..0x3a].fill(0);
    Elf::parse(image).unwrap().0
}

#[test]
fn without_sections_the_dynamic_segment_leads_to_the_functions() {
    let folder = Folder::new();
    for style in ["gnu", "sysv", "both"] {
        let style = format!("-Wl,--hash-style={style}");
        let path = folder.cc(SOURCE, &["-O1", "-shared", "-fPIC", "-s", &style], "library.so");
        let expect: BTreeSet<_> =
            functions(&open(&path)).into_iter().filter(|(_, _, name)| name != "bare_label").collect();
        assert!(expect.len() >= 4);
        assert_eq!(functions(&without_sections(&path)), expect, "{style}");
    }
}

#[test]
fn a_debug_link_names_the_file_and_its_checksum() {
    let folder = Folder::new();
    let program = folder.cc(SOURCE, &["-g"], "program");
    let debug = folder.path("program.debug");
    run(Command::new("objcopy").arg("--only-keep-debug").arg(&program).arg(&debug));
    run(Command::new("objcopy").arg("--strip-all").arg("--add-gnu-debuglink").arg(&debug).arg(&program));

    let link = open(&program).debug_link().unwrap();
    assert_eq!((&*link.name, link.checksum), ("program.debug", crc32(&bytes(&debug))));
    assert_eq!(open(&debug).debug_link(), None);
    assert_eq!(open(&program).alternate_link(), None);
    assert!(names(&open(&debug)).contains(&"quiet".to_owned()), "a debug file names functions it has no code of");
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg()))
    })
}

/// Asks everything that can be asked of bytes.
fn exercise(image: &[u8]) {
    let Ok((elf, _)) = Elf::parse(image) else { return };
    let _ = (elf.build_id(), elf.has_go_note(), elf.debug_link(), elf.alternate_link());
    if let (Some(table), _) = elf.function_table() {
        let mut names = Names::new(table, image);
        elf.for_each_function(&table, |function| {
            let _ = names.get(function.name);
            let _ = elf.file_offset(function.address).and_then(|offset| elf.svma(offset));
        });
    }
    if let (Some(table), _) = Pclntab::find(&elf) {
        for distance in [0, 1, 77, 4096] {
            let _ = table.lookup(&image, Svma(table.range().0.0.wrapping_add(distance)));
        }
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_do_no_harm(mut bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        exercise(&bytes);
        if bytes.len() > 6 {
            bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
            exercise(&bytes);
            bytes[4] = 1;
            exercise(&bytes);
        }
    }
}

/// A file of a terabyte that takes no room, with tables as long as itself.
#[test]
fn a_file_of_holes_does_not_take_for_ever() {
    let folder = Folder::new();
    let mut image = bytes(&folder.cc(SOURCE, &["-O1", "-rdynamic"], "program"));
    let sections = usize::try_from(u64::from_le_bytes(image[0x28..0x30].try_into().unwrap())).unwrap();
    let path = folder.path("holes");
    let many = (1_u64 << 39).to_le_bytes();
    let (mut large_symbols, mut large_count) = (image.clone(), image.clone());
    for section in (sections..image.len()).step_by(64).filter(|section| section + 64 <= image.len()) {
        if image[section + 4] == 2 || image[section + 4] == 11 {
            large_symbols[section + 32..section + 40].copy_from_slice(&many);
        }
    }
    // No number of sections in the header means that the first section has it.
    large_count[0x3c..0x3e].fill(0);
    large_count[sections + 32..sections + 40].copy_from_slice(&many);
    image[0x28..0x30].fill(0);
    let start = std::time::Instant::now();
    for image in [large_symbols, large_count, image] {
        std::fs::write(&path, image).unwrap();
        let file = File::options().write(true).read(true).open(&path).unwrap();
        file.set_len(1 << 40).unwrap();
        let (elf, mut problems) = Elf::parse(file).unwrap();
        let (table, more) = elf.function_table();
        problems.extend(more);
        let mut seen = 0;
        if let Some(table) = table {
            elf.for_each_function(&table, |_| seen += 1);
        }
        let _ = Pclntab::find(&elf);
        assert!(
            problems.iter().any(|p| matches!(p, Problem::TooMany { .. })) || elf.sections().is_empty(),
            "{problems:?}"
        );
        assert!(seen >= 4, "{seen}");
    }
    assert!(start.elapsed() < std::time::Duration::from_secs(60));
}

#[test]
fn a_damaged_file_does_no_harm() {
    let folder = Folder::new();
    let whole = bytes(&folder.cc(SOURCE, &["-O1"], "program"));
    let sections = usize::try_from(u64::from_le_bytes(whole[0x28..0x30].try_into().unwrap())).unwrap();
    let interesting: Vec<usize> = (0..0x400).chain(sections..whole.len()).collect();
    proptest!(|(damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), any::<bool>()), 1..8), end: prop::sample::Index)| {
        let mut image = whole.clone();
        for (at, value, anywhere) in damage {
            let at = if anywhere { at.index(image.len()) } else { *at.get(&interesting) };
            image[at] = value;
        }
        exercise(&image);
        exercise(&image[..end.index(image.len())]);
    });
}
