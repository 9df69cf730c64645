//! Files made by Go's linker, asked about every part of their text and compared with what Go itself says.

use std::fs::File;
use std::path::Path;
use std::process::Command;

use pyrope_elf::go::Version;
use pyrope_elf::{BuildId, Elf, FileOffset, GoInlines, Pclntab, ReadAt, Svma};

use crate::built::{Folder, bytes, run};

/// Prints, for every 256th byte of its own text, what the runtime knows of it: the offset in the file, the offset of the
/// function's entry, the function that is innermost there, its file and line.
const SOURCE: &str = r#"package main

import (
	"bufio"
	"fmt"
	"os"
	"reflect"
	"runtime"
	"strings"
)

func generic[T any](v T) string { return fmt.Sprint(v) }

func small(x int) int { return x*x + 1 }

//go:noinline
func outer(x int) int {
	y := small(x)
	return y + len(generic(x))
}

func main() {
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	fmt.Fprintln(os.Stderr, outer(len(os.Args)))
	self := reflect.ValueOf(main).Pointer()
	maps, _ := os.ReadFile("/proc/self/maps")
	for _, line := range strings.Split(string(maps), "\n") {
		var start, end, offset uintptr
		var perms string
		if n, _ := fmt.Sscanf(line, "%x-%x %s %x", &start, &end, &perms, &offset); n != 4 || self < start || self >= end {
			continue
		}
		for pc := start; pc < end; pc += 256 {
			f := runtime.FuncForPC(pc)
			if f == nil {
				continue
			}
			file, line := f.FileLine(pc)
			fmt.Fprintln(out, pc-start+offset, f.Entry()-start+offset, line, file, f.Name())
		}
	}
}
"#;

struct Probe {
    pc: FileOffset,
    entry: FileOffset,
    line: u32,
    file: String,
    name: String,
}

fn probes(program: &Path) -> Vec<Probe> {
    let text = run(&mut Command::new(program));
    let probe = |line: &str| {
        let mut words = line.splitn(5, ' ');
        let mut word = || words.next().unwrap();
        Probe {
            pc: FileOffset(word().parse().unwrap()),
            entry: FileOffset(word().parse().unwrap()),
            line: word().parse().unwrap(),
            file: word().to_owned(),
            name: word().to_owned(),
        }
    };
    text.lines().map(probe).collect()
}

fn table<R: ReadAt>(elf: &Elf<R>) -> Pclntab {
    let (table, problems) = Pclntab::find(elf);
    assert_eq!(problems, []);
    table.unwrap()
}

/// The table agrees with the running program, wherever that is asked.
#[track_caller]
fn check(program: &Path, elf: &Elf<impl ReadAt>) {
    let table = table(elf);
    let inlines = GoInlines::find(elf, &table).unwrap();
    let probes = probes(program);
    assert!(probes.len() > 1000, "{} probes", probes.len());
    let mut inlined = 0;
    for probe in &probes {
        let pc = elf.svma(probe.pc).unwrap();
        let found = table.lookup(elf.reader(), pc).unwrap_or_else(|| panic!("no function at {pc}"));
        assert_eq!(elf.file_offset(found.start), Some(probe.entry), "{} {pc}", probe.name);
        assert!(found.start <= pc && pc < found.end);
        let calls = table.calls(elf.reader(), &inlines, pc);
        let innermost = calls.first().unwrap();
        if !probe.name.is_empty() {
            let expect = (&*probe.name, &*probe.file, probe.line);
            let file = if innermost.file.is_empty() { "?" } else { &innermost.file };
            assert_eq!((&*without_type_arguments(&innermost.name), file, innermost.line), expect, "{pc}");
        }
        assert_eq!(
            (calls.last().unwrap().name.as_str(), calls.len() > 1),
            (found.name.as_str(), found.inlined),
            "{pc}"
        );
        if found.inlined {
            inlined += 1;
            assert_eq!(found.line, None);
        } else {
            let file = found.file.as_deref().unwrap_or("?");
            // The runtime has no name for the function whose name stands first in the table.
            let name = if probe.name.is_empty() { String::new() } else { without_type_arguments(&found.name) };
            assert_eq!((&*name, file, found.line.unwrap_or(0)), (&*probe.name, &*probe.file, probe.line), "{pc}");
        }
    }
    assert!(inlined > 0 && inlined < probes.len() / 2, "{inlined} of {}", probes.len());
}

/// The runtime prints `[...]` for type arguments, the table has them.
fn without_type_arguments(name: &str) -> String {
    match (name.find('['), name.rfind(']')) {
        (Some(open), Some(close)) => format!("{}[...]{}", &name[..open], &name[close + 1..]),
        _ => name.to_owned(),
    }
}

