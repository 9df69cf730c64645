//! What a series holds.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

/// Upper bounds of a histogram's buckets, in seconds where it measures time; above the last there is `+Inf`.
pub const BUCKETS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// A number that only grows. A clone counts into the same.
#[derive(Clone, Debug, Default)]
pub struct Counter(Arc<AtomicU64>);

impl Counter {
    /// Counts `more`.
    pub fn add(&self, more: u64) {
        self.0.fetch_add(more, Relaxed);
    }

    /// The count.
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// A number that goes up and down. A clone is the same one.
#[derive(Clone, Debug, Default)]
pub struct Gauge(Arc<AtomicU64>);

impl Gauge {
    /// Sets it.
    pub fn set(&self, value: f64) {
        self.0.store(value.to_bits(), Relaxed);
    }

    /// Its value.
    pub fn get(&self) -> f64 {
        f64::from_bits(self.0.load(Relaxed))
    }
}

/// Observations counted by size, with the bounds of [`BUCKETS`]. A clone is the same one.
#[derive(Clone, Debug, Default)]
pub struct Histogram(Arc<Mutex<Observed>>);

/// What a histogram has seen.
#[derive(Clone, Debug, Default)]
pub(super) struct Observed {
    /// A count for each of [`BUCKETS`], not summed up.
    pub(super) buckets: [u64; BUCKETS.len()],
    pub(super) count: u64,
    pub(super) sum: f64,
}

impl Histogram {
    /// Counts one observation.
    pub fn observe(&self, value: f64) {
        let mut observed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bucket) = BUCKETS.iter().position(|bound| value <= *bound) {
            observed.buckets[bucket] += 1;
        }
        observed.count += 1;
        observed.sum += value;
    }

    /// How many observations there were.
    pub fn count(&self) -> u64 {
        self.read().count
    }

    pub(super) fn read(&self) -> Observed {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
