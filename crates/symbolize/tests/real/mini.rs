//! Names that a program carries packed, as Fedora's do.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use elf::{Elf, FileOffset};
use pyrope_symbolize::{Symbols, mini};
use tempfile::TempDir;

use crate::{Built, name, run};

const LIBRARY: &str = r#"
__attribute__((noinline)) static int quiet(int x) { __asm__(""); return x * 3; }
__attribute__((noinline)) static int still(int x) { __asm__(""); return quiet(x) * 5; }
__attribute__((noinline)) int exported(int x) { __asm__(""); return still(x) + 1; }
__asm__(".text\n.p2align 4\nlabel:\n nop\n nop\n ret\n.p2align 4\n");
int loud(int x) { return exported(x) + 2; }
"#;

/// Every name that is found at some byte of the file.
fn names(program: &Path, beside: Option<File>) -> BTreeSet<String> {
    let (symbols, _) = Symbols::open_with(File::open(program).unwrap(), beside).unwrap();
    (0..fs::metadata(program).unwrap().len()).filter_map(|at| name(&symbols, FileOffset(at))).collect()
}

fn unpacked(program: &Path) -> std::io::Result<Option<File>> {
    let (elf, _) = Elf::parse(File::open(program)?).unwrap();
    assert_eq!(mini::is_in(&elf), elf.section(".gnu_debugdata").is_some());
    mini::unpack(&elf, tempfile::tempfile)
}

/// Strips a library and puts `packed` into it.
fn with_packed(folder: &TempDir, library: &Path, packed: &[u8]) -> PathBuf {
    let (section, stripped) = (folder.path().join("section"), folder.path().join("stripped"));
    fs::write(&section, packed).unwrap();
    run(Command::new("strip").arg("-o").arg(&stripped).arg(library));
    let added = format!(".gnu_debugdata={}", section.display());
    run(Command::new("objcopy").arg("--add-section").arg(added).arg(&stripped));
    stripped
}

fn xz(file: &Path, arguments: &[&str]) -> Vec<u8> {
    Command::new("xz").args(arguments).arg("--stdout").arg(file).output().unwrap().stdout
}

#[test]
fn names_that_are_packed_into_a_program_are_found_with_those_it_exports() {
    let built = Built::new(LIBRARY, "library.c", "cc", &["-O1", "-g", "-shared", "-fPIC", "-Wl,--build-id=sha1"]);
    let whole = names(&built.program, None);
    // As find-debuginfo makes it: functions that `.dynsym` does not have.
    let names_only = built.folder.path().join("names");
    run(Command::new("objcopy").arg("--only-keep-debug").arg(&built.program).arg(&names_only));
    run(Command::new("objcopy")
        .args(["-S", "--keep-symbol=quiet", "--keep-symbol=still", "--keep-symbol=label"])
        .arg(&names_only));
    for arguments in
        [&["-6"][..], &["-1", "--check=crc32"], &["-6", "--check=sha256", "--block-size=512"], &["--x86", "--lzma2"]]
    {
        let stripped = with_packed(&built.folder, &built.program, &xz(&names_only, arguments));
        let alone = names(&stripped, None);
        assert!(alone.contains("exported") && !alone.contains("quiet"), "{alone:?}");
        let both = names(&stripped, unpacked(&stripped).unwrap());
        for name in ["quiet", "still", "label", "exported", "loud"] {
            assert!(both.contains(name) && whole.contains(name), "{name} {arguments:?}: {both:?}");
        }
    }
}

#[test]
fn a_program_without_packed_names_has_none() {
    let built = Built::new(LIBRARY, "library.c", "cc", &["-shared", "-fPIC"]);
    assert!(unpacked(&built.program).unwrap().is_none());
}

#[test]
fn what_would_become_too_large_is_refused() {
    let built = Built::new(LIBRARY, "library.c", "cc", &["-shared", "-fPIC"]);
    let zeros = built.folder.path().join("zeros");
    File::create(&zeros).unwrap().set_len(65 << 20).unwrap();
    let stripped = with_packed(&built.folder, &built.program, &xz(&zeros, &["-1"]));
    assert_eq!(unpacked(&stripped).unwrap_err().to_string(), "the unpacked names are too many");
    // A dictionary of 64 MiB, whatever is packed.
    let stripped = with_packed(&built.folder, &built.program, &xz(&built.program, &["-9"]));
    unpacked(&stripped).unwrap_err();
}

#[test]
fn packed_bytes_that_make_no_sense_are_refused() {
    let built = Built::new(LIBRARY, "library.c", "cc", &["-g", "-shared", "-fPIC"]);
    let packed = xz(&built.program, &["-6"]);
    for damaged in [&b"no xz"[..], &packed[..packed.len() / 2], &xz(&built.folder.path().join("library.c"), &[])] {
        unpacked(&with_packed(&built.folder, &built.program, damaged)).unwrap_err();
    }
    let mut refused = 0;
    for at in (0..packed.len()).step_by(packed.len() / 200) {
        let mut damaged = packed.clone();
        damaged[at] ^= 0x55;
        refused += u32::from(unpacked(&with_packed(&built.folder, &built.program, &damaged)).is_err());
    }
    assert!(refused >= 200, "only {refused}: each byte is under a checksum");
}
