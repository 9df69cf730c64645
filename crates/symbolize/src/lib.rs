//! Names for addresses: files, the kernel's list and runtimes' maps go in; functions, files and lines come out.
//!
//! ```text
//!  an ELF file, a vDSO's bytes ──file::Symbols──▶ lookup(place in the file) ──▶ Symbol { name, start, file, line }
//!  text of /proc/kallsyms ──kernel::Builder──▶ lookup(address) ──▶ KernelSymbol { name, module, start }
//!  /tmp/perf-PID.map ──perf_map::PerfMap──▶ lookup(address) ──▶ PerfSymbol { name, start }
//!  its `.gnu_debugdata` ──mini::unpack──▶ a file of names, for `Symbols` beside it
//!  DWARF of an ELF file ──Sources──▶ lookup(address) ──▶ [Call { function, file, line }], the innermost first
//!                                                    name ──demangle──▶ name as people write it
//! ```
//!
//! Invariants:
//!
//! - Tables are small and names stay where they are: twelve bytes a function of a file, about nineteen a function of the
//!   kernel, nothing for Go, whose own table is read in place. Each table says what it takes (`heap_bytes`).
//! - A lookup reads from the file and makes strings; callers ask once for each place and keep the answer.
//! - Files are read by offset, in pieces, and are never mapped; see `elf`.
//! - What cannot be understood gives no name, never a wrong one of a neighbour: a place outside of every known function
//!   stays nameless, and a name that cannot be demangled is shown as it is.
//!
//! Absent on purpose: opening files and `/proc` (`inspect` does), caches and eviction (the engine does).
//!
//! Start reading at [`Symbols`]. Tested on programs built by the tests with `cc`, `g++` and `go`, on the running kernel's own
//! list, on its vDSO, and by comparison with plain models.
#![forbid(unsafe_code)]

mod alias;
pub mod file;
mod kept;
mod table;

pub mod mini;

pub mod kernel;
pub mod perf_map;

pub mod demangle;
mod source;

pub use demangle::{Mode, demangle};
pub use file::{Symbol, Symbols};
pub use kept::Kept;
pub use kernel::{KernelSymbol, KernelSymbols};
pub use perf_map::{PerfMap, PerfSymbol};
pub use source::{Call, Known, Sources};
