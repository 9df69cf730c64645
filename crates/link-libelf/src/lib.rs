//! Links what the system's static libelf needs and does not bring: nothing goes in, archives come out, behind everything else on the
//! linker's command line.
//!
//! ```text
//!  libelf.a ──build.rs: does it speak of ZSTD_?──▶ libzstd.a
//!  search_tree.c ──build.rs, cc──▶ libeu_search_tree.a
//! ```
//!
//! - Since elfutils 0.189 libelf reads sections compressed with zstd where it is built so (Debian 13), and its archive then needs
//!   libzstd's.
//! - The archive of elfutils 0.192 (Debian 13) lacks four functions that its other members call:
//!   <https://sourceware.org/bugzilla/show_bug.cgi?id=32293>. `search_tree.c` has them; where libelf.a has its own, ours are not taken.
//!
//! The crate that links libelf knows of neither. A build script cannot help itself: what it prints reaches the package it belongs to
//! and not the script, and that of `crates/bpf` links libelf as well. So this is a crate of its own, which both name with
//! `use link_libelf as _;`. It holds no Rust code.
//!
//! Tested by building on both kinds of system: `tools/try-in-chroot.sh`.
#![forbid(unsafe_code)]
