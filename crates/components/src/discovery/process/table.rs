//! The processes that are known, as targets.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use inspect::ProcessKey;
use profile::Labels;

use super::join::Externals;
use crate::targets::{LiveTargets, Place, TargetList};

/// Processes stand behind the external targets without a container, and before those with one.
const PROCESSES: u64 = 1 << 40;
const CONTAINERS: u64 = 1 << 62;

/// All processes by id, and the list that others see.
#[derive(Default)]
pub(super) struct Table {
    processes: HashMap<u32, Process>,
    /// Those that appeared since others saw the list.
    unseen: HashSet<u32>,
    /// How many processes there ever were.
    appeared: u64,
    externals: Externals,
    targets: LiveTargets,
}

struct Process {
    key: ProcessKey,
    place: Place,
    /// Before joining.
    labels: Labels,
}

impl Table {
    /// How many processes there are.
    pub(super) fn len(&self) -> usize {
        self.processes.len()
    }

    /// The labels of a process, which keeps its place if it was there before. True if others see a process of this
    /// number that is no longer what they see.
    pub(super) fn set(&mut self, key: ProcessKey, labels: Labels) -> bool {
        let known = self.processes.get(&key.tgid).filter(|_| !self.unseen.contains(&key.tgid));
        let changed = known.is_some_and(|known| known.key != key || known.labels != labels);
        if self.processes.get(&key.tgid).is_some_and(|known| known.key != key) {
            // The number belongs to another process now, which has just appeared.
            self.remove(key.tgid);
        }
        let process = self.processes.entry(key.tgid).or_insert_with(|| {
            self.appeared += 1;
            self.unseen.insert(key.tgid);
            Process { key, place: Place(PROCESSES + self.appeared), labels: Labels::empty() }
        });
        self.targets.set(process.place, Some(self.externals.joined(&labels)));
        process.labels = labels;
        changed
    }

    /// Forgets a process, if it was known.
    pub(super) fn remove(&mut self, pid: u32) {
        if let Some(process) = self.processes.remove(&pid) {
            self.targets.set(process.place, None);
        }
    }

    /// Forgets all processes but these.
    pub(super) fn keep(&mut self, pids: &HashSet<u32>) {
        let gone: Vec<u32> = self.processes.keys().filter(|pid| !pids.contains(pid)).copied().collect();
        for pid in gone {
            self.remove(pid);
        }
    }

    /// Joins the processes with other targets from now on.
    pub(super) fn join(&mut self, externals: Externals) {
        if externals == self.externals {
            return;
        }
        let old = std::mem::replace(&mut self.externals, externals);
        let new = &self.externals;
        for (first, old, new) in [(0, &old.others, &new.others), (CONTAINERS, &old.containers, &new.containers)] {
            for at in 0..old.len().max(new.len()) {
                self.targets.set(Place(first + at as u64), new.get(at).cloned());
            }
        }
        for process in self.processes.values() {
            self.targets.set(process.place, Some(self.externals.joined(&process.labels)));
        }
    }

    /// The list as it is now.
    pub(super) fn snapshot(&mut self) -> Arc<TargetList> {
        self.unseen.clear();
        self.targets.snapshot()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(text: &str) -> Labels {
        text.split_whitespace().filter_map(|pair| pair.split_once('=')).collect()
    }

    fn key(tgid: u32, start_time: u64) -> ProcessKey {
        ProcessKey { tgid, start_time }
    }

    fn externals(targets: &[&str]) -> Externals {
        Externals::new(&targets.iter().map(|target| labels(target)).collect())
    }

    #[track_caller]
    fn check(table: &mut Table, expect: &[&str]) {
        let list = table.snapshot();
        let shown: Vec<_> = list.iter().map(|(_, labels)| labels.to_string()).collect();
        assert_eq!(shown, expect);
    }

    #[test]
    fn processes_stand_in_the_order_of_their_appearance() {
        let mut table = Table::default();
        table.set(key(30, 1), labels("p=30"));
        table.set(key(20, 2), labels("p=20"));
        table.set(key(30, 1), labels("p=30 exe=new"));
        check(&mut table, &[r#"{exe="new", p="30"}"#, r#"{p="20"}"#]);
        table.set(key(30, 3), labels("p=30 second=1"));
        check(&mut table, &[r#"{p="20"}"#, r#"{p="30", second="1"}"#]);
        table.remove(20);
        table.remove(99);
        check(&mut table, &[r#"{p="30", second="1"}"#]);
        table.keep(&HashSet::from([1]));
        check(&mut table, &[]);
    }

    #[test]
    fn joined_targets_stand_around_the_processes() {
        let mut table = Table::default();
        table.set(key(1, 1), labels("p=1 __container_id__=a"));
        table.join(externals(&["__container_id__=a pod=x", "other=1", "__container_id__=b"]));
        table.set(key(2, 1), labels("p=2"));
        let a = r#"{__container_id__="a", pod="x"}"#;
        check(
            &mut table,
            &[
                r#"{other="1"}"#,
                r#"{__container_id__="a", p="1", pod="x"}"#,
                r#"{p="2"}"#,
                a,
                r#"{__container_id__="b"}"#,
            ],
        );
        table.join(externals(&["__container_id__=a pod=y"]));
        let a = r#"{__container_id__="a", pod="y"}"#;
        check(&mut table, &[r#"{__container_id__="a", p="1", pod="y"}"#, r#"{p="2"}"#, a]);
        table.join(Externals::default());
        check(&mut table, &[r#"{__container_id__="a", p="1"}"#, r#"{p="2"}"#]);
    }

    #[test]
    fn reading_the_same_again_changes_nothing() {
        let mut table = Table::default();
        table.set(key(1, 1), labels("p=1"));
        let before = table.snapshot();
        table.set(key(1, 1), labels("p=1"));
        table.keep(&HashSet::from([1]));
        assert!(Arc::ptr_eq(&before, &table.snapshot()));
    }
}
