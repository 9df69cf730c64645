//! The way from the root to the last stack of each process.

use crate::frame::Frame;
use crate::stacks::{Node, ROOT, Stacks};

/// Processes whose last stack is remembered; of two in one place the last counts.
const PATHS: usize = 64;

/// Stacks of one process mostly begin alike: what they share with the last one is compared, not looked up.
pub(super) struct Paths(Vec<Vec<(Frame, Node)>>);

/// A stack that grows from its root.
pub(super) struct Path<'a> {
    last: &'a mut Vec<(Frame, Node)>,
    /// Frames that are in `last`.
    depth: usize,
    node: Node,
}

impl Paths {
    pub(super) fn new() -> Self {
        Self(vec![Vec::new(); PATHS])
    }

    /// Forgets all, with the nodes.
    pub(super) fn clear(&mut self) {
        self.0.iter_mut().for_each(Vec::clear);
    }

    /// Begins a stack of a process.
    pub(super) fn begin(&mut self, process: u32) -> Path<'_> {
        Path { last: &mut self.0[process as usize % PATHS], depth: 0, node: ROOT }
    }
}

impl Path<'_> {
    /// Goes on with the next frame.
    pub(super) fn push(&mut self, stacks: &mut Stacks, frame: Frame) {
        match self.last.get(self.depth) {
            Some((known, node)) if *known == frame => self.node = *node,
            _ => {
                self.node = stacks.push(self.node, frame);
                self.last.truncate(self.depth);
                self.last.push((frame, self.node));
            }
        }
        self.depth += 1;
    }

    /// The whole stack.
    pub(super) fn node(&self) -> Node {
        self.node
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Space;

    proptest::proptest! {
        #[test]
        fn a_stack_has_the_node_that_it_has_without_a_path(
            stacks in proptest::collection::vec((0_u32..130, proptest::collection::vec(0_u64..3, 0..8)), 0..40),
        ) {
            let (mut with, mut without, mut paths) = (Stacks::new(), Stacks::new(), Paths::new());
            for (process, addresses) in stacks {
                let mut path = paths.begin(process);
                let mut node = ROOT;
                for address in addresses {
                    let frame = Frame { space: Space::KERNEL, address };
                    path.push(&mut with, frame);
                    node = without.push(node, frame);
                }
                proptest::prop_assert_eq!(path.node(), node);
            }
            proptest::prop_assert_eq!(with.len(), without.len());
        }
    }
}
