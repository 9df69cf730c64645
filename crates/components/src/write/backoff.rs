//! How long to wait between attempts.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::time::Duration;

/// The least wait, so that arguments of zero do not make a busy loop.
const FLOOR: Duration = Duration::from_millis(1);

/// Waits that double from `min` to `max`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Backoff {
    pub(super) min: Duration,
    pub(super) max: Duration,
}

impl Backoff {
    /// The least wait.
    pub(super) fn least(&self) -> Duration {
        self.min.max(FLOOR)
    }

    /// The wait after `attempts` attempts, from 1: uniform between d and 2 d, where d doubles with each.
    pub(super) fn wait(&self, attempts: u32) -> Duration {
        self.spread(attempts, random() as f64 / u64::MAX as f64)
    }

    /// The same with `luck` between 0 and 1.
    fn spread(&self, attempts: u32, luck: f64) -> Duration {
        let doublings = attempts.saturating_sub(1).min(31);
        let d = self.least().saturating_mul(1 << doublings).min(self.max.max(FLOOR));
        d + d.mul_f64(luck.clamp(0.0, 0.999_999))
    }
}

/// A random number. The standard library seeds its hashers from the system's randomness and changes them each time,
/// which is as good as is needed for waits and for ids that must only differ.
pub(super) fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// A random UUID (version 4) as text.
pub(super) fn uuid() -> String {
    let (high, low) = (random(), random());
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        high >> 16 & 0xffff,
        high & 0xfff,
        low >> 48 & 0x3fff | 0x8000,
        low & 0xffff_ffff_ffff
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_maximum_and_are_spread_to_twice_that() {
        let backoff = Backoff { min: Duration::from_millis(500), max: Duration::from_secs(5) };
        let low: Vec<_> = (1..=6).map(|attempts| backoff.spread(attempts, 0.0).as_millis()).collect();
        assert_eq!(low, [500, 1_000, 2_000, 4_000, 5_000, 5_000]);
        let high = backoff.spread(1, 1.0);
        assert!(high > Duration::from_millis(999) && high < Duration::from_secs(1), "{high:?}");
        for attempts in [1, 100, u32::MAX] {
            let wait = backoff.wait(attempts);
            assert!(wait >= backoff.min && wait < backoff.max * 2, "{wait:?}");
        }
    }

    #[test]
    fn arguments_of_zero_do_not_make_a_busy_loop() {
        let backoff = Backoff { min: Duration::ZERO, max: Duration::ZERO };
        assert!(backoff.wait(3) >= FLOOR);
    }

    #[test]
    fn ids_are_uuids_and_differ() {
        let (one, two) = (uuid(), uuid());
        assert_ne!(one, two);
        let parts: Vec<_> = one.split('-').map(str::len).collect();
        assert_eq!(parts, [8, 4, 4, 4, 12]);
        assert_eq!(&one[14..15], "4");
        assert!("89ab".contains(&one[19..20]), "{one}");
    }
}
