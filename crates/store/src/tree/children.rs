//! Who is called by whom, in the order in which it is shown.

use crate::tree::StackTree;

/// Children by node.
pub struct Children {
    starts: Vec<u32>,
    list: Vec<u32>,
}

impl Children {
    /// The children of `node`, by name in byte order.
    pub fn of(&self, node: u32) -> &[u32] {
        &self.list[self.starts[node as usize] as usize..self.starts[node as usize + 1] as usize]
    }
}

impl StackTree {
    /// The children of each node, by name in byte order.
    pub fn children(&self) -> Children {
        let nodes = self.len();
        // Rank names once, so that sorting compares numbers.
        let mut names: Vec<u32> = (0..self.dictionary.frames.len() as u32).collect();
        let name_of = |frame: u32| {
            let function = self.dictionary.frames[frame as usize].function;
            function
                .checked_sub(1)
                .map_or("", |function| self.dictionary.strings.get(self.dictionary.functions[function as usize].name))
        };
        names.sort_by_key(|frame| name_of(*frame));
        let mut ranks = vec![0_u32; names.len()];
        for (rank, frame) in (0..).zip(&names) {
            ranks[*frame as usize] = rank;
        }
        let mut starts = vec![0_u32; nodes + 1];
        for node in 1..nodes {
            starts[self.dictionary.parents[node] as usize + 1] += 1;
        }
        for node in 0..nodes {
            starts[node + 1] += starts[node];
        }
        let mut free = starts.clone();
        let mut list = vec![0_u32; nodes - 1];
        for node in 1..nodes {
            let slot = &mut free[self.dictionary.parents[node] as usize];
            list[*slot as usize] = node as u32;
            *slot += 1;
        }
        for node in 0..nodes {
            list[starts[node] as usize..starts[node + 1] as usize]
                .sort_unstable_by_key(|child| ranks[self.dictionary.node_frames[*child as usize] as usize]);
        }
        Children { starts, list }
    }
}
