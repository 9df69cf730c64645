//! From lists of targets to changes of what the engine matches.

use std::collections::{BTreeMap, HashMap, HashSet};

use engine::target::{Target, TargetChange, TargetKey};
use profile::Labels;

use crate::targets::{Place, Seen, TargetsArg};

/// The targets that the engine knows, so that one more costs one.
#[derive(Default)]
pub(super) struct Matched {
    seen: Option<Seen>,
    /// The targets of each key by their place in the list; the last one holds.
    by_key: HashMap<TargetKey, BTreeMap<Place, Labels>>,
}

impl Matched {
    /// What the engine has to be told to match these targets.
    pub(super) fn update(&mut self, targets: Option<&TargetsArg>) -> TargetChange {
        let Some(targets) = targets else {
            *self = Self::default();
            return TargetChange::All(Vec::new());
        };
        let changes = self.seen.as_ref().and_then(|seen| targets.list.changes_since(seen));
        self.seen = Some(targets.list.seen().clone());
        let Some(changes) = changes else {
            self.by_key.clear();
            for (place, labels) in targets.list.iter() {
                self.put(place, labels);
            }
            let all = self.by_key.iter().filter_map(|(key, places)| Some(target(key, places.values().next_back()?)));
            return TargetChange::All(all.collect());
        };
        let mut touched = HashSet::new();
        for change in changes {
            if let Some(before) = change.before.as_ref().and_then(Target::from_labels)
                && let Some(places) = self.by_key.get_mut(&before.key)
            {
                places.remove(&change.place);
                touched.insert(before.key);
            }
            if let Some(key) = change.after.as_ref().and_then(|labels| self.put(change.place, labels)) {
                touched.insert(key);
            }
        }
        let (mut removed, mut set) = (Vec::new(), Vec::new());
        for key in touched {
            match self.by_key.get(&key).and_then(|places| places.values().next_back()) {
                Some(labels) => set.push(target(&key, labels)),
                None => {
                    self.by_key.remove(&key);
                    removed.push(key);
                }
            }
        }
        TargetChange::Some { removed, set }
    }

    fn put(&mut self, place: Place, labels: &Labels) -> Option<TargetKey> {
        let target = Target::from_labels(labels)?;
        self.by_key.entry(target.key.clone()).or_default().insert(place, target.labels);
        Some(target.key)
    }
}

fn target(key: &TargetKey, labels: &Labels) -> Target {
    Target { key: key.clone(), labels: labels.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::targets::LiveTargets;

    fn labels(pid: &str, name: &str) -> Labels {
        [("__process_pid__", pid), ("service_name", name)].into_iter().collect()
    }

    fn argument(list: &mut LiveTargets) -> TargetsArg {
        TargetsArg { list: list.snapshot(), from_array: false }
    }

    fn services(set: &[Target]) -> Vec<&str> {
        let mut names: Vec<&str> = set.iter().filter_map(|target| target.labels.get("service_name")).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn the_first_list_is_taken_whole_and_later_ones_by_what_changed() {
        let mut list = LiveTargets::new();
        list.push(labels("1", "a"));
        let second = list.push(labels("2", "b"));
        let mut matched = Matched::default();
        let TargetChange::All(all) = matched.update(Some(&argument(&mut list))) else { panic!("not whole") };
        assert_eq!(services(&all), ["a", "b"]);

        let shadow = list.push(labels("1", "later"));
        list.set(second, None);
        let TargetChange::Some { removed, set } = matched.update(Some(&argument(&mut list))) else { panic!("whole") };
        assert_eq!((removed, services(&set)), (vec![TargetKey::Pid(2)], vec!["later"]));

        list.set(shadow, None);
        let TargetChange::Some { removed, set } = matched.update(Some(&argument(&mut list))) else { panic!("whole") };
        assert_eq!((removed, services(&set)), (vec![], vec!["a"]), "the earlier one of the key holds again");
    }
}
