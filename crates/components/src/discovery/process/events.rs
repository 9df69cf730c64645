//! From single changes of processes to batches of work.

use std::{
    collections::{BTreeMap, HashMap},
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

/// Work is done at multiples of this, so that a thousand changes a second are at most two hundred batches.
const TICK: Duration = Duration::from_millis(5);
/// How many ticks a forked process gets to execute a program: until then it is its parent, read already.
const FORK_TICKS: u64 = 3;
/// Processes that ended are forgotten at multiples of this many ticks: nobody waits for it.
const EXIT_TICKS: u64 = 20;
/// After a batch with so many processes to read, batches are [`BUSY_TICKS`] apart: in a storm most processes are gone
/// by then, and need not be read.
const BUSY_READS: usize = 32;
const BUSY_TICKS: u64 = 4;

/// What is to be done at once.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Batch {
    /// Processes that began, or run another program now.
    pub(super) read: Vec<u32>,
    /// Processes that ended.
    pub(super) gone: Vec<u32>,
    /// Changes were lost: everything is to be read.
    pub(super) scan: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Task {
    Read,
    Forget,
}

/// Changes that wait until it is worth acting on them. Of several changes of one process the last counts.
pub(super) struct Settling {
    start: Instant,
    tasks: HashMap<u32, (u64, Task)>,
    /// By the tick when they are due; one whose task is due at another tick by now is skipped.
    due: BTreeMap<u64, Vec<u32>>,
    scan: bool,
    busy: bool,
}

impl Settling {
    pub(super) fn new(now: Instant) -> Self {
        Self { start: now, tasks: HashMap::new(), due: BTreeMap::new(), scan: false, busy: false }
    }

    /// Takes a change in.
    pub(super) fn note(&mut self, change: ProcessChange, now: Instant) {
        let (pid, tick, task) = match change {
            ProcessChange::Forked { pid } => (pid, self.tick_in(FORK_TICKS, now), Task::Read),
            ProcessChange::Executed { pid } => (pid, self.tick_in(1, now), Task::Read),
            ProcessChange::Exited { pid } => (pid, (self.tick(now) + 1).next_multiple_of(EXIT_TICKS), Task::Forget),
            ProcessChange::Missed => {
                // What is known of single processes is part of what a scan finds.
                self.tasks.clear();
                self.due.clear();
                self.scan = true;
                self.due.insert(self.tick_in(1, now), Vec::new());
                return;
            }
        };
        self.tasks.insert(pid, (tick, task));
        self.due.entry(tick).or_default().push(pid);
    }

    /// When [`Settling::take`] has work next.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let (tick, _) = self.due.first_key_value()?;
        Some(self.start + TICK * u32::try_from(*tick).unwrap_or(u32::MAX))
    }

    /// What is due.
    pub(super) fn take(&mut self, now: Instant) -> Batch {
        let mut batch = Batch { scan: std::mem::take(&mut self.scan), ..Batch::default() };
        let later = self.due.split_off(&(self.tick(now) + 1));
        for (tick, pids) in std::mem::replace(&mut self.due, later) {
            for pid in pids {
                // Once in the list for each change, but due only at one tick.
                if self.tasks.get(&pid).is_some_and(|(at, _)| *at == tick) {
                    match self.tasks.remove(&pid) {
                        Some((_, Task::Read)) => batch.read.push(pid),
                        _ => batch.gone.push(pid),
                    }
                }
            }
        }
        self.busy = batch.read.len() > BUSY_READS;
        batch
    }

    /// The tick that has begun.
    fn tick(&self, now: Instant) -> u64 {
        let ticks = now.saturating_duration_since(self.start).as_nanos() / TICK.as_nanos();
        u64::try_from(ticks).unwrap_or(u64::MAX - 1)
    }

    /// The tick that begins so many from now, on a coarser grid while busy.
    fn tick_in(&self, ticks: u64, now: Instant) -> u64 {
        let tick = self.tick(now) + ticks;
        if self.busy { tick.next_multiple_of(BUSY_TICKS) } else { tick }
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
                batches.push(format!("{}: {}", (at - start).as_millis(), work.join(", ")));
            }
        };
        for (ms, change) in changes {
            let now = start + Duration::from_millis(*ms);
            drain(&mut settling, now);
            settling.note(*change, now);
        }
        drain(&mut settling, start + Duration::from_secs(10));
        assert!(settling.tasks.is_empty() && settling.due.is_empty());
        batches
    }

    #[track_caller]
    fn check(changes: &[(u64, ProcessChange)], expect: &[&str]) {
        assert_eq!(run(changes), expect);
    }

    #[test]
    fn an_exec_is_read_within_a_tick() {
        check(&[(1, Executed { pid: 7 })], &["5: read 7"]);
        check(
            &[(1, Executed { pid: 7 }), (4, Executed { pid: 8 }), (5, Exited { pid: 9 })],
            &["5: read 7, read 8", "100: gone 9"],
        );
    }

    #[test]
    fn a_fork_waits_for_its_exec_and_is_read_once() {
        check(&[(0, Forked { pid: 7 })], &["15: read 7"]);
        check(&[(0, Forked { pid: 7 }), (1, Executed { pid: 7 })], &["5: read 7", "15: "]);
    }

    #[test]
    fn who_is_gone_again_is_not_read() {
        check(
            &[(0, Forked { pid: 7 }), (1, Executed { pid: 7 }), (2, Exited { pid: 7 })],
            &["5: ", "15: ", "100: gone 7"],
        );
    }

    #[test]
    fn a_number_that_is_used_again_is_read() {
        check(
            &[(0, Exited { pid: 7 }), (1, Forked { pid: 7 }), (2, Executed { pid: 7 })],
            &["5: read 7", "15: ", "100: "],
        );
    }

    #[test]
    fn what_was_missed_is_found_by_a_scan() {
        check(&[(0, Executed { pid: 7 }), (1, Missed), (2, Executed { pid: 8 })], &["5: read 8, scan"]);
    }

    #[test]
    fn in_a_storm_batches_are_further_apart() {
        let storm: Vec<_> = (0..400).map(|at| (at / 10, Executed { pid: at as u32 })).collect();
        let batches: Vec<_> = run(&storm).iter().map(|batch| batch.split(':').next().map(str::to_owned)).collect();
        let times: Vec<_> = batches.iter().flatten().map(String::as_str).collect();
        assert_eq!(times, ["5", "20", "40"]);
    }
}
