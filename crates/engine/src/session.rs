//! One `pyroscope.ebpf` as the sampler sees it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use abi::{SampleRecord, WalkEnd, sample_flag};
use profile::Labels;
use symbolize::Mode;

use crate::account::{Account, Filtered};
use crate::batch::Sink;
use crate::cache::CacheSizes;
use crate::stacks::Node;
use crate::symbol_cache::SymbolWish;
use crate::target::{TargetKey, Targets};
use crate::thread::{Comm, Thread};
use crate::window::{Bucket, Window};

/// How a session samples.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Samples a second and CPU; at least 1.
    pub sample_rate: u32,
    /// Length of an interval.
    pub collect_interval: Duration,
    /// How names are shortened.
    pub demangle: Mode,
    /// Whether frames of the kernel are kept. A sample without them keeps its weight.
    pub collect_kernel: bool,
    /// Whether frames of user space are kept.
    pub collect_user: bool,
    /// Whether only processes with a target are profiled. If not, a kernel thread without one is service `kernel`, and any
    /// other process `ebpf/unspecified`.
    pub targets_only: bool,
    /// Whether the name of a sample's thread is its label `comm`.
    pub comm_label: bool,
    /// Whether the name of a sample's thread is its outermost frame.
    pub comm_frame: bool,
    /// Whether the id of a sample's process is its label `pid`.
    pub pid_label: bool,
    /// How many tables are held open in memory. All sessions share them: the largest number of each counts.
    pub caches: CacheSizes,
    /// Where symbol tables are kept on disk.
    pub symbol_cache: SymbolWish,
}

impl Settings {
    /// Whether samples of one settings mean the same as those of the other, but for how they are delivered.
    pub(crate) fn counts_like(&self, other: &Self) -> bool {
        let frames = |of: &Self| (of.sample_rate, of.demangle, of.collect_kernel, of.collect_user);
        let threads = |of: &Self| (of.comm_label, of.comm_frame, of.pid_label);
        (frames(self), threads(self)) == (frames(other), threads(other))
    }

    /// Whether the names of threads matter.
    pub(crate) fn names_threads(&self) -> bool {
        self.comm_label || self.comm_frame
    }

    /// Nanoseconds that one sample stands for.
    pub fn period(&self) -> u64 {
        1_000_000_000 / u64::from(self.sample_rate.max(1))
    }
}

/// What others hold of a session.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    pub(crate) account: Account,
    /// Until when somebody looks at the open interval, in nanoseconds of CLOCK_MONOTONIC.
    pub(crate) watched_until: AtomicU64,
}

/// Which bucket a process's samples go into, and up to which change of the targets and of its container that was looked up.
#[derive(Clone, Copy, Default)]
struct Binding {
    window: u64,
    changed: u64,
    moves: u32,
    bucket: u32,
}

/// A process, as far as matching needs it.
pub(crate) struct Matched<'a> {
    pub(crate) index: u32,
    pub(crate) tgid: u32,
    pub(crate) kernel_thread: bool,
    pub(crate) container: Option<&'a Arc<str>>,
    /// How often its container has changed.
    pub(crate) moves: u32,
}

/// The sampler's side of a session.
pub(crate) struct SessionState {
    pub(crate) settings: Settings,
    pub(crate) targets: Targets,
    pub(crate) shared: Arc<Shared>,
    pub(crate) sink: Arc<Sink>,
    pub(crate) window: Window,
    /// Number of the current interval.
    pub(crate) interval: u64,
    /// When the interval ends, and when its content is shown next (CLOCK_MONOTONIC, nanoseconds).
    pub(crate) ends: u64,
    pub(crate) shows: u64,
    /// Whether anybody looked at it last time.
    pub(crate) watched: bool,
    /// Records drained and samples lost in the kernel before the session began.
    pub(crate) drained_before: u64,
    pub(crate) lost_before: u64,
    bindings: Vec<Binding>,
    /// For which thread name each was looked up; empty where names of threads do not matter.
    comms: Vec<Comm>,
    /// Per CPU, the fraction of a kept sample that surplus ones have added up to, in units of 1/kernel rate.
    thinning: Vec<u32>,
}

