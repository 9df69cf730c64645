//! Names of code that a process made while it ran, from its perf map.
//!
//! The map lies where the process wants it, on a file system that may not answer. So a thread of its own reads maps, and one
//! that does not answer in time is left to itself, with the process that it asked about.

use std::fs::File;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use hashbrown::{HashMap, HashSet};
use inspect::{Facts, Proc, ProcessKey, Wanted};
use symbolize::PerfMap;

use super::Found;
use crate::aside::{Aside, Asked, Lost};
use crate::cache::{Cache, CacheLimits, Lru};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// So many readers are left to themselves at a time; then no perf map is read.
const MOST_LOST: usize = 8;
/// Processes whose maps had to go, or did not answer, that are remembered.
const MOST_LEFT: usize = 4096;
/// Of all maps that are held, so many bytes stay while others are read.
const MOST_BYTES: usize = 8 << 20;
/// What the start time of a process counts in, a second.
const TICKS: u64 = 100;
/// How much of a map is read in one interval, in steps of the reader.
const MOST_STEPS: usize = 4;

/// Perf maps by process.
pub(super) struct Jit {
    reader: Option<Aside<Question, Answer>>,
    /// Processes whose maps did not answer.
    silent: HashSet<ProcessKey>,
    lost: Lost<()>,
    /// What the maps take.
    bytes: Arc<AtomicUsize>,
    caches: CacheLimits,
}

/// How far a map has got. What differs from the last time is worth asking about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct MapState {
    /// Lines that were read.
    lines: u64,
    /// How often a line, or another file, took the place of an earlier one: names that were given may be others by now.
    pub(crate) replaced: u64,
    /// The process is no more, so this is the end of it.
    pub(crate) ended: bool,
}

enum Question {
    Of(ProcessKey, Ask),
    /// Give up maps until the rest takes no more bytes.
    Trim(usize),
}

enum Ask {
    /// Open the map now: the process may be gone when it is needed.
    Hold,
    /// The function at an address, in the map as it is in a window.
    Name { address: u64, window: u64 },
    /// How far the map has got in a window.
    State { window: u64 },
}

enum Answer {
    Done,
    Name(Option<Arc<str>>),
    State(MapState),
}

impl Default for Jit {
    fn default() -> Self {
        Self::new(CacheLimits::default())
    }
}

impl Jit {
    pub(super) fn new(caches: CacheLimits) -> Self {
        Self { reader: None, silent: HashSet::new(), lost: Lost::new([MOST_LOST; 2]), bytes: Arc::default(), caches }
    }

    /// The function at this address of the process. Each map is read at most once a window, and only what was added.
    pub(super) fn lookup(&mut self, key: ProcessKey, address: u64, window: u64) -> Option<Found> {
        match self.ask(key, Ask::Name { address, window })? {
            Answer::Name(name) => Some(Found { name: name?, ..Found::default() }),
            _ => None,
        }
    }

    /// How far the process's map has got; none where nothing more is to be had of it.
    pub(super) fn state(&mut self, key: ProcessKey, window: u64) -> Option<MapState> {
        match self.ask(key, Ask::State { window })? {
            Answer::State(state) => Some(state),
            _ => None,
        }
    }

    /// Keeps the map of a process that is seen to run code of its own making, for when the process is gone.
    pub(super) fn hold(&mut self, key: ProcessKey) {
        _ = self.ask(key, Ask::Hold);
    }

