//! Tables that are held open in memory: how many of each kind, which go first, and how often they were there when asked for.
//!
//! An [`Lru`] holds what can be had again. It asks the [`CacheLimits`] for its limit whenever it is used, so a limit that
//! changes holds at once.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use hashbrown::HashMap;

/// A kind of table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cache {
    /// What a process says of its own code, by process.
    Pid,
    /// Symbol tables, by build id.
    BuildId,
    /// Symbol tables of files without a build id, by which file it is.
    SameFile,
    /// Containers, by cgroup.
    ContainerId,
}

impl Cache {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 4] = [Self::Pid, Self::BuildId, Self::SameFile, Self::ContainerId];

    /// The name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pid => "pid",
            Self::BuildId => "build_id",
            Self::SameFile => "same_file",
            Self::ContainerId => "container_id",
        }
    }
}

/// How many tables of each kind are held, by [`Cache`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheSizes(pub [u32; 4]);

impl CacheSizes {
    /// Those of the specification.
    pub const SPECIFIED: Self = Self([32, 64, 8, 1024]);

    /// The larger one of each.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        Self(std::array::from_fn(|at| self.0[at].max(other.0[at])))
    }
}

#[derive(Debug, Default)]
struct Counts {
    most: AtomicU32,
    hits: AtomicU64,
    misses: AtomicU64,
    evictions: AtomicU64,
}

/// The limits that hold now, and what was counted. Clones share them.
#[derive(Clone, Debug)]
pub struct CacheLimits(Arc<[Counts; 4]>);

impl Default for CacheLimits {
    fn default() -> Self {
        let limits = Self(Arc::default());
        limits.set(CacheSizes::SPECIFIED);
        limits
    }
}

impl CacheLimits {
    /// These hold from now on.
    pub(crate) fn set(&self, sizes: CacheSizes) {
        for (counts, most) in self.0.iter().zip(sizes.0) {
            counts.most.store(most, Relaxed);
        }
    }

    /// How many tables of this kind are held; at least one.
    pub fn most(&self, cache: Cache) -> usize {
        self.of(cache).most.load(Relaxed).max(1) as usize
    }

    /// How often a table was there when it was asked for.
    pub fn hits(&self, cache: Cache) -> u64 {
        self.of(cache).hits.load(Relaxed)
    }

    /// How often it was not.
    pub fn misses(&self, cache: Cache) -> u64 {
        self.of(cache).misses.load(Relaxed)
    }

    /// How many tables went because there were too many.
    pub fn evictions(&self, cache: Cache) -> u64 {
        self.of(cache).evictions.load(Relaxed)
    }

    fn of(&self, cache: Cache) -> &Counts {
        &self.0[cache as usize]
    }
}

/// Tables of one kind, of which those that were not asked for longest go first.
#[derive(Debug)]
pub struct Lru<K, V> {
    cache: Cache,
    limits: CacheLimits,
    /// With when each was last asked for.
    held: HashMap<K, (u64, V)>,
    by_use: BTreeMap<u64, K>,
    /// Counts the uses.
    now: u64,
}

impl<K: Clone + Eq + Hash, V> Lru<K, V> {
    /// One that holds nothing yet.
    pub fn new(cache: Cache, limits: CacheLimits) -> Self {
        Self { cache, limits, held: HashMap::new(), by_use: BTreeMap::new(), now: 0 }
    }

