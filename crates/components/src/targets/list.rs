//! The list of targets and its owner.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    fmt,
    sync::Arc,
};

use lang::{
    decode::IntoValue,
    value::{Array, Value, array::HostArray},
};
use profile::Labels;

use super::{
    Target,
    ordered::{Ordered, Place},
};

/// How many steps a list remembers, and how many changes in all of them. A consumer that is further behind than that
/// takes the whole list.
const STEPS: usize = 64;
const CHANGES: usize = 4096;

/// What happened at one place between two states of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Where.
    pub place: Place,
    /// What stood there; none for a new target.
    pub before: Option<Labels>,
    /// What stands there; none for a target that has gone.
    pub after: Option<Labels>,
}

/// Which list; equal for all states of one.
#[derive(Clone)]
struct Identity(Arc<()>);

impl PartialEq for Identity {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// The state of a list that a consumer has dealt with.
#[derive(Clone, PartialEq)]
pub struct Seen {
    identity: Identity,
    generation: u64,
}

impl Seen {
    /// Whether it is a state of the same list as another state.
    pub fn is_of(&self, list: &TargetList) -> bool {
        self.identity == list.seen.identity
    }
}

/// The changes that led to one generation, at most one a place, by place.
struct Step(Vec<Change>);

/// One state of a list of targets: immutable, shared, in the order in which the targets first appeared.
pub struct TargetList {
    seen: Seen,
    entries: Ordered,
    /// The latest steps; the last led to this state.
    log: Vec<Arc<Step>>,
}

impl TargetList {
    /// How many targets there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The labels of the target at a place.
    pub fn get(&self, place: Place) -> Option<&Labels> {
        self.entries.get(place)
    }

    /// All targets in order.
    pub fn iter(&self) -> impl Iterator<Item = (Place, &Labels)> {
        self.entries.iter()
    }

    /// What to remember for the next [`TargetList::changes_since`].
    pub fn seen(&self) -> &Seen {
        &self.seen
    }

    /// What changed since another state of the same list, by place, at most one change a place: empty when nothing did.
    /// `None` when that state is of another list or too long ago; then only the whole list tells.
    pub fn changes_since(&self, seen: &Seen) -> Option<Vec<Change>> {
        if self.seen.identity != seen.identity {
            return None;
        }
        let steps = usize::try_from(self.seen.generation.checked_sub(seen.generation)?).ok()?;
        let from = self.log.len().checked_sub(steps)?;
        match &self.log[from..] {
            [] => Some(Vec::new()),
            [only] => Some(only.0.clone()),
            steps => Some(net(steps.iter().flat_map(|step| step.0.iter().cloned()))),
        }
    }
}

/// One change a place, those without effect left out.
fn net(changes: impl Iterator<Item = Change>) -> Vec<Change> {
    let mut places = BTreeMap::<Place, Change>::new();
    for change in changes {
        places.entry(change.place).and_modify(|first| first.after = change.after.clone()).or_insert(change);
    }
    places.into_values().filter(|change| change.before != change.after).collect()
}

/// A list that has no history and will have none.
impl FromIterator<Labels> for TargetList {
    fn from_iter<I: IntoIterator<Item = Labels>>(targets: I) -> Self {
        let mut entries = Ordered::default();
        for (place, labels) in (0..).zip(targets) {
            entries.insert(Place(place), labels);
        }
        Self { seen: Seen { identity: Identity(Arc::new(())), generation: 0 }, entries, log: Vec::new() }
    }
}

/// Equal targets in equal order, whatever the history.
impl PartialEq for TargetList {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().map(|(_, labels)| labels).eq(other.iter().map(|(_, labels)| labels))
    }
}

impl fmt::Debug for TargetList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(|(_, labels)| labels)).finish()
    }
}

impl HostArray for TargetList {
    fn len(&self) -> usize {
        self.entries.len()
    }

    fn get(&self, index: usize) -> Option<Value> {
        let (_, labels) = self.entries.at(index)?;
        Some(Value::capsule(Target(labels.clone())))
    }
}

/// A list of targets as a value: a pointer.
#[derive(Clone, Debug, PartialEq)]
pub struct Targets(pub Arc<TargetList>);

impl Default for Targets {
    fn default() -> Self {
        Self(Arc::new(TargetList::from_iter([])))
    }
}

impl IntoValue for Targets {
    fn into_value(self) -> Value {
        Value::Array(Array::from_host(self.0))
    }
}

