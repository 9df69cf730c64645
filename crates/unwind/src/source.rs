//! What says how code unwinds, and who is believed where several speak.

use crate::rule::Rule;

/// A stretch of code that a source speaks of as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stretch {
    pub(crate) start: u64,
    pub(crate) end: u64,
    /// The source's own number for it.
    pub(crate) position: u64,
}

/// Something that speaks of code, in the order of addresses.
pub(crate) trait Source {
    /// The next stretch.
    fn next(&mut self) -> Option<Stretch>;

    /// The rules of a stretch, one of the two that came last: `row` gets each with where it begins and ends.
    fn rows(&mut self, stretch: Stretch, row: &mut dyn FnMut(u64, u64, Rule));

    /// Leaves out what ends at or before an address, as far as that can be done fast.
    fn seek(&mut self, address: u64);

    /// How much could not be read, or only in part.
    fn malformed(&self) -> u64;
}

/// Sources in the order of the code. Where several speak of the same code the first of them is believed.
pub(crate) struct Merged<'s> {
    sources: Vec<(Box<dyn Source + 's>, Option<Stretch>)>,
    /// The end of what was handed out.
    at: u64,
}

impl<'s> Merged<'s> {
    pub(crate) fn new(sources: impl IntoIterator<Item = Box<dyn Source + 's>>) -> Self {
        let begin = |mut source: Box<dyn Source + 's>| {
            let next = source.next();
            (source, next)
        };
        Self { sources: sources.into_iter().map(begin).collect(), at: 0 }
    }

    /// The next stretch, and which source has it.
    pub(crate) fn next(&mut self) -> Option<(Stretch, usize)> {
        loop {
            let nexts = self.sources.iter().enumerate().filter_map(|(which, (_, next))| Some((which, (*next)?)));
            let (which, stretch) = nexts.min_by_key(|(which, next)| (next.start, *which))?;
            let better = |(_, next): &(_, Option<Stretch>)| next.is_some_and(|next| next.start < stretch.end);
            let doubted = self.sources[..which].iter().any(better);
            let (source, next) = &mut self.sources[which];
            *next = source.next();
            if !doubted && stretch.start >= self.at {
                self.at = stretch.end;
                return Some((stretch, which));
            }
        }
    }

    /// Goes on at an address, or somewhat before.
    pub(crate) fn seek(&mut self, address: u64) {
        for (source, next) in &mut self.sources {
            if next.is_some_and(|next| next.end <= address) {
                source.seek(address);
                *next = source.next();
            }
        }
    }

    pub(crate) fn rows(&mut self, (stretch, which): (Stretch, usize), row: &mut dyn FnMut(u64, u64, Rule)) {
        self.sources[which].0.rows(stretch, row);
    }

    pub(crate) fn malformed(&self) -> u64 {
        self.sources.iter().map(|(source, _)| source.malformed()).sum()
    }
}
