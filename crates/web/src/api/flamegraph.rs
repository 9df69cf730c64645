//! A tree of stacks as the levels that Grafana draws.

use std::collections::HashMap;

use rpc::querier::{FlameGraph, Level};
use store::StackTree;

/// A bar to be placed.
struct Bar<'a> {
    /// Where it begins, in the unit of the values.
    x: i64,
    level: usize,
    name: &'a str,
    total: i64,
    own: i64,
    /// Its node; none for one that stands for several small ones.
    node: Option<u32>,
}

/// The name of the bar for children too small to be shown.
const OTHER: &str = "other";

/// The flame graph of `tree`, with about `max_nodes` bars.
///
/// Each level lists its bars from left to right, four numbers a bar: the distance from the end of the bar before it, total,
/// own value, and the index of the name. A bar's own value is drawn at its left, its children follow by name. Names are
/// numbered in the order of a walk that visits the rightmost child first; clients do not depend on it, but tests of
/// other servers do.
pub(super) fn flame_graph(tree: &StackTree, max_nodes: usize) -> FlameGraph {
    let least = tree.least_total(max_nodes);
    let children = tree.children();
    let mut names = Names::default();
    let mut levels: Vec<Vec<[i64; 4]>> = Vec::new();
    let mut max_self = 0;
    let root = Bar { x: 0, level: 0, name: "", total: tree.total(), own: tree.self_value(0), node: Some(0) };
    let mut stack = vec![root];
    while let Some(bar) = stack.pop() {
        if levels.len() == bar.level {
            levels.push(Vec::new());
        }
        max_self = max_self.max(bar.own);
        levels[bar.level].push([bar.x, bar.total, bar.own, names.index(bar.name)]);
        let Some(node) = bar.node else { continue };
        let mut x = bar.x + bar.own;
        let mut other = 0;
        for &child in children.of(node) {
            let total = tree.total_of(child);
            if total >= least {
                let (name, own) = (tree.name(child), tree.self_value(child));
                stack.push(Bar { x, level: bar.level + 1, name, total, own, node: Some(child) });
                x += total;
            } else {
                other += total;
            }
        }
        if other != 0 {
            stack.push(Bar { x, level: bar.level + 1, name: OTHER, total: other, own: other, node: None });
        }
    }
    FlameGraph {
        names: names.list,
        levels: levels.into_iter().map(delta).collect(),
        total: tree.total(),
        max_self,
        ..Default::default()
    }
}

/// The bars of a level, collected from right to left, as the API writes them.
fn delta(mut bars: Vec<[i64; 4]>) -> Level {
    bars.reverse();
    let mut end = 0;
    let mut values = Vec::with_capacity(4 * bars.len());
    for [x, total, own, name] in bars {
        values.extend([x - end, total, own, name]);
        end = x + total;
    }
    Level { values, ..Default::default() }
}

/// Names by index; the root's stands first and reads "total".
#[derive(Default)]
struct Names<'a> {
    list: Vec<String>,
    indexes: HashMap<&'a str, i64>,
}

impl<'a> Names<'a> {
    fn index(&mut self, name: &'a str) -> i64 {
        if let Some(index) = self.indexes.get(name) {
            return *index;
        }
        let index = self.list.len() as i64;
        self.list.push(if index == 0 { "total".to_owned() } else { name.to_owned() });
        self.indexes.insert(name, index);
        index
    }
}