#[track_caller]
fn check_build(arguments: &[&str]) {
    let folder = Folder::new();
    let program = folder.go(SOURCE, arguments, &[], "program");
    let (elf, problems) = Elf::parse(File::open(&program).unwrap()).unwrap();
    assert_eq!(problems, []);
    check(&program, &elf);
}

#[test]
fn a_default_build() {
    check_build(&[]);
}

#[test]
fn a_stripped_build() {
    check_build(&["-ldflags=-s -w"]);
}

#[test]
fn a_position_independent_build() {
    check_build(&["-buildmode=pie"]);
    check_build(&["-buildmode=pie", "-ldflags=-s -w"]);
}

#[test]
fn a_build_by_the_c_linker() {
    check_build(&["-ldflags=-linkmode=external"]);
    check_build(&["-buildmode=pie", "-ldflags=-s -w -linkmode=external"]);
}

/// Prints a stack that it has: for each function the offset in the file of the place that it goes on at, then all that is put in
/// line there, as the runtime tells it.
const STACK: &str = r#"package main

import (
	"fmt"
	"os"
	"reflect"
	"runtime"
	"strings"
)

type tree struct{ depth int }

//go:noinline
func capture(depth int) int {
	pcs := make([]uintptr, 64)
	pcs = pcs[:runtime.Callers(1, pcs)]
	self := reflect.ValueOf(main).Pointer()
	maps, _ := os.ReadFile("/proc/self/maps")
	var base uintptr
	for _, line := range strings.Split(string(maps), "\n") {
		var start, end, offset uintptr
		var perms string
		if n, _ := fmt.Sscanf(line, "%x-%x %s %x", &start, &end, &perms, &offset); n == 4 && self >= start && self < end {
			base = start - offset
		}
	}
	frames := runtime.CallersFrames(pcs)
	var entry uintptr
	for {
		frame, more := frames.Next()
		if frame.Entry != entry {
			fmt.Println("at", frame.PC-base)
		}
		entry = frame.Entry
		fmt.Println(frame.Line, frame.File, frame.Function)
		if !more {
			return depth
		}
	}
}

func (t tree) leaf(x int) int { return capture(x) + t.depth }

func (t tree) middle(x int) int { return t.leaf(x) * 2 }

func generic[T int | uint](t tree, x T) T { return T(t.middle(int(x))) + x }

//go:noinline
func (t tree) outer(x int) int {
	f := func(y int) int { return generic(t, y) }
	return f(x) + 1
}

func main() {
	if (tree{1}).outer(2) == 0 {
		panic(1)
	}
}
"#;

#[test]
fn a_stack_has_the_calls_that_the_runtime_tells() {
    for arguments in
        [&[][..], &["-ldflags=-s -w"], &["-buildmode=pie"], &["-buildmode=pie", "-ldflags=-s -w"], &["-gcflags=-l=4"]]
    {
        let folder = Folder::new();
        let program = folder.go(STACK, arguments, &[], "program");
        let (elf, _) = Elf::parse(File::open(&program).unwrap()).unwrap();
        let table = table(&elf);
        let inlines = GoInlines::find(&elf, &table).unwrap();
        let text = run(&mut Command::new(&program));
        let mut deepest = 0;
        for group in text.split("at ").skip(1) {
            let (at, expect) = group.split_once('\n').unwrap();
            let pc = elf.svma(FileOffset(at.parse().unwrap())).unwrap();
            let calls = table.calls(elf.reader(), &inlines, pc);
            let ours: Vec<String> = calls
                .iter()
                .map(|call| format!("{} {} {}", call.line, call.file, without_type_arguments(&call.name)))
                .collect();
            assert_eq!(ours, expect.trim_end().lines().collect::<Vec<_>>(), "{arguments:?} {pc}");
            deepest = deepest.max(ours.len());
        }
        assert!(deepest >= 5, "{arguments:?}: {text}");
    }
}

/// Changes the name of a section where the file has it, so that nobody finds the section. False if there is none.
fn hide(image: &mut [u8], name: &str) -> bool {
    let wanted = [b"\0", name.as_bytes(), b"\0"].concat();
    let at = image.windows(wanted.len()).rposition(|window| window == wanted);
    if let Some(at) = at {
        image[at + 2] = b'X';
    }
    at.is_some()
}

