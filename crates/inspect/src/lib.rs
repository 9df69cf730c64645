//! Facts about the processes of a host: `/proc` and remote memory go in, typed facts come out.
//!
//! ```text
//!  /proc ──proc::Proc──▶ bytes ──stat, status, maps, cgroup, namespace──▶ Facts, Mapping, &str
//!            │
//!            ├──▶ MappedFile { file, identity, reached, backing }   (map_files, else root + path)
//!  memory::read ──▶ bytes of another process (its vDSO, its runtime's structures)
//!  bytes of /etc/passwd ──users──▶ uid → name
//! ```
//!
//! Invariants:
//!
//! - Parsers take bytes and never fail as a whole: a line they cannot read is skipped and, where it matters, counted.
//!   `proc` and `memory` alone touch the system.
//! - A process that vanished, a permission that lacks and a fact nobody asked for are values of [`Missing`], not errors
//!   that end a scan.
//! - All facts of one [`proc::Facts`] are read through one handle of the process's directory, so a pid that is used again
//!   in the middle cannot mix two programs: the old handle answers "gone".
//! - Nothing follows a symbolic link of another process's file system out of that file system.
//!
//! Absent on purpose: caches, polling and policy (whom to look at, how often), which belong to the callers; ELF contents,
//! which belong to `elf`.
//!
//! Start reading at [`proc::Proc`]. The parsers are tested on text as kernels of several ages print it, `proc` on the test's
//! own process and children and on invented `/proc` trees.

pub mod process;
pub mod stat;
pub mod status;

pub mod cgroup;
pub mod maps;
pub mod namespace;
pub mod users;

pub mod memory;
pub mod proc;

pub use maps::{Avma, Device, Mapping};
pub use proc::{Backing, Facts, Identity, MappedFile, Proc, Wanted};
pub use process::{Missing, ProcessKey};
