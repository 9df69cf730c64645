//! What the rows thread counts.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// Counts of unwind rows, shared with whoever shows them.
#[derive(Clone, Debug, Default)]
pub struct RowCounts(pub(super) Arc<Counts>);

#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) built: AtomicU64,
    pub(super) rows: AtomicU64,
    pub(super) nanoseconds: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) evicted: AtomicU64,
    pub(super) malformed: AtomicU64,
    pub(super) tables: AtomicU64,
    pub(super) bytes: AtomicU64,
    pub(super) rules_refused: AtomicU64,
    pub(super) repaired: AtomicU64,
    pub(super) unrepaired: AtomicU64,
    pub(super) partial: AtomicU64,
    pub(super) spans: AtomicU64,
    pub(super) tight: AtomicBool,
    pub(super) stopping: AtomicBool,
}

impl RowCounts {
    /// Files whose rows were built.
    pub fn built(&self) -> u64 {
        self.0.built.load(Relaxed)
    }

    /// Rows that were built.
    pub fn rows(&self) -> u64 {
        self.0.rows.load(Relaxed)
    }

    /// Nanoseconds that building took.
    pub fn nanoseconds(&self) -> u64 {
        self.0.nanoseconds.load(Relaxed)
    }

    /// Times that the rows of a file found no room.
    pub fn refused(&self) -> u64 {
        self.0.refused.load(Relaxed)
    }

    /// Tables that had to make room for others.
    pub fn evicted(&self) -> u64 {
        self.0.evicted.load(Relaxed)
    }

    /// Entries of unwind tables that could not be read, or only in part.
    pub fn malformed(&self) -> u64 {
        self.0.malformed.load(Relaxed)
    }

    /// Files that have a table now.
    pub fn tables(&self) -> u64 {
        self.0.tables.load(Relaxed)
    }

    /// Times that a rule got no number, because its file has too many or all numbers are taken.
    pub fn rules_refused(&self) -> u64 {
        self.0.rules_refused.load(Relaxed)
    }

    /// Walks that came to code without rows and were gone on with when it had some.
    pub fn repaired(&self) -> u64 {
        self.0.repaired.load(Relaxed)
    }

    /// Walks that came to code without rows and stayed so.
    pub fn unrepaired(&self) -> u64 {
        self.0.unrepaired.load(Relaxed)
    }

    /// Files of which only those rows are held that were asked for.
    pub fn partial(&self) -> u64 {
        self.0.partial.load(Relaxed)
    }

    /// Spans of such files that were asked for and built.
    pub fn spans(&self) -> u64 {
        self.0.spans.load(Relaxed)
    }

    /// Such walks could not be waited for.
    pub(crate) fn leave_unrepaired(&self, walks: u64) {
        self.0.unrepaired.fetch_add(walks, Relaxed);
    }

    /// Whether room is short: then it matters when files were sampled last.
    pub(crate) fn is_tight(&self) -> bool {
        self.0.tight.load(Relaxed)
    }

    /// What waits to be built is not wanted any more.
    pub(crate) fn stop(&self) {
        self.0.stopping.store(true, Relaxed);
    }

    /// Bytes of rows that the kernel holds now.
    pub fn bytes(&self) -> u64 {
        self.0.bytes.load(Relaxed)
    }
}
