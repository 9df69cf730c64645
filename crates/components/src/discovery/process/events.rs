//! From single changes of processes to batches of work.

use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    time::{Duration, Instant},
};

use crossbeam_channel::Receiver;
use engine::process::ProcessChange;

/// Where changes of processes come from. A service of the graph.
pub struct ProcessEvents(Box<Subscribe>);

type Subscribe = dyn Fn() -> Option<Receiver<ProcessChange>> + Send + Sync;

impl ProcessEvents {
    /// A source that is asked for changes from now on; `None` while there are none to be had, and it is asked again later.
    pub fn new(subscribe: impl Fn() -> Option<Receiver<ProcessChange>> + Send + Sync + 'static) -> Self {
        Self(Box::new(subscribe))
    }

    /// Changes from now on.
    pub fn subscribe(&self) -> Option<Receiver<ProcessChange>> {
        (self.0)()
    }
}

impl fmt::Debug for ProcessEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProcessEvents")
    }
}

/// How far apart batches of reading are at least, so that a thousand changes a second are at most two hundred batches.
const GAP: Duration = Duration::from_millis(5);
/// How long a forked process gets to execute a program: until then it is its parent, read already.
const FORK_WAIT: Duration = Duration::from_millis(15);
/// How long others wait to be told. Programs come and go in groups (a compiler is three of them), and each time costs
/// whoever takes the targets about as much as the reading.
const PUBLISH_WAIT: Duration = Duration::from_millis(60);
/// After a batch with so many processes to read, batches are [`BUSY_GAP`] apart: in a storm most processes are gone by
/// then, and need not be read.
const BUSY_READS: usize = 32;
const BUSY_GAP: Duration = Duration::from_millis(20);

/// What is to be done at once.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Batch {
    /// Processes that began, or run another program now.
    pub(super) read: Vec<u32>,
    /// Processes that ended.
    pub(super) gone: Vec<u32>,
    /// Changes were lost: everything is to be read.
    pub(super) scan: bool,
    /// Others are to be told what changed up to here.
    pub(super) publish: bool,
}

/// Changes that wait until it is worth acting on them. Of several changes of one process the last counts.
pub(super) struct Settling {
    /// Processes to read, and from when on; by time as well.
    reads: HashMap<u32, Instant>,
    due: BTreeSet<(Instant, u32)>,
    gone: BTreeSet<u32>,
    publish: Option<Instant>,
    scan: bool,
    /// Nothing is read before.
    next: Instant,
}

