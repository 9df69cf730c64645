//! From ranges that lie in each other to stretches that do not.

use crate::ranges::Range;

/// No function: a gap.
pub(crate) const NOTHING: u32 = u32::MAX;

/// From `start` on, up to the next one, code belongs to a node, or to none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stretch {
    pub(crate) start: u64,
    pub(crate) node: u32,
}

/// Every byte goes to the innermost node that has it: of two that overlap, to the one that starts later, or that comes later
/// in the unit. The stretches come in order, none empty.
pub(crate) fn flatten(mut ranges: Vec<(Range, u32)>) -> Vec<Stretch> {
    ranges.sort_unstable_by_key(|(range, node)| (range.start, *node));
    let mut out = Vec::with_capacity(ranges.len() * 2);
    let mut open: Vec<(u64, u32)> = Vec::new();
    for (range, node) in ranges {
        close(&mut open, range.start, &mut out);
        put(&mut out, range.start, node);
        open.push((range.end, node));
    }
    close(&mut open, u64::MAX, &mut out);
    out.dedup_by_key(|stretch| stretch.node);
    out
}

/// Ends what ends up to `at`.
fn close(open: &mut Vec<(u64, u32)>, at: u64, out: &mut Vec<Stretch>) {
    while let Some(&(end, _)) = open.last().filter(|(end, _)| *end <= at) {
        open.pop();
        // What is around it may have ended before: it is no longer there to go back to.
        while open.last().is_some_and(|(outer, _)| *outer <= end) {
            open.pop();
        }
        put(out, end, open.last().map_or(NOTHING, |(_, node)| *node));
    }
}

fn put(out: &mut Vec<Stretch>, start: u64, node: u32) {
    match out.last_mut() {
        Some(last) if last.start == start => last.node = node,
        _ => out.push(Stretch { start, node }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(ranges: &[(Range, u32)], at: u64) -> u32 {
        let holds = ranges.iter().filter(|(range, _)| range.start <= at && at < range.end);
        holds.max_by_key(|(range, node)| (range.start, *node)).map_or(NOTHING, |(_, node)| *node)
    }

    fn found(stretches: &[Stretch], at: u64) -> u32 {
        let after = stretches.partition_point(|stretch| stretch.start <= at);
        after.checked_sub(1).map_or(NOTHING, |index| stretches[index].node)
    }

    proptest::proptest! {
        #[test]
        fn every_byte_goes_to_the_innermost(ranges in proptest::collection::vec((0_u64..60, 1_u64..30), 0..12)) {
            let ranges: Vec<_> =
                ranges.into_iter().zip(0..).map(|((start, length), node)| (Range { start, end: start + length }, node)).collect();
            let stretches = flatten(ranges.clone());
            for at in 0..100 {
                proptest::prop_assert_eq!(found(&stretches, at), model(&ranges, at), "at {} of {:?}", at, stretches);
            }
            proptest::prop_assert!(stretches.windows(2).all(|pair| pair[0].start < pair[1].start && pair[0].node != pair[1].node));
        }
    }
}
