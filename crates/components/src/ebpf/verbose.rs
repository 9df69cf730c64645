//! `verbose_mode`: what the profiler says at level debug, whatever the level of the log is.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// What speaks of profiling, by the beginning of its name.
const PROFILER: [&str; 6] = [
    "pyrope_engine",
    "pyrope_bpf",
    "pyrope_symbolize",
    "pyrope_unwind",
    "pyrope_components::ebpf",
    "pyrope_components::profiler",
];

/// How many components want it. A service of the graph, which the log asks.
#[derive(Debug, Default)]
pub struct Verbose(AtomicUsize);

/// Somebody wants it, until this drops.
pub(super) struct Wanted(Arc<Verbose>);

impl Verbose {
    /// Whether what this target says at level debug is to be written.
    pub fn covers(&self, target: &str) -> bool {
        self.0.load(Relaxed) > 0 && PROFILER.iter().any(|name| target.starts_with(name))
    }

    pub(super) fn want(self: &Arc<Self>) -> Wanted {
        self.0.fetch_add(1, Relaxed);
        tracing::callsite::rebuild_interest_cache();
        Wanted(Arc::clone(self))
    }
}

impl Drop for Wanted {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Relaxed);
        tracing::callsite::rebuild_interest_cache();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_covers_the_profiler_for_as_long_as_somebody_wants_it() {
        let verbose = Arc::new(Verbose::default());
        let covered = || ["pyrope_engine::opener", "pyrope_web::serve"].map(|target| verbose.covers(target));
        assert_eq!(covered(), [false, false]);
        let (first, second) = (verbose.want(), verbose.want());
        drop(first);
        assert_eq!(covered(), [true, false]);
        drop(second);
        assert_eq!(covered(), [false, false]);
    }
}
