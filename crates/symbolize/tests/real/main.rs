//! Names in files that real compilers made, asked for at addresses that the running programs print.

#![expect(clippy::unwrap_used, reason = "a failure here is the test's")]

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use elf::{FileOffset, ReadAt};
use inspect::maps::{self, Avma};
use pyrope_symbolize::demangle::{Mode, demangle};
use pyrope_symbolize::{Symbol, Symbols};
use tempfile::TempDir;

mod mini;

/// A program that the test builds in a folder of its own.
struct Built {
    folder: TempDir,
    program: PathBuf,
}

impl Built {
    #[track_caller]
    fn new(source: &str, file: &str, compiler: &str, arguments: &[&str]) -> Self {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join(file), source).unwrap();
        let program = folder.path().join("program");
        let mut command = Command::new(compiler);
        command.current_dir(folder.path()).args(arguments).arg("-o").arg(&program).arg(file);
        run(&mut command);
        Self { folder, program }
    }

    fn symbols(&self) -> Symbols<File> {
        open(&self.program)
    }

    /// The words that the program prints.
    fn output(&self) -> Vec<String> {
        run(&mut Command::new(&self.program)).split_whitespace().map(str::to_owned).collect()
    }

    /// Places in the file, as the program prints them.
    fn places(&self) -> Vec<FileOffset> {
        self.output().iter().map(|word| FileOffset(u64::from_str_radix(word, 16).unwrap())).collect()
    }
}

#[track_caller]
fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[track_caller]
fn open(path: &Path) -> Symbols<File> {
    let (symbols, problems) = Symbols::open(File::open(path).unwrap()).unwrap();
    assert_eq!(problems, []);
    symbols
}

fn name<R: ReadAt>(symbols: &Symbols<R>, place: FileOffset) -> Option<String> {
    symbols.lookup(place).map(|symbol| symbol.name)
}

/// `PLACE(p)` prints where in the program's file the byte at `p` is.
const PLACE: &str = r#"
#include <stdio.h>
static void place(const void *p) {
    FILE *maps = fopen("/proc/self/maps", "r");
    char line[4096];
    unsigned long start, end, offset, at = (unsigned long)p;
    while (fgets(line, sizeof line, maps))
        if (sscanf(line, "%lx-%lx %*s %lx", &start, &end, &offset) == 3 && start <= at && at < end)
            printf("%lx\n", at - start + offset);
    fclose(maps);
}
"#;

#[test]
fn functions_of_c() {
    let source = format!(
        r#"{PLACE}
        __attribute__((noinline)) static int quiet(int x) {{ __asm__(""); return x * 3; }}
        __attribute__((noinline)) int __loud(int x) {{ __asm__(""); return quiet(x) + 1; }}
        int loud(int) __attribute__((alias("__loud")));
        int weak_loud(int) __attribute__((weak, alias("__loud")));
        extern char bare[], bare_end[], inner[], outer[];
        __asm__(".text\n.p2align 4\nbare:\n nop\n nop\n.globl bare_end\nbare_end:\n ret\n"
                ".globl outer\n.type outer,@function\nouter:\n nop\ninner:\n nop\n ret\n.size outer, .-outer\n"
                ".globl inner\n");
        int main(void) {{
            place((char *)quiet + 1); place(loud); place(bare); place(bare + 1); place(bare_end);
            place(inner); place((char *)main + 5);
        }}"#
    );
    for arguments in [&["-O1"][..], &["-O1", "-no-pie"], &["-O0", "-static"]] {
        let built = Built::new(&source, "program.c", "cc", arguments);
        let symbols = built.symbols();
        let names: Vec<_> = built.places().into_iter().map(|place| name(&symbols, place).unwrap()).collect();
        assert_eq!(names, ["quiet", "loud", "bare", "bare", "bare_end", "outer", "main"], "{arguments:?}");
    }
}

#[test]
fn names_that_were_stripped_into_a_file_beside_are_found_there() {
    let source = format!(
        r#"{PLACE}
        __attribute__((noinline)) static int quiet(int x) {{ __asm__(""); return x * 3; }}
        int main(void) {{ place((char *)quiet + 1); place((char *)main + 5); return quiet(0); }}"#
    );
    let built = Built::new(&source, "program.c", "cc", &["-O1", "-g", "-Wl,--build-id=sha1"]);
    let debug = built.folder.path().join("debug");
    run(Command::new("objcopy").arg("--only-keep-debug").arg(&built.program).arg(&debug));
    run(Command::new("strip").arg(&built.program));
    let names = |beside: Option<&Path>| {
        let beside = beside.map(|path| File::open(path).unwrap());
        let (symbols, _) = Symbols::open_with(File::open(&built.program).unwrap(), beside).unwrap();
        built.places().into_iter().map(|place| name(&symbols, place)).collect::<Vec<_>>()
    };
    let both = [Some("quiet".to_owned()), Some("main".to_owned())];
    assert_eq!(names(Some(&debug)), both);
    assert_eq!(names(None), [None, None]);
    // That of another build is not believed.
    let other = Built::new(
        "int quiet(void) { return 2; } int main(void) { return quiet(); }",
        "program.c",
        "cc",
        &["-g", "-Wl,--build-id=sha1"],
    );
    assert_eq!(names(Some(&other.program)), [None, None]);
}

