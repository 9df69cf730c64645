//! The answer to a query for stacks: one trie with values.

use profile::Profile;

use self::copy::Copier;
use crate::dictionary::{Dictionary, ROOT};
use crate::ingest::{Detail, add_profile};

mod children;
mod copy;
mod reduce;
mod to_profile;

pub use self::children::Children;
pub use self::to_profile::Times;

/// Stacks merged into a tree. Node 0 is the root and stands for no function; a parent's id is smaller than its children's.
pub struct StackTree {
    detail: Detail,
    dictionary: Dictionary,
    /// By node: the value of samples that end there.
    selves: Vec<i64>,
    /// By node: its own value and that of all below; there once the tree is finished.
    totals: Vec<i64>,
}

impl StackTree {
    pub(crate) fn new(detail: Detail) -> Self {
        Self { detail, dictionary: Dictionary::new(), selves: vec![0], totals: Vec::new() }
    }

    /// How many nodes there are, the root included.
    pub fn len(&self) -> usize {
        self.selves.len()
    }

    /// Whether it holds no stack.
    pub fn is_empty(&self) -> bool {
        self.len() == 1
    }

    /// The sum of all values.
    pub fn total(&self) -> i64 {
        self.totals[0]
    }

    /// The value of the samples that end at `node`.
    pub fn self_value(&self, node: u32) -> i64 {
        self.selves[node as usize]
    }

    /// The value of the samples that pass through `node` or end there.
    pub fn total_of(&self, node: u32) -> i64 {
        self.totals[node as usize]
    }

    /// The caller of `node`. The root's is the root.
    pub fn parent(&self, node: u32) -> u32 {
        self.dictionary.parents[node as usize]
    }

    /// The function's name. The root's is empty. In a tree of [`Detail::Frames`] it is empty where it is unknown.
    pub fn name(&self, node: u32) -> &str {
        if node == ROOT {
            return "";
        }
        let frame = self.dictionary.frames[self.dictionary.node_frames[node as usize] as usize];
        match frame.function.checked_sub(1) {
            Some(function) => self.dictionary.strings.get(self.dictionary.functions[function as usize].name),
            None => "",
        }
    }

    /// Adds what a partition, or another tree, holds: `values` by node of `dictionary`.
    pub(crate) fn absorb(&mut self, dictionary: &Dictionary, values: &[i64]) {
        let nodes = values.len().min(dictionary.nodes());
        let mut used: Vec<bool> = values[..nodes].iter().map(|value| *value != 0).collect();
        for node in (1..nodes).rev() {
            if used[node] {
                used[dictionary.parents[node] as usize] = true;
            }
        }
        let mut copier = Copier::new(dictionary);
        let mut copies = vec![ROOT; nodes];
        for node in 1..nodes {
            if used[node] {
                let parent = copies[dictionary.parents[node] as usize];
                let frame = dictionary.node_frames[node];
                let frame = match self.detail {
                    Detail::Frames => copier.frame(&mut self.dictionary, dictionary, frame),
                    Detail::Functions => copier.name(&mut self.dictionary, dictionary, frame),
                };
                copies[node] = self.dictionary.child(parent, frame);
            }
        }
        self.selves.resize(self.dictionary.nodes(), 0);
        for (copy, value) in copies.iter().zip(values) {
            let slot = &mut self.selves[*copy as usize];
            *slot = slot.saturating_add(*value);
        }
    }

    /// Adds the samples of a profile that is not in any partition.
    pub(crate) fn add(&mut self, profile: &Profile, wanted: impl Fn(&profile::Sample) -> bool) {
        let selves = &mut self.selves;
        add_profile(&mut self.dictionary, profile, self.detail, |sample, node| {
            if wanted(sample) {
                if selves.len() <= node as usize {
                    selves.resize(node as usize + 1, 0);
                }
                let slot = &mut selves[node as usize];
                *slot = slot.saturating_add(sample.value);
            }
        });
        self.selves.resize(self.dictionary.nodes(), 0);
    }

    /// Computes the totals.
    pub(crate) fn finish(&mut self) {
        self.totals.clone_from(&self.selves);
        for node in (1..self.totals.len()).rev() {
            let total = self.totals[node];
            let parent = &mut self.totals[self.dictionary.parents[node] as usize];
            *parent = parent.saturating_add(total);
        }
    }
}
