//! The length of files, words that do not belong into them, and how a crate opens.

use super::finding::Finding;

/// Lines without tests: above the first a second idea is looked for, above the second it is there.
const LONG: usize = 400;
const TOO_LONG: usize = 800;

/// What source code is written in.
const CODE: &[&str] = &["rs", "c", "h", "js", "mjs", "go", "py", "css"];

/// Crates whose modules may ask for unsafe code.
const UNSAFE: &[&str] = &["abi", "bpf", "cache", "heap", "inspect"];

/// Words that say that something is not done, in two parts so that this file does not hold them.
const UNFINISHED: &[(&str, &str)] =
    &[("TO", "DO"), ("FIX", "ME"), ("XX", "X:"), ("to", "do!("), ("unimple", "mented!(")];

/// The beginnings of paths of one machine, and of the hosts of package registries.
const MACHINE: &[(&str, &str)] = &[
    ("/wo", "rk/"),
    ("/root", "/."),
    ("/tmp", "/target-"),
    ("registry.npm", "js"),
    ("proxy.go", "lang"),
    ("deb.deb", "ian"),
    ("files.python", "hosted"),
];

/// What is wrong with one file.
pub(crate) fn check(path: &str, text: &str) -> Vec<Finding> {
    let name = path.rsplit('/').next().unwrap_or(path);
    if name.ends_with(".lock") || name == "package-lock.json" || name == "go.sum" || path.contains("/testdata/") {
        return Vec::new();
    }
    let mut findings = words(path, text);
    findings.extend(length(path, text));
    findings.extend(opening(path, text));
    findings
}

fn words(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let mut look = |list: &[(&str, &str)], meaning: &str| {
            for (head, tail) in list {
                let word = format!("{head}{tail}");
                if line.contains(&word) {
                    findings.push(Finding::fault(format!("{path}:{number}"), format!("{word:?} {meaning}")));
                }
            }
        };
        look(UNFINISHED, "stands for something unfinished: finish it, or say plainly what is not there");
        look(MACHINE, "is true of one machine only");
    }
    findings
}

fn length(path: &str, text: &str) -> Option<Finding> {
    let extension = path.rsplit_once('.').map_or("", |(_, extension)| extension);
    if !CODE.contains(&extension) || is_test(path) {
        return None;
    }
    let lines = lines_without_tests(text);
    if lines > TOO_LONG {
        Some(Finding::fault(path, format!("{lines} lines without tests; {TOO_LONG} is the limit: split it")))
    } else if lines > LONG {
        Some(Finding::remark(path, format!("{lines} lines without tests: which second idea is in it?")))
    } else {
        None
    }
}

fn is_test(path: &str) -> bool {
    let folders = ["/tests/", "/unit/", "/page/"];
    let endings = ["/tests.rs", "_test.go", ".test.mjs"];
    folders.iter().any(|folder| path.contains(folder)) || endings.iter().any(|ending| path.ends_with(ending))
}

/// Lines before the test module that ends a Rust file.
fn lines_without_tests(text: &str) -> usize {
    let mut previous = "";
    for (number, line) in text.lines().enumerate() {
        if previous == "#[cfg(test)]" && line.starts_with("mod ") && line.ends_with('{') {
            return number - 1;
        }
        previous = line;
    }
    text.lines().count()
}

/// A crate's root opens with its map and, outside the few, forbids unsafe code.
fn opening(path: &str, text: &str) -> Vec<Finding> {
    let Some(name) = path.strip_prefix("crates/").and_then(|path| path.strip_suffix("/src/lib.rs")) else {
        return Vec::new();
    };
    let mut findings = Vec::new();
    if !text.starts_with("//! ") {
        findings.push(Finding::fault(path, "a crate opens with a page of `//!`: what goes in and out, the flow, the invariants, where to start, how it is tested"));
    }
    if !UNSAFE.contains(&name) && !text.contains("#![forbid(unsafe_code)]") {
        findings.push(Finding::fault(
            path,
            format!("lacks #![forbid(unsafe_code)]; only {} may go without", UNSAFE.join(", ")),
        ));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::finding::lines;
    use super::*;

    #[track_caller]
    fn check_file(path: &str, text: &str, expect: &[&str]) {
        assert_eq!(lines(check(path, text)), expect);
    }

    #[test]
    fn unfinished_work_is_a_fault() {
        let word = concat!("TO", "DO");
        let message = format!(
            "fault: a.md:2: {word:?} stands for something unfinished: finish it, or say plainly what is not there"
        );
        check_file("a.md", &format!("fine\n{word} later\n"), &[&message]);
    }

    #[test]
    fn a_path_of_one_machine_is_a_fault() {
        let path = concat!("/wo", "rk/");
        check_file(
            "Makefile",
            &format!("\tls {path}main\n"),
            &[&format!("fault: Makefile:1: {path:?} is true of one machine only")],
        );
    }

    #[test]
    fn a_long_file_is_a_remark_and_a_very_long_one_a_fault() {
        check_file("crates/a/src/b.rs", &"x\n".repeat(400), &[]);
        check_file(
            "crates/a/src/b.rs",
            &"x\n".repeat(401),
            &["remark: crates/a/src/b.rs: 401 lines without tests: which second idea is in it?"],
        );
        check_file(
            "crates/a/src/b.rs",
            &"x\n".repeat(801),
            &["fault: crates/a/src/b.rs: 801 lines without tests; 800 is the limit: split it"],
        );
    }

    #[test]
    fn tests_do_not_count_as_lines() {
        let text = format!("x\n#[cfg(test)]\nmod tests {{\n{}}}\n", "x\n".repeat(900));
        check_file("crates/a/src/b.rs", &text, &[]);
        check_file("crates/a/tests/b.rs", &"x\n".repeat(900), &[]);
        assert_eq!(lines_without_tests("a\nb\n#[cfg(test)]\nmod tests {\n}\n"), 2);
        assert_eq!(lines_without_tests("#[cfg(test)]\nmod tests;\nfn a() {}\n"), 3);
    }

    #[test]
    fn a_crate_opens_with_its_map() {
        check_file("crates/elf/src/lib.rs", "//! Sections.\n#![forbid(unsafe_code)]\n", &[]);
        check_file("crates/bpf/src/lib.rs", "//! Loads.\n", &[]);
        check_file(
            "crates/elf/src/lib.rs",
            "//! Sections.\n",
            &[
                "fault: crates/elf/src/lib.rs: lacks #![forbid(unsafe_code)]; only abi, bpf, cache, heap, inspect may go without",
            ],
        );
    }

    #[test]
    fn what_tools_write_is_left_alone() {
        check_file("e2e/browser/package-lock.json", concat!("registry.npm", "js.org"), &[]);
    }
}
