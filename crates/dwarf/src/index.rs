//! Which unit has which code, in bytes that can be kept in a file and looked up where they lie.
//!
//! All numbers are little-endian. First `base` (8 bytes), then how many stretches and units there are (4 bytes each); then the
//! stretches in order of their starts, each its start from `base` and the number of a unit (4 bytes each), and at last where
//! each unit begins in `.debug_info` (8 bytes each). A stretch reaches to the next one. Unit `0xffff_ffff` is none.

use crate::flatten::{NOTHING, Stretch};

const HEAD: usize = 16;

/// A unit of a file: where it begins in `.debug_info`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct UnitId(pub u64);

/// Which unit has which code.
#[derive(Clone, Copy, Debug)]
pub struct Index<B> {
    bytes: B,
    base: u64,
    stretches: usize,
    units: usize,
}

impl<B: AsRef<[u8]>> Index<B> {
    /// Understands bytes that [`Dwarf::index`](crate::Dwarf::index) made; nothing where they are none.
    pub fn new(bytes: B) -> Option<Self> {
        let all = bytes.as_ref();
        let base = u64::from_le_bytes(*all.first_chunk()?);
        let count = |at: usize| Some(u32::from_le_bytes(*all.get(at..)?.first_chunk()?) as usize);
        let (stretches, units) = (count(8)?, count(12)?);
        (all.len() == HEAD + (stretches + units) * 8).then_some(())?;
        Some(Self { base, stretches, units, bytes })
    }

    /// The unit that has an address as the file states it.
    pub fn unit(&self, address: u64) -> Option<UnitId> {
        let at = u32::try_from(address.checked_sub(self.base)?).ok()?;
        let (mut low, mut high) = (0, self.stretches);
        while low < high {
            let middle = low.midpoint(high);
            if self.pair(middle)?[0] <= at { low = middle + 1 } else { high = middle }
        }
        let unit = self.pair(low.checked_sub(1)?)?[1] as usize;
        let [lower, upper] = self.pair(self.stretches + unit).filter(|_| unit < self.units)?;
        Some(UnitId(u64::from(lower) | u64::from(upper) << 32))
    }

    /// The bytes, to be kept.
    pub fn bytes(&self) -> &B {
        &self.bytes
    }

    fn pair(&self, index: usize) -> Option<[u32; 2]> {
        let bytes = self.bytes.as_ref().get(HEAD + index * 8..)?.first_chunk::<8>()?;
        let number = u64::from_le_bytes(*bytes);
        Some([number as u32, (number >> 32) as u32])
    }
}

/// Writes an index. Code four GiB or more behind the first is left out.
pub(crate) fn write(stretches: &[Stretch], units: &[u64]) -> Vec<u8> {
    let base = stretches.first().map_or(0, |stretch| stretch.start);
    let mut bytes = Vec::with_capacity(HEAD + (stretches.len() + units.len()) * 8);
    bytes.extend_from_slice(&base.to_le_bytes());
    bytes.extend_from_slice(&[0; 8]);
    let mut count = 0_u32;
    for stretch in stretches {
        let Ok(start) = u32::try_from(stretch.start - base) else {
            // What is there has no unit, not that of the last one before.
            break;
        };
        bytes.extend_from_slice(&start.to_le_bytes());
        bytes.extend_from_slice(&stretch.node.to_le_bytes());
        count += 1;
    }
    if (count as usize) < stretches.len() {
        bytes.extend_from_slice(&u32::MAX.to_le_bytes());
        bytes.extend_from_slice(&NOTHING.to_le_bytes());
        count += 1;
    }
    for unit in units {
        bytes.extend_from_slice(&unit.to_le_bytes());
    }
    bytes[8..12].copy_from_slice(&count.to_le_bytes());
    bytes[12..16].copy_from_slice(&(units.len() as u32).to_le_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stretch(start: u64, node: u32) -> Stretch {
        Stretch { start, node }
    }

    #[test]
    fn each_address_has_the_unit_of_its_stretch() {
        let far = 0x1000 + (4 << 30);
        let stretches = [stretch(0x1000, 0), stretch(0x1800, NOTHING), stretch(0x2000, 1), stretch(far, 0)];
        let index = Index::new(write(&stretches, &[11, 5 << 32])).unwrap();
        let unit = |address| index.unit(address).map(|unit| unit.0);
        assert_eq!([unit(0xfff), unit(0x1000), unit(0x17ff), unit(0x1800)], [None, Some(11), Some(11), None]);
        assert_eq!(
            [unit(0x2000), unit(0xffff_0000), unit(far), unit(u64::MAX)],
            [Some(5 << 32), Some(5 << 32), None, None]
        );
        assert!(Index::new(write(&[], &[])).unwrap().unit(0).is_none());
    }

    #[test]
    fn bytes_that_are_no_index_are_none() {
        let bytes = write(&[stretch(0, 9)], &[7]);
        assert_eq!(Index::new(bytes.clone()).unwrap().unit(0), None, "a unit that is not there");
        for length in 0..bytes.len() {
            assert!(Index::new(&bytes[..length]).is_none());
        }
    }
}
