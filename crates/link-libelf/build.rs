//! Hands the linker what libelf.a needs.

use std::path::Path;
use std::{env, fs};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=search_tree.c");
    cc::Build::new().file("search_tree.c").warnings(true).cargo_metadata(false).compile("eu_search_tree");
    link_behind(Path::new(&env::var("OUT_DIR").expect("set by cargo")), "libeu_search_tree.a");

    // The same folders in which libbpf-sys finds libelf.a; .cargo/config.toml sets them.
    let variable = format!("LIBBPF_SYS_LIBRARY_PATH_{}", env::var("TARGET").expect("set by cargo"));
    println!("cargo:rerun-if-env-changed={variable}");
    for folder in env::var(variable).unwrap_or_default().split(':').map(Path::new) {
        let libelf = folder.join("libelf.a");
        // Where it is missing, the crate that links it says so.
        let Ok(archive) = fs::read(&libelf) else { continue };
        println!("cargo:rerun-if-changed={}", libelf.display());
        if archive.windows(5).any(|bytes| bytes == b"ZSTD_") {
            assert!(
                folder.join("libzstd.a").exists(),
                "{} needs libzstd.a beside it: install libzstd-dev",
                libelf.display()
            );
            link_behind(folder, "libzstd.a");
        }
        return;
    }
}

/// As a `dylib` it comes behind all Rust libraries, where a linker that reads each once still looks for it; the whole name
/// makes it the archive all the same.
fn link_behind(folder: &Path, archive: &str) {
    println!("cargo:rustc-link-search=native={}", folder.display());
    println!("cargo:rustc-link-lib=dylib:+verbatim={archive}");
}
