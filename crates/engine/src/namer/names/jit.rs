//! Names of code that a process made while it ran, from its perf map.

use std::collections::HashMap;
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use inspect::{Proc, ProcessKey, Wanted};
use symbolize::PerfMap;

use super::Found;

/// Processes whose maps are kept; of more, those that were not asked for longest are forgotten.
const MOST: usize = 64;

struct Map {
    functions: PerfMap<Arc<File>>,
    /// The window in which it was last read.
    read: u64,
}

/// Perf maps by process.
#[derive(Default)]
pub(super) struct Jit {
    proc: Option<Proc>,
    maps: HashMap<ProcessKey, Map>,
}

impl Jit {
    /// The function at this address of the process. Each map is read at most once a window, and only what was added.
    pub(super) fn lookup(&mut self, key: ProcessKey, address: u64, window: u64) -> Option<Found> {
        let map = self.maps.entry(key).or_insert_with(|| Map { functions: PerfMap::new(), read: 0 });
        if map.read != window {
            map.read = window;
            if self.proc.is_none() {
                self.proc = Proc::open().ok();
            }
            if let Some(proc) = &mut self.proc {
                read(proc, key, &mut map.functions);
            }
        }
        let symbol = map.functions.lookup(address)?;
        Some(Found { name: Arc::from(symbol.name), file: Arc::from(""), line: 0, module: None })
    }

    /// Forgets maps that were not asked for in a while.
    pub(super) fn trim(&mut self) {
        while self.maps.len() > MOST {
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
        while functions.update(Arc::clone(&file), identity) {}
    }
}
