//! Compiles `bpf/sample.bpf.c` into `OUT_DIR`.
use std::{env, path::PathBuf, process::Command};

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