    /// The value, if it is held. Counts a hit or a miss, and a use.
    pub fn get<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let counts = self.limits.of(self.cache);
        let Some((used, value)) = self.held.get_mut(key) else {
            counts.misses.fetch_add(1, Relaxed);
            return None;
        };
        counts.hits.fetch_add(1, Relaxed);
        self.now += 1;
        if let Some(key) = self.by_use.remove(used) {
            self.by_use.insert(self.now, key);
        }
        *used = self.now;
        Some(value)
    }

    /// The value, if it is held; this counts nothing.
    pub fn peek<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.held.get(key).map(|(_, value)| value)
    }

    /// As [`peek`](Self::peek), to be changed.
    pub fn peek_mut<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        self.held.get_mut(key).map(|(_, value)| value)
    }

    /// The value, which `make` makes if it is not held, and those that have to go for it. Counts as [`get`](Self::get) does.
    pub fn get_or_insert_with(&mut self, key: K, make: impl FnOnce() -> V) -> (&mut V, Vec<(K, V)>) {
        let gone = if self.get(&key).is_some() { Vec::new() } else { self.insert(key.clone(), make()) };
        let (_, value) = self.held.get_mut(&key).expect("it is the one that was used last, and at least one is held");
        (value, gone)
    }

    /// Holds a value, and gives back those that have to go for it.
    pub fn insert(&mut self, key: K, value: V) -> Vec<(K, V)> {
        self.now += 1;
        if let Some((used, _)) = self.held.insert(key.clone(), (self.now, value)) {
            self.by_use.remove(&used);
        }
        self.by_use.insert(self.now, key);
        self.keep_to_limit()
    }

    /// Lets go of those that are too many, and gives them back.
    pub fn keep_to_limit(&mut self) -> Vec<(K, V)> {
        let mut gone = Vec::new();
        while self.held.len() > self.limits.most(self.cache)
            && let Some(last) = self.pop_last()
        {
            gone.push(last);
        }
        self.limits.of(self.cache).evictions.fetch_add(gone.len() as u64, Relaxed);
        gone
    }

    /// Takes out the one that was not asked for longest.
    pub fn pop_last(&mut self) -> Option<(K, V)> {
        let (_, key) = self.by_use.pop_first()?;
        let (_, value) = self.held.remove(&key)?;
        Some((key, value))
    }

    /// Takes out a value.
    pub fn remove<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let (used, value) = self.held.remove(key)?;
        self.by_use.remove(&used);
        Some(value)
    }

    /// All values, in no order.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.held.values().map(|(_, value)| value)
    }

    /// As [`values`](Self::values), to be changed.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.held.values_mut().map(|(_, value)| value)
    }

    /// How many are held.
    pub fn len(&self) -> usize {
        self.held.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Lets go of all; that is no eviction.
    pub fn clear(&mut self) {
        self.held.clear();
        self.by_use.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(most: u32) -> CacheLimits {
        let limits = CacheLimits::default();
        limits.set(CacheSizes([most; 4]));
        limits
    }

    fn counted(limits: &CacheLimits) -> [u64; 3] {
        [limits.hits(Cache::Pid), limits.misses(Cache::Pid), limits.evictions(Cache::Pid)]
    }

    #[test]
    fn the_one_that_was_not_asked_for_longest_goes_first() {
        let limits = limits(2);
        let mut tables = Lru::new(Cache::Pid, limits.clone());
        assert_eq!(tables.insert(1, "one"), []);
        assert_eq!(tables.insert(2, "two"), []);
        assert_eq!(tables.get(&1).copied(), Some("one"));
        assert_eq!(tables.insert(3, "three"), [(2, "two")]);
        assert_eq!(tables.get(&2), None);
        assert_eq!((tables.peek(&1), tables.peek(&3)), (Some(&"one"), Some(&"three")));
        assert_eq!(counted(&limits), [1, 1, 1]);
        assert_eq!(tables.get_or_insert_with(3, || "new"), (&mut "three", vec![]));
        assert_eq!(tables.get_or_insert_with(4, || "four"), (&mut "four", vec![(1, "one")]));
        assert_eq!(counted(&limits), [2, 2, 2]);
    }

    #[test]
    fn a_limit_that_changes_holds_at_once() {
        let limits = limits(3);
        let mut tables = Lru::new(Cache::Pid, limits.clone());
        (0..3).for_each(|key| _ = tables.insert(key, key));
        limits.set(CacheSizes([1; 4]));
        assert_eq!(tables.keep_to_limit(), [(0, 0), (1, 1)]);
        limits.set(CacheSizes([0; 4]));
        assert_eq!(tables.keep_to_limit(), [], "one is always held");
        assert_eq!(counted(&limits), [0, 0, 2]);
    }

    #[test]
    fn another_value_of_a_key_and_one_that_is_taken_out_evict_nothing() {
        let limits = limits(2);
        let mut tables = Lru::new(Cache::Pid, limits.clone());
        tables.insert("a", 1);
        assert_eq!(tables.insert("a", 2), []);
        assert_eq!((tables.len(), tables.remove("a"), tables.len()), (1, Some(2), 0));
        tables.insert("b", 3);
        tables.clear();
        assert!(tables.is_empty() && tables.pop_last().is_none());
        assert_eq!(counted(&limits), [0, 0, 0]);
    }

    #[test]
    fn of_several_sizes_the_largest_of_each_kind_counts() {
        let sizes = CacheSizes([1, 64, 8, 9]).max(CacheSizes([32, 2, 8, 1]));
        assert_eq!(sizes, CacheSizes([32, 64, 8, 9]));
    }

    proptest::proptest! {
        #[test]
        fn it_holds_what_was_used_last(
            most in 1_u32..5,
            uses in proptest::collection::vec((proptest::bool::ANY, 0_u8..8), 0..60),
        ) {
            let mut tables = Lru::new(Cache::Pid, limits(most));
            // The last used one in front.
            let mut model: Vec<u8> = Vec::new();
            for (insert, key) in uses {
                let known = model.iter().position(|held| *held == key);
                proptest::prop_assert_eq!(tables.peek(&key).is_some(), known.is_some());
                if insert || tables.get(&key).is_some() {
                    if let Some(at) = known {
                        model.remove(at);
                    }
                    model.insert(0, key);
                    model.truncate(most as usize);
                }
                if insert {
                    tables.insert(key, ());
                }
            }
            proptest::prop_assert_eq!(tables.len(), model.len());
        }
    }
}