    /// What the maps take of the heap.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Relaxed)
    }

    /// Gives up those that were not asked for longest, until the rest is small enough.
    pub(super) fn trim(&mut self, most: usize) {
        if self.bytes() > most
            && let Some(reader) = &self.reader
            && matches!(reader.ask(Question::Trim(most), PATIENCE), Asked::Late)
        {
            self.leave_reader();
        }
    }

    /// Leaves the reader to itself, with its maps.
    fn leave_reader(&mut self) {
        self.lost.add((), self.reader.take());
        self.bytes = Arc::default();
    }

    fn ask(&mut self, key: ProcessKey, ask: Ask) -> Option<Answer> {
        if self.silent.contains(&key) || self.lost.is_full(()) {
            return None;
        }
        let reader = self.reader.get_or_insert_with(|| {
            let (caches, bytes) = (self.caches.clone(), Arc::clone(&self.bytes));
            Aside::start("perf-maps", || {
                let mut maps = Maps::new(Proc::open().ok()?, caches);
                Some(move |question| {
                    let answer = maps.answer(question);
                    bytes.store(maps.bytes(), Relaxed);
                    answer
                })
            })
        });
        match reader.ask(Question::Of(key, ask), PATIENCE) {
            Asked::Answered(answer) => Some(answer),
            Asked::Gone => None,
            Asked::Late => {
                self.leave_reader();
                if self.silent.len() >= MOST_LEFT {
                    self.silent.clear();
                }
                self.silent.insert(key);
                let off = self.lost.is_full(());
                tracing::warn!(
                    pid = key.tgid,
                    off,
                    "the perf map of a process cannot be read: its file system does not answer"
                );
                None
            }
        }
    }
}

#[derive(Default)]
struct Map {
    functions: PerfMap<Arc<File>>,
    /// The file as it was when the process was last there, and which one it is.
    file: Option<(Arc<File>, (u64, u64))>,
    /// The window in which it was last read.
    read: u64,
    ended: bool,
}

struct Maps {
    proc: Proc,
    maps: Lru<ProcessKey, Map>,
    /// How far those had got that had to go.
    left: HashMap<ProcessKey, MapState>,
}

impl Maps {
    fn new(proc: Proc, caches: CacheLimits) -> Self {
        Self { proc, maps: Lru::new(Cache::Pid, caches), left: HashMap::new() }
    }

    fn answer(&mut self, question: Question) -> Answer {
        match question {
            Question::Of(key, ask) => self.answer_of(key, &ask),
            Question::Trim(most) => {
                self.trim(most, 0);
                Answer::Done
            }
        }
    }

    /// What the maps take of the heap.
    fn bytes(&self) -> usize {
        self.maps.values().map(|map| map.functions.heap_bytes()).sum()
    }

    /// Gives up those that were not asked for longest, but so many, until the rest is small enough.
    fn trim(&mut self, most: usize, least: usize) {
        let mut total = self.bytes();
        while total > most
            && self.maps.len() > least
            && let Some((key, map)) = self.maps.pop_last()
        {
            total -= map.functions.heap_bytes();
            leave(&mut self.left, vec![(key, map)]);
        }
    }

    fn answer_of(&mut self, key: ProcessKey, ask: &Ask) -> Answer {
        match *ask {
            Ask::Hold => {
                let Self { proc, maps, left } = self;
                let open = || {
                    let mut map = Map::default();
                    map.open(proc, key);
                    map
                };
                leave(left, maps.get_or_insert_with(key, open).1);
                Answer::Done
            }
            Ask::Name { address, window } => {
                let found = self.map(key, window).functions.lookup(address);
                Answer::Name(found.map(|found| Arc::from(found.name)))
            }
            // One that had to go is not read again for its own sake, or many maps would push out each other in turn.
            Ask::State { window } => {
                Answer::State(self.left_state(key).unwrap_or_else(|| self.map(key, window).state()))
            }
        }
    }

    /// The map as it is in a window.
    fn map(&mut self, key: ProcessKey, window: u64) -> &Map {
        let Self { proc, maps, left } = self;
        left.remove(&key);
        let (map, gone) = maps.get_or_insert_with(key, Map::default);
        leave(left, gone);
        if map.read != window {
            map.read = window;
            map.open(proc, key);
            map.read();
            self.trim(MOST_BYTES, 1);
        }
        self.maps.peek(&key).expect("it was asked for last, and one always stays")
    }

    /// How far a map had got that had to go, if it is one.
    fn left_state(&mut self, key: ProcessKey) -> Option<MapState> {
        let state = self.left.get_mut(&key)?;
        state.ended |= facts(&mut self.proc, key).is_none();
        let state = *state;
        if state.ended {
            self.left.remove(&key);
        }
        Some(state)
    }
}

