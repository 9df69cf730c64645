//! A map from places to label sets, in the order of the places, of which copies share what did not change.
//!
//! Two levels: a spine of leaves, each of at most [`LEAF`] entries. A change of a copy that is shared copies the spine
//! (a pointer for every [`LEAF`] entries) and one leaf; further changes before the next sharing copy one leaf at most.

use std::sync::Arc;

use profile::Labels;

/// Where a target stands in its list. It keeps its place while others come and go; later places stand later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place(pub u64);

/// Entries in a leaf at most.
const LEAF: usize = 64;

#[derive(Clone, Default)]
pub(super) struct Ordered {
    spine: Arc<Vec<Leaf>>,
}

/// A run of entries; never empty.
#[derive(Clone)]
struct Leaf {
    /// How many entries there are up to the end of this leaf.
    end: usize,
    entries: Arc<Vec<(Place, Labels)>>,
}

impl Leaf {
    fn first(&self) -> Place {
        self.entries.first().map_or(Place(0), |(place, _)| *place)
    }
}

impl Ordered {
    pub(super) fn len(&self) -> usize {
        self.spine.last().map_or(0, |leaf| leaf.end)
    }

    /// The entry at an index, in steps of the logarithm of the length.
    pub(super) fn at(&self, index: usize) -> Option<&(Place, Labels)> {
        let leaf = self.spine.get(self.spine.partition_point(|leaf| leaf.end <= index))?;
        leaf.entries.get(index - (leaf.end - leaf.entries.len()))
    }

    pub(super) fn get(&self, place: Place) -> Option<&Labels> {
        let leaf = &self.spine.get(self.leaf_of(place)?)?.entries;
        let at = leaf.binary_search_by_key(&place, |(place, _)| *place).ok()?;
        Some(&leaf[at].1)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Place, &Labels)> {
        self.spine.iter().flat_map(|leaf| leaf.entries.iter().map(|(place, labels)| (*place, labels)))
    }

    /// Puts labels at a place; gives back what stood there.
    pub(super) fn insert(&mut self, place: Place, labels: Labels) -> Option<Labels> {
        let spine = Arc::make_mut(&mut self.spine);
        if spine.is_empty() {
            spine.push(Leaf { end: 1, entries: Arc::new(vec![(place, labels)]) });
            return None;
        }
        let at = spine.partition_point(|leaf| leaf.first() <= place).saturating_sub(1);
        let is_last = at + 1 == spine.len();
        let entries = Arc::make_mut(&mut spine[at].entries);
        let within = match entries.binary_search_by_key(&place, |(place, _)| *place) {
            Ok(within) => return Some(std::mem::replace(&mut entries[within].1, labels)),
            Err(within) => within,
        };
        if entries.len() < LEAF {
            entries.insert(within, (place, labels));
        } else if is_last && within == entries.len() {
            // What is appended starts a leaf of its own, so that full leaves stay full.
            spine.push(Leaf { end: 0, entries: Arc::new(vec![(place, labels)]) });
        } else {
            let mut upper = entries.split_off(LEAF / 2);
            match within.checked_sub(LEAF / 2) {
                Some(within) => upper.insert(within, (place, labels)),
                None => entries.insert(within, (place, labels)),
            }
            spine.insert(at + 1, Leaf { end: 0, entries: Arc::new(upper) });
        }
        count_from(spine, at);
        None
    }

    /// Takes a place out; gives back what stood there.
    pub(super) fn remove(&mut self, place: Place) -> Option<Labels> {
        let at = self.leaf_of(place)?;
        let within = self.spine[at].entries.binary_search_by_key(&place, |(place, _)| *place).ok()?;
        let spine = Arc::make_mut(&mut self.spine);
        let entries = Arc::make_mut(&mut spine[at].entries);
        let (_, removed) = entries.remove(within);
        let left = entries.len();
        if left == 0 {
            spine.remove(at);
            count_from(spine, at);
            return Some(removed);
        }
        // Two neighbours that became thin are one leaf from now on, so that the spine stays short.
        let thin = |lower: usize| {
            spine.get(lower + 1).is_some_and(|upper| spine[lower].entries.len() + upper.entries.len() <= LEAF / 2)
        };
        let lower = [Some(at), at.checked_sub(1)].into_iter().flatten().find(|lower| thin(*lower));
        if let Some(lower) = lower {
            let upper = spine.remove(lower + 1);
            Arc::make_mut(&mut spine[lower].entries).extend(upper.entries.iter().cloned());
        }
        count_from(spine, lower.unwrap_or(at));
        Some(removed)
    }

    /// The leaf that a place is in, if it is anywhere.
    fn leaf_of(&self, place: Place) -> Option<usize> {
        self.spine.partition_point(|leaf| leaf.first() <= place).checked_sub(1)
    }
}

/// Restores the running count from a leaf on.
fn count_from(spine: &mut [Leaf], at: usize) {
    let mut end = at.checked_sub(1).map_or(0, |before| spine[before].end);
    for leaf in &mut spine[at..] {
        end += leaf.entries.len();
        leaf.end = end;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn labels(value: u16) -> Labels {
        [("x", value.to_string())].into_iter().collect()
    }

    fn same(ordered: &Ordered, model: &BTreeMap<Place, Labels>) {
        assert!(ordered.iter().eq(model.iter().map(|(place, labels)| (*place, labels))));
        assert_eq!(ordered.len(), model.len());
        for (index, (place, labels)) in model.iter().enumerate() {
            assert_eq!(ordered.at(index), Some(&(*place, labels.clone())));
            assert_eq!(ordered.get(*place), Some(labels));
        }
        assert_eq!(ordered.at(model.len()), None);
        assert!(ordered.spine.iter().all(|leaf| (1..=LEAF).contains(&leaf.entries.len())));
    }

    proptest! {
        #[test]
        fn it_is_a_sorted_map_and_copies_stay_as_they_were(
            operations in proptest::collection::vec((any::<bool>(), 0_u64..400, any::<u16>()), 0..800),
        ) {
            let (mut ordered, mut model) = (Ordered::default(), BTreeMap::new());
            let mut copy = None;
            for (step, (insert, place, value)) in operations.iter().enumerate() {
                let place = Place(*place);
                if *insert {
                    prop_assert_eq!(ordered.insert(place, labels(*value)), model.insert(place, labels(*value)));
                } else {
                    prop_assert_eq!(ordered.remove(place), model.remove(&place));
                }
                if step == operations.len() / 2 {
                    copy = Some((ordered.clone(), model.clone()));
                }
            }
            same(&ordered, &model);
            if let Some((ordered, model)) = copy {
                same(&ordered, &model);
            }
        }
    }

    #[test]
    fn the_spine_stays_short_when_most_of_a_long_list_has_gone() {
        let mut ordered = Ordered::default();
        for place in 0..64_000 {
            ordered.insert(Place(place), labels(1));
        }
        assert_eq!(ordered.spine.len(), 1000);
        for place in (0..64_000).filter(|place| place % 64 != 0) {
            ordered.remove(Place(place));
        }
        assert_eq!(ordered.len(), 1000);
        assert!(ordered.spine.len() < 100, "{}", ordered.spine.len());
    }
}
