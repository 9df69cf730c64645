//! What a profile shows: how its stacks end, and in which functions the time was spent.

use std::collections::BTreeMap;

use profile::{Location, LocationId, Profile};

use super::roots::{End, Roots};

/// Samples by physical function: calls that the compiler inlined count to the function they are in.
pub(super) type Selves = BTreeMap<String, u64>;

/// What was seen of a program.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) samples: u64,
    ends: BTreeMap<End, u64>,
    /// The outermost frames of stacks that end nowhere, the outermost first.
    cuts: BTreeMap<String, u64>,
    pub(super) selves: Selves,
}

impl Seen {
    /// Of a profile whose samples are this far apart, in nanoseconds.
    pub(super) fn of(profile: &Profile, period: f64) -> Self {
        let (roots, mut seen) = (Roots::new(), Self::default());
        for sample in profile.samples() {
            let stack = profile.stack(sample);
            let count = (sample.value as f64 / period).round() as u64;
            let outermost: Vec<&str> = stack.iter().rev().take(3).map(|id| name(profile, *id)).collect();
            let end = roots.end(&outermost);
            *seen.ends.entry(end).or_default() += count;
            seen.samples += count;
            if end != End::Root {
                let shown: Vec<String> = stack.iter().rev().take(4).map(|id| label(profile, *id)).collect();
                *seen.cuts.entry(format!("{} ({} frames)", shown.join(" < "), rough(stack.len()))).or_default() +=
                    count;
            }
            if let Some(leaf) = stack.first() {
                *seen.selves.entry(function(profile, *leaf)).or_default() += count;
            }
        }
        seen
    }

    /// Percent of the samples that end so.
    pub(super) fn percent(&self, end: End) -> f64 {
        self.ends.get(&end).copied().unwrap_or(0) as f64 / self.samples.max(1) as f64 * 100.0
    }

    /// The most frequent ways to end nowhere, and how many samples each has.
    pub(super) fn cuts(&self, most: usize) -> Vec<(&str, u64)> {
        let mut cuts: Vec<_> = self.cuts.iter().map(|(frames, count)| (frames.as_str(), *count)).collect();
        cuts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        cuts.truncate(most);
        cuts
    }
}

fn location(profile: &Profile, id: LocationId) -> &Location {
    &profile.tables().locations()[id.index()]
}

/// The name of the physical function, or nothing.
fn name(profile: &Profile, id: LocationId) -> &str {
    let line = location(profile, id).lines.last();
    line.map_or("", |line| &profile.tables().functions()[line.function.index()].name)
}

/// The last part of the path of the file that a location is in.
fn file(profile: &Profile, id: LocationId) -> &str {
    let mapping = location(profile, id).mapping.map(|mapping| &profile.tables().mappings()[mapping.index()]);
    mapping.map_or("?", |mapping| mapping.filename.rsplit('/').next().unwrap_or_default())
}

/// A frame for people.
fn label(profile: &Profile, id: LocationId) -> String {
    format!("{} [{}+{:#x}]", name(profile, id), file(profile, id), location(profile, id).address)
}

/// The key of a function; all of a file that has no name is one.
fn function(profile: &Profile, id: LocationId) -> String {
    let name = name(profile, id);
    if name.is_empty() { format!("[{}]", file(profile, id)) } else { name.to_owned() }
}

/// So that stacks of about the same depth count together.
fn rough(depth: usize) -> &'static str {
    match depth {
        0 => "no",
        1..=3 => "1 to 3",
        4..=30 => "4 to 30",
        31..=300 => "31 to 300",
        _ => "more than 300",
    }
}
