//! The outcome of rules for the label sets that came last.

use std::collections::HashMap;

use profile::Labels;

/// A bounded map that forgets what was not asked for longest.
pub(super) struct Cache {
    limit: usize,
    places: HashMap<Labels, usize>,
    /// Entries, linked from the one used last to the one used longest ago.
    entries: Vec<Entry>,
    free: Vec<usize>,
    newest: usize,
    oldest: usize,
}

struct Entry {
    labels: Labels,
    outcome: Option<Labels>,
    newer: usize,
    older: usize,
}

/// No entry.
const NONE: usize = usize::MAX;

impl Cache {
    /// For at most `limit` label sets, at least one.
    pub(super) fn new(limit: usize) -> Self {
        let (places, entries, free) = Default::default();
        Self { limit: limit.max(1), places, entries, free, newest: NONE, oldest: NONE }
    }

    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// The outcome for a label set, if it is known.
    pub(super) fn get(&mut self, labels: &Labels) -> Option<Option<Labels>> {
        let at = *self.places.get(labels)?;
        self.unlink(at);
        self.link(at);
        Some(self.entries[at].outcome.clone())
    }

    pub(super) fn put(&mut self, labels: Labels, outcome: Option<Labels>) {
        if let Some(at) = self.places.get(&labels).copied() {
            self.entries[at].outcome = outcome;
            return;
        }
        self.shrink(self.limit - 1);
        let entry = Entry { labels: labels.clone(), outcome, newer: NONE, older: NONE };
        let at = match self.free.pop() {
            Some(at) => {
                self.entries[at] = entry;
                at
            }
            None => {
                self.entries.push(entry);
                self.entries.len() - 1
            }
        };
        self.places.insert(labels, at);
        self.link(at);
    }

    /// Another limit; what is too much is forgotten.
    pub(super) fn resize(&mut self, limit: usize) {
        self.limit = limit.max(1);
        self.shrink(self.limit);
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        *self = Self::new(self.limit);
    }

    fn shrink(&mut self, count: usize) {
        while self.places.len() > count && self.oldest != NONE {
            let at = self.oldest;
            self.unlink(at);
            let labels = std::mem::take(&mut self.entries[at].labels);
            self.places.remove(&labels);
            self.entries[at].outcome = None;
            self.free.push(at);
        }
    }

    fn unlink(&mut self, at: usize) {
        let Entry { newer, older, .. } = self.entries[at];
        match newer {
            NONE => self.newest = older,
            newer => self.entries[newer].older = older,
        }
        match older {
            NONE => self.oldest = newer,
            older => self.entries[older].newer = newer,
        }
    }

    fn link(&mut self, at: usize) {
        let second = std::mem::replace(&mut self.newest, at);
        self.entries[at].newer = NONE;
        self.entries[at].older = second;
        match second {
            NONE => self.oldest = at,
            second => self.entries[second].newer = at,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn labels(number: u8) -> Labels {
        [("n", number.to_string())].into_iter().collect()
    }

    #[derive(Clone, Debug)]
    enum Step {
        Get(u8),
        Put(u8, bool),
        Resize(usize),
        Clear,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            6 => (0_u8..12).prop_map(Step::Get),
            6 => (0_u8..12, any::<bool>()).prop_map(|(number, kept)| Step::Put(number, kept)),
            1 => (0_usize..10).prop_map(Step::Resize),
            1 => Just(Step::Clear),
        ]
    }

    proptest! {
        #[test]
        fn it_keeps_what_was_used_last(steps in proptest::collection::vec(step(), 0..200)) {
            let mut cache = Cache::new(4);
            // The same as a list, the one used last in front.
            let (mut limit, mut model) = (4, Vec::<(u8, Option<Labels>)>::new());
            for step in steps {
                match step {
                    Step::Get(number) => {
                        let at = model.iter().position(|(known, _)| *known == number);
                        if let Some(at) = at {
                            let entry = model.remove(at);
                            model.insert(0, entry);
                        }
                        let expected = at.map(|_| model[0].1.clone());
                        prop_assert_eq!(cache.get(&labels(number)), expected);
                    }
                    Step::Put(number, kept) => {
                        let outcome = kept.then(|| labels(number));
                        match model.iter_mut().find(|(known, _)| *known == number) {
                            Some(entry) => entry.1 = outcome.clone(),
                            None => model.insert(0, (number, outcome.clone())),
                        }
                        cache.put(labels(number), outcome);
                    }
                    Step::Resize(to) => {
                        limit = to.max(1);
                        cache.resize(to);
                    }
                    Step::Clear => {
                        model.clear();
                        cache.clear();
                    }
                }
                model.truncate(limit);
                prop_assert_eq!(cache.len(), model.len());
                prop_assert!(cache.entries.len() <= 10);
            }
        }
    }
}
