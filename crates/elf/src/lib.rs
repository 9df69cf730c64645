//! What an ELF file says, read in bounded pieces.
#![forbid(unsafe_code)]

pub mod address;

pub use address::{FileOffset, Svma};
