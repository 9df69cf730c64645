//! What an ELF file says: bytes by offset go in; segments, sections, build ids, debug links, functions and Go's line tables
//! come out.
//!
//! ```text
//!  R: ReadAt ──Elf::parse──▶ Elf { segments, sections } ──notes──▶ BuildId
//!                              │                        ──debug_link──▶ DebugLink
//!                              ├──function_table──▶ SymbolTable ──for_each_function──▶ Function, Function, …
//!                              └──Pclntab::find──▶ Pclntab ──lookup(pc)──▶ GoFunction { name, file, line }
//! ```
//!
//! Invariants:
//!
//! - Files are read in pieces of at most [`read::WINDOW`] bytes, by offset. Nothing is mapped, so a file that is cut short
//!   while we read it is a short read and not a signal; nothing is slurped, so a file's size costs no memory.
//! - What a header claims is believed only as far as the file reaches: no allocation is larger than the bytes behind it.
//! - Any bytes give an answer: what could be learned, and a list of [`Problem`]s. Nothing panics.
//! - [`Svma`] and [`FileOffset`] are different types; only [`Elf`] turns one into the other, by the loadable segments.
//!
//! Little-endian files of both classes are read, as the hosts run them. Absent on purpose: DWARF, unwind tables, and
//! opening files by name.
//!
//! Start reading at [`file::Elf`]. Tested on binaries that the tests build with the system's `cc` and `go`, against the
//! `object` crate and `go tool`, and on arbitrary and damaged bytes.
//!
//! ```
//! let image: &[u8] = b"#!/bin/sh\n";
//! assert!(matches!(pyrope_elf::Elf::parse(image), Err(pyrope_elf::ParseError::NotElf)));
//! ```
#![forbid(unsafe_code)]

pub mod address;
pub mod pieces;
pub mod read;

pub mod file;
mod format;
mod parse;

pub mod debug_link;
mod dynamic;
pub mod notes;
pub mod symbols;

pub mod go;

pub use address::{FileOffset, Svma};
pub use file::{Elf, ParseError, Problem, Section, Segment};
pub use go::{GoCall, GoFrame, GoFrames, GoFunction, GoInlines, Pclntab};
pub use notes::BuildId;
pub use read::ReadAt;
pub use symbols::{Binding, Function, Strings, SymbolTable};
