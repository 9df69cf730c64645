//! A tree of stacks in Pyroscope's binary form.

use store::StackTree;

/// What waits to be written.
enum Next {
    Node(u32),
    /// The sum of children that are too small.
    Other(i64),
}

/// The bytes of `tree` with about `max_nodes` nodes; none for a tree without stacks.
///
/// A node is its name (length, bytes), its own value and the count of its children, all numbers varints. The first has no
/// name and is the root. After a node its last child follows with all below it, then the one before the last.
pub(super) fn tree_bytes(tree: &StackTree, max_nodes: usize) -> Vec<u8> {
    let mut out = Vec::new();
    if tree.is_empty() {
        return out;
    }
    let least = tree.least_total(max_nodes);
    let children = tree.children();
    let mut stack = vec![Next::Node(0)];
    while let Some(next) = stack.pop() {
        let (name, own, node) = match next {
            Next::Node(0) => ("", 0, 0),
            Next::Node(node) => (tree.name(node), tree.self_value(node), node),
            Next::Other(sum) => {
                write_node(&mut out, "other", sum, 0);
                continue;
            }
        };
        let before = stack.len();
        let mut other = 0;
        for &child in children.of(node) {
            if tree.total_of(child) >= least {
                stack.push(Next::Node(child));
            } else {
                other += tree.total_of(child);
            }
        }
        if other != 0 {
            stack.push(Next::Other(other));
        }
        write_node(&mut out, name, own, stack.len() - before);
    }
    out
}

fn write_node(out: &mut Vec<u8>, name: &str, own: i64, children: usize) {
    varint(out, name.len() as u64);
    out.extend_from_slice(name.as_bytes());
    varint(out, own as u64);
    varint(out, children as u64);
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
