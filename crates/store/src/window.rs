//! One append: its entries, and the stacks and values of each.

use crate::codec::{Damaged, Reader, put, put_signed};

/// The samples of one series over one interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) series: u32,
    /// Start of the interval, Unix milliseconds.
    pub(crate) time: i64,
    /// Milliseconds.
    pub(crate) duration: u64,
    pub(crate) period: i64,
    pub(crate) total: i64,
    /// Greatest common divisor of the values.
    pub(crate) unit: u64,
    /// How many stacks it has.
    pub(crate) pairs: usize,
}

/// A stack by its node, and its value.
pub(crate) type Pair = (u32, i64);

/// A window as it is built: each entry with its pairs, sorted by node, each node once, no value 0.
#[derive(Default)]
pub(crate) struct Window {
    pub(crate) entries: Vec<Entry>,
    /// The pairs of all entries, in their order.
    pub(crate) pairs: Vec<Pair>,
}

impl Window {
    /// Adds an entry. Pairs of equal nodes are summed; without any pair nothing is added.
    pub(crate) fn push(&mut self, series: u32, time: i64, duration: u64, period: i64, mut pairs: Vec<Pair>) {
        pairs.sort_unstable_by_key(|(node, _)| *node);
        pairs.dedup_by(|next, first| {
            let same = next.0 == first.0;
            if same {
                first.1 = first.1.saturating_add(next.1);
            }
            same
        });
        pairs.retain(|(_, value)| *value != 0);
        if pairs.is_empty() {
            return;
        }
        let total = pairs.iter().fold(0, |sum: i64, (_, value)| sum.saturating_add(*value));
        let unit = pairs.iter().fold(0, |unit, (_, value)| divisor(unit, value.unsigned_abs())).max(1);
        self.entries.push(Entry { series, time, duration, period, total, unit, pairs: pairs.len() });
        self.pairs.extend_from_slice(&pairs);
    }

    pub(crate) fn min_time(&self) -> i64 {
        self.entries.iter().map(|entry| entry.time).min().unwrap_or(0)
    }

    pub(crate) fn max_time(&self) -> i64 {
        self.entries.iter().map(|entry| entry.time).max().unwrap_or(0)
    }

    /// The format's entries and samples blobs, before compression.
    pub(crate) fn encode(&self) -> (Vec<u8>, Vec<u8>) {
        let mut starts = Vec::with_capacity(self.entries.len());
        let mut start = 0;
        for entry in &self.entries {
            starts.push(start);
            start += entry.pairs;
        }
        let mut order: Vec<usize> = (0..self.entries.len()).collect();
        order.sort_by_key(|at| (self.entries[*at].series, self.entries[*at].time));
        let min_time = self.min_time();

        let mut entries = Vec::new();
        let mut samples = Vec::with_capacity(4 * self.pairs.len());
        put(&mut entries, order.len() as u64);
        let mut last_series = 0;
        for at in &order {
            let entry = &self.entries[*at];
            put(&mut entries, u64::from(entry.series - last_series));
            put_signed(&mut entries, entry.time - min_time);
            put(&mut entries, entry.duration);
            put_signed(&mut entries, entry.period);
            put_signed(&mut entries, entry.total);
            put(&mut entries, entry.unit);
            put(&mut entries, entry.pairs as u64);
            last_series = entry.series;
        }
        let of = |at: usize| &self.pairs[starts[at]..starts[at] + self.entries[at].pairs];
        for at in &order {
            let mut last = 0;
            for (node, _) in of(*at) {
                put(&mut samples, u64::from(node - last));
                last = *node;
            }
        }
        for at in &order {
            let unit = self.entries[*at].unit;
            for (_, value) in of(*at) {
                // The unit of the single value i64::MIN does not fit into an i64; its quotient is -1.
                put_signed(&mut samples, i64::try_from(unit).map_or(-1, |unit| value / unit));
            }
        }
        (entries, samples)
    }
}

fn divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { divisor(b, a % b) }
}

/// Reads an entries blob.
pub(crate) fn decode_entries(bytes: &[u8], min_time: i64, entries: &mut Vec<Entry>) -> Result<(), Damaged> {
    entries.clear();
    let mut reader = Reader::new(bytes, "entries");
    let count = reader.count(7)?;
    entries.reserve(count);
    let mut series = 0_u32;
    for _ in 0..count {
        series = series.checked_add(reader.small()?).ok_or(reader.damaged())?;
        entries.push(Entry {
            series,
            time: min_time.wrapping_add(reader.signed()?),
            duration: reader.number()?,
            period: reader.signed()?,
            total: reader.signed()?,
            unit: reader.number()?,
            pairs: usize::try_from(reader.number()?).map_err(|_| reader.damaged())?,
        });
    }
    reader.end()
}

