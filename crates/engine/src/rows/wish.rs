//! What the sampler and the rows thread tell each other about one file.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use crate::sampler::now;

/// Shared by both. Times are in seconds by the clock of the records.
pub(crate) type Wish = Arc<State>;

/// When a file was last sampled, and whether its rows are to be asked for.
#[derive(Debug, Default)]
pub(crate) struct State {
    sampled: AtomicU32,
    /// When rows that are not there may be asked for again; 0 while they are there, or on their way.
    ask: AtomicU32,
}

/// The clock of wishes.
pub(crate) fn seconds() -> u32 {
    (now() / 1_000_000_000) as u32
}

impl State {
    /// Of a file that is always in use.
    pub(super) fn always() -> Wish {
        Wish::new(Self { sampled: u32::MAX.into(), ask: 0.into() })
    }

    /// The file was sampled. True if its rows are to be asked for, which is said once.
    pub(crate) fn sampled(&self, now: u32) -> bool {
        if self.sampled.load(Relaxed) != now {
            self.sampled.store(now, Relaxed);
        }
        let ask = self.ask.load(Relaxed);
        ask != 0 && ask <= now && self.ask.swap(0, Relaxed) != 0
    }

    /// When the file was last sampled.
    pub(super) fn last_sampled(&self) -> u32 {
        self.sampled.load(Relaxed)
    }

    /// The rows are gone, or found no room: they may be asked for from then on.
    pub(crate) fn ask_from(&self, from: u32) {
        self.ask.store(from.max(1), Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_are_gone_are_asked_for_once_and_not_too_early() {
        let wish = State::default();
        assert!(!wish.sampled(100), "they are on their way");
        wish.ask_from(110);
        assert_eq!([109, 110, 111].map(|now| wish.sampled(now)), [false, true, false]);
        assert_eq!(wish.last_sampled(), 111);
        wish.ask_from(0);
        assert!(wish.sampled(112));
    }
}
