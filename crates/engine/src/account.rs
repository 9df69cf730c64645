//! Where each sample went.
//!
//! For each session `taken = delivered + open + Σ filtered[reason] + Σ lost[reason]`. `taken` is the kernel's own count;
//! `open` is what is in the ring, in an interval that has not ended, or in one that waits for its names; everything else is
//! counted where it ends.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use abi::WalkEnd;

macro_rules! reasons {
    ($(#[$doc:meta])* $name:ident { $($(#[$text:meta])* $variant:ident = $key:literal, $sentence:literal;)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(usize)]
        pub enum $name { $(#[doc = $sentence] $variant,)* }

        impl $name {
            /// All of them, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name in metrics.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $key),* }
            }

            /// What one of them means.
            pub fn text(self) -> &'static str {
                match self { $(Self::$variant => $sentence),* }
            }
        }
    };
}

reasons! {
    /// Why a sample was left out on purpose.
    Filtered {
        NoTarget = "no_target", "the process matches no target";
        Thinned = "thinned", "another component samples at a higher rate; this one is surplus here";
        NoFrames = "no_frames", "the stack has no frame, or none of the kind that is collected";
    }
}

reasons! {
    /// Why a sample was lost.
    Lost {
        RingFull = "ring_full", "the sample ring was full: user space did not read in time";
        Malformed = "malformed", "a record of the ring could not be read";
        NamingBehind = "naming_behind", "naming of earlier intervals took too long, so that this one found no place";
        SinkFull = "sink_full", "the component behind did not take earlier profiles in time";
    }
}

/// The account of one session, shared with whoever shows it.
#[derive(Debug)]
pub struct Account {
    taken: AtomicU64,
    delivered: AtomicU64,
    /// In the ring or in the interval that has not ended.
    gathering: AtomicU64,
    /// In intervals that have ended and wait for their names.
    naming: AtomicU64,
    filtered: [AtomicU64; 3],
    lost: [AtomicU64; 4],
    ends: [AtomicU64; WalkEnd::ALL.len()],
    cut_stacks: AtomicU64,
}

const _: () = assert!(Filtered::ALL.len() == 3 && Lost::ALL.len() == 4);

impl Default for Account {
    fn default() -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            taken: zero(),
            delivered: zero(),
            gathering: zero(),
            naming: zero(),
            filtered: std::array::from_fn(|_| zero()),
            lost: std::array::from_fn(|_| zero()),
            ends: std::array::from_fn(|_| zero()),
            cut_stacks: zero(),
        }
    }
}

impl Account {
    pub(crate) fn set_taken(&self, total: u64) {
        self.taken.store(total, Relaxed);
    }

    pub(crate) fn set_gathering(&self, samples: u64) {
        self.gathering.store(samples, Relaxed);
    }

    /// Ends the account of one whose intervals have all ended: what is in the ring is not its own.
    pub(crate) fn leave_the_ring(&self) {
        self.set_taken(self.taken() - self.gathering.swap(0, Relaxed));
    }

    /// These samples wait for their names.
    pub(crate) fn begin_naming(&self, samples: u64) {
        self.naming.fetch_add(samples, Relaxed);
    }

    /// They do no more: they were delivered, filtered or lost.
    pub(crate) fn end_naming(&self, samples: u64) {
        self.naming.fetch_sub(samples, Relaxed);
    }

    pub(crate) fn filter(&self, reason: Filtered, samples: u64) {
        self.filtered[reason as usize].fetch_add(samples, Relaxed);
    }

    /// Counts samples as lost. Public for the receiving side of a sink, which may have to give up a batch it accepted.
    pub fn lose(&self, reason: Lost, samples: u64) {
        self.lost[reason as usize].fetch_add(samples, Relaxed);
    }

    pub(crate) fn set_lost(&self, reason: Lost, total: u64) {
        self.lost[reason as usize].store(total, Relaxed);
    }

    pub(crate) fn deliver(&self, samples: u64) {
        self.delivered.fetch_add(samples, Relaxed);
    }

    pub(crate) fn end(&self, end: WalkEnd, samples: u64) {
        self.ends[end as usize].fetch_add(samples, Relaxed);
    }

    pub(crate) fn cut(&self, stacks: u64) {
        self.cut_stacks.fetch_add(stacks, Relaxed);
    }

    /// Samples that the kernel took while the session was open.
    pub fn taken(&self) -> u64 {
        self.taken.load(Relaxed)
    }

    /// Samples handed over in profiles.
    pub fn delivered(&self) -> u64 {
        self.delivered.load(Relaxed)
    }

    /// Samples in the ring, in an interval that has not ended, or in one that waits for its names; 0 after shutdown.
    pub fn open(&self) -> u64 {
        self.gathering.load(Relaxed) + self.naming.load(Relaxed)
    }

    /// Samples left out for this reason.
    pub fn filtered(&self, reason: Filtered) -> u64 {
        self.filtered[reason as usize].load(Relaxed)
    }

    /// Samples lost for this reason.
    pub fn lost(&self, reason: Lost) -> u64 {
        self.lost[reason as usize].load(Relaxed)
    }

    /// Samples of matched processes whose user walk ended this way.
    pub fn ended(&self, end: WalkEnd) -> u64 {
        self.ends[end as usize].load(Relaxed)
    }

    /// Stacks cut to the largest depth on the wire.
    pub fn cut_stacks(&self) -> u64 {
        self.cut_stacks.load(Relaxed)
    }

    /// Whether every sample that was taken is somewhere.
    pub fn balances(&self) -> bool {
        let sum = |counts: &[AtomicU64]| counts.iter().map(|count| count.load(Relaxed)).sum::<u64>();
        self.taken() == self.delivered() + self.open() + sum(&self.filtered) + sum(&self.lost)
    }
}