#[test]
fn what_is_outside_of_every_function_has_no_name() {
    let built = Built::new("int main(void) { return 0; }", "program.c", "cc", &["-O1"]);
    let symbols = built.symbols();
    let size = fs::metadata(&built.program).unwrap().len();
    for place in [FileOffset(0), FileOffset(size - 1), FileOffset(size), FileOffset(u64::MAX)] {
        assert_eq!(symbols.lookup(place), None, "{place}");
    }
    run(Command::new("strip").arg(&built.program));
    let stripped = built.symbols();
    assert!(stripped.is_empty(), "a program has nothing to export");
}

#[test]
fn a_stripped_library_has_the_names_it_exports() {
    let source = "int inside(int x) { return x; } int exported(int x) { return inside(x) + 1; }";
    let built = Built::new(source, "library.c", "cc", &["-O1", "-shared", "-fPIC", "-s"]);
    let symbols = built.symbols();
    assert!(symbols.len() >= 2);
    assert!(symbols.heap_bytes() <= 12 * symbols.len() + 200);
    let size = fs::metadata(&built.program).unwrap().len();
    let names: std::collections::BTreeSet<_> = (0..size).filter_map(|at| name(&symbols, FileOffset(at))).collect();
    assert!(names.contains("inside") && names.contains("exported"), "{names:?}");
}

#[test]
fn functions_of_cpp_in_every_mode() {
    let source = format!(
        r#"{PLACE}
        #include <vector>
        namespace {{ template <class T> __attribute__((noinline)) int sum(std::vector<T> const &v) {{
            int total = 0; for (T x : v) total += x; return total; }} }}
        struct Shape {{ virtual int area(int) const; }};
        __attribute__((noinline)) int Shape::area(int x) const {{ return x * x; }}
        int main() {{
            std::vector<int> v{{1, 2}};
            int (*f)(std::vector<int> const &) = sum<int>;
            int (Shape::*g)(int) const = &Shape::area;
            int (*h)(int) = [](int x) {{ return x + 1; }};
            place((void *)f); place((void *)h); printf("%d", (int)(f(v) + (Shape().*g)(1) + h(1)) * 0);
        }}"#
    );
    let built = Built::new(&source, "program.cpp", "g++", &["-O1", "-no-pie"]);
    let symbols = built.symbols();
    let names: Vec<_> = built.places().iter().take(2).map(|&place| name(&symbols, place).unwrap()).collect();
    let in_mode = |mode| names.iter().map(|name| demangle(name, mode).into_owned()).collect::<Vec<_>>();
    assert_eq!(in_mode(Mode::Simplified), ["(anonymous namespace)::sum", "main::{lambda(int)#1}::_FUN"]);
    assert_eq!(in_mode(Mode::Templates), ["(anonymous namespace)::sum<int>", "main::{lambda(int)#1}::_FUN"]);
    let full = "int (anonymous namespace)::sum<int>(std::vector<int, std::allocator<int> > const&)";
    assert_eq!(in_mode(Mode::Full), [full, "main::{lambda(int)#1}::_FUN(int)"]);
}

#[test]
fn functions_of_go_with_files_and_lines() {
    let source = r#"package main

import (
	"fmt"
	"os"
	"reflect"
	"strings"
)

//go:noinline
func work(x int) int {
	return x * 3
}

func main() {
	at := reflect.ValueOf(work).Pointer()
	maps, _ := os.ReadFile("/proc/self/maps")
	for _, line := range strings.Split(string(maps), "\n") {
		var start, end, offset uintptr
		var perms string
		if n, _ := fmt.Sscanf(line, "%x-%x %s %x", &start, &end, &perms, &offset); n == 4 && start <= at && at < end {
			fmt.Printf("%x\n", at-start+offset)
		}
	}
	fmt.Print(strings.Repeat(" ", work(1)))
}
"#;
    for arguments in [&["build"][..], &["build", "-ldflags=-s -w"], &["build", "-buildmode=pie"]] {
        let built = Built::new(source, "main.go", "go", arguments);
        let symbols = built.symbols();
        let place = built.places()[0];
        let file = fs::canonicalize(built.folder.path()).unwrap().join("main.go").to_str().unwrap().to_owned();
        let expect = Symbol { name: "main.work".into(), start: place, file: Some(file), line: Some(12) };
        assert_eq!(symbols.lookup(place), Some(expect), "{arguments:?}");
        assert!(symbols.is_go() && symbols.heap_bytes() < 1000, "Go's names are read in place");
    }
}

