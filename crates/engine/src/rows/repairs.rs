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

    /// Has those that wait for a span of a file wait for the file, which is on its way.
    pub(super) fn want_file(&mut self, key: FileKey) {
        for waiting in &mut self.waiting {
            if matches!(waiting.wants, Wants::Span(other, _) if other == key) {
                waiting.wants = Wants::File(key);
            }
        }
    }

    /// Does without rows that do not come. Says how many walks that cost.
    pub(super) fn refused(&mut self, wants: Wants, rule: impl Fn(FileKey, u64) -> Option<Rule>) -> u64 {
        let gone = self.waiting.extract_if(.., |waiting| waiting.wants == wants).collect::<Vec<_>>();
        self.do_without(gone, rule)
    }

    /// Goes on with those that wait for these rows. Says how many are done.
    pub(super) fn built(&mut self, wants: Wants, rule: impl Fn(FileKey, u64) -> Option<Rule>) -> u64 {
        let ready = self.waiting.extract_if(.., |waiting| waiting.wants == wants).collect::<Vec<_>>();
        let done = |waiting: Waiting| u64::from(self.go_on(waiting.repair, waiting.until, &rule));
        ready.into_iter().map(done).sum()
    }

    /// Gives up those that have waited for too long. Says how many.
    pub(super) fn give_up(&mut self, rule: impl Fn(FileKey, u64) -> Option<Rule>) -> u64 {
        let now = Instant::now();
        let late = self.waiting.extract_if(.., |waiting| waiting.until <= now).collect::<Vec<_>>();
        self.do_without(late, rule)
    }

    /// Ends walks with the rows that are there: what they know by them is better than a guess.
    fn do_without(&self, walks: Vec<Waiting>, rule: impl Fn(FileKey, u64) -> Option<Rule>) -> u64 {
        let count = walks.len() as u64;
        for mut waiting in walks {
            let there =
                |key, offset| Some(rule(key, offset).filter(|rule| *rule != Rule::Awaited).unwrap_or(Rule::Absent));
            let walk = walk(&mut waiting.repair, there).ok();
            self.answer(Repaired { ticket: waiting.repair.ticket, walk });
        }
        count
    }

    fn go_on(&mut self, mut repair: Box<Repair>, until: Instant, rule: impl Fn(FileKey, u64) -> Option<Rule>) -> bool {
        match walk(&mut repair, rule) {
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

#[cfg(test)]
mod tests {
    use abi::{WalkEnd, stack_flag};
    use crossbeam_channel::bounded;

    use super::*;
    use crate::repair::Walk;
    use crate::repair::tests::{LIBRARY, PROGRAM, file, repair, rule};

    fn program_in_library() -> Box<Repair> {
        Box::new(repair(stack_flag::EXACT, PROGRAM, 0, &[1, 2, LIBRARY + 0x20, 3, LIBRARY + 0x60]))
    }

    #[test]
    fn what_is_known_without_the_rows_that_do_not_come_is_kept() {
        let (done, answers) = bounded(4);
        let mut repairs = Repairs::new(done);
        let program = |key, at| rule(key, at).filter(|_| key == file(7));
        assert!(!repairs.begin(program_in_library(), program));
        assert_eq!((repairs.refused(Wants::File(file(9)), program), repairs.give_up(program)), (0, 0));
        assert_eq!(repairs.refused(Wants::File(file(8)), program), 1);
        let walk = Walk { before: 0, frames: vec![PROGRAM, LIBRARY + 0x20], end: WalkEnd::Unbuilt };
        assert_eq!(answers.try_recv(), Ok(Repaired { ticket: 1, walk: Some(walk) }));
        assert_eq!(repairs.next(), None);
    }

    #[test]
    fn who_waits_for_a_span_of_a_closed_file_waits_until_it_is_open() {
        let (done, answers) = bounded(4);
        let mut repairs = Repairs::new(done);
        let awaited = |key, at| rule(key, at).map(|rule| if key == file(8) { Rule::Awaited } else { rule });
        assert!(!repairs.begin(program_in_library(), awaited));
        assert_eq!(repairs.wanted_span(), Some((file(8), 0)));
        repairs.want_file(file(8));
        assert_eq!((repairs.wanted_span(), repairs.built(Wants::File(file(8)), awaited)), (None, 0));
        assert_eq!(repairs.wanted_span(), Some((file(8), 0)), "it is open");
        assert_eq!(repairs.built(Wants::Span(file(8), 0), rule), 1);
        assert!(answers.try_recv().unwrap().walk.is_some_and(|walk| walk.end == WalkEnd::Outermost));
    }
}
