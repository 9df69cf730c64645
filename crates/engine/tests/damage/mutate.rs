//! Damage: bits that flip, words that change places, lengths that are nothing or everything, files that end early.

use std::ops::Range;

/// Numbers that look random and follow from a seed. Source: <https://prng.di.unimi.it/splitmix64.c>.
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// 0 where there is nothing to choose from.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }

    pub(crate) fn one_in(&mut self, chances: usize) -> bool {
        self.below(chances) == 0
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }
}

/// A copy with one to a few damages in the places given; the first of them has a tenth of all.
pub(crate) fn damage(whole: &[u8], places: &[Range<usize>], chance: &mut Chance) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    let most = chance.of(&[1, 2, 4, 16]);
    for _ in 0..=chance.below(most) {
        let place = if chance.one_in(10) { &places[0] } else { &places[chance.below(places.len())] };
        let place = place.start..place.end.min(bytes.len());
        if place.is_empty() {
            continue;
        }
        if chance.one_in(12) {
            let end =
                if chance.one_in(2) { chance.below(bytes.len()) } else { place.start + chance.below(place.len()) };
            bytes.truncate(end);
        } else {
            damage_once(&mut bytes, &place, chance);
        }
    }
    bytes
}

fn damage_once(bytes: &mut [u8], place: &Range<usize>, chance: &mut Chance) {
    let size = bytes.len() as u64;
    let place = &mut bytes[place.clone()];
    let at = chance.below(place.len());
    let run = chance.of(&[1, 2, 4, 8, 16, 64]).min(place.len() - at);
    match chance.below(8) {
        0 => place[at] ^= 1 << chance.below(8),
        1 => place[at] = chance.of(&[0, 1, 2, 4, 0x7f, 0x80, 0xfe, 0xff]),
        2 | 3 => {
            let width = chance.of(&[2, 4, 4, 8]);
            // Fields are where they can be divided by their width, in headers; in packed bytes they are anywhere.
            let at = if chance.one_in(3) { at } else { at - at % width };
            let value = number(size, chance);
            place[at..].iter_mut().zip(value.to_le_bytes()).take(width).for_each(|(byte, new)| *byte = new);
        }
        4 => {
            let other = chance.below(place.len());
            for step in 0..run.min(place.len() - other) {
                place.swap(at + step, other + step);
            }
        }
        5 => {
            let from = chance.below(place.len());
            let run = run.min(place.len() - from);
            place.copy_within(from..from + run, at);
        }
        // What is all ones is a number without an end too, where seven bits of a byte count.
        6 => place[at..at + run].fill(chance.of(&[0, 0xff, 0x80])),
        _ => {
            let change = chance.of(&[1_i8, -1, 8, -8, 100]);
            place[at] = place[at].wrapping_add_signed(change);
        }
    }
}

/// A number at one of the edges, or any.
fn number(size: u64, chance: &mut Chance) -> u64 {
    match chance.below(6) {
        0 => chance.of(&[0, 1, 2, 3, 0x7f, 0x80, 0xff, 0x7fff, 0xffff]),
        1 => chance.of(&[1 << 31, (1 << 31) - 1, u64::from(u32::MAX), u64::from(u32::MAX) - 1, 1 << 32]),
        2 => chance.of(&[1 << 63, i64::MAX as u64, u64::MAX, u64::MAX - 7, u64::MAX - 0xfff, 1 << 47]),
        3 => chance.of(&[size, size - 1, size + 1, size / 2, size * 2]),
        4 => chance.below(4096) as u64,
        _ => chance.next(),
    }
}