#[test]
fn go_and_c_in_one_program() {
    let source = r#"package main

// int in_c(int x) { return x * 3; }
// void *where(void) { return (void *)in_c; }
import "C"

import (
	"fmt"
	"os"
	"reflect"
	"strings"
)

//go:noinline
func inGo(x int) int { return int(C.in_c(C.int(x))) }

func main() {
	fmt.Fprintln(os.Stderr, inGo(1))
	maps, _ := os.ReadFile("/proc/self/maps")
	for _, at := range []uintptr{uintptr(C.where()), reflect.ValueOf(inGo).Pointer()} {
		for _, line := range strings.Split(string(maps), "\n") {
			var start, end, offset uintptr
			var perms string
			if n, _ := fmt.Sscanf(line, "%x-%x %s %x", &start, &end, &perms, &offset); n == 4 && start <= at && at < end {
				fmt.Printf("%x\n", at-start+offset)
			}
		}
	}
}
"#;
    let built = Built::new(source, "main.go", "go", &["build"]);
    let symbols = built.symbols();
    let names: Vec<_> = built.places().into_iter().map(|place| name(&symbols, place).unwrap()).collect();
    assert_eq!(names, ["in_c", "main.inGo"]);
    assert!(symbols.is_go() && symbols.len() < 1000, "Go's own functions are not in our table: {}", symbols.len());
}

#[test]
fn a_function_of_this_program() {
    let at = Avma(a_function_of_this_program as fn() as usize as u64);
    let maps = fs::read("/proc/self/maps").unwrap();
    let mapping = maps::executable(&maps).find(|mapping| mapping.contains(at)).unwrap();
    let place = FileOffset(at.0 - mapping.start.0 + mapping.offset.0);
    let symbols = open(&std::env::current_exe().unwrap());
    assert!(symbols.start(place).is_some());
    for at in place.0..place.0 + 4096 {
        assert_eq!(symbols.start(FileOffset(at)), symbols.lookup(FileOffset(at)).map(|symbol| symbol.start));
    }
    let found = name(&symbols, place).unwrap();
    assert!(found.starts_with("_ZN") || found.starts_with("_R"), "{found}");
    let plain = demangle(&found, Mode::Simplified);
    assert_eq!(plain, "real::a_function_of_this_program");
}

#[test]
fn the_vdso_has_names() {
    let text = fs::read("/proc/self/maps").unwrap();
    let vdso = maps::executable(&text).find(|mapping| mapping.is_vdso()).unwrap();
    let mut image = vec![0; (vdso.end.0 - vdso.start.0) as usize];
    let length = inspect::memory::read(std::process::id(), vdso.start, &mut image).unwrap();
    assert_eq!(length, image.len());
    let (symbols, problems) = Symbols::open(image).unwrap();
    assert_eq!(problems, []);
    let names: std::collections::BTreeSet<_> = (0..length as u64)
        .filter_map(|at| name(&symbols, FileOffset(at)))
        .map(|name| name.replace("__kernel", "__vdso"))
        .collect();
    assert!(names.iter().any(|name| name.ends_with("clock_gettime")), "{names:?}");
}

#[test]
fn a_program_that_was_replaced_keeps_its_names() {
    let source = "#include <unistd.h>\nint old_name(void) { return 0; } int main(void) { pause(); return old_name(); }";
    let built = Built::new(source, "program.c", "cc", &["-O0"]);
    let mut child = Command::new(&built.program).stdout(Stdio::null()).spawn().unwrap();
    let mut proc = inspect::Proc::open().unwrap();
    let program = built.program.as_os_str().as_encoded_bytes();
    let (start, end) = loop {
        let text = proc.maps(child.id()).unwrap();
        let mapping = maps::executable(text).find(|mapping| *mapping.path() == *program);
        if let Some(mapping) = mapping {
            break (mapping.start, mapping.end);
        }
    };
    fs::rename(&built.program, built.folder.path().join("aside")).unwrap();
    fs::write(&built.program, "another").unwrap();
    let found = proc.open_mapped(child.id(), start, end);
    child.kill().unwrap();
    child.wait().unwrap();

    let (symbols, _) = Symbols::open(found.unwrap().file).unwrap();
    let size = fs::metadata(built.folder.path().join("aside")).unwrap().len();
    assert!((0..size).any(|at| name(&symbols, FileOffset(at)).as_deref() == Some("old_name")));
}

#[test]
fn a_file_that_is_cut_short_gives_fewer_names_and_no_panic() {
    let built = Built::new("int f(void) { return 1; } int main(void) { return f(); }", "program.c", "cc", &["-O0"]);
    let symbols = built.symbols();
    let size = fs::metadata(&built.program).unwrap().len();
    let named = |symbols: &Symbols<File>| (0..size).filter(|&at| symbols.lookup(FileOffset(at)).is_some()).count();
    let before = named(&symbols);
    assert!(before > 20);
    File::options().write(true).open(&built.program).unwrap().set_len(size / 2).unwrap();
    assert_eq!(named(&symbols), 0, "the names were in the second half");
}
