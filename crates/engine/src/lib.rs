//! The profiler as state machines over `trait Kernel`: records in, profiles out.
//!
//! ```text
//!  kernel ─records─▶ sampler thread ──windows──▶ namer thread ──batches of profiles──▶ each session's sink
//!                     │ processes, targets,        │ files, kallsyms, perf maps,
//!                     │ stacks (interned), counts  │ names (interned)
//!                     └─first sight of a file──▶ opener thread ─open files─┤◀─debug files thread
//!  kernel ◀─unwind rows──────────────────────────────────── rows thread ◀──┘
//! ```
//!
//! A *session* is one `pyroscope.ebpf`: its rate, interval, targets, sink and account. All sessions share one kernel side.
//! A *window* is what a session counted in one interval.
//!
//! Invariants: knows no BPF, no tokio, no HTTP and no configuration text. Each thread owns its state; between them are
//! bounded channels, each with a stated policy when full. For each session `taken = delivered + open + Σ filtered +
//! Σ lost` ([`account`]). A sample of an unknown process or file is kept.
//!
//! Start at [`Engine::start`] and [`Engine::open`], then `sampler`. Tested with a fake kernel, without root.

#![forbid(unsafe_code)]

pub mod account;
mod aside;
pub mod batch;
mod beside;
pub mod budget;
pub mod cache;
mod command;
pub mod debug_server;
mod engine;
pub mod files;
mod frame;
pub mod kernel;
mod namer;
mod opener;
pub mod process;
mod program_file;
mod repair;
pub mod rows;
mod sampler;
mod session;
mod stacks;
pub mod symbol_cache;
pub mod target;
mod thread;
mod vdso;
mod window;

pub use abi::{Counter, WalkEnd};
pub use batch::{Batch, Sink};
pub use engine::{Accounts, Engine, Session, StartError, Status};
pub use session::Settings;
pub use symbolize::Mode as Demangle;