impl Map {
    /// Opens `/tmp/perf-PID.map` as the process itself names it. A process that is gone leaves it as it was. Everybody may write
    /// to that folder, so the file must be the process's own or root's, and no older than it.
    fn open(&mut self, proc: &mut Proc, key: ProcessKey) {
        let Some(facts) = facts(proc, key) else {
            self.ended = true;
            return;
        };
        let pid = facts.namespace_pid.unwrap_or(key.tgid);
        let path = PathBuf::from(format!("/tmp/perf-{pid}.map"));
        let written = |file: &File| {
            let metadata = file.metadata().ok()?;
            let own = metadata.uid() == 0 || facts.real_uid == Ok(metadata.uid());
            Some(own && metadata.mtime().saturating_add(1) >= started(key))
        };
        if let Ok(opened) = proc.open_root_relative(key.tgid, &path)
            && written(&opened.file) == Some(true)
        {
            let device = opened.identity.device;
            let identity = (u64::from(device.major) << 32 | u64::from(device.minor), opened.identity.inode);
            self.file = Some((Arc::new(opened.file), identity));
        }
    }

    fn state(&self) -> MapState {
        let counts = self.functions.counts();
        MapState { lines: counts.taken, replaced: counts.overlapping + counts.replaced, ended: self.ended }
    }

    /// Reads what was added.
    fn read(&mut self) {
        if let Some((file, identity)) = &self.file {
            // What is left is read in the next interval.
            _ = (0..MOST_STEPS).all(|_| self.functions.update(Arc::clone(file), *identity));
        }
    }
}

/// Remembers maps that have to go.
fn leave(left: &mut HashMap<ProcessKey, MapState>, gone: Vec<(ProcessKey, Map)>) {
    for (key, map) in gone {
        if left.len() >= MOST_LEFT {
            left.clear();
        }
        left.insert(key, map.state());
    }
}

/// When a process started, in seconds since 1970.
fn started(key: ProcessKey) -> i64 {
    let now = |clock| rustix::time::clock_gettime(clock).tv_sec;
    let booted = now(rustix::time::ClockId::Realtime) - now(rustix::time::ClockId::Boottime);
    booted.saturating_add((key.start_time / TICKS) as i64)
}