/// Reads a samples blob and adds the values of the entries that `wanted` names to `values`, by node.
pub(crate) fn add_samples(
    bytes: &[u8],
    entries: &[Entry],
    wanted: impl Fn(&Entry) -> bool,
    nodes: &mut Vec<u32>,
    values: &mut [i64],
) -> Result<(), Damaged> {
    let mut reader = Reader::new(bytes, "samples");
    let pairs = entries.iter().try_fold(0_usize, |sum, entry| sum.checked_add(entry.pairs)).ok_or(reader.damaged())?;
    if pairs > bytes.len() / 2 {
        return Err(reader.damaged());
    }
    nodes.clear();
    nodes.reserve(pairs);
    for entry in entries {
        let mut node = 0_u32;
        for _ in 0..entry.pairs {
            node = node.wrapping_add(reader.small()?);
            nodes.push(node);
        }
    }
    let mut nodes = &nodes[..];
    for entry in entries {
        let (own, rest) = nodes.split_at(entry.pairs);
        nodes = rest;
        if wanted(entry) {
            for node in own {
                let value = reader.signed()?.wrapping_mul(entry.unit as i64);
                let sum = values.get_mut(*node as usize).ok_or(reader.damaged())?;
                *sum = sum.saturating_add(value);
            }
        } else {
            for _ in own {
                reader.number()?;
            }
        }
    }
    reader.end()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decoded(window: &Window) -> (Vec<Entry>, Vec<Vec<Pair>>) {
        let (entries, samples) = window.encode();
        let mut read = Vec::new();
        decode_entries(&entries, window.min_time(), &mut read).expect("what we wrote");
        let each = (0..read.len())
            .map(|wanted| {
                let mut values = vec![0; 300];
                let wanted = &read[wanted];
                add_samples(&samples, &read, |entry| std::ptr::eq(entry, wanted), &mut Vec::new(), &mut values)
                    .expect("what we wrote");
                (0..).zip(values).filter(|(_, value)| *value != 0).collect()
            })
            .collect();
        (read, each)
    }

    #[test]
    fn pairs_of_equal_nodes_are_summed_and_the_unit_divides_all() {
        let mut window = Window::default();
        window.push(3, 1_000, 15_000, 10, vec![(7, 20), (5, 30), (7, 30)]);
        window.push(1, 2_000, 15_000, 10, vec![(7, 0)]);
        window.push(1, 500, 15_000, 10, vec![(1, i64::MIN)]);
        let (entries, pairs) = decoded(&window);
        assert_eq!(entries.iter().map(|entry| (entry.series, entry.unit)).collect::<Vec<_>>(), [(1, 1 << 63), (3, 10)]);
        assert_eq!(pairs, [vec![(1, i64::MIN)], vec![(5, 30), (7, 50)]]);
    }

    proptest! {
        #[test]
        fn decoding_undoes_encoding(
            entries in prop::collection::vec(
                (0_u32..6, any::<i32>(), any::<u64>(), any::<i64>(), prop::collection::vec((0_u32..300, any::<i64>()), 0..9)),
                0..6,
            )
        ) {
            let mut window = Window::default();
            for (series, time, duration, period, pairs) in entries {
                window.push(series, i64::from(time), duration, period, pairs);
            }
            let (read, pairs) = decoded(&window);
            let mut start = 0;
            let mut expect: Vec<(Entry, Vec<Pair>)> = window
                .entries
                .iter()
                .map(|entry| {
                    start += entry.pairs;
                    (*entry, window.pairs[start - entry.pairs..start].to_vec())
                })
                .collect();
            expect.sort_by_key(|(entry, _)| (entry.series, entry.time));
            prop_assert_eq!(read.into_iter().zip(pairs).collect::<Vec<_>>(), expect);
        }

        #[test]
        fn arbitrary_bytes_are_never_more_than_an_error(
            bytes in prop::collection::vec(any::<u8>(), 0..60), pairs in 0_usize..20
        ) {
            let mut entries = Vec::new();
            let _ = decode_entries(&bytes, 0, &mut entries);
            let entry = Entry { series: 0, time: 0, duration: 0, period: 0, total: 0, unit: 3, pairs };
            let _ = add_samples(&bytes, &[entry], |_| true, &mut Vec::new(), &mut [0; 9]);
        }
    }
}
