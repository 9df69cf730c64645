//! Names for addresses.
#![forbid(unsafe_code)]

mod alias;
pub mod file;
mod table;

pub use file::{Symbol, Symbols};
