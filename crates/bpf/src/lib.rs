//! Loads the programs of `bpf/` and implements [`engine::kernel::Kernel`] with them.
//!
//! ```text
//! bpf/*.c ──build.rs, clang──▶ object ──Loaded::load──▶ programs and maps in the kernel
//!                                          │ perf events, one a CPU      rings ──drain──▶ engine
//!                                          ├ raw tracepoints: fork, exec, exit
//!                                          └ unwind rows ◀──Rows── engine
//! ```
//!
//! Invariants: no policy; what to sample, evict or retry is the engine's. Nothing is pinned: when this drops, the kernel
//! holds nothing of ours. Needs CAP_BPF and CAP_PERFMON (or root) and the kernel's BTF; not tracefs, kprobes or modules, and
//! from 5.11 on not CAP_SYS_RESOURCE, whose place before is taken by a high limit of locked memory. `unsafe` is in `perf`,
//! `notes` and `limits` alone.
//!
//! Start at [`Loaded`]. Tested against the running kernel (`tests/`, as root), by comparing the layout of the C with that of
//! `crates/abi`, and as a program of the host whose memory is made up (`tests/host`).

#![deny(unsafe_code)]

mod cpus;
mod event;
mod limits;
mod load;
mod loaded;
mod memory;
mod newest;
mod notes;
mod pace;
mod perf;
mod privileges;
mod rings;
mod rows;
mod selfcheck;

use link_libelf as _;

pub use loaded::{Config, Loaded};