/// The process, if it is still there.
fn facts(proc: &mut Proc, key: ProcessKey) -> Option<Facts> {
    proc.facts(key.tgid, Wanted::NAMESPACE_PID | Wanted::USER).ok().filter(|facts| facts.key == key)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::process::{Child, Command};

    use super::*;
    use crate::cache::CacheSizes;

    /// A process, and a map that says it runs something.
    struct Process(Child, PathBuf);

    impl Process {
        fn start() -> Self {
            let child = Command::new("sleep").arg("60").spawn().unwrap();
            let path = PathBuf::from(format!("/tmp/perf-{}.map", child.id()));
            fs::write(&path, "1000 10 first\n").unwrap();
            Self(child, path)
        }

        fn key(&self) -> ProcessKey {
            Proc::open().unwrap().facts(self.0.id(), Wanted::NAMESPACE_PID).unwrap().key
        }

        fn end(&mut self) {
            self.0.kill().unwrap();
            self.0.wait().unwrap();
        }
    }

    impl Drop for Process {
        fn drop(&mut self) {
            _ = self.0.kill();
            _ = self.0.wait();
            _ = fs::remove_file(&self.1);
        }
    }

    fn name(jit: &mut Jit, key: ProcessKey, address: u64, window: u64) -> Option<String> {
        jit.lookup(key, address, window).map(|found| found.name.to_string())
    }

    #[test]
    fn a_map_that_was_held_outlives_its_process() {
        let (mut jit, mut process) = (Jit::default(), Process::start());
        let key = process.key();
        jit.hold(key);
        fs::write(&process.1, "1000 10 first\n2000 10 second\n").unwrap();
        process.end();
        fs::remove_file(&process.1).unwrap();
        assert_eq!(name(&mut jit, key, 0x2000, 1).as_deref(), Some("second"));
        assert!(jit.state(key, 2).unwrap().ended);
    }

    #[test]
    fn a_map_that_is_older_than_the_process_or_somebody_elses_is_not_its_own() {
        let (mut jit, process) = (Jit::default(), Process::start());
        let key = process.key();
        let file = fs::File::options().write(true).open(&process.1).unwrap();
        file.set_modified(std::time::SystemTime::now() - Duration::from_secs(60)).unwrap();
        assert_eq!(name(&mut jit, key, 0x1000, 1), None);
        file.set_modified(std::time::SystemTime::now()).unwrap();
        assert_eq!(name(&mut jit, key, 0x1000, 2).as_deref(), Some("first"));
        if rustix::process::geteuid().is_root() {
            let (mut jit, process) = (Jit::default(), Process::start());
            std::os::unix::fs::chown(&process.1, Some(1), None).unwrap();
            assert_eq!(name(&mut jit, process.key(), 0x1000, 1), None);
        }
    }

    #[test]
    fn maps_that_take_too_much_are_given_up() {
        let (mut jit, processes) = (Jit::default(), [Process::start(), Process::start()]);
        for process in &processes {
            let lines: String = (1..1000).map(|at| format!("{at:x}000 10 function\n")).collect();
            fs::write(&process.1, lines).unwrap();
            assert!(name(&mut jit, process.key(), 0x1000, 1).is_some());
        }
        let both = jit.bytes();
        jit.trim(both - 1);
        assert_eq!(jit.bytes(), both / 2);
        jit.trim(0);
        assert_eq!(jit.bytes(), 0);
        assert!(name(&mut jit, processes[1].key(), 0x1000, 2).is_some(), "it is read again");
    }

    #[test]
    fn without_that_it_ends_with_the_process() {
        let (mut jit, mut process) = (Jit::default(), Process::start());
        let key = process.key();
        process.end();
        assert_eq!(name(&mut jit, key, 0x1000, 1), None);
    }

    #[test]
    fn its_state_says_what_is_new() {
        let (mut jit, process) = (Jit::default(), Process::start());
        let key = process.key();
        let state = |lines, replaced| Some(MapState { lines, replaced, ended: false });
        assert_eq!(jit.state(key, 1), state(1, 0));
        fs::write(&process.1, "1000 10 first\n2000 10 second\n").unwrap();
        assert_eq!(jit.state(key, 1), state(1, 0), "once a window");
        assert_eq!(jit.state(key, 2), state(2, 0));
        fs::write(&process.1, "1000 10 first\n2000 10 second\n1008 10 third\n").unwrap();
        assert_eq!(jit.state(key, 3), state(3, 1));
    }

    #[test]
    fn a_map_that_has_to_go_is_read_again_for_a_name_and_not_for_its_state() {
        let (mut jit, mut processes) = (Jit::default(), [Process::start(), Process::start()]);
        jit.caches.set(CacheSizes([1; 4]));
        let caches = jit.caches.clone();
        let counted = || [caches.misses(Cache::Pid), caches.evictions(Cache::Pid)];
        let keys = [processes[0].key(), processes[1].key()];
        for key in keys {
            assert_eq!(name(&mut jit, key, 0x1000, 1).as_deref(), Some("first"));
        }
        assert_eq!(counted(), [2, 1]);
        let state = |lines, ended| Some(MapState { lines, replaced: 0, ended });
        fs::write(&processes[0].1, "1000 10 first\n2000 10 second\n").unwrap();
        assert_eq!(jit.state(keys[0], 2), state(1, false), "as it was when it went");
        assert_eq!(counted(), [2, 1]);
        assert_eq!(name(&mut jit, keys[0], 0x2000, 2).as_deref(), Some("second"));
        assert_eq!((counted(), jit.state(keys[0], 2)), ([3, 2], state(2, false)));
        processes[1].end();
        assert_eq!(jit.state(keys[1], 3), state(1, true));
    }
}
