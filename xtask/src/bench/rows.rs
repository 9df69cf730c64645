//! Unwind rows of the largest files that there are: their size in the kernel, and how fast they are built on one core.

use std::path::PathBuf;
use std::process::Command;
use std::{env, fs};

use anyhow::{Context as _, ensure};
use regex::Regex;

use super::load::run as command;
use super::summary::{Reach, Results, Summary};
use super::{Folders, Options};

/// A file counts if it has so many rows: one with fewer says little about speed.
const LEAST_ROWS: f64 = 100_000.0;
/// Names of large files, and where such files lie.
const FILES: [&str; 8] =
    ["libLLVM", "librustc_driver", "libclang-cpp", "cc1plus", "libcrypto.so", "libpython3", "libc.so.6", "postgres"];
const PLACES: [&str; 5] = [
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/gcc/x86_64-linux-gnu",
    "/usr/libexec/gcc/x86_64-linux-gnu",
    "/usr/lib/postgresql",
    "/usr/local/lib",
];

pub(super) fn run(options: &Options, _: &Folders, results: &mut Results) -> anyhow::Result<()> {
    command(Command::new(env!("CARGO")).current_dir(e2e::root()).args([
        "build",
        "--quiet",
        "--release",
        "--package",
        "pyrope-unwind",
        "--example",
        "rows",
    ]))?;
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| e2e::root().join("target"), PathBuf::from);
    let program = target.join("release/examples/rows");
    let pattern = Regex::new(r"^(\S+): (\d+) rows of .*?([\d.]+) bytes a row.*?([\d.]+) ms").context("a pattern")?;
    let (mut sizes, mut speeds, mut rows_of_all, mut bytes_of_all) = (Vec::new(), Vec::new(), 0.0, 0.0);
    for file in files()? {
        // From the second time on the file is in memory.
        let (mut rows, mut bytes, mut best) = (0.0, 0.0, Vec::new());
        for _ in 0..options.pairs.clamp(1, 5) + 1 {
            let output = Command::new(&program).arg(&file).output()?;
            ensure!(output.status.success(), "{} failed on {}", program.display(), file.display());
            let text = String::from_utf8_lossy(&output.stdout);
            let Some(found) = pattern.captures(&text) else { break };
            let number = |at: usize| found[at].parse::<f64>().unwrap_or(0.0);
            (rows, bytes) = (number(2), number(3));
            best.push(number(2) / number(4) / 1e3);
        }
        if rows < LEAST_ROWS || best.len() < 2 {
            continue;
        }
        best.remove(0);
        let speed = Summary::of(best);
        let name = file.file_name().unwrap_or_default().display();
        results.add(
            "rows",
            &format!("{name}: {rows:.0} rows"),
            format_args!("{bytes:.2} bytes each, {speed} M a second"),
        );
        sizes.push(bytes);
        speeds.push(speed.median());
        rows_of_all += rows;
        bytes_of_all += rows * bytes;
    }
    ensure!(!sizes.is_empty(), "no file with {LEAST_ROWS} rows");
    results.reach("rows", "kernel bytes a row, over all rows", bytes_of_all / rows_of_all, Reach::AtMost(4.6));
    results.reach_median("rows", "kernel bytes a row, by file", sizes, Reach::AtMost(4.6));
    results.reach_median("rows", "M rows built a second, by file", speeds, Reach::AtLeast(10.0));
    Ok(())
}

fn files() -> anyhow::Result<Vec<PathBuf>> {
    let mut places: Vec<PathBuf> = PLACES.iter().map(PathBuf::from).collect();
    let rustc = Command::new("rustc").args(["--print", "sysroot"]).output().context("cannot run rustc")?;
    places.push(PathBuf::from(String::from_utf8_lossy(&rustc.stdout).trim()).join("lib"));
    let mut files = Vec::new();
    for place in places {
        below(&place, 2, &mut files);
    }
    files.sort();
    files.dedup_by(|one, other| one.file_name() == other.file_name());
    Ok(files)
}

fn below(folder: &PathBuf, depth: usize, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && depth > 0 => below(&path, depth - 1, files),
            Ok(kind) if kind.is_file() && FILES.iter().any(|file| name.starts_with(file)) => files.push(path),
            _ => {}
        }
    }
}
