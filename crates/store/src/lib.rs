//! The embedded profile database: profiles of an interval go in, timelines, merged stacks and labels come out.
//!
//! ```text
//!  append(interval) ──▶ dictionary + trie ──▶ window ──▶ one transaction ──▶ profiles-<time>.sqlite
//!                         (per partition)     (columns, zstd)                 │   one file a partition
//!  set_open(interval) ──▶ open intervals ─┐                                   │   retention drops whole files
//!                                         ▼                                   ▼
//!  queries ──────────────────────▶ snapshot of both ──▶ values by trie node ──▶ StackTree ──▶ flame graph, pprof
//! ```
//!
//! The file format is drawn in `docs/format/store.md`.
//!
//! Invariants:
//!
//! - A window is visible to queries from the moment its open interval is not, and never both.
//! - A killed process loses at most the window that it was writing. A damaged or foreign file is set aside and named; it
//!   never stops the rest.
//! - Memory is bounded: one dictionary with index for the file that is written to, a cache of 8 MiB for older ones,
//!   small page caches. A partition ends before its dictionary outgrows that.
//! - Everything lost is counted in [`Stats`].
//!
//! Deliberately absent: HTTP, flame graph layout, any clock but that of retention.
//!
//! Start at [`store`], then [`append`](Store::append) and [`query`]; [`dictionary`](mod@dictionary) and
//! [`window`](mod@window) are the format. Tested beside the code, and in `tests/`: answers equal a filter over a list of
//! profiles, kill -9 in the midst of writing, damaged files, full disks. `examples/bench.rs` measures.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod append;
mod aside;
mod clock;
mod codec;
mod dictionary;
pub mod ingest;
pub mod open;
mod partition;
mod pattern;
pub mod query;
pub mod range;
mod retention;
mod schema;
pub mod selector;
mod series;
pub mod store;
mod strings;
pub mod tree;
mod window;

pub use append::{AppendError, Appended};
pub use ingest::Detail;
pub use open::Interval;
pub use query::{Aggregation, Answer, Merged, Query, SeriesQuery, TimeSeries};
pub use range::TimeRange;
pub use selector::{Selector, SelectorError};
pub use store::{Config, OpenError, Stats, Store, WeakStore};
pub use tree::{Children, StackTree, Times};
