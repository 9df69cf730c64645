//! The processes that samples came from.

use std::sync::Arc;

use abi::{ProcessEvent, SampleRecord};
use hashbrown::HashMap;
use inspect::ProcessKey;

use crate::cache::CacheLimits;

use super::containers::Containers;

/// Nanoseconds in a clock tick of /proc: USER_HZ is 100 on every architecture supported.
const TICK: u64 = 10_000_000;

pub(crate) struct Process {
    /// Number within this run of the interner.
    pub(crate) index: u32,
    start_time: u64,
    /// Its container, once asked for.
    pub(crate) container: Option<Arc<str>>,
    /// How often that changed.
    pub(crate) moves: u32,
    container_known: bool,
}

/// Processes by id; one that took over the id of another is another.
pub(crate) struct Processes {
    by_tgid: HashMap<u32, Process>,
    keys: Vec<ProcessKey>,
    containers: Containers,
    /// Whether a target is a container's.
    pub(crate) want_containers: bool,
}

impl Processes {
    pub(crate) fn new(caches: CacheLimits) -> Self {
        let containers = Containers::new(caches);
        Self { by_tgid: HashMap::new(), keys: Vec::new(), containers, want_containers: false }
    }

    /// The process of a sample.
    pub(crate) fn of(&mut self, record: &SampleRecord<'_>) -> &Process {
        let head = record.head;
        let keys = &mut self.keys;
        let mut new = || {
            let index = keys.len() as u32;
            keys.push(ProcessKey { tgid: head.tgid, start_time: head.start_time / TICK });
            Process { index, start_time: head.start_time, container: None, moves: 0, container_known: false }
        };
        let process = match self.by_tgid.entry(head.tgid) {
            hashbrown::hash_map::Entry::Occupied(found) => {
                let process = found.into_mut();
                if process.start_time != head.start_time {
                    *process = new();
                }
                process
            }
            hashbrown::hash_map::Entry::Vacant(free) => free.insert(new()),
        };
        if self.want_containers && !process.container_known {
            process.container_known = true;
            let key = self.keys[process.index as usize];
            // One that is gone stays where it was.
            if let Some(container) = self.containers.find(key, head.cgroup)
                && container != process.container
            {
                process.container = container;
                process.moves += 1;
            }
        }
        process
    }

    /// Another program runs in another container, and an id without a process is free.
    pub(crate) fn event(&mut self, event: &ProcessEvent) {
        match event.kind {
            abi::kind::EXEC => {
                if let Some(process) = self.by_tgid.get_mut(&event.tgid) {
                    process.container_known = false;
                }
            }
            abi::kind::EXIT => _ = self.by_tgid.remove(&event.tgid),
            _ => {}
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Which process has a number.
    pub(crate) fn key(&self, index: u32) -> Option<ProcessKey> {
        self.keys.get(index as usize).copied()
    }

    /// The keys that a replica lacks which knows this many.
    pub(crate) fn since(&self, known: usize) -> Vec<ProcessKey> {
        self.keys[known..].to_vec()
    }

    /// Begins the numbers anew.
    pub(crate) fn renumber(&mut self) {
        self.by_tgid.clear();
        self.keys.clear();
        self.containers.clear();
    }
}
