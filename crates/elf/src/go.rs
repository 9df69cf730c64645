//! Go's own table of functions and lines, which is in every Go binary, also in stripped ones.
//!
//! ```text
//!  Elf ──locate──▶ where the table is, where Go's text begins ──table──▶ Pclntab ──lookup(pc)──▶ GoFunction
//!                                                                  │        └── pc_values: what holds at a pc
//!                                                                  ├──calls(pc), with GoInlines──▶ GoCall, GoCall, …
//!                                                                  └──GoFrames──▶ GoFrame, GoFrame, …
//! ```
//!
//! The format is described in the comments of Go's `debug/gosym/pclntab.go` and `runtime/symtab.go`; it changed in 1.16,
//! 1.18 and 1.20, and each kind has a magic number.

mod calls;
mod frames;
mod locate;
mod module;
mod pc_values;
mod table;

pub use calls::{GoCall, GoInlines};
pub use frames::{GoFrame, GoFrames};
pub use table::{GoFunction, Pclntab, Version};

#[cfg(test)]
mod tests;
