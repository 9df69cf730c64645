//! How to walk up a stack: from the unwind tables of an ELF file, and from its code where it has none, to compact rows.
//!
//! ```text
//! Elf ──.eh_frame, .debug_frame──▶ entries by address ──compile──▶ (offset, Rule), … ──▶ spans of 64-byte lines ──▶ Output
//!  └────code between them─────────▶ functions ──bare───────┘│
//!                                                    Rules: each rule once, by number
//! ```
//!
//! A [`Rule`] says how to get from a frame to its caller with three registers of x86-64: instruction, stack and frame
//! pointer. A row is a place in the file, and the number of the rule that holds from there. The kernel side
//! finds the row of an address in a few cache lines; [`span`] draws them.
//!
//! Invariants: bytes in, bytes out; nothing is opened. A file is read in pieces: no more than a megabyte or two of it are in
//! memory at once, whatever its size. Any bytes give an answer; what cannot be read has no rule and is counted.
//!
//! Start reading at [`compile::compile`]. Tested against the `gimli` crate on the binaries of the machine that runs the
//! tests, instruction by instruction, on damaged bytes, and by stepping through programs.
#![forbid(unsafe_code)]

mod bare;
mod calls;
mod cfi;
pub mod compile;
mod encode;
mod go;
pub mod rule;
pub mod rules;
mod source;
pub mod span;
pub mod step;
mod x86;

pub use cfi::Orders;
pub use compile::{Output, Summary, compile, compile_span, spans_of};
pub use rule::{Cfa, Frame, Register, Rule, SavedFp, SavedRa};
pub use rules::Rules;
pub use step::{Memory, Registers, Stop};
