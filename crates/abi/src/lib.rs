//! The Rust view of `bpf/include`: what the kernel side writes, as types that bytes can be read as.
//!
//! ```text
//! bpf/include/abi.h ──(same layout, compared with BTF by a test in crates/bpf)──▶ records
//! bpf/include/*.def ──build.rs──▶ Counter, WalkEnd
//! rows::{Rule, Table, Line} ──user space writes──▶ maps
//! ring bytes ──Record::parse──▶ Record::{Sample, Stack, Path, Process}
//! ```
//!
//! Invariants: no I/O and no policy; a record that is short or of an unknown kind is a `Malformed`, never a panic. All
//! integers are in the machine's own byte order, because both sides run on it.

#![forbid(unsafe_code)]

mod layout;
mod record;
pub mod rows;

pub use layout::{LAYOUTS, Layout};
pub use record::{
    FilePath, Malformed, Mapping, ProcessEvent, Record, SEEN_FILES, SampleHead, SampleRecord, StackHead, StackRecord,
    kind, mapping_flag, sample_flag, seen_slot, stack_flag,
};

/// Largest number of user frames in a sample (`MAX_USER_FRAMES`).
pub const MAX_USER_FRAMES: usize = 1024;
/// Of a stack that is deeper, so many of its outermost frames are kept (`OUTER_FRAMES`).
pub const OUTER_FRAMES: usize = 256;
/// Frames at which a walk ends (`MAX_DEPTH`).
pub const MAX_DEPTH: usize = 8192;
/// In a user address other than the first: not a return address, but where the thread was interrupted (`ADDRESS_EXACT`).
pub const ADDRESS_EXACT: u64 = 1 << 63;
/// Largest number of kernel frames in a sample (`MAX_KERNEL_FRAMES`).
pub const MAX_KERNEL_FRAMES: usize = 127;
/// Largest number of mappings that a sample names (`MAX_MAPPINGS`).
pub const MAX_MAPPINGS: usize = 32;

include!(concat!(env!("OUT_DIR"), "/defs.rs"));
