//! Real files to damage: programs that are made here, and what this system has.

use std::fmt::Write as _;
use std::fs;
use std::ops::Range;
use std::path::Path;
use std::process::Command;

use elf::Elf;

use crate::mutate::Chance;
use crate::readers::{self, Reader};

/// A file, what to damage of it, and who reads it.
pub(crate) struct Input {
    pub(crate) name: &'static str,
    pub(crate) bytes: Vec<u8>,
    pub(crate) places: Vec<Range<usize>>,
    /// A file with more about it; empty where there is none.
    pub(crate) beside: Vec<u8>,
    pub(crate) beside_places: Vec<Range<usize>>,
    /// What to ask for.
    pub(crate) addresses: Vec<u64>,
    pub(crate) readers: &'static [(&'static str, Reader)],
}

/// Sections that hold what runs and what it works on: nobody reads them here.
const NOT_READ: &[&str] = &[".text", ".rodata", ".data", ".noptrdata", ".typelink", ".itablink", ".data.rel.ro"];

const C: &str = r#"
#include <signal.h>
#include <stdlib.h>
static volatile int total;
struct list { struct list *next; int value; };
static inline int add(int a, int b) { return a * b + total; }
__attribute__((noinline)) int sum(struct list *at) { int all = 0; for (; at; at = at->next) all = add(all, at->value); return all; }
static void on_signal(int number) { total += number; }
static int compare(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }
int main(int count, char **words) {
	int values[64];
	signal(SIGUSR1, on_signal);
	for (int i = 0; i < 64; i++) values[i] = (i * 7919 + count) % 101;
	qsort(values, 64, sizeof(*values), compare);
	struct list nodes[2] = { { &nodes[1], values[3] }, { 0, words[0][0] } };
	return sum(nodes) == 42;
}
"#;

const CPP: &str = r#"
#include <algorithm>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>
namespace shop {
template <class T, int N> struct Basket {
	std::map<std::string, T> all;
	T total(T start) const { for (auto &[name, price] : all) start += price * N; return start; }
};
struct Broken : std::runtime_error { using std::runtime_error::runtime_error; };
int pay(const std::vector<int> &prices) {
	Basket<long, 3> basket;
	for (int price : prices) { if (price < 0) throw Broken("negative"); basket.all[std::to_string(price)] += price; }
	return basket.total(1);
}
}
int main(int count, char **) {
	std::vector<int> prices(count * 5, 3);
	std::sort(prices.begin(), prices.end(), [](int a, int b) { return a > b; });
	try { return shop::pay(prices); } catch (const shop::Broken &) { return 2; }
}
"#;

const GO: &str = "package main\n\nimport \"os\"\n\nfunc half[T int | uint](n T) T { return n / 2 }\n\nfunc main() {\n\
    \tdefer func() { recover() }()\n\tos.Exit(half(len(os.Args)))\n}\n";

pub(crate) fn all() -> Vec<Input> {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for (name, text) in [("a.c", C), ("a.cpp", CPP), ("main.go", GO)] {
        fs::write(at(name), text).unwrap();
    }
    let run = |line: &str| {
        let mut words = line.split(' ');
        let mut command = Command::new(words.next().unwrap());
        let output = command.args(words).current_dir(&folder).env("GOFLAGS", "-buildvcs=false").output().unwrap();
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    };
    for line in [
        "cc -g -O2 a.c -o c5",
        "cc -gdwarf-4 -O1 -fno-asynchronous-unwind-tables a.c -o c4",
        "c++ -g -O2 a.cpp -o cpp",
        "c++ -g -O2 -gsplit-dwarf a.cpp -c -o split.o",
        "c++ split.o -o split",
        "objcopy --only-keep-debug cpp cpp.debug",
        "objcopy --strip-all cpp cpp.stripped",
        "objcopy --compress-debug-sections=zlib c5 zlib",
        "objcopy --compress-debug-sections=zstd c5 zstd",
        "strip -o packed c5",
        "objcopy --only-keep-debug c5 names",
        "strip --strip-debug names",
        "xz names",
        "objcopy --add-section .gnu_debugdata=names.xz packed",
        "go build -o go main.go",
    ] {
        run(line);
    }
    let program = |name: &'static str, file: &Path, beside: Option<&Path>| Input::program(name, file, beside);
    let libc = libc();
    vec![
        program("C", &at("c5"), None),
        program("C without .eh_frame", &at("c4"), None),
        program("C++", &at("cpp"), None),
        program("C++ in two files", &at("split"), Some(&at("split.dwo"))),
        program("C++ stripped", &at("cpp.stripped"), Some(&at("cpp.debug"))),
        program("names packed by xz", &at("packed"), None),
        program("zlib", &at("zlib"), None),
        program("zstd", &at("zstd"), None),
        program("Go", &at("go"), None),
        program("libc", Path::new(&libc), None),
        Input::text("a perf map", perf_map(), readers::OF_PERF_MAPS),
        Input::text("kallsyms", kallsyms(), readers::OF_KALLSYMS),
        Input::text("maps", fs::read("/proc/self/maps").unwrap(), readers::OF_MAPS),
        Input::text("stat", fs::read("/proc/self/stat").unwrap(), readers::OF_FACTS),
        Input::text("status", fs::read("/proc/self/status").unwrap(), readers::OF_FACTS),
        Input::text("cgroup", cgroup(), readers::OF_FACTS),
        Input::text("passwd", fs::read("/etc/passwd").unwrap(), readers::OF_FACTS),
        Input::text("names", NAMES.as_bytes().to_vec(), readers::OF_NAMES),
    ]
}

