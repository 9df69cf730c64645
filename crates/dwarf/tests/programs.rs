//! Programs as several compilers make them: each address of their code has the functions, files and lines that the crate
//! `addr2line` gives it.

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use elf::Elf;
use elf::debug_link::AlternateLink;
use pyrope_dwarf::{Dwarf, Files, Index, Table};

/// The files beside a program.
struct Beside<'p>(&'p Path);

impl Files<Arc<File>> for Beside<'_> {
    fn scratch(&self) -> io::Result<File> {
        tempfile::tempfile()
    }

    fn split(&self, path: &[u8]) -> Option<Arc<File>> {
        File::open(Path::new(std::ffi::OsStr::from_bytes(path))).ok().map(Arc::new)
    }

    fn package(&self) -> Option<Arc<File>> {
        File::open(self.0.with_extension("dwp")).ok().map(Arc::new)
    }

    fn alternate(&self, link: &AlternateLink) -> Option<Arc<File>> {
        File::open(self.0.with_file_name(&*link.path)).ok().map(Arc::new)
    }
}

fn parse(program: &Path) -> Elf<Arc<File>> {
    Elf::parse(Arc::new(File::open(program).expect("it is there"))).expect("it is an ELF file").0
}

fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs").join(name)
}

#[track_caller]
fn run(command: &mut Command) {
    let output = command.output().expect("the compiler runs");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Builds a program in a folder of its own.
fn build(compiler: &str, name: &str, options: &[&str]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let program = folder.path().join("program");
    run(Command::new(compiler).current_dir(&folder).arg(source(name)).args(options).arg("-o").arg(&program));
    (folder, program)
}

/// For each address, `function file:line` of what is there and of what that was inlined into, one a line.
type Stack = Vec<(String, String)>;

fn ours(program: &Path, addresses: &[u64]) -> Vec<Stack> {
    let elf = parse(program);
    let dwarf = Dwarf::open(&elf, &elf, &Beside(program)).expect("it can be read").expect("the program has DWARF");
    let index = Index::new(dwarf.index()).expect("it is an index");
    let mut tables = HashMap::new();
    let mut stack = |address: &u64| {
        let unit = index.unit(*address)?;
        let table =
            tables.entry(unit).or_insert_with(|| Table::new(dwarf.table(unit, &Beside(program))?.bytes)).as_ref()?;
        let places = table.lookup(*address);
        Some(places.iter().map(|place| (place.function.to_owned(), format!("{}:{}", place.file, place.line))).collect())
    };
    addresses.iter().map(|address| stack(address).unwrap_or_default()).collect()
}

fn theirs(program: &Path, addresses: &[u64]) -> Vec<Stack> {
    let loader = addr2line::Loader::new(program).expect("it can be read");
    let stack = |address: &u64| {
        let mut stack = Stack::new();
        let mut frames = loader.find_frames(*address).expect("it is understood");
        while let Some(frame) = frames.next().expect("it is understood") {
            let name =
                frame.function.map_or_else(String::new, |name| name.raw_name().expect("it is a name").into_owned());
            let place = frame.location.and_then(|place| Some(format!("{}:{}", place.file?, place.line.unwrap_or(0))));
            stack.push((name, place.unwrap_or_else(|| ":0".to_owned())));
        }
        stack
    };
    addresses.iter().map(stack).collect()
}

/// Every eleventh byte of the code of the functions that the program's own source has.
fn addresses(program: &Path) -> Vec<u64> {
    let elf = parse(program);
    let text = elf.section(".text").expect("it has code");
    (text.address.0..text.address.0 + text.size).step_by(11).collect()
}

#[track_caller]
fn compare(program: &Path) {
    compare_with(program, &theirs(program, &addresses(program)));
}

/// What was said of a program before its debug information was moved.
#[track_caller]
fn compare_with(program: &Path, theirs: &[Stack]) {
    let addresses = addresses(program);
    let ours = ours(program, &addresses);
    let mut different = String::new();
    let mut named = BTreeSet::new();
    for ((address, ours), theirs) in addresses.iter().zip(&ours).zip(theirs) {
        named.extend(ours.iter().map(|(function, _)| function.clone()));
        // What has no mangled name is named here with what it stands in.
        let same_name = |ours: &str, theirs: &str| ours == theirs || ours.ends_with(&format!("::{theirs}"));
        let same = |(ours, theirs): (&(String, String), &(String, String))| {
            same_name(&ours.0, &theirs.0) && ours.1 == theirs.1
        };
        if ours.len() != theirs.len() || !ours.iter().zip(theirs).all(same) {
            different.push_str(&format!("{address:#x}\n  ours   {ours:?}\n  theirs {theirs:?}\n"));
        }
    }
    assert!(named.len() >= 4, "only {named:?}");
    assert!(different.is_empty(), "{different}");
}

#[test]
fn plain_c() {
    for options in [&["-g", "-O2"][..], &["-g", "-O0"], &["-gdwarf-4", "-O2"], &["-g1", "-O2"], &["-g", "-O2", "-flto"]]
    {
        compare(&build("cc", "plain.c", options).1);
    }
}

#[test]
fn cpp_by_both_compilers() {
    for compiler in ["g++", &clang()] {
        for options in [&["-g", "-O2"][..], &["-g", "-O0"], &["-gdwarf-4", "-O2", "-ffunction-sections"]] {
            compare(&build(compiler, "inlined.cpp", options).1);
        }
    }
}

/// The clang that the Makefile found, as C++ compiler.
fn clang() -> String {
    let named = std::env::var("CLANG").ok().map(|clang| clang.replacen("clang", "clang++", 1));
    let versions = (14..=30).rev().map(|version| format!("clang++-{version}"));
    let mut all = named.into_iter().chain(["clang++-19".to_owned()]).chain(versions).chain(["clang++".to_owned()]);
    let runs = |name: &String| Command::new(name).arg("--version").output().is_ok_and(|output| output.status.success());
    all.find(runs).expect("a clang++")
}

#[test]
fn rust() {
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    for options in [&["-g", "-O"][..], &["-g"], &["-g", "-O", "-Csymbol-mangling-version=v0", "-Cdwarf-version=5"]] {
        compare(&build(&rustc, "inlined.rs", options).1);
    }
}

#[test]
fn split_files() {
    for version in ["-gdwarf-4", "-gdwarf-5"] {
        for compiler in ["cc", "g++"] {
            let program = if compiler == "cc" { "plain.c" } else { "inlined.cpp" };
            compare(&build(compiler, program, &[version, "-O2", "-gsplit-dwarf"]).1);
        }
    }
}

#[test]
fn a_split_file_of_another_build_is_not_believed() {
    for version in ["-gdwarf-4", "-gdwarf-5"] {
        let (folder, program) = build("cc", "plain.c", &[version, "-O2", "-gsplit-dwarf"]);
        let named = || {
            let stacks = ours(&program, &addresses(&program));
            stacks.iter().flatten().any(|(function, _)| function == "inner")
        };
        assert!(named());
        let files =
            || folder.path().read_dir().expect("it is there").map(|entry| entry.expect("it can be read").path());
        let dwo = files().find(|path| path.extension().is_some_and(|end| end == "dwo")).expect("the compiler made it");
        run(Command::new("cc")
            .current_dir(&folder)
            .args([version, "-O0", "-gsplit-dwarf", "-Dprintf=puts_of_another", "-w", "-c", "-o"])
            .arg(dwo.with_extension("o"))
            .arg(source("plain.c")));
        assert!(!named());
    }
}

#[test]
fn split_files_in_a_package() {
    // LLVM's packer does not come to an end with what GCC makes of C in DWARF 5.
    let (gcc, clang) = (["cc".to_owned(), "g++".to_owned()], [clang().replacen("clang++", "clang", 1), clang()]);
    for (version, packer, [c, cpp]) in [("-gdwarf-4", llvm_dwp(), &gcc), ("-gdwarf-5", llvm_dwp(), &clang)] {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let program = folder.path().join("program");
        let here = |name: &str| {
            let mut command = Command::new(name);
            command.current_dir(&folder);
            command
        };
        // Two units, so that each has a place of its own in the package.
        for (compiler, unit, name) in [(c, "one", "plain.c"), (cpp, "two", "inlined.cpp")] {
            let renamed = format!("-Dmain={unit}_main");
            run(here(compiler)
                .args([version, "-O2", "-gsplit-dwarf", "-c", &renamed, "-o"])
                .arg(format!("{unit}.o"))
                .arg(source(name)));
        }
        std::fs::write(folder.path().join("main.c"), "int one_main(void);\nint main(void) { return one_main(); }\n")
            .expect("it can be written");
        run(here("cc").args(["-c", "main.c"]));
        run(here("g++").args(["main.o", "one.o", "two.o", "-o", "program"]));
        let theirs = theirs(&program, &addresses(&program));
        run(here(&packer).args(["one.dwo", "two.dwo", "-o", "program.dwp"]));
        for unit in ["one.dwo", "two.dwo"] {
            std::fs::remove_file(folder.path().join(unit)).expect("it is there");
        }
        compare_with(&program, &theirs);
    }
}

/// LLVM's packer, which knows DWARF 5; binutils' does not.
fn llvm_dwp() -> String {
    let all =
        ["llvm-dwp-19".to_owned()].into_iter().chain((14..=30).rev().map(|version| format!("llvm-dwp-{version}")));
    let runs = |name: &String| Command::new(name).arg("--version").output().is_ok_and(|output| output.status.success());
    all.chain(["llvm-dwp".to_owned()]).find(runs).expect("an llvm-dwp")
}

#[test]
fn what_several_programs_have_in_common_in_a_file_of_its_own() {
    for version in ["-gdwarf-4", "-gdwarf-5"] {
        let (folder, program) = build("g++", "inlined.cpp", &[version, "-g", "-O2"]);
        let second = folder.path().join("second");
        run(Command::new("g++").args([version, "-g", "-O1", "-o"]).arg(&second).arg(source("inlined.cpp")));
        let theirs = theirs(&program, &addresses(&program));
        run(Command::new("dwz").current_dir(&folder).args(["-m", "common.debug", "program", "second"]));
        assert!(parse(&program).alternate_link().is_some(), "dwz found nothing in common");
        compare_with(&program, &theirs);
    }
}

#[test]
fn a_section_that_claims_to_be_huge_is_not_unpacked() {
    use std::os::unix::fs::FileExt as _;
    let (_folder, program) = build("g++", "inlined.cpp", &["-g", "-O2"]);
    run(Command::new("objcopy").arg("--compress-debug-sections=zlib").arg(&program));
    let elf = parse(&program);
    let header = elf.section(".debug_info").expect("it has one").offset.0;
    let file = File::options().write(true).open(&program).expect("it can be written");
    file.write_all_at(&(2_u64 << 30).to_le_bytes(), header + 8).expect("it can be written");
    assert!(Dwarf::open(&elf, &elf, &Beside(&program)).is_err());
}

#[test]
fn compressed_sections() {
    for kind in ["zlib", "zstd"] {
        let (_folder, program) = build("g++", "inlined.cpp", &["-g", "-O2"]);
        run(Command::new("objcopy").arg(format!("--compress-debug-sections={kind}")).arg(&program));
        compare(&program);
    }
}

/// Numbers that look random and are the same each time.
fn numbers() -> impl FnMut(usize) -> usize {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    move |below| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    }
}

