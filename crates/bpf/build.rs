//! Compiles `bpf/sample.bpf.c` into `OUT_DIR`.
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use libbpf_cargo::SkeletonBuilder;
use link_libelf as _;

fn main() {
    let source = PathBuf::from(env::var("CARGO_MANIFEST_DIR").expect("set by cargo")).join("../../bpf");
    let out = PathBuf::from(env::var("OUT_DIR").expect("set by cargo"));
    println!("cargo:rerun-if-changed={}", source.display());
    println!("cargo:rerun-if-env-changed=CLANG");
    let clang = clang();
    if let Err(error) = SkeletonBuilder::new()
        .source(source.join("sample.bpf.c"))
        .obj(out.join("sample.bpf.o"))
        .clang(&clang)
        // v3: the newest instruction set of clang 14 and of the oldest kernel supported; it has 32-bit compares.
        .clang_args(["-Wall", "-Wextra", "-Werror", "-mcpu=v3", "-Wno-unused-command-line-argument"])
        .build()
    {
        panic!(
            "cannot compile the BPF programs with {clang}: {error:#}\nInstall clang 14 or newer (Debian: clang-19), or name one in the variable CLANG."
        );
    }
    refuse_arithmetic_shifts(&out.join("sample.bpf.o"));
}

/// Refuses an object with an arithmetic shift to the right. Some verifiers (6.18.44) take the kernel down when they reject a program
/// that makes a mask with one, and the compiler makes one of a choice between two numbers.
fn refuse_arithmetic_shifts(object: &Path) {
    const EXECUTABLE: u64 = 4;
    let bytes = fs::read(object).expect("it was just compiled");
    let number = |at: usize, size: usize| {
        let field = &bytes[at..at + size];
        field.iter().rev().fold(0_u64, |number, byte| number << 8 | u64::from(*byte)) as usize
    };
    // The section headers of a 64-bit ELF file. Source: System V ABI, chapter 4.
    let (table, size, count) = (number(0x28, 8), number(0x3a, 2), number(0x3c, 2));
    for header in (0..count).map(|section| table + section * size) {
        if number(header + 8, 8) as u64 & EXECUTABLE == 0 {
            continue;
        }
        let (offset, length) = (number(header + 24, 8), number(header + 32, 8));
        // The opcode is the first byte: its class in the lowest three bits (4 and 7 compute), the operation in the upper four.
        let shift = |code: &[u8; 8]| code[0] & 0xf0 == 0xc0 && matches!(code[0] & 7, 4 | 7);
        let found = bytes[offset..offset + length].as_chunks().0.iter().position(shift);
        if let Some(at) = found {
            panic!(
                "instruction {at} of a section of the BPF object is an arithmetic shift: write the C so that there is none, as with a multiplication"
            );
        }
    }
}

/// The compiler: `$CLANG`, else the newest of the usual names.
fn clang() -> String {
    if let Ok(clang) = env::var("CLANG") {
        return clang;
    }
    let names = (14..=23).rev().map(|version| format!("clang-{version}")).chain(["clang".to_owned()]);
    names
        .into_iter()
        .find(|name| Command::new(name).arg("--version").output().is_ok_and(|output| output.status.success()))
        .unwrap_or_else(|| "clang".to_owned())
}