/// The C library that this very program runs on.
fn libc() -> String {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    maps.lines()
        .find_map(|line| Some(&line[line.find('/').filter(|_| line.contains("/libc.so"))?..]))
        .unwrap()
        .to_owned()
}

fn perf_map() -> Vec<u8> {
    let mut text = String::new();
    for n in 0..300_u64 {
        writeln!(text, "{:x} {:x} LazyCompile:*function{n} /app/file.js:{n}:1", 0x1000 + n * 48, 16 + n % 80).unwrap();
    }
    text.into_bytes()
}

fn kallsyms() -> Vec<u8> {
    let mut text = String::new();
    for n in 0..300_u64 {
        let module = if n % 3 == 0 { "\t[module]" } else { "" };
        writeln!(
            text,
            "{:016x} {} name_{n}{module}",
            0xffff_ffff_8100_0000 + n * 64,
            ["T", "t", "d", "W"][n as usize % 4]
        )
        .unwrap();
    }
    text.into_bytes()
}

fn cgroup() -> Vec<u8> {
    let id = "0123456789abcdef".repeat(4);
    format!("12:cpu,cpuacct:/system.slice/docker-{id}.scope\n0::/kubepods.slice/pod1/cri-containerd-{id}.scope\n")
        .into_bytes()
}

const NAMES: &str = "_ZNK4shop5stock6BasketImLm3EE5totalIZNS_8checkoutERKS2_mEUlmE_EEmRKT_RKm\n\
    _ZSt6__sortIN9__gnu_cxx17__normal_iteratorIPiSt6vectorIiSaIiEEEENS0_5__ops15_Iter_comp_iterIZ4mainEUliiE_EEEvT_S9_T0_\n\
    _ZNSt8_Rb_treeINSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEESt4pairIKS5_lESt10_Select1stIS8_ESt4lessIS5_ESaIS8_EE8_M_eraseEPSt13_Rb_tree_nodeIS8_E\n\
    _RINvNtCs1234_5names4mill5applyNCNvXB2_INtB2_4PairmENtB2_5Grind5grind0EB4_\n\
    _ZN65_$LT$names..mill..Pair$LT$T$GT$$u20$as$u20$names..mill..Grind$GT$5grind17h0123456789abcdefE\n";

impl Input {
    fn program(name: &'static str, file: &Path, beside: Option<&Path>) -> Self {
        let bytes = fs::read(file).unwrap();
        let beside = beside.map(|file| fs::read(file).unwrap()).unwrap_or_default();
        let (places, beside_places) = (places(&bytes), if beside.is_empty() { Vec::new() } else { places(&beside) });
        let elf = Elf::parse(&bytes).unwrap().0;
        let text = elf.section(".text").unwrap();
        let mut chance = Chance::new(1);
        let mut any = || text.address.0 + chance.below(text.size as usize) as u64;
        let mut addresses: Vec<u64> = (0..60).map(|_| any()).collect();
        addresses.extend([0, 1 << 20, 1 << 63, u64::MAX]);
        Self { name, bytes, places, beside, beside_places, addresses, readers: readers::OF_PROGRAMS }
    }

    #[expect(clippy::single_range_in_vec_init, reason = "there is one place")]
    fn text(name: &'static str, bytes: Vec<u8>, readers: &'static [(&'static str, Reader)]) -> Self {
        let places = vec![0..bytes.len()];
        let addresses = (0..200).map(|n| 0x1000 + n * 64).chain([0, 0xffff_ffff_8100_0040, u64::MAX]).collect();
        Self { name, bytes, places, beside: Vec::new(), beside_places: Vec::new(), addresses, readers }
    }
}

/// The header first, the lists of segments and sections, and the sections that are read.
fn places(bytes: &[u8]) -> Vec<Range<usize>> {
    let word = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()) as usize;
    let half = |at: usize| usize::from(u16::from_le_bytes(bytes[at..at + 2].try_into().unwrap()));
    let list = |at: usize, count: usize, size: usize| word(at)..word(at) + half(count) * size;
    let headers = [0..64, list(32, 56, 56), list(40, 60, 64)];
    let elf = Elf::parse(bytes).unwrap().0;
    let read =
        |section: &&elf::Section| section.has_bytes() && section.size > 0 && !NOT_READ.contains(&section.name.as_ref());
    let sections = elf.sections().iter().filter(read);
    headers.into_iter().chain(sections.map(|s| s.offset.0 as usize..(s.offset.0 + s.size) as usize)).collect()
}