impl SessionState {
    pub(crate) fn new(settings: Settings, targets: Targets, shared: Arc<Shared>, sink: Arc<Sink>, now: u64) -> Self {
        let ends = now + settings.collect_interval.as_nanos() as u64;
        Self {
            settings,
            targets,
            shared,
            sink,
            window: Window::new(now),
            interval: 0,
            ends,
            shows: now,
            watched: false,
            drained_before: 0,
            lost_before: 0,
            bindings: Vec::new(),
            comms: Vec::new(),
            thinning: Vec::new(),
        }
    }

    /// Counts one sample, or says why not. `node` is its stack.
    pub(crate) fn take(&mut self, record: &SampleRecord<'_>, process: &Matched<'_>, node: Node, kernel_rate: u32) {
        if self.settings.sample_rate < kernel_rate && !self.keeps(record.head.cpu, kernel_rate) {
            self.shared.account.filter(Filtered::Thinned, 1);
            return;
        }
        if record.kernel.is_empty() && record.user.is_empty() {
            self.shared.account.filter(Filtered::NoFrames, 1);
            return;
        }
        let comm = if self.settings.names_threads() { record.head.comm } else { Comm::default() };
        let bucket = self.bucket(process, record.head.ktime, comm);
        let end = WalkEnd::from_number(record.head.end.into()).unwrap_or(WalkEnd::Fault);
        self.window.add(bucket, node, end);
    }

    /// Spreads the samples that are kept evenly over those of a CPU.
    fn keeps(&mut self, cpu: u32, kernel_rate: u32) -> bool {
        let cpu = cpu as usize;
        if self.thinning.len() <= cpu {
            self.thinning.resize(cpu + 1, 0);
        }
        let sum = &mut self.thinning[cpu];
        *sum += self.settings.sample_rate;
        let keeps = *sum >= kernel_rate;
        if keeps {
            *sum -= kernel_rate;
        }
        keeps
    }

    fn bucket(&mut self, process: &Matched<'_>, ktime: u64, comm: Comm) -> u32 {
        let index = process.index as usize;
        if self.bindings.len() <= index {
            self.bindings.resize(index + 1, Binding::default());
        }
        if self.settings.names_threads() && self.comms.len() <= index {
            self.comms.resize(index + 1, Comm::default());
        }
        let known = self.bindings[index];
        let looked_up = (known.window, known.changed, known.moves);
        let current = looked_up == (self.window.start, self.targets.changed, process.moves)
            && self.comms.get(index).is_none_or(|last| *last == comm);
        if current && ktime >= self.targets.changed {
            return known.bucket;
        }
        let pid = TargetKey::Pid(process.tgid);
        let container = process.container.map(|id| TargetKey::Container(Arc::clone(id)));
        let container_turn = container.as_ref().map_or(0, |key| self.targets.turn(key, ktime));
        let bucket = self.window.bucket(Bucket {
            process: process.index,
            kernel_thread: process.kernel_thread,
            comm,
            pid: (self.targets.turn(&pid, ktime), pid),
            container: container.map(|key| (container_turn, key)),
        });
        if ktime >= self.targets.changed {
            let (window, changed) = (self.window.start, self.targets.changed);
            self.bindings[index] = Binding { window, changed, moves: process.moves, bucket };
            if let Some(last) = self.comms.get_mut(index) {
                *last = comm;
            }
        }
        bucket
    }

    /// The labels that a bucket's samples are delivered under, as known by now; `None` filters them.
    pub(crate) fn final_labels(&self, bucket: &Bucket) -> Option<Labels> {
        let at = |(turn, key): &(usize, TargetKey)| self.targets.at(key, *turn).cloned();
        at(&bucket.pid).or_else(|| at(bucket.container.as_ref()?)).or_else(|| {
            if self.settings.targets_only {
                return None;
            }
            let name = if bucket.kernel_thread { "kernel" } else { "ebpf/unspecified" };
            Some([("__name__", "process_cpu"), ("service_name", name)].into_iter().collect())
        })
    }

