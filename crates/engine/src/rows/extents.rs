//! Which elements of a map are free.

use std::collections::BTreeMap;

/// Free runs of elements, by their first.
#[derive(Debug)]
pub(super) struct Extents {
    free: BTreeMap<u32, u32>,
    left: u32,
    all: u32,
}

impl Extents {
    /// All of this many elements are free.
    pub(super) fn new(elements: u32) -> Self {
        let free = (elements > 0).then_some((0, elements)).into_iter().collect();
        Self { free, left: elements, all: elements }
    }

    /// How many there are, free or not.
    pub(super) fn all(&self) -> u32 {
        self.all
    }

    /// How many are free.
    pub(super) fn left(&self) -> u32 {
        self.left
    }

    /// Takes the first run that is long enough.
    pub(super) fn take(&mut self, count: u32) -> Option<u32> {
        let (&first, &length) = self.free.iter().find(|(_, length)| **length >= count)?;
        self.free.remove(&first);
        if length > count {
            self.free.insert(first + count, length - count);
        }
        self.left -= count;
        Some(first)
    }

    /// Gives a run back that was taken.
    pub(super) fn give_back(&mut self, first: u32, count: u32) {
        if count == 0 {
            return;
        }
        self.left += count;
        let (mut first, mut count) = (first, count);
        if let Some(after) = self.free.remove(&(first + count)) {
            count += after;
        }
        if let Some((&before, length)) = self.free.range_mut(..first).next_back()
            && before + *length == first
        {
            *length += count;
            (first, count) = (before, *length);
        }
        self.free.insert(first, count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_back_joins_its_neighbours() {
        let mut extents = Extents::new(10);
        let taken: Vec<_> = [3, 4, 3, 1].map(|count| extents.take(count)).into();
        assert_eq!((taken, extents.left()), (vec![Some(0), Some(3), Some(7), None], 0));
        extents.give_back(0, 3);
        extents.give_back(7, 3);
        assert_eq!((extents.take(4), extents.left()), (None, 6));
        extents.give_back(3, 4);
        assert_eq!(extents.take(10), Some(0));
    }

    proptest::proptest! {
        #[test]
        fn runs_never_overlap_and_nothing_is_lost(counts in proptest::collection::vec(1_u32..20, 0..60)) {
            let mut extents = Extents::new(200);
            let mut taken: Vec<(u32, u32)> = Vec::new();
            for (turn, count) in counts.into_iter().enumerate() {
                if turn % 3 == 2 && !taken.is_empty() {
                    let (first, count) = taken.swap_remove(turn % taken.len());
                    extents.give_back(first, count);
                } else if let Some(first) = extents.take(count) {
                    proptest::prop_assert!(taken.iter().all(|(f, c)| first + count <= *f || f + c <= first));
                    taken.push((first, count));
                }
                proptest::prop_assert_eq!(extents.left() + taken.iter().map(|(_, count)| count).sum::<u32>(), 200);
            }
            for (first, count) in taken {
                extents.give_back(first, count);
            }
            proptest::prop_assert_eq!(extents.take(200), Some(0));
        }
    }
}
