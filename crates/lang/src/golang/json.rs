//! JSON as Go's `encoding/json` reads and writes it.

mod read;
mod write;

pub use self::{
    read::{Numbers, ReadError, read},
    write::{push_string, write},
};
