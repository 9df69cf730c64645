//! The intervals that are still being collected: queries see them before they are appended.

use std::collections::HashMap;
use std::sync::Arc;

use profile::Profile;

/// One interval of one source of profiles. Its number grows from interval to interval of that source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Interval {
    /// Who collects: any number that is that source's own.
    pub source: u64,
    /// Which of its intervals.
    pub number: u64,
}

/// What each source has collected of its present interval.
#[derive(Default)]
pub(crate) struct OpenIntervals {
    sources: HashMap<u64, Source>,
}

#[derive(Default)]
struct Source {
    /// The last interval that is over; what still arrives for it is late.
    closed: Option<u64>,
    open: Option<(u64, Vec<Arc<Profile>>)>,
}

impl OpenIntervals {
    /// Replaces what `interval.source` shows; nothing happens when that interval, or a later one, is closed.
    pub(crate) fn set(&mut self, interval: Interval, profiles: Vec<Arc<Profile>>) {
        let source = self.sources.entry(interval.source).or_default();
        let late = source.closed.is_some_and(|closed| interval.number <= closed)
            || source.open.as_ref().is_some_and(|(number, _)| interval.number < *number);
        if !late {
            source.open = Some((interval.number, profiles));
        }
    }

    /// The interval was appended, or given up.
    pub(crate) fn close(&mut self, interval: Interval) {
        let source = self.sources.entry(interval.source).or_default();
        source.closed = source.closed.max(Some(interval.number));
        source.open.take_if(|(number, _)| *number <= interval.number);
    }

    /// The source has ended.
    pub(crate) fn forget(&mut self, source: u64) {
        self.sources.remove(&source);
    }

    pub(crate) fn profiles(&self) -> Vec<Arc<Profile>> {
        let open = self.sources.values().filter_map(|source| source.open.as_ref());
        open.flat_map(|(_, profiles)| profiles.iter().cloned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use profile::{Labels, ProfileBuilder, ProfileType};

    use super::*;

    /// What is open after each step, as values.
    #[track_caller]
    fn check(steps: &[(&str, u64, u64)], expect: &[i64]) {
        let mut open = OpenIntervals::default();
        for (step, source, number) in steps {
            let interval = Interval { source: *source, number: *number };
            let mut builder = ProfileBuilder::new();
            builder.add(&[], (source * 100 + number) as i64);
            let profile = Arc::new(builder.finish(Labels::empty(), ProfileType::cpu("process_cpu")));
            match *step {
                "set" => open.set(interval, vec![profile]),
                "close" => open.close(interval),
                _ => open.forget(*source),
            }
        }
        let mut values: Vec<i64> = open.profiles().iter().map(|profile| profile.total()).collect();
        values.sort_unstable();
        assert_eq!(values, expect);
    }

    #[test]
    fn an_interval_is_replaced_until_it_closes() {
        check(&[("set", 1, 1), ("set", 1, 1), ("set", 2, 1)], &[101, 201]);
        check(&[("set", 1, 1), ("close", 1, 1)], &[]);
        check(&[("set", 1, 1), ("set", 1, 2), ("close", 1, 1)], &[102]);
        check(&[("set", 1, 1), ("forget", 1, 0), ("set", 2, 5)], &[205]);
    }

    #[test]
    fn what_comes_late_is_ignored() {
        check(&[("close", 1, 3), ("set", 1, 3), ("set", 1, 2)], &[]);
        check(&[("set", 1, 4), ("set", 1, 3)], &[104]);
    }
}
