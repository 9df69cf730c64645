//! What the DWARF of a file says about its code: functions, inlined calls, files and lines.
//!
//! ```text
//!  an ELF file ──Dwarf::open──▶ Dwarf::index ──▶ Index: which unit has which code
//!                    │                               │ unit(address)
//!                    ▼                               ▼
//!              Dwarf::table(unit) ──▶ Table: bytes to keep ──lookup(address)──▶ [Place { function, file, line }], innermost first
//! ```
//!
//! A unit is what a compiler made of one source file. Only units that are asked for are read, each once and whole; what is kept
//! of it is its [`Table`], about a tenth of its DWARF.
//!
//! Invariants:
//!
//! - Files are read by offset, in pieces, and are never mapped. No more of a file is in memory than one unit.
//! - Bytes that make no sense end what they are in, never the program; counts of the file are never believed.
//! - A place has the name that the compiler gave it, or none.
//!
//! Formats: DWARF 4 and 5 (<https://dwarfstd.org>), 32 and 64 bits, with GNU's extensions for split units.
//!
//! Absent on purpose: finding files (the caller does), demangling (`symbolize`), unwinding (`unwind`), variables and types.
//!
//! Start reading at [`Dwarf`]. Tested on programs that the tests build, against what `addr2line` says of each address.
#![forbid(unsafe_code)]

mod abbreviations;
mod dwarf;
mod flatten;
mod functions;
mod head;
mod index;
mod lines;
mod names;
mod package;
mod ranges;
mod section;
mod sections;
mod source;
mod strings;
mod table;
mod unit;

pub use dwarf::{Dwarf, Files, UnitTable};
pub use index::{Index, UnitId};
pub use table::{Place, Table};
