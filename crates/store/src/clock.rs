//! The time by which data is old, from a wall clock that may jump.
//!
//! A clock that is a week ahead for a minute must not cost a week of data. So a wall clock that is further ahead than time
//! has passed is believed only when it has stayed so for an hour; until then time goes on as it did before.

use std::time::{Duration, Instant};

/// So much ahead is no jump: clocks are set by small steps.
const TOLERANCE: Duration = Duration::from_secs(600);
/// How long a jump has to last.
const PROVEN: Duration = Duration::from_secs(3600);

/// Milliseconds of Unix time that can be trusted.
#[derive(Debug)]
pub(crate) struct Clock {
    trusted: i64,
    at: Instant,
    /// Since when the wall clock is ahead.
    ahead: Option<Instant>,
}

impl Clock {
    /// A clock that last showed what the newest data says.
    pub(crate) fn new(newest: Option<i64>, wall: i64, at: Instant) -> Self {
        Self { trusted: newest.map_or(wall, |newest| newest.min(wall)), at, ahead: None }
    }

    /// The time to go by when the wall clock shows `wall`.
    pub(crate) fn now(&mut self, wall: i64, at: Instant) -> i64 {
        let expected = self.trusted.saturating_add(millis(at.duration_since(self.at)));
        if wall > expected.saturating_add(millis(TOLERANCE)) {
            let since = *self.ahead.get_or_insert(at);
            if at.duration_since(since) < PROVEN {
                return expected;
            }
        }
        *self = Self { trusted: wall, at, ahead: None };
        wall
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;
    const WEEK: i64 = 7 * 24 * 60 * MINUTE;

    #[test]
    fn a_jump_ahead_counts_when_it_has_lasted() {
        let start = Instant::now();
        let after = |minutes: u64| start + Duration::from_secs(60 * minutes);
        let mut clock = Clock::new(None, 0, start);
        assert_eq!(clock.now(MINUTE, after(1)), MINUTE);
        assert_eq!(clock.now(WEEK, after(2)), 2 * MINUTE);
        assert_eq!(clock.now(3 * MINUTE, after(3)), 3 * MINUTE, "back again");
        assert_eq!(clock.now(WEEK, after(4)), 4 * MINUTE);
        assert_eq!(clock.now(WEEK + 59 * MINUTE, after(63)), 63 * MINUTE);
        assert_eq!(clock.now(WEEK + 60 * MINUTE, after(64)), WEEK + 60 * MINUTE);
        assert_eq!(clock.now(WEEK + 61 * MINUTE, after(65)), WEEK + 61 * MINUTE);
    }

    #[test]
    fn a_jump_back_counts_at_once() {
        let start = Instant::now();
        let mut clock = Clock::new(None, WEEK, start);
        assert_eq!(clock.now(MINUTE, start), MINUTE);
    }

    #[test]
    fn a_clock_that_is_ahead_of_the_newest_data_is_not_believed_at_once() {
        let start = Instant::now();
        let mut clock = Clock::new(Some(0), WEEK, start);
        assert_eq!(clock.now(WEEK, start), 0);
        assert_eq!(clock.now(WEEK, start + PROVEN), WEEK);
        // Data from the future says nothing of the time.
        let mut clock = Clock::new(Some(WEEK), 0, start);
        assert_eq!(clock.now(0, start), 0);
    }
}
