//! JSON as Go's `encoding/json` reads and writes it.

mod read;
mod write;

pub use self::{
    read::{Numbers, Problem, ReadError, read},
    write::{push_string, write},
};
