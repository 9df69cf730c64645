//! What a session counts in one interval.

use abi::WalkEnd;
use hashbrown::HashMap;

use crate::stacks::Node;
use crate::target::TargetKey;
use crate::thread::Comm;

/// Samples of one process that belong to the same target, which may not have been discovered yet.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Bucket {
    /// Number of the process.
    pub(crate) process: u32,
    pub(crate) kernel_thread: bool,
    /// The name of the thread, where that matters.
    pub(crate) comm: Comm,
    /// Which target of the process's id, by turn: see [`Targets::turn`](crate::target::Targets::turn).
    pub(crate) pid: (usize, TargetKey),
    /// Which target of its container, if it is in one and that matters.
    pub(crate) container: Option<(usize, TargetKey)>,
}

/// Counts of stacks by bucket.
pub(crate) struct Window {
    /// When it began (CLOCK_MONOTONIC, nanoseconds).
    pub(crate) start: u64,
    /// Samples in it.
    pub(crate) samples: u64,
    pub(crate) buckets: Vec<Bucket>,
    index: HashMap<Bucket, u32>,
    counts: HashMap<(u32, Node), u32>,
    pub(crate) ends: Vec<[u32; WalkEnd::ALL.len()]>,
}

impl Window {
    pub(crate) fn new(start: u64) -> Self {
        Self { start, samples: 0, buckets: Vec::new(), index: HashMap::new(), counts: HashMap::new(), ends: Vec::new() }
    }

    /// The number of this bucket.
    pub(crate) fn bucket(&mut self, bucket: Bucket) -> u32 {
        if let Some(number) = self.index.get(&bucket) {
            return *number;
        }
        let number = self.buckets.len() as u32;
        self.index.insert(bucket.clone(), number);
        self.buckets.push(bucket);
        self.ends.push([0; WalkEnd::ALL.len()]);
        number
    }

    pub(crate) fn add(&mut self, bucket: u32, node: Node, end: WalkEnd) {
        *self.counts.entry((bucket, node)).or_insert(0) += 1;
        self.ends[bucket as usize][end as usize] += 1;
        self.samples += 1;
    }

    /// Each (bucket, stack) with how often it was seen.
    pub(crate) fn counts(&self) -> impl ExactSizeIterator<Item = ((u32, Node), u32)> + '_ {
        self.counts.iter().map(|(key, count)| (*key, *count))
    }

    /// Each stack that was seen.
    pub(crate) fn stacks(&self) -> impl Iterator<Item = Node> + '_ {
        self.counts.keys().map(|(_, node)| *node)
    }
}
