//! Tables on disk: what takes long to make is written once into a folder, and mapped from there.
//!
//! ```text
//!  parts: (number, bytes) ──Cache::put(key)──▶ a file, written beside and renamed ──▶ Pack
//!                           Cache::get(key)──▶ Pack ──part(number)──▶ Bytes, mapped
//! ```
//!
//! A file has a head, a directory of its parts, and the parts (`docs/format/symbols.md`). It is never changed: one that says more takes
//! its place. So any number of processes may use a folder, and anything in it may be removed at any time; who has a file mapped
//! keeps it until he lets go of it.
//!
//! Invariants:
//!
//! - Bytes that were damaged are never given out: each part has a checksum, which is compared when it is first asked for.
//! - A file that is cut while it is mapped ends nobody: what is gone reads as zeros, and [`Pack::has_changed`] says so.
//! - A folder holds no more than its [`Limits`]; those files go first that were used longest ago.
//! - A folder that others can write to is refused: what is mapped must not change.
//!
//! Absent on purpose: what the parts mean, and what a key is.
//!
//! Start reading at [`Cache`].

mod bytes;
mod folder;
mod mapping;
mod pack;

pub use bytes::Bytes;
pub use folder::{Cache, Counts, Limits, OpenError};
pub use pack::Pack;

/// A number for bytes that others hardly have.
pub fn digest(bytes: &[u8]) -> u64 {
    pack::hash(bytes)
}
