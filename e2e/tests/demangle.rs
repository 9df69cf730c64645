//! Mangled names in each mode, compared with the library that Alloy uses.

#![expect(clippy::print_stdout, reason = "names that differ are listed, though few may")]

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};
use e2e::peer;
use elf::Elf;
use serde_json::Value;
use symbolize::demangle::{Mode, demangle};

/// How many names are compared, a tenth of them the longest.
const NAMES: usize = 10_000;
const LONGEST: usize = NAMES / 10;

const MODES: [(Mode, &str); 4] =
    [(Mode::None, "none"), (Mode::Simplified, "simplified"), (Mode::Templates, "templates"), (Mode::Full, "full")];

/// The mangled names of the functions of a file.
fn functions(path: &Path) -> anyhow::Result<BTreeSet<String>> {
    let file = File::open(path)?;
    let (elf, _) = Elf::parse(&file).with_context(|| path.display().to_string())?;
    let table = elf.function_table().0.context("no table of functions")?;
    let mut names = BTreeSet::new();
    elf.for_each_function(&table, |function| {
        let name = table.name(&&file, function.name).and_then(|name| String::from_utf8(name).ok());
        names.extend(name.filter(|name| name.starts_with("_Z") || name.starts_with("_R")));
    });
    Ok(names)
}

/// Some of all names, evenly, and the longest.
fn chosen(names: BTreeSet<String>) -> BTreeSet<String> {
    let step = (names.len() / (NAMES - LONGEST)).max(1);
    let mut chosen: BTreeSet<String> = names.iter().step_by(step).cloned().collect();
    let mut names: Vec<String> = names.into_iter().collect();
    names.sort_by_key(|name| std::cmp::Reverse(name.len()));
    chosen.extend(names.into_iter().take(LONGEST));
    chosen
}

/// What the library makes of each name, by mode.
fn theirs(names: &BTreeSet<String>) -> anyhow::Result<BTreeMap<String, Value>> {
    let mut input = tempfile::tempfile()?;
    for name in names {
        writeln!(input, "{name}")?;
    }
    input.rewind()?;
    let output = Command::new(peer::binary()).arg("demangle").stdin(input).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = std::str::from_utf8(&output.stdout)?.lines();
    let line = |line| {
        let line: Value = serde_json::from_str(line)?;
        Ok((line["name"].as_str().context("a line without name")?.to_owned(), line))
    };
    lines.map(line).collect()
}

/// At least 999 of 1,000 names are equal in each of the modes.
fn compare(names: BTreeSet<String>) -> anyhow::Result<()> {
    let theirs = theirs(&chosen(names))?;
    for (mode, key) in MODES {
        let mut different = String::new();
        let mut count = 0;
        for (name, line) in &theirs {
            let (theirs, ours) = (line[key].as_str().context("a line without a mode")?, demangle(name, mode));
            if theirs != ours {
                count += 1;
                different.push_str(&format!("\n{name}\n  theirs {theirs}\n  ours   {ours}"));
            }
        }
        println!("{key}: {count} of {} differ:{different}", theirs.len());
        ensure!(count * 1000 <= theirs.len(), "{key}: {count} of {} differ:{different}", theirs.len());
    }
    Ok(())
}

/// A large C++ library that comes with any clang, whichever its version.
fn llvm() -> anyhow::Result<PathBuf> {
    let mut names = Vec::new();
    for entry in fs::read_dir("/usr/lib/x86_64-linux-gnu")? {
        names.push(entry?.path());
    }
    names.retain(|path| path.file_name().and_then(OsStr::to_str).is_some_and(|name| name.starts_with("libLLVM")));
    names.into_iter().max().context("no libLLVM, which clang needs")
}

#[test]
fn names_of_cpp_read_as_in_alloy() -> anyhow::Result<()> {
    let mut names = functions(Path::new("/usr/lib/x86_64-linux-gnu/libstdc++.so.6"))?;
    names.extend(functions(&llvm()?)?);
    ensure!(names.len() > NAMES, "only {} names", names.len());
    compare(names)
}

/// The compiler's own library, with tens of thousands of names.
fn rustc_driver() -> anyhow::Result<PathBuf> {
    let output = Command::new("rustc").args(["--print", "sysroot"]).output()?;
    let folder = Path::new(std::str::from_utf8(&output.stdout)?.trim()).join("lib");
    for folder in [folder.clone(), folder.join("x86_64-linux-gnu"), "/usr/lib/x86_64-linux-gnu".into()] {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry?.path();
            if path.file_name().and_then(OsStr::to_str).is_some_and(|name| name.starts_with("librustc_driver")) {
                return Ok(path);
            }
        }
    }
    anyhow::bail!("no librustc_driver, which rustc needs")
}

#[test]
fn names_of_rust_in_version_0_read_as_in_alloy() -> anyhow::Result<()> {
    let mut names = BTreeSet::new();
    for file in [std::env::current_exe()?, e2e::workload::path("rust-v0"), rustc_driver()?] {
        names.extend(functions(&file)?.into_iter().filter(|name| name.starts_with("_R")));
    }
    ensure!(names.len() > 1000, "only {} names", names.len());
    compare(names)
}

#[test]
fn names_of_rust_read_as_in_alloy() -> anyhow::Result<()> {
    let names = functions(&std::env::current_exe()?)?;
    ensure!(names.len() > 1000, "only {} names", names.len());
    compare(names)
}
