//! Walks that wait for the rows of a file.

use std::time::{Duration, Instant};

use crossbeam_channel::Sender;
use unwind::Rule;

use crate::opener::FileKey;
use crate::repair::{Repair, Repaired, Wants, walk};

/// How long a walk waits for rows: opening a file may take two seconds.
const PATIENCE: Duration = Duration::from_millis(2500);

struct Waiting {
    repair: Box<Repair>,
    wants: Wants,
    until: Instant,
}

/// The walks that wait, and who is told of what came of them.
pub(super) struct Repairs {
    waiting: Vec<Waiting>,
    done: Sender<Repaired>,
}

impl Repairs {
    pub(super) fn new(done: Sender<Repaired>) -> Self {
        Self { waiting: Vec::new(), done }
    }

    /// When the next one is given up; `None` while none waits.
    pub(super) fn next(&self) -> Option<Instant> {
        self.waiting.iter().map(|waiting| waiting.until).min()
    }

    /// Goes on with a walk, or has it wait. True if it is done.
    pub(super) fn begin(&mut self, repair: Box<Repair>, rule: impl Fn(FileKey, u64) -> Option<Rule>) -> bool {
        self.go_on(repair, Instant::now() + PATIENCE, rule)
    }

    /// A span that one of them waits for.
    pub(super) fn wanted_span(&self) -> Option<(FileKey, u64)> {
        self.waiting.iter().find_map(|waiting| match waiting.wants {
            Wants::Span(key, span) => Some((key, span)),
            Wants::File(_) => None,
        })
    }

    /// Gives up those that wait for rows that do not come. Says how many.
    pub(super) fn refused(&mut self, wants: Wants) -> u64 {
        let gone = self.waiting.extract_if(.., |waiting| waiting.wants == wants).collect::<Vec<_>>();
        gone.iter().for_each(|gone| self.answer(Repaired { ticket: gone.repair.ticket, walk: None }));
        gone.len() as u64
    }

    /// Goes on with those that wait for these rows. Says how many are done.
    pub(super) fn built(&mut self, wants: Wants, rule: impl Fn(FileKey, u64) -> Option<Rule>) -> u64 {
        let ready = self.waiting.extract_if(.., |waiting| waiting.wants == wants).collect::<Vec<_>>();
        let done = |waiting: Waiting| u64::from(self.go_on(waiting.repair, waiting.until, &rule));
        ready.into_iter().map(done).sum()
    }

    /// Gives up those that have waited for too long. Says how many.
    pub(super) fn give_up(&mut self) -> u64 {
        let now = Instant::now();
        let late = self.waiting.extract_if(.., |waiting| waiting.until <= now).collect::<Vec<_>>();
        late.iter().for_each(|late| self.answer(Repaired { ticket: late.repair.ticket, walk: None }));
        late.len() as u64
    }

    fn go_on(&mut self, repair: Box<Repair>, until: Instant, rule: impl Fn(FileKey, u64) -> Option<Rule>) -> bool {
        match walk(&repair, rule) {
            Ok(walk) => self.answer(Repaired { ticket: repair.ticket, walk: Some(walk) }),
            Err(wants) => {
                self.waiting.push(Waiting { repair, wants, until });
                return false;
            }
        }
        true
    }

    fn answer(&self, repaired: Repaired) {
        // It has room for as many as are held. Those that were let go of meanwhile may take it: the sampler waits for none
        // without end.
        _ = self.done.try_send(repaired);
    }
}