struct Nothing;

impl Files<Arc<Vec<u8>>> for Nothing {
    fn scratch(&self) -> io::Result<File> {
        tempfile::tempfile()
    }

    fn split(&self, _: &[u8]) -> Option<Arc<Vec<u8>>> {
        None
    }

    fn alternate(&self, _: &AlternateLink) -> Option<Arc<Vec<u8>>> {
        None
    }
}

#[test]
fn damaged_bytes_end_what_they_are_in_and_no_more() {
    let mut number = numbers();
    for (compiler, name) in [("cc", "plain.c"), ("g++", "inlined.cpp"), (&*clang(), "inlined.cpp")] {
        let (_folder, program) = build(compiler, name, &["-g", "-O2"]);
        let addresses: Vec<u64> = addresses(&program).into_iter().step_by(5).collect();
        let whole = std::fs::read(&program).expect("it is there");
        let sections: Vec<(usize, usize)> = parse(&program)
            .sections()
            .iter()
            .filter(|section| section.name.starts_with(".debug_") && section.size > 0)
            .map(|section| (section.offset.0 as usize, section.size as usize))
            .collect();
        for _ in 0..150 {
            let mut bytes = whole.clone();
            for _ in 0..=number(20) {
                let (start, size) = sections[number(sections.len())];
                bytes[start + number(size)] = [0, 1, 0x7f, 0x80, 0xff, number(256) as u8][number(6)];
            }
            let elf = Elf::parse(Arc::new(bytes)).expect("it is an ELF file").0;
            let Ok(Some(dwarf)) = Dwarf::open(&elf, &elf, &Nothing) else { continue };
            let index = Index::new(dwarf.index()).expect("it is an index");
            let mut tables = HashMap::new();
            for address in &addresses {
                let Some(unit) = index.unit(*address) else { continue };
                let table = tables.entry(unit).or_insert_with(|| Table::new(dwarf.table(unit, &Nothing)?.bytes));
                let _ = table.as_ref().map(|table| table.lookup(*address));
            }
        }
    }
}