#[test]
fn without_its_section_the_table_is_found_by_what_points_to_it() {
    let folder = Folder::new();
    let program = folder.go(SOURCE, &["-ldflags=-s -w"], &[], "program");
    let mut image = bytes(&program);
    let expect = table(&Elf::parse(&*image).unwrap().0);

    assert!(hide(&mut image, ".gopclntab"));
    let (elf, _) = Elf::parse(&*image).unwrap();
    assert_eq!((table(&elf).range(), table(&elf).len()), (expect.range(), expect.len()), "by the module data");
    check(&program, &elf);

    // A section of its own since Go 1.26.
    hide(&mut image, ".go.module");
    let (elf, _) = Elf::parse(&*image).unwrap();
    assert_eq!((table(&elf).range(), table(&elf).len()), (expect.range(), expect.len()), "by its header");
}

#[test]
fn without_its_section_the_table_is_found_by_its_symbol() {
    let folder = Folder::new();
    let mut image = bytes(&folder.go(SOURCE, &[], &[], "program"));
    let expect = table(&Elf::parse(&*image).unwrap().0);
    assert!(hide(&mut image, ".gopclntab"));
    hide(&mut image, ".go.module");
    let (elf, _) = Elf::parse(&*image).unwrap();
    assert_eq!((table(&elf).range(), table(&elf).len()), (expect.range(), expect.len()));
}

#[test]
fn builds_for_other_machines_name_the_functions_of_go_tool_nm() {
    for architecture in ["arm64", "386"] {
        let folder = Folder::new();
        let program = folder.go(SOURCE, &[], &[("GOARCH", architecture), ("CGO_ENABLED", "0")], "program");
        let (elf, problems) = Elf::parse(File::open(&program).unwrap()).unwrap();
        assert_eq!(problems, []);
        let table = table(&elf);
        assert_eq!(table.version(), Version::Go1_20);

        let mut seen = 0;
        for line in run(Command::new("go").args(["tool", "nm"]).arg(&program)).lines() {
            let words: Vec<_> = line.split_whitespace().collect();
            let &[address, "t" | "T", name] = &*words else { continue };
            // Assembly and generated code have symbols that the table names otherwise.
            if !name.starts_with("fmt.") && !name.starts_with("main.") {
                continue;
            }
            let pc = Svma(u64::from_str_radix(address, 16).unwrap());
            let found = table.lookup(elf.reader(), pc).unwrap();
            assert_eq!((&*found.name, found.start), (name, pc), "{architecture}");
            seen += 1;
        }
        assert!(seen > 50, "{seen} functions");
    }
}

#[test]
fn outside_of_go_text_there_is_nothing() {
    let folder = Folder::new();
    let program = folder.go(SOURCE, &["-ldflags=-linkmode=external"], &[], "program");
    let (elf, _) = Elf::parse(File::open(&program).unwrap()).unwrap();
    let table = table(&elf);
    let (start, end) = table.range();
    assert!(elf.section(".text").unwrap().address < start, "C code comes first");
    for pc in [Svma(start.0 - 1), end, Svma(0), Svma(u64::MAX)] {
        assert_eq!(table.lookup(elf.reader(), pc), None);
    }
}

#[test]
fn go_has_a_build_id_of_its_own() {
    let folder = Folder::new();
    let program = folder.go(SOURCE, &["-ldflags=-B none"], &[], "program");
    let (elf, _) = Elf::parse(File::open(&program).unwrap()).unwrap();
    let expect = run(Command::new("go").args(["tool", "buildid"]).arg(&program));
    assert_eq!(elf.build_id(), Some(BuildId::Go(expect.trim().into())));
}

#[test]
fn a_damaged_table_does_no_harm() {
    let folder = Folder::new();
    let mut image = bytes(&folder.go(SOURCE, &["-ldflags=-s -w"], &[], "program"));
    let (section, pcs) = {
        let (elf, _) = Elf::parse(&*image).unwrap();
        let (start, end) = table(&elf).range();
        let section = elf.section(".gopclntab").unwrap().clone();
        (section.offset.0 as usize, [start.0, start.0.midpoint(end.0), end.0 - 1])
    };
    for at in section..section + 80 {
        for value in [0, 1, 0x7f, 0xff] {
            let saved = std::mem::replace(&mut image[at], value);
            let (elf, _) = Elf::parse(&*image).unwrap();
            if let (Some(table), _) = Pclntab::find(&elf) {
                let inlines = GoInlines::find(&elf, &table);
                for pc in pcs {
                    let _ = table.lookup(elf.reader(), Svma(pc));
                    let _ = inlines.as_ref().map(|inlines| table.calls(elf.reader(), inlines, Svma(pc)));
                }
            }
            image[at] = saved;
        }
    }
}