/// The owner of a list: changes it and hands out its states.
pub struct LiveTargets {
    identity: Identity,
    generation: u64,
    next: u64,
    entries: Ordered,
    pending: Vec<Change>,
    log: VecDeque<Arc<Step>>,
    latest: Option<Arc<TargetList>>,
}

impl LiveTargets {
    /// An empty list.
    pub fn new() -> Self {
        Self {
            identity: Identity(Arc::new(())),
            generation: 0,
            next: 0,
            entries: Ordered::default(),
            pending: Vec::new(),
            log: VecDeque::new(),
            latest: None,
        }
    }

    /// Appends a target; it keeps the place that is given back.
    pub fn push(&mut self, labels: Labels) -> Place {
        let place = Place(self.next);
        self.set(place, Some(labels));
        place
    }

    /// Puts a target at a place, or takes it away. For owners whose places come from another list.
    pub fn set(&mut self, place: Place, labels: Option<Labels>) {
        let before = match &labels {
            Some(labels) if self.entries.get(place) == Some(labels) => return,
            Some(labels) => self.entries.insert(place, labels.clone()),
            None => self.entries.remove(place),
        };
        if before.is_some() || labels.is_some() {
            self.next = self.next.max(place.0.saturating_add(1));
            self.pending.push(Change { place, before, after: labels });
        }
    }

    /// What stands at a place.
    pub fn get(&self, place: Place) -> Option<&Labels> {
        self.entries.get(place)
    }

    /// The places that have a target, in order.
    pub fn places(&self) -> impl Iterator<Item = Place> {
        self.entries.iter().map(|(place, _)| place)
    }

    /// Makes it exactly these targets, in this order. Those that are there already keep their places while the order
    /// allows it; from the first one that does not fit between its neighbours on, the rest is appended anew.
    pub fn replace_all(&mut self, targets: &[Labels]) {
        let old: Vec<(Place, Labels)> = self.entries.iter().map(|(place, labels)| (place, labels.clone())).collect();
        let mut wanted = HashMap::<&Labels, usize>::new();
        for labels in targets {
            *wanted.entry(labels).or_default() += 1;
        }
        let mut have = HashMap::<&Labels, VecDeque<usize>>::new();
        for (index, (_, labels)) in old.iter().enumerate() {
            have.entry(labels).or_default().push_back(index);
        }
        let (mut at, mut appending) = (0, false);
        for labels in targets {
            if let Some(left) = wanted.get_mut(labels) {
                *left -= 1;
            }
            let known = have.get_mut(labels).filter(|_| !appending).and_then(|indexes| {
                while indexes.front().is_some_and(|index| *index < at) {
                    indexes.pop_front();
                }
                indexes.pop_front()
            });
            if let Some(index) = known {
                for (place, _) in &old[at..index] {
                    self.set(*place, None);
                }
                at = index + 1;
                continue;
            }
            match old.get(at).filter(|_| !appending) {
                // The one in its place is not wanted any more: this one takes it over.
                Some((place, gone)) if wanted.get(gone).is_none_or(|left| *left == 0) => {
                    self.set(*place, Some(labels.clone()));
                    at += 1;
                }
                _ => {
                    appending = true;
                    for (place, _) in old.get(at..).unwrap_or_default() {
                        self.set(*place, None);
                    }
                    at = old.len();
                    self.push(labels.clone());
                }
            }
        }
        for (place, _) in old.get(at..).unwrap_or_default() {
            self.set(*place, None);
        }
    }

    /// The current state; the very same as before when nothing changed.
    pub fn snapshot(&mut self) -> Arc<TargetList> {
        let changes = net(std::mem::take(&mut self.pending).into_iter());
        match &self.latest {
            Some(latest) if changes.is_empty() => Arc::clone(latest),
            _ => {
                if !changes.is_empty() {
                    self.generation += 1;
                    self.log.push_back(Arc::new(Step(changes)));
                    self.trim();
                }
                let state = Arc::new(TargetList {
                    seen: Seen { identity: self.identity.clone(), generation: self.generation },
                    entries: self.entries.clone(),
                    log: self.log.iter().cloned().collect(),
                });
                self.latest = Some(Arc::clone(&state));
                state
            }
        }
    }

    fn trim(&mut self) {
        let mut changes: usize = self.log.iter().map(|step| step.0.len()).sum();
        while self.log.len() > STEPS || changes > CHANGES {
            changes -= self.log.pop_front().map_or(0, |step| step.0.len());
        }
    }
}

impl Default for LiveTargets {
    fn default() -> Self {
        Self::new()
    }
}
