//! The program for samples as a program of the host, whose memory is made up: it walks stacks whole, does nothing undefined
//! whatever read fails or whose rows go meanwhile, and takes as many instructions as it did. Needs no rights.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// Samples that are counted together.
const SAMPLES: u64 = 100;
/// Instructions of x86-64 that a sample of so many frames takes, as gcc 12 of Debian compiles it. Rules are mostly found where the last sample left them.
const RECORDED: [(u64, u64); 3] = [(3, 965), (30, 5_591), (180, 31_131)];
/// What other compilers may take more, in percent.
const MARGIN: u64 = 15;

/// Compiles it with these flags.
fn build(folder: &TempDir, flags: &[&str]) -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/host");
    let program = folder.path().join("host");
    let status = Command::new("cc")
        .args(["-std=gnu11", "-g", "-Wall", "-Wextra", "-Werror", "-Wno-unknown-pragmas", "-Wno-sign-compare"])
        .args(flags)
        .arg("-I")
        .arg(here.join("include"))
        .arg(here.join("host.c"))
        .arg("-o")
        .arg(&program)
        .status()
        .unwrap();
    assert!(status.success(), "the programs compile for the host");
    program
}

#[track_caller]
fn output(command: &mut Command) -> String {
    let output =
        command.output().unwrap_or_else(|error| panic!("{command:?}: {error}; tools/setup.sh test installs it"));
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    assert!(output.status.success(), "{command:?}: {text}");
    text
}

#[test]
fn stacks_are_whole_and_no_read_that_fails_does_harm() {
    let folder = tempfile::tempdir().unwrap();
    let sanitizers = ["-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
    let program = build(&folder, &sanitizers);
    for frames in ["1", "3", "30", "180", "700"] {
        output(Command::new(&program).args(["count", frames, "3"]));
        output(Command::new(&program).args(["faults", frames]));
    }
    for what in ["unbuilt", "withdrawn", "again"] {
        output(Command::new(&program).args([what, "10"]));
    }
}

#[test]
fn a_sample_takes_no_more_instructions_than_it_did() {
    let folder = tempfile::tempdir().unwrap();
    let program = build(&folder, &["-O2"]);
    let counts = RECORDED.map(|(frames, recorded)| {
        let text = output(
            Command::new("valgrind")
                .args(["--tool=callgrind", "--toggle-collect=sample_cpu"])
                .arg(format!("--callgrind-out-file={}", folder.path().join("counts").display()))
                .arg(&program)
                .args(["count", &frames.to_string(), &SAMPLES.to_string()]),
        );
        let (_, count) = text.split_once("Collected : ").expect("callgrind counts");
        (frames, count.split_whitespace().next().unwrap().parse::<u64>().unwrap() / SAMPLES, recorded)
    });
    for (frames, count, _) in counts {
        println!("{frames} frames: {count} instructions");
    }
    for (frames, count, recorded) in counts {
        assert!(
            count <= recorded * (100 + MARGIN) / 100,
            "{frames} frames: {count} instructions, {recorded} are recorded"
        );
    }
}
