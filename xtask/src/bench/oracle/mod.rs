//! Our rows and our step against an independent unwinder, the crate framehop, on stacks of real programs.
//!
//! ```text
//!  perf record --call-graph dwarf,65528 ──registers, bytes of the stack──▶ Capture ─┬─ ours: rows of the files, unwind::step ─┬─▶ frame by frame
//!                                        └─mappings──▶ Spaces ──Images────────────┴─ theirs: framehop on their sections ────┘
//!                                                                    where these differ: the tables' letter, by gimli
//! ```

mod capture;
mod image;
mod letter;
mod ours;
mod theirs;
mod verdict;

use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context as _, ensure};

use super::programs::{PROGRAMS, Program};
use super::summary::{Reach, Results};
use super::{Folders, Options};
use image::Images;
use verdict::Verdict;

/// Samples a second and CPU: each is 64 KiB in the file.
const RATE: &str = "149";

pub(super) fn run(options: &Options, folders: &Folders, results: &mut Results) -> anyhow::Result<()> {
    let mut all = Verdict::default();
    for program in PROGRAMS.iter().filter(|program| options.wants(program.name)) {
        let verdict = measure(program, options, folders).with_context(|| format!("with {}", program.name))?;
        results.add("oracle", program.name, &verdict);
        for (kind, count, example) in verdict.kinds(8) {
            results.add("oracle", &format!("{}: {count} × {kind}", program.name), example);
        }
        all.add(verdict);
    }
    results.reach("oracle", "stacks that tables describe", all.described() as f64, Reach::AtLeast(10_000.0));
    results.reach("oracle", "% of them equal, or right by the tables' letter", all.right(), Reach::AtLeast(99.9));
    results.add("oracle", "all", all);
    Ok(())
}

fn measure(program: &Program, options: &Options, folders: &Folders) -> anyhow::Result<Verdict> {
    let file = folders.scratch("stacks")?.join("perf.data");
    let load = (program.start)(folders)?;
    sleep(Duration::from_secs(3));
    let status = Command::new("perf")
        .args(["record", "-q", "-a", "-e", "cpu-clock", "-F", RATE, "--call-graph", "dwarf,65528", "-o"])
        .arg(&file)
        .args(["sleep", &options.watched.as_secs().min(20).to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .context("cannot run perf: run `tools/setup.sh bench`")?;
    ensure!(status.success(), "perf record failed");
    // The files that it runs are still there.
    let (mut images, mut verdict) = (Images::default(), Verdict::default());
    let read = capture::read(&file, program.paths, |sample, space| {
        verdict.compare(sample, space, &mut images);
    });
    drop(load);
    std::fs::remove_file(&file)?;
    read.map(|()| verdict)
}
