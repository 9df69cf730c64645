//! Samples that wait for unwind rows, because their walk came to code that had none.

use std::sync::Arc;
use std::time::{Duration, Instant};

use abi::{MAX_USER_FRAMES, Record, SampleHead, SampleRecord, StackHead, StackRecord, WalkEnd, sample_flag};
use hashbrown::HashMap;

use crate::repair::{MOST_HELD, MOST_HELD_BYTES, Repair, Repaired, Walk, file_of};
use crate::rows::RowRequest;
use crate::session::{Matched, SessionState};

use super::Sampler;

/// The rows thread gives up sooner, unless it is stuck itself.
const LATEST: Duration = Duration::from_secs(4);

/// A stack that came before its sample.
struct Stack {
    head: StackHead,
    words: Box<[u64]>,
}

/// A sample that waits, and whose it is.
struct Waiting {
    words: Vec<u64>,
    index: u32,
    /// What its stack takes, which the rows thread has.
    bytes: usize,
    container: Option<Arc<str>>,
    moves: u32,
    since: Instant,
    /// When the sample was taken.
    ktime: u64,
}

/// All that wait.
#[derive(Default)]
pub(super) struct Held {
    /// By CPU.
    stacks: HashMap<u32, Stack>,
    waiting: HashMap<u64, Waiting>,
    /// What their stacks take.
    bytes: usize,
    next: u64,
}

impl Held {
    /// Keeps the stack of the next sample of its CPU.
    pub(super) fn stack(&mut self, record: &StackRecord<'_>) {
        self.stacks.insert(record.head.cpu, Stack { head: *record.head, words: record.words.into() });
    }

    /// When the first of the samples that wait was taken.
    pub(super) fn oldest(&self) -> Option<u64> {
        self.waiting.values().map(|waiting| waiting.ktime).min()
    }

    /// The stack of this sample, if it has one.
    fn take_stack(&mut self, head: &SampleHead) -> Option<Stack> {
        if head.flags & sample_flag::STACK == 0 {
            return None;
        }
        self.stacks.remove(&head.cpu).filter(|stack| stack.head.ktime == head.ktime)
    }
}

impl Sampler {
    /// Has a sample wait for the rows that its walk lacked. False if it has no need or chance to.
    pub(super) fn hold(&mut self, record: &SampleRecord<'_>) -> bool {
        let Some(stack) = self.held.take_stack(record.head) else { return false };
        let process = self.processes.of(record);
        let waiting = Waiting {
            words: record.to_words(),
            index: process.index,
            bytes: stack.words.len() * 8 + record.payload.len(),
            container: process.container.clone(),
            moves: process.moves,
            since: Instant::now(),
            ktime: record.head.ktime,
        };
        // This has the files opened.
        self.interner.see(record, waiting.index);
        let at = stack.head.pc.wrapping_sub(u64::from(stack.head.flags & abi::stack_flag::EXACT == 0));
        let mapping = record.mappings.iter().find(|mapping| (mapping.start..mapping.end).contains(&at));
        let comes = mapping.and_then(file_of).is_some_and(|key| self.interner.rows_come(&key));
        let ticket = self.held.next;
        let mappings = record.mappings.into();
        let repair = Repair { ticket, head: stack.head, stack: stack.words, mappings, progress: None };
        let asked = comes
            && self.held.waiting.len() < MOST_HELD
            && self.held.bytes < MOST_HELD_BYTES
            && self.rows.requests.try_send(RowRequest::Repair(Box::new(repair))).is_ok();
        if !asked {
            self.rows.counts.leave_unrepaired(1);
            return false;
        }
        self.held.next += 1;
        self.held.bytes += waiting.bytes;
        self.held.waiting.insert(ticket, waiting);
        true
    }

