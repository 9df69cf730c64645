//! Tests on files that real compilers and linkers made.

#![expect(clippy::unwrap_used, reason = "a failure here is the test's")]

mod built;
mod c;
mod go;