    /// What samples of a bucket say of their thread.
    pub(crate) fn thread(&self, bucket: &Bucket) -> Thread {
        let pid = match bucket.pid.1 {
            TargetKey::Pid(pid) if self.settings.pid_label => pid,
            _ => 0,
        };
        Thread { comm: bucket.comm, pid }
    }

    /// Samples from now on. The open interval must be empty if they mean something else.
    pub(crate) fn set(&mut self, settings: Settings) {
        self.ends = self.window.start + settings.collect_interval.as_nanos() as u64;
        self.settings = settings;
        self.comms.clear();
    }

    /// Whether somebody looks at the open interval.
    pub(crate) fn is_watched(&self, now: u64) -> bool {
        self.shared.watched_until.load(Relaxed) > now
    }

    /// Whether a sample belongs to a kernel thread.
    pub(crate) fn is_kernel_thread(record: &SampleRecord<'_>) -> bool {
        record.head.flags & sample_flag::KTHREAD != 0
    }

    /// Forgets what it knew of processes by number, because the numbers begin anew.
    pub(crate) fn renumber(&mut self) {
        self.bindings.clear();
        self.comms.clear();
    }
}

/// How often the open interval is shown, in nanoseconds.
pub(crate) const OPEN_EVERY: u64 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn session() -> SessionState {
        let settings = Settings {
            sample_rate: 100,
            collect_interval: Duration::from_secs(10),
            demangle: Mode::None,
            collect_kernel: true,
            collect_user: true,
            targets_only: true,
            comm_label: false,
            comm_frame: false,
            pid_label: false,
            caches: CacheSizes::SPECIFIED,
            symbol_cache: SymbolWish::SPECIFIED,
        };
        SessionState::new(settings, Targets::default(), Arc::default(), Arc::new(Box::new(Err)), 1)
    }

    #[test]
    fn a_process_that_comes_into_another_container_goes_into_another_bucket() {
        let mut session = session();
        let (shop, cart): (Arc<str>, Arc<str>) = (Arc::from("shop"), Arc::from("cart"));
        let mut bucket = |container, moves| {
            let process = Matched { index: 0, tgid: 7, kernel_thread: false, container, moves };
            let number = session.bucket(&process, 100, Comm::default());
            session.window.buckets[number as usize].container.clone()
        };
        let of = |id: &Arc<str>| Some((0, TargetKey::Container(Arc::clone(id))));
        assert_eq!(bucket(None, 0), None);
        assert_eq!(bucket(Some(&shop), 1), of(&shop));
        assert_eq!(bucket(Some(&cart), 2), of(&cart));
        assert_eq!(bucket(Some(&cart), 2), of(&cart));
    }

    #[test]
    fn threads_of_a_process_go_into_buckets_by_their_names_where_these_matter() {
        let mut session = session();
        let name = |name: &[u8; 4]| {
            let mut comm = Comm::default();
            comm[..4].copy_from_slice(name);
            comm
        };
        let process = Matched { index: 3, tgid: 7, kernel_thread: false, container: None, moves: 0 };
        let buckets = |session: &mut SessionState| {
            [b"main", b"pool", b"pool", b"main"].map(|comm| session.bucket(&process, 100, name(comm)))
        };
        session.set(Settings { comm_frame: true, ..session.settings.clone() });
        assert_eq!(buckets(&mut session), [0, 1, 1, 0]);
        let bucket = session.window.buckets[1].clone();
        assert_eq!(session.thread(&bucket), Thread { comm: name(b"pool"), pid: 0 });
        session.set(Settings { comm_frame: false, pid_label: true, ..session.settings.clone() });
        assert_eq!(session.thread(&bucket).pid, 7);
        assert!(session.comms.is_empty());
    }
}
