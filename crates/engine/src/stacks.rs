//! Stacks as nodes of a tree that grows from the root: equal prefixes are stored once.
//!
//! Where stacks part, most of what follows is new and has one child: a node knows its first child itself, and only
//! the others are found by a hash. So the new part of a stack is written to the end of a list, and looks up nothing
//! but its frames.

use std::hash::BuildHasher as _;

use hashbrown::{DefaultHashBuilder, HashTable, hash_table::Entry};

use crate::frame::Frame;

/// A stack: the node of its leaf. [`ROOT`] is the empty one.
pub(crate) type Node = u32;
pub(crate) const ROOT: Node = 0;

/// Interned frames and stacks. Ids count up, so that a replica needs only what was appended.
pub(crate) struct Stacks {
    hasher: DefaultHashBuilder,
    frames: Vec<Frame>,
    frame_index: HashTable<u32>,
    /// (parent, frame) of each node; that of the root means nothing.
    nodes: Vec<(Node, u32)>,
    /// The first child of each node, or [`ROOT`].
    first_child: Vec<Node>,
    /// Every other child, by parent and frame.
    later_children: HashTable<u32>,
}

/// What was appended since a replica was last brought up to date, and from where.
#[derive(Debug, Default)]
pub(crate) struct Appended {
    /// The replica forgets everything before it takes the rest.
    pub(crate) restart: bool,
    pub(crate) frames: Vec<Frame>,
    pub(crate) nodes: Vec<(Node, u32)>,
}

impl Stacks {
    pub(crate) fn new() -> Self {
        Self {
            hasher: DefaultHashBuilder::default(),
            frames: Vec::new(),
            frame_index: HashTable::new(),
            nodes: vec![(ROOT, u32::MAX)],
            first_child: vec![ROOT],
            later_children: HashTable::new(),
        }
    }

    /// The stack that has `frame` as callee of `parent`.
    pub(crate) fn push(&mut self, parent: Node, frame: Frame) -> Node {
        let child = self.first_child[parent as usize];
        if child != ROOT && self.frames[self.nodes[child as usize].1 as usize] == frame {
            return child;
        }
        let node = (parent, self.frame(frame));
        let new = self.nodes.len() as Node;
        if child == ROOT {
            self.first_child[parent as usize] = new;
        } else {
            let hash = self.hasher.hash_one(node);
            let same = |id: &u32| self.nodes[*id as usize] == node;
            match self.later_children.entry(hash, same, |id| self.hasher.hash_one(self.nodes[*id as usize])) {
                Entry::Occupied(found) => return *found.get(),
                Entry::Vacant(free) => _ = free.insert(new),
            }
        }
        self.nodes.push(node);
        self.first_child.push(ROOT);
        new
    }

    /// The number of this frame.
    fn frame(&mut self, frame: Frame) -> u32 {
        let hash = self.hasher.hash_one(frame);
        let same = |id: &u32| self.frames[*id as usize] == frame;
        match self.frame_index.entry(hash, same, |id| self.hasher.hash_one(self.frames[*id as usize])) {
            Entry::Occupied(found) => *found.get(),
            Entry::Vacant(free) => {
                let id = self.frames.len() as u32;
                free.insert(id);
                self.frames.push(frame);
                id
            }
        }
    }

    /// The frames of these stacks, each node's once.
    pub(crate) fn frames_of(&self, stacks: impl Iterator<Item = Node>) -> impl Iterator<Item = Frame> {
        let mut seen = vec![0_u64; self.nodes.len().div_ceil(64)];
        let mut first = move |node: Node| {
            let (word, bit) = (&mut seen[node as usize / 64], 1 << (node % 64));
            let is_first = *word & bit == 0;
            *word |= bit;
            is_first
        };
        let mut nodes = stacks;
        let mut at = ROOT;
        std::iter::from_fn(move || {
            // Below a node that was seen, all is seen.
            while at == ROOT || !first(at) {
                at = nodes.next()?;
            }
            let (parent, frame) = self.nodes[at as usize];
            at = parent;
            Some(self.frames[frame as usize])
        })
    }

    pub(crate) fn len(&self) -> (usize, usize) {
        (self.frames.len(), self.nodes.len())
    }

    /// What a replica lacks that knows this many frames and nodes.
    pub(crate) fn since(&self, known: (usize, usize)) -> Appended {
        Appended { restart: false, frames: self.frames[known.0..].to_vec(), nodes: self.nodes[known.1..].to_vec() }
    }
}

/// The copy that the namer holds.
#[derive(Debug, Default)]
pub(crate) struct Replica {
    pub(crate) frames: Vec<Frame>,
    nodes: Vec<(Node, u32)>,
}

impl Replica {
    pub(crate) fn apply(&mut self, appended: Appended) {
        if appended.restart {
            *self = Self::default();
        }
        self.frames.extend(appended.frames);
        self.nodes.extend(appended.nodes);
    }

    /// The frame ids of a stack, leaf first.
    pub(crate) fn stack(&self, mut node: Node, into: &mut Vec<u32>) {
        into.clear();
        while node != ROOT {
            let (parent, frame) = self.nodes[node as usize];
            into.push(frame);
            node = parent;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Space;

    fn frame(address: u64) -> Frame {
        Frame { space: Space::KERNEL, address }
    }

    #[test]
    fn equal_stacks_are_one_node_and_a_replica_reads_them_back() {
        let mut stacks = Stacks::new();
        let mut replica = Replica::default();
        let main = stacks.push(ROOT, frame(1));
        let work = stacks.push(main, frame(2));
        replica.apply(stacks.since((0, 0)));
        let known = stacks.len();
        assert_eq!(stacks.push(main, frame(2)), work);
        let leaf = stacks.push(work, frame(1));
        replica.apply(stacks.since(known));
        let mut ids = Vec::new();
        replica.stack(leaf, &mut ids);
        let addresses: Vec<u64> = ids.iter().map(|id| replica.frames[*id as usize].address).collect();
        assert_eq!(addresses, [1, 2, 1]);
        let other = stacks.push(main, frame(3));
        let all: Vec<u64> =
            stacks.frames_of([leaf, other, ROOT, leaf].into_iter()).map(|frame| frame.address).collect();
        assert_eq!(all, [1, 2, 1, 3], "what stacks share comes once");
    }
}
