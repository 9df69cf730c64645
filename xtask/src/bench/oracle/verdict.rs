//! What came of the comparison.

use std::collections::BTreeMap;
use std::fmt;

use super::capture::{Sample, Space};
use super::image::Images;
use super::letter;
use super::ours;
use super::theirs::{self, Unwinders};

/// Who is right where the two differ, by the letter of the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Right {
    /// We are.
    Ours,
    /// They are, or nobody is.
    NotOurs,
    /// The tables end where the two part.
    NoTable,
    /// What is below the stack pointer would be needed, which perf does not capture.
    NotCaptured,
}

/// Stacks compared so far.
#[derive(Default)]
pub(super) struct Verdict {
    unwinders: Unwinders,
    equal: u64,
    frames: u64,
    /// Our rules by kind, over all frames.
    rules: BTreeMap<&'static str, u64>,
    /// Differences by kind: how many, and one of them.
    kinds: BTreeMap<(Right, String), (u64, String)>,
}

impl Verdict {
    pub(super) fn compare(&mut self, sample: &Sample<'_>, space: &Space, images: &mut Images) {
        let ours = ours::walk(sample, space, images);
        let theirs = self.unwinders.walk(sample, space, images);
        self.frames += ours.frames.len() as u64;
        for rule in &ours.rules {
            *self.rules.entry(ours::kind(*rule)).or_default() += 1;
        }
        if ours.frames == theirs.frames && ours.end.complete() == theirs.error.is_none() {
            self.equal += 1;
            return;
        }
        let right =
            if ours.uncaptured { Right::NotCaptured } else { right(&ours, &letter::walk(sample, space, images)) };
        let (kind, example) = difference(&ours, &theirs, space);
        self.kinds.entry((right, kind)).or_insert((0, example)).0 += 1;
    }

    pub(super) fn add(&mut self, other: Self) {
        self.equal += other.equal;
        self.frames += other.frames;
        for (kind, count) in other.rules {
            *self.rules.entry(kind).or_default() += count;
        }
        for (kind, (count, example)) in other.kinds {
            self.kinds.entry(kind).or_insert((0, example)).0 += count;
        }
    }

    /// The frequent kinds of differences.
    pub(super) fn kinds(&self, most: usize) -> Vec<(String, u64, &str)> {
        let kinds = self.kinds.iter();
        let mut kinds: Vec<_> = kinds
            .map(|((right, kind), (count, example))| (format!("{right:?}: {kind}"), *count, example.as_str()))
            .collect();
        kinds.sort_by_key(|(_, count, _)| std::cmp::Reverse(*count));
        kinds.truncate(most);
        kinds
    }

    /// Stacks that the tables describe to their end.
    pub(super) fn described(&self) -> u64 {
        self.equal + self.where_right(Right::Ours) + self.where_right(Right::NotOurs)
    }

    /// Percent of these that are equal, or other because the other unwinder departs from the tables.
    pub(super) fn right(&self) -> f64 {
        (self.equal + self.where_right(Right::Ours)) as f64 / self.described().max(1) as f64 * 100.0
    }

    fn where_right(&self, is: Right) -> u64 {
        self.kinds.iter().filter(|((right, _), _)| *right == is).map(|(_, (count, _))| count).sum()
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [ours, others, no_table, not_captured] =
            [Right::Ours, Right::NotOurs, Right::NoTable, Right::NotCaptured].map(|right| self.where_right(right));
        let described = self.described();
        let share = |count: u64| count as f64 / described.max(1) as f64 * 100.0;
        write!(
            f,
            "{described} stacks that tables describe: {:.2} % equal, {:.2} % with the tables' letter on our side, {:.2} % not \
             ({others}); {no_table} more come to code without tables, {not_captured} need what was not captured; {} frames:",
            share(self.equal),
            share(ours),
            share(others),
            self.frames
        )?;
        self.rules.iter().try_for_each(|(kind, count)| write!(f, " {kind} {count}"))
    }
}

fn right(ours: &ours::Walk, letter: &letter::Walk) -> Right {
    let outermost = letter.end == letter::End::Outermost;
    if ours.frames == letter.frames && ours.end.complete() == outermost {
        return if letter.end == letter::End::NoTable { Right::NoTable } else { Right::Ours };
    }
    if letter.end == letter::End::NoTable && ours.frames.starts_with(&letter.frames) {
        return Right::NoTable;
    }
    Right::NotOurs
}

/// The kind of a difference, and what to look at.
fn difference(ours: &ours::Walk, theirs: &theirs::Walk, space: &Space) -> (String, String) {
    let same = ours.frames.iter().zip(&theirs.frames).take_while(|(one, other)| one == other).count();
    // The last frame that both have is where the two part.
    let rule = ours.rules.get(same.saturating_sub(1)).copied().unwrap_or_default();
    let error = theirs.error.map_or("complete".to_owned(), |error| {
        let text = format!("{error:?}");
        text.split('(').next().unwrap_or_default().to_owned()
    });
    let length = |frames: &[u64]| match frames.len().cmp(&same) {
        std::cmp::Ordering::Equal => "ends there",
        _ => "goes on",
    };
    let kind = format!(
        "at \"{}\": ours {} ({:?}), theirs {} ({error})",
        ours::kind(rule),
        length(&ours.frames),
        ours.end,
        length(&theirs.frames),
    );
    let place = |address: Option<&u64>| match address {
        None => "-".to_owned(),
        Some(address) => space.find(*address).map_or(format!("{address:#x}"), |(start, mapping)| {
            let file = mapping.path.rsplit('/').next().unwrap_or_default();
            format!("{file}+{:#x}", address - start + mapping.offset)
        }),
    };
    let example = format!(
        "frame {same} of {} and {}: {} has the caller {} or {}; {rule:?}",
        ours.frames.len(),
        theirs.frames.len(),
        place(same.checked_sub(1).and_then(|at| ours.frames.get(at))),
        place(ours.frames.get(same)),
        place(theirs.frames.get(same)),
    );
    (kind, example)
}
