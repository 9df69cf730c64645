//! Cuts stacks that are deeper than a server takes.

use crate::builder::ProfileBuilder;
use crate::profile::{Function, Line, LocationId, Profile};

impl Profile {
    /// The same profile with at most `max` frames a stack, and how many of its samples were cut.
    ///
    /// Of a deeper stack the `max - 1` frames at the leaf are kept under one frame named `marker`, which takes the place
    /// of all frames cut from the root. Samples that become equal are merged, so the sum of the values stays. `max` must
    /// be at least 1.
    pub fn truncate_depth(&self, max: usize, marker: &str) -> (Profile, u64) {
        assert!(max > 0, "a stack of no frames has no place for the marker");
        let cut = self.samples().iter().filter(|sample| sample.len as usize > max).count() as u64;
        if cut == 0 {
            return (self.clone(), 0);
        }
        let mut builder = ProfileBuilder::resume(self);
        let function = builder.function(&Function::named(marker));
        let marker = builder.location(None, 0, &[Line { function, line: 0 }]);
        let mut short: Vec<LocationId> = Vec::with_capacity(max);
        for sample in self.samples() {
            let stack = self.stack(sample);
            let labels = self.tables().sample_labels(sample);
            if stack.len() <= max {
                builder.add_labelled(stack, labels, sample.value);
            } else {
                short.clear();
                short.extend_from_slice(&stack[..max - 1]);
                short.push(marker);
                builder.add_labelled(&short, labels, sample.value);
            }
        }
        (builder.finish(self.labels.clone(), self.profile_type.clone()), cut)
    }
}

#[cfg(test)]
mod tests {
    use crate::labels::Labels;
    use crate::profile_type::ProfileType;

    use super::*;

    /// Stacks as text, root first, one a line.
    fn profile(folded: &str) -> Profile {
        let mut builder = ProfileBuilder::new();
        for line in folded.lines() {
            let (stack, value) = line.rsplit_once(' ').unwrap();
            let stack: Vec<LocationId> = stack
                .rsplit(';')
                .map(|name| {
                    let function = builder.function(&Function::named(name));
                    builder.location(None, 0, &[Line { function, line: 0 }])
                })
                .collect();
            builder.add(&stack, value.parse().unwrap());
        }
        builder.finish(Labels::empty(), ProfileType::cpu("process_cpu"))
    }

    #[track_caller]
    fn check(folded: &str, max: usize, expect: &str, expect_cut: u64) {
        let (short, cut) = profile(folded).truncate_depth(max, "[cut]");
        assert_eq!((short.folded().as_str(), cut), (expect, expect_cut));
    }

    #[test]
    fn the_leaf_end_is_kept() {
        check("a;b;c;d 1", 4, "a;b;c;d 1\n", 0);
        check("a;b;c;d 1\na;b 5", 3, "[cut];c;d 1\na;b 5\n", 1);
        check("a;b;c;d 1", 1, "[cut] 1\n", 1);
    }

    #[test]
    fn stacks_that_become_equal_are_merged() {
        check("a;x;c;d 1\nb;y;c;d 2", 3, "[cut];c;d 3\n", 2);
    }
}
