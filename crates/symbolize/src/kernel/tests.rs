use std::collections::BTreeMap;

use super::*;

const TEXT: &str = "\
0000000000000000 A fixed_percpu_data
ffffffff81000000 T _stext
ffffffff81000000 T startup_64
ffffffff81000100 t quiet
ffffffff81000100 T __loud
ffffffff810001f0 t __pfx_do_work
ffffffff81000200 T do_work
ffffffff81000300 W weak_one
ffffffff81000300 t local_one
ffffffff82000000 D some_data
ffffffffc0200000 t open_file\t[ext4]
ffffffffc0201000 t bpf_prog_6deef7357e7b4530_sample\t[bpf]
";

fn build(text: &str) -> (KernelSymbols, Vec<Problem>) {
    let mut builder = Builder::new();
    builder.feed(text.as_bytes());
    builder.finish()
}

#[track_caller]
fn check(symbols: &KernelSymbols, address: u64, expect: Option<(&str, Option<&str>, u64)>) {
    let found = symbols.lookup(address);
    assert_eq!(found.as_ref().map(|s| (&*s.name, s.module, s.start)), expect, "{address:#x}");
}

#[test]
fn the_function_before_an_address_is_meant() {
    let (symbols, problems) = build(TEXT);
    assert_eq!(problems, []);
    assert_eq!(symbols.len(), 6);
    check(&symbols, 0xffff_ffff_8100_0000, Some(("startup_64", None, 0xffff_ffff_8100_0000)));
    check(&symbols, 0xffff_ffff_8100_0150, Some(("__loud", None, 0xffff_ffff_8100_0100)));
    check(&symbols, 0xffff_ffff_8100_02ff, Some(("do_work", None, 0xffff_ffff_8100_0200)));
    check(&symbols, 0xffff_ffff_8100_0300, Some(("weak_one", None, 0xffff_ffff_8100_0300)));
    check(&symbols, 0xffff_ffff_c020_0ff0, Some(("open_file", Some("ext4"), 0xffff_ffff_c020_0000)));
    let program = "bpf_prog_6deef7357e7b4530_sample";
    check(&symbols, 0xffff_ffff_c020_1004, Some((program, Some("bpf"), 0xffff_ffff_c020_1000)));
    check(&symbols, 0xffff_ffff_80ff_ffff, None);
    check(&symbols, 0xffff_ffff_9000_0000, None);
    check(&symbols, 0, None);
}

#[test]
fn addresses_may_lie_anywhere() {
    let (symbols, _) =
        build("ffff800008000000 T a\nffff80000ffffff0 t b\nffff800100000010 t c\nffffd00000000000 t d\n");
    check(&symbols, 0xffff_8000_0800_0000, Some(("a", None, 0xffff_8000_0800_0000)));
    check(&symbols, 0xffff_8000_0fff_fff8, Some(("b", None, 0xffff_8000_0fff_fff0)));
    check(&symbols, 0xffff_8001_0000_0004, None);
    check(&symbols, 0xffff_d000_0000_0004, Some(("d", None, 0xffff_d000_0000_0000)));
    let (symbols, _) = build("ffff8000fffffff0 T a\nffff800100000010 t b\n");
    check(&symbols, 0xffff_8001_0000_0004, Some(("a", None, 0xffff_8000_ffff_fff0)));
}

#[test]
fn hidden_addresses_are_said_to_be_hidden() {
    let (symbols, problems) = build("0000000000000000 T _stext\n0000000000000000 t x\t[ext4]\n");
    assert_eq!((problems, symbols.len()), (vec![Problem::Hidden], 0));
    check(&symbols, 0xffff_ffff_8100_0000, None);
    insta::assert_snapshot!(Problem::Hidden, @"kernel addresses are hidden: grant CAP_SYSLOG, and set kernel.kptr_restrict to 0 or 1");
    assert_eq!(build("").1, [Problem::Empty]);
}

#[test]
fn lines_that_are_none_are_counted() {
    let long = "x".repeat(5000);
    let text = format!(
        "zz T a\nffffffff81000000 T\nffffffff81000000 TT b\n+1 T c\n1 T d e\n\n1000 T good\n1 T {long}\n2000 t last"
    );
    let (symbols, problems) = build(&text);
    assert_eq!(problems, [Problem::Malformed { lines: 6 }]);
    check(&symbols, 0x1001, Some(("good", None, 0x1000)));
    check(&symbols, 0x2001, Some(("last", None, 0x2000)));
}

#[test]
fn the_running_kernel_is_read() {
    let text = std::fs::read_to_string("/proc/kallsyms").unwrap();
    let (symbols, problems) = build(&text);
    if problems == [Problem::Hidden] {
        return;
    }
    assert_eq!(problems, []);
    // Each address answers with one of the names it has in the text.
    let mut names: BTreeMap<u64, Vec<&str>> = BTreeMap::new();
    for line in text.lines() {
        let words: Vec<_> = line.split_whitespace().collect();
        if matches!(words[1], "t" | "T" | "w" | "W") && !words[2].starts_with("__pfx_") {
            names.entry(u64::from_str_radix(words[0], 16).unwrap()).or_default().push(words[2]);
        }
    }
    assert_eq!(symbols.len(), names.len());
    for (address, names) in names {
        let found = symbols.lookup(address).unwrap();
        assert!(found.start == address && names.contains(&&*found.name), "{found:?} {names:?}");
    }
    assert!(symbols.heap_bytes() < 20 * symbols.len(), "{} bytes for {}", symbols.heap_bytes(), symbols.len());
}

proptest::proptest! {
    #[test]
    fn pieces_of_any_size_give_the_same(cuts in proptest::collection::vec(1_usize..40, 1..60)) {
        let mut builder = Builder::new();
        let mut rest = TEXT.as_bytes();
        for cut in cuts {
            let (piece, after) = rest.split_at(cut.min(rest.len()));
            builder.feed(piece);
            rest = after;
        }
        builder.feed(rest);
        let (symbols, problems) = builder.finish();
        proptest::prop_assert_eq!((symbols.len(), problems.len()), (6, 0));
        check(&symbols, 0xffff_ffff_8100_0250, Some(("do_work", None, 0xffff_ffff_8100_0200)));
    }

    #[test]
    fn the_nearest_start_wins(addresses in proptest::collection::btree_set(proptest::num::u64::ANY, 1..80), asked: u64, at: proptest::sample::Index) {
        let text: String = addresses.iter().map(|address| format!("{address:x} t f{address}\n")).collect();
        let (symbols, _) = build(&text);
        let near = addresses.iter().nth(at.index(addresses.len())).unwrap().saturating_add(asked % 99);
        for asked in [asked, near] {
            let expect = addresses.range(..=asked).next_back().filter(|&&start| start > 0 && asked - start < LONGEST_FUNCTION);
            proptest::prop_assert_eq!(symbols.lookup(asked).map(|symbol| symbol.name), expect.map(|start| format!("f{start}")));
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes: Vec<u8>) {
        let mut builder = Builder::new();
        builder.feed(&bytes);
        let _ = builder.finish().0.lookup(5);
    }
}
