//! Less of a tree: only its large nodes, or only what lies below a call path.

use super::copy::Copier;
use crate::dictionary::ROOT;
use crate::ingest::named;
use crate::tree::StackTree;

impl StackTree {
    /// The least total that a node needs so that at most `max_nodes` remain; 0 when all may. The root does not count.
    pub fn least_total(&self, max_nodes: usize) -> i64 {
        let nodes = self.len() - 1;
        if nodes <= max_nodes {
            return 0;
        }
        if max_nodes == 0 {
            return i64::MAX;
        }
        let mut totals = self.totals[1..].to_vec();
        let (_, least, _) = totals.select_nth_unstable_by(max_nodes - 1, |a, b| b.cmp(a));
        *least
    }

    /// The tree with about `max_nodes` nodes: those with smaller totals are replaced by one child `other` of their
    /// parent that has their sum.
    #[must_use]
    pub fn prune(self, max_nodes: usize) -> StackTree {
        let least = self.least_total(max_nodes);
        if least <= 0 {
            return self;
        }
        let mut pruned = StackTree::new(self.detail);
        let other = named(&mut pruned.dictionary, "other");
        let mut copier = Copier::new(&self.dictionary);
        // The node that stands for each of ours, or for what it was folded into.
        let mut stands = vec![ROOT; self.len()];
        let mut kept = vec![true; self.len()];
        for node in 1..self.len() {
            let parent = self.dictionary.parents[node] as usize;
            kept[node] = kept[parent] && self.totals[node] >= least;
            stands[node] = if kept[node] {
                let frame = copier.frame(&mut pruned.dictionary, &self.dictionary, self.dictionary.node_frames[node]);
                pruned.dictionary.child(stands[parent], frame)
            } else if kept[parent] {
                pruned.dictionary.child(stands[parent], other)
            } else {
                stands[parent]
            };
        }
        pruned.selves.resize(pruned.dictionary.nodes(), 0);
        for (stand, value) in stands.iter().zip(&self.selves) {
            let slot = &mut pruned.selves[*stand as usize];
            *slot = slot.saturating_add(*value);
        }
        pruned.finish();
        pruned
    }

    /// Only the stacks that begin, root first, with the functions of `path`.
    #[must_use]
    pub fn under(mut self, path: &[impl AsRef<str>]) -> StackTree {
        if path.is_empty() {
            return self;
        }
        // How much of the path each node has behind it; none when it has left it.
        let mut depths: Vec<Option<usize>> = vec![None; self.len()];
        depths[0] = Some(0);
        for node in 1..self.len() {
            depths[node] = match depths[self.dictionary.parents[node] as usize] {
                Some(depth) if depth == path.len() => Some(depth),
                Some(depth) if self.name(node as u32) == path[depth].as_ref() => Some(depth + 1),
                _ => None,
            };
        }
        for (depth, value) in depths.iter().zip(&mut self.selves) {
            if *depth != Some(path.len()) {
                *value = 0;
            }
        }
        let values = std::mem::take(&mut self.selves);
        let mut rest = StackTree::new(self.detail);
        rest.absorb(&self.dictionary, &values);
        rest.finish();
        rest
    }
}
