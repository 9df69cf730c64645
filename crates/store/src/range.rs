//! Spans of time in queries.

/// From `start` to `end`, both included, in Unix milliseconds. A profile lies where its interval begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeRange {
    /// First millisecond.
    pub start: i64,
    /// Last millisecond.
    pub end: i64,
}

impl TimeRange {
    /// All of time.
    pub const ALL: Self = Self { start: i64::MIN, end: i64::MAX };

    /// Whether `time` lies within.
    pub fn contains(self, time: i64) -> bool {
        self.start <= time && time <= self.end
    }

    /// Whether it shares a millisecond with the span from `min` to `max`.
    pub(crate) fn overlaps(self, (min, max): (i64, i64)) -> bool {
        self.start <= max && min <= self.end
    }

    /// Whether the span from `min` to `max` lies within.
    pub(crate) fn covers(self, (min, max): (i64, i64)) -> bool {
        self.start <= min && max <= self.end
    }
}