impl Settling {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            reads: HashMap::new(),
            due: BTreeSet::new(),
            gone: BTreeSet::new(),
            publish: None,
            scan: false,
            next: now,
        }
    }

    /// Takes a change in.
    pub(super) fn note(&mut self, change: ProcessChange, now: Instant) {
        match change {
            ProcessChange::Forked { pid } => self.read(pid, now + FORK_WAIT),
            ProcessChange::Executed { pid } => self.read(pid, now),
            ProcessChange::Exited { pid } => {
                self.forget(pid);
                self.gone.insert(pid);
                self.publish.get_or_insert(now + PUBLISH_WAIT);
            }
            ProcessChange::Missed => {
                // What is known of single processes is part of what a scan finds.
                *self = Self { scan: true, ..Self::new(self.next) };
            }
        }
    }

    fn read(&mut self, pid: u32, at: Instant) {
        self.forget(pid);
        self.reads.insert(pid, at);
        self.due.insert((at, pid));
    }

    fn forget(&mut self, pid: u32) {
        self.gone.remove(&pid);
        if let Some(at) = self.reads.remove(&pid) {
            self.due.remove(&(at, pid));
        }
    }

    /// When [`Settling::take`] has work next.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let read = self.due.first().map(|(at, _)| (*at).max(self.next));
        let scan = self.scan.then_some(self.next);
        [read, scan, self.publish].into_iter().flatten().min()
    }

    /// What is due.
    pub(super) fn take(&mut self, now: Instant) -> Batch {
        let mut batch = Batch::default();
        if self.next <= now {
            batch.scan = std::mem::take(&mut self.scan);
            let later = self.due.split_off(&(now + Duration::from_nanos(1), 0));
            batch.read = std::mem::replace(&mut self.due, later).into_iter().map(|(_, pid)| pid).collect();
            for pid in &batch.read {
                self.reads.remove(pid);
            }
            if batch.scan {
                // It tells of everything.
                (self.publish, batch.publish) = (None, true);
                self.gone.clear();
            } else if !batch.read.is_empty() {
                self.publish.get_or_insert(now + PUBLISH_WAIT);
            }
            if !batch.read.is_empty() {
                self.next = now + if batch.read.len() > BUSY_READS { BUSY_GAP } else { GAP };
            }
        }
        if self.publish.is_some_and(|at| at <= now) {
            self.publish = None;
            batch.publish = true;
            batch.gone = std::mem::take(&mut self.gone).into_iter().collect();
        }
        batch
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ProcessChange::{Executed, Exited, Forked, Missed};

    /// Feeds changes at milliseconds; gives back the batches as `ms: work`.
    fn run(changes: &[(u64, ProcessChange)]) -> Vec<String> {
        let start = Instant::now();
        let mut settling = Settling::new(start);
        let mut batches = Vec::new();
        let mut drain = |settling: &mut Settling, until: Instant| {
            while let Some(at) = settling.deadline().filter(|at| *at <= until) {
                let mut work: Vec<String> = Vec::new();
                let batch = settling.take(at);
                work.extend(batch.read.iter().map(|pid| format!("read {pid}")));
                work.extend(batch.gone.iter().map(|pid| format!("gone {pid}")));
                work.extend(batch.scan.then(|| "scan".to_owned()));
                work.extend(batch.publish.then(|| "publish".to_owned()));
                batches.push(format!("{}: {}", (at - start).as_millis(), work.join(", ")));
            }
        };
        for (ms, change) in changes {
            let now = start + Duration::from_millis(*ms);
            drain(&mut settling, now);
            settling.note(*change, now);
        }
        drain(&mut settling, start + Duration::from_secs(10));
        assert!(settling.reads.is_empty() && settling.due.is_empty() && settling.gone.is_empty());
        batches
    }

    #[track_caller]
    fn check(changes: &[(u64, ProcessChange)], expect: &[&str]) {
        assert_eq!(run(changes), expect);
    }

    #[test]
    fn an_exec_is_read_at_once_and_others_hear_of_a_group() {
        check(&[(1, Executed { pid: 7 })], &["1: read 7", "61: publish"]);
        check(
            &[(1, Executed { pid: 7 }), (4, Executed { pid: 8 }), (5, Exited { pid: 9 })],
            &["1: read 7", "6: read 8", "61: gone 9, publish"],
        );
        check(&[(5, Exited { pid: 9 })], &["65: gone 9, publish"]);
    }

    #[test]
    fn a_fork_waits_for_its_exec_and_is_read_once() {
        check(&[(0, Forked { pid: 7 })], &["15: read 7", "75: publish"]);
        check(&[(0, Forked { pid: 7 }), (1, Executed { pid: 7 })], &["1: read 7", "61: publish"]);
    }

    #[test]
    fn who_is_gone_again_is_not_read() {
        check(&[(0, Forked { pid: 7 }), (2, Exited { pid: 7 })], &["62: gone 7, publish"]);
    }

    #[test]
    fn a_number_that_is_used_again_is_read() {
        check(
            &[(0, Exited { pid: 7 }), (1, Forked { pid: 7 }), (2, Executed { pid: 7 })],
            &["2: read 7", "60: publish"],
        );
    }

    #[test]
    fn what_was_missed_is_found_by_a_scan() {
        check(
            &[(0, Executed { pid: 7 }), (0, Exited { pid: 9 }), (1, Missed), (2, Executed { pid: 8 })],
            &["0: read 7", "5: read 8, scan, publish"],
        );
    }

    #[test]
    fn in_a_storm_batches_are_further_apart() {
        let storm: Vec<_> = (0..400).map(|at| (at / 10, Executed { pid: at as u32 })).collect();
        let batches: Vec<_> = run(&storm).iter().map(|batch| batch.split(':').next().map(str::to_owned)).collect();
        let times: Vec<_> = batches.iter().flatten().map(String::as_str).collect();
        assert_eq!(times, ["0", "5", "25", "45", "60"]);
    }
}
