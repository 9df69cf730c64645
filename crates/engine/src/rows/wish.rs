//! What the sampler and the rows thread tell each other about one file.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

use crate::sampler::now;

/// A file that was not reached is tried again at once, then after a second, then after twice as long each time, this often.
const MOST_DOUBLINGS: u32 = 8;

/// Shared by both. Times are in seconds by the clock of the records.
pub(crate) type Wish = Arc<State>;

/// When a file was last sampled, and whether its rows are to be asked for.
#[derive(Debug, Default)]
pub(crate) struct State {
    sampled: AtomicU32,
    /// When rows that are not there may be asked for again; 0 while they are there, or on their way.
    ask: AtomicU32,
    /// When the file, which was not reached, may be opened anew; 0 while it is open, or on its way.
    reopen: AtomicU32,
    /// How often it was not reached.
    unreached: AtomicU32,
    /// Nobody samples it any more.
    forgotten: AtomicBool,
}

/// The clock of wishes.
pub(crate) fn seconds() -> u32 {
    (now() / 1_000_000_000) as u32
}

impl State {
    /// Of a file that is always in use.
    pub(super) fn always() -> Wish {
        Wish::new(Self { sampled: u32::MAX.into(), ..Self::default() })
    }

    /// The file was sampled. True if its rows are to be asked for, which is said once.
    pub(crate) fn sampled(&self, now: u32) -> bool {
        if self.sampled.load(Relaxed) != now {
            self.sampled.store(now, Relaxed);
        }
        let ask = self.ask.load(Relaxed);
        ask != 0 && ask <= now && self.ask.swap(0, Relaxed) != 0
    }

    /// The file was not reached through the process that had it; another one may have it soon. Says how often that was so.
    pub(crate) fn not_reached(&self, now: u32) -> u32 {
        let before = self.unreached.fetch_add(1, Relaxed);
        let wait = (1 << before.min(MOST_DOUBLINGS)) >> 1;
        self.reopen.store((now + wait).max(1), Relaxed);
        before + 1
    }

    /// The file was forgotten: it will have another wish when it comes back.
    pub(crate) fn forget(&self) {
        self.forgotten.store(true, Relaxed);
    }

    /// Whether it was.
    pub(super) fn is_forgotten(&self) -> bool {
        self.forgotten.load(Relaxed)
    }

    /// Whether the file was not reached, and is not on its way once more.
    pub(crate) fn is_unreached(&self) -> bool {
        self.reopen.load(Relaxed) != 0
    }

    /// Whether its rows are there, or on their way.
    pub(crate) fn rows_come(&self) -> bool {
        self.ask.load(Relaxed) == 0 && !self.is_unreached()
    }

    /// Whether the file is to be opened anew, which is said once.
    pub(crate) fn reopens(&self, now: u32) -> bool {
        let reopen = self.reopen.load(Relaxed);
        reopen != 0 && reopen <= now && self.reopen.swap(0, Relaxed) != 0
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

    #[test]
    fn a_file_that_is_never_reached_is_tried_ever_more_rarely() {
        let wish = State::default();
        assert!(!wish.reopens(100), "it is on its way");
        let tries = |now: u32| {
            wish.not_reached(now);
            (now..now + 1000).position(|later| wish.reopens(later)).unwrap()
        };
        assert_eq!([100; 11].map(tries), [0, 1, 2, 4, 8, 16, 32, 64, 128, 128, 128]);
    }
}
