//! Names of code that a process made while it ran, from its perf map.
//!
//! The map lies where the process wants it, on a file system that may not answer. So a thread of its own reads maps, and one
//! that does not answer in time is left to itself, with the process that it asked about.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hashbrown::{HashMap, HashSet};
use inspect::{Proc, ProcessKey, Wanted};
use symbolize::PerfMap;

use super::Found;
use crate::aside::{Aside, Asked};

/// Processes whose maps are kept; of more, those that were not asked for longest are forgotten.
const MOST: usize = 64;
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// So many readers are left to themselves; then there are no more perf maps.
const MOST_LOST: usize = 8;
/// How much of a map is read in one interval, in steps of the reader.
const MOST_STEPS: usize = 4;

/// Perf maps by process.
#[derive(Default)]
pub(super) struct Jit {
    reader: Option<Aside<Question, Option<Arc<str>>>>,
    /// Processes whose maps did not answer.
    silent: HashSet<ProcessKey>,
}

struct Question {
    key: ProcessKey,
    address: u64,
    window: u64,
}

impl Jit {
    /// The function at this address of the process. Each map is read at most once a window, and only what was added.
    pub(super) fn lookup(&mut self, key: ProcessKey, address: u64, window: u64) -> Option<Found> {
        if self.silent.len() >= MOST_LOST || self.silent.contains(&key) {
            return None;
        }
        let reader = self.reader.get_or_insert_with(|| {
            Aside::start("perf-maps", || {
                let mut maps = Maps { proc: Proc::open().ok()?, maps: HashMap::new() };
                Some(move |question| maps.lookup(&question))
            })
        });
        let name = match reader.ask(Question { key, address, window }, Some(PATIENCE)) {
            Asked::Answered(name) => name?,
            Asked::Gone => return None,
            Asked::Late => {
                self.reader = None;
                self.silent.insert(key);
                let off = self.silent.len() >= MOST_LOST;
                tracing::warn!(
                    pid = key.tgid,
                    off,
                    "the perf map of a process cannot be read: its file system does not answer"
                );
                return None;
            }
        };
        Some(Found { name, file: Arc::from(""), line: 0, module: None })
    }
}

struct Map {
    functions: PerfMap<Arc<File>>,
    /// The window in which it was last read.
    read: u64,
}

struct Maps {
    proc: Proc,
    maps: HashMap<ProcessKey, Map>,
}

impl Maps {
    fn lookup(&mut self, question: &Question) -> Option<Arc<str>> {
        let Question { key, address, window } = *question;
        if !self.maps.contains_key(&key) {
            self.make_room();
        }
        let map = self.maps.entry(key).or_insert_with(|| Map { functions: PerfMap::new(), read: 0 });
        if map.read != window {
            map.read = window;
            read(&mut self.proc, key, &mut map.functions);
        }
        Some(Arc::from(map.functions.lookup(address)?.name))
    }

    fn make_room(&mut self) {
        while self.maps.len() >= MOST {
            let oldest = self.maps.iter().min_by_key(|(_, map)| map.read).map(|(key, _)| *key);
            self.maps.retain(|key, _| Some(*key) != oldest);
        }
    }
}

/// Reads what was added to `/tmp/perf-PID.map` as the process itself names it. A process that is gone adds nothing.
fn read(proc: &mut Proc, key: ProcessKey, functions: &mut PerfMap<Arc<File>>) {
    let Ok(facts) = proc.facts(key.tgid, Wanted::NAMESPACE_PID) else { return };
    if facts.key != key {
        return;
    }
    let pid = facts.namespace_pid.unwrap_or(key.tgid);
    let path = PathBuf::from(format!("/tmp/perf-{pid}.map"));
    if let Ok(opened) = proc.open_root_relative(key.tgid, &path) {
        let device = opened.identity.device;
        let identity = (u64::from(device.major) << 32 | u64::from(device.minor), opened.identity.inode);
        let file = Arc::new(opened.file);
        // What is left is read in the next interval.
        _ = (0..MOST_STEPS).all(|_| functions.update(Arc::clone(&file), identity));
    }
}