    /// Counts the samples whose rows have come, or did not in time.
    pub(super) fn take_repaired(&mut self) {
        while let Ok(Repaired { ticket, walk }) = self.rows.repaired.try_recv() {
            // One that was let go was counted.
            let Some(waiting) = self.held.waiting.remove(&ticket) else { continue };
            self.held.bytes -= waiting.bytes;
            let repaired = walk.and_then(|walk| with(&waiting.words, &walk));
            self.count_held(&waiting, repaired.as_ref().unwrap_or(&waiting.words));
        }
        // The rows thread counts their walks, whenever it comes to them.
        let now = Instant::now();
        let is_late = |waiting: &Waiting| now.duration_since(waiting.since) > LATEST;
        let late: Vec<_> = self.held.waiting.extract_if(|_, waiting| is_late(waiting)).collect();
        for (_, waiting) in late {
            self.held.bytes -= waiting.bytes;
            self.count_held(&waiting, &waiting.words);
        }
    }

    /// Counts those that still wait as they are.
    pub(super) fn let_go(&mut self) {
        self.take_repaired();
        self.held.bytes = 0;
        for (_, waiting) in std::mem::take(&mut self.held.waiting) {
            self.count_held(&waiting, &waiting.words);
        }
    }

    fn count_held(&mut self, waiting: &Waiting, words: &[u64]) {
        let Ok(Record::Sample(record)) = Record::parse_words(words) else { return };
        let process = Matched {
            index: waiting.index,
            tgid: record.head.tgid,
            kernel_thread: SessionState::is_kernel_thread(&record),
            container: waiting.container.as_ref(),
            moves: waiting.moves,
        };
        self.count(&record, &process);
    }
}

/// The sample with the rest of its walk in the place of what the frame pointer said; `None` if that is no better.
fn with(sample: &[u64], walk: &Walk) -> Option<Vec<u64>> {
    let Ok(Record::Sample(record)) = Record::parse_words(sample) else { return None };
    let complete = |end: WalkEnd| end.complete();
    let before = WalkEnd::from_number(record.head.end.into()).unwrap_or(WalkEnd::Fault);
    let kept = record.user.len().min(usize::from(walk.before));
    let frames = kept + walk.frames.len();
    if record.head.left_out > 0 || frames > MAX_USER_FRAMES {
        return None;
    }
    if !complete(walk.end) && (complete(before) || frames < record.user.len()) {
        return None;
    }
    let head = SampleHead { user_frames: u16::try_from(frames).ok()?, end: walk.end as u8, ..*record.head };
    let user: Vec<u64> = record.user[..kept].iter().chain(&walk.frames).copied().collect();
    Some(SampleRecord { head: &head, user: &user, ..record }.to_words())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(user: &[u64], end: WalkEnd) -> Vec<u64> {
        let head = SampleHead {
            kind: abi::kind::SAMPLE,
            flags: sample_flag::STACK,
            end: end as u8,
            mappings: 0,
            kernel_frames: 1,
            user_frames: user.len() as u16,
            tgid: 1,
            tid: 1,
            ktime: 1,
            start_time: 1,
            cgroup: 0,
            cpu: 0,
            left_out: 0,
            comm: [0; 16],
        };
        SampleRecord { head: &head, kernel: &[77], user, mappings: &[], payload: &[] }.to_words()
    }

    fn walk(frames: &[u64], end: WalkEnd) -> Walk {
        Walk { before: 1, frames: frames.into(), end }
    }

    #[test]
    fn the_rest_of_the_walk_takes_the_place_of_a_guess() {
        let with = |before, walk| with(&sample(&[1, 2, 3], before), &walk);
        let root = walk(&[20, 30, 40], WalkEnd::Root);
        assert_eq!(with(WalkEnd::Unbuilt, root), Some(sample(&[1, 20, 30, 40], WalkEnd::Root)));
        let shorter = walk(&[20], WalkEnd::Root);
        assert_eq!(with(WalkEnd::Root, shorter), Some(sample(&[1, 20], WalkEnd::Root)), "a guess may invent frames");
        assert_eq!(with(WalkEnd::Root, walk(&[20, 30, 40], WalkEnd::Unbuilt)), None);
        assert_eq!(with(WalkEnd::Unbuilt, walk(&[20], WalkEnd::Unbuilt)), None);
        let further = walk(&[20, 30, 40], WalkEnd::NoRule);
        assert_eq!(with(WalkEnd::Unbuilt, further), Some(sample(&[1, 20, 30, 40], WalkEnd::NoRule)));
    }
}
