//! One bound for the memory of the process, and what gives way before it is reached.
//!
//! Shares of the bound are given out at the start: to unwind rows, symbol tables, stacks. What else the process holds (the store,
//! the page, profiles under way) moves, so the sampler looks at the whole once a second and has something let go of: first
//! half of the symbol tables and perf maps, those that were asked for longest ago first; then, if that was not enough, all stacks
//! and the names of their frames, which ends all intervals early. Nothing is lost by it, only done again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// How long the effect of letting go is waited for, in nanoseconds.
const PAUSE: u64 = 5_000_000_000;

/// How many bytes of memory the process may have (VmRSS). Maps in the kernel are apart from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget(u64);

impl Default for Budget {
    fn default() -> Self {
        Self(60_000_000)
    }
}

impl Budget {
    /// The process does not start with less.
    pub const LEAST: u64 = 16_000_000;

    /// A budget of so many bytes, if that is enough.
    pub fn new(bytes: u64) -> Option<Self> {
        (bytes >= Self::LEAST).then_some(Self(bytes))
    }

    /// All of it, in bytes.
    pub fn bytes(self) -> u64 {
        self.0
    }

    /// Kernel memory for unwind rows, in whole MiB: 14 of them with the default, and no more than the pointer to a line reaches.
    pub fn row_bytes(self) -> u32 {
        ((self.0 * 14 / Self::default().0).clamp(4, 64) << 20) as u32
    }

    /// What symbol tables may take that are kept open.
    pub(crate) fn symbol_bytes(self) -> usize {
        (self.0 / 10) as usize
    }

    /// What stacks may take, with their copies and the names of their frames.
    pub(crate) fn stack_bytes(self) -> usize {
        (self.0 / 5 * 2) as usize
    }
}

/// What gives way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shed {
    /// Half of the symbol tables.
    Symbols,
    /// All stacks, and the names of their frames.
    Stacks,
}

impl Shed {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Symbols, Self::Stacks];

    /// The name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Symbols => "symbols",
            Self::Stacks => "stacks",
        }
    }
}

/// How often something gave way, shared with whoever shows it.
#[derive(Clone, Debug, Default)]
pub struct ShedCounts(Arc<[AtomicU64; 2]>);

impl ShedCounts {
    /// How often this did.
    pub fn of(&self, shed: Shed) -> u64 {
        self.0[shed as usize].load(Relaxed)
    }
}

/// Decides what gives way.
#[derive(Debug)]
pub(crate) struct Watch {
    budget: Budget,
    counts: ShedCounts,
    /// When something last did, and what.
    last: Option<(u64, Shed)>,
}

impl Watch {
    pub(crate) fn new(budget: Budget, counts: ShedCounts) -> Self {
        Self { budget, counts, last: None }
    }

    pub(crate) fn budget(&self) -> Budget {
        self.budget
    }

    /// What gives way now that the process has so many bytes.
    pub(crate) fn look(&mut self, resident: u64, now: u64) -> Option<Shed> {
        let used = resident.saturating_mul(100) / self.budget.0;
        if used < 85 || self.last.is_some_and(|(at, _)| now.saturating_sub(at) < PAUSE) {
            return None;
        }
        // Symbol tables went the last time, and it was not enough.
        let tried = self.last.is_some_and(|(at, shed)| shed == Shed::Symbols && now.saturating_sub(at) < 2 * PAUSE);
        let shed = if used >= 95 && tried { Shed::Stacks } else { Shed::Symbols };
        self.last = Some((now, shed));
        self.counts.0[shed as usize].fetch_add(1, Relaxed);
        Some(shed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn symbol_tables_give_way_first_and_stacks_when_that_is_not_enough() {
        let counts = ShedCounts::default();
        let mut watch = Watch::new(Budget::new(100_000_000).unwrap(), counts.clone());
        let mut look = |megabytes: u64, second: u64| watch.look(megabytes * 1_000_000, second * SECOND);
        assert_eq!(look(84, 100), None);
        assert_eq!(look(96, 101), Some(Shed::Symbols));
        assert_eq!((look(99, 102), look(99, 105)), (None, None), "that takes a moment");
        assert_eq!(look(94, 107), Some(Shed::Symbols), "near it, but within");
        assert_eq!(look(96, 113), Some(Shed::Stacks));
        assert_eq!(look(96, 119), Some(Shed::Symbols), "from the beginning");
        assert_eq!(look(96, 140), Some(Shed::Symbols), "that was long ago");
        assert_eq!(Shed::ALL.map(|shed| counts.of(shed)), [4, 1]);
    }

    #[test]
    fn rows_have_their_share_of_any_budget() {
        let mib = |bytes: u64| Budget::new(bytes).map(|budget| budget.row_bytes() >> 20);
        assert_eq!(Budget::default().row_bytes(), 14 << 20);
        assert_eq!([Budget::LEAST, 120_000_000, 1 << 40].map(mib), [Some(4), Some(28), Some(64)]);
        assert_eq!(Budget::new(Budget::LEAST - 1), None);
    }
}
