//! One file: how it is written, and what is believed of it when it is read.
//!
//! All numbers are little-endian and of eight bytes. The head: the letters `pyrtable`, the version, the number of parts, the
//! length of the file, the checksum of the directory, that of the key. The directory: number, offset, length and checksum of each part, by number.
//! Parts begin at multiples of eight.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::hash::Hasher as _;
use std::io::{self, Write};
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

use twox_hash::XxHash3_64;

use crate::bytes::Bytes;
use crate::mapping::{Mapping, State};

const MAGIC: u64 = u64::from_le_bytes(*b"pyrtable");
/// Goes up with each change of what is in the files, also of what parts mean: older files are made anew.
pub(crate) const VERSION: u64 = 2;
const HEAD: usize = 48;
const ENTRY: usize = 32;
/// So many bytes are looked at before they are let go of again: what is looked at once is not to stay in memory.
const STRIDE: usize = 256 << 10;
/// What a part is taken to have in memory at most: lookups touch few places of a large one.
const TOUCHED: usize = 256 << 10;

/// Parts that this process has compared with their checksums: by the state of their file, and their numbers.
pub(crate) type Checked = Rc<RefCell<HashSet<(State, u64)>>>;
/// So many of them are remembered.
const MOST_CHECKED: usize = 1 << 16;

/// A file that was written by [`Cache::put`](crate::Cache::put), mapped.
#[derive(Debug)]
pub struct Pack {
    map: Arc<Mapping>,
    parts: usize,
    checked: Checked,
    /// Those parts whose bytes were looked at: nothing where they are damaged.
    seen: RefCell<HashMap<u64, Option<Bytes>>>,
}

impl Pack {
    /// Maps the file of a key; nothing where it is not that, or not whole.
    pub(crate) fn open(file: File, key: &str, checked: &Checked) -> io::Result<Option<Self>> {
        let map = Mapping::new(file)?;
        let Some([magic, version, parts, length, checksum, whose]) = map.get(..HEAD).and_then(numbers) else {
            return Ok(None);
        };
        if magic != MAGIC || version != VERSION || length != map.len() as u64 || whose != hash(key.as_bytes()) {
            return Ok(None);
        }
        let directory = usize::try_from(parts).ok().and_then(|parts| parts.checked_mul(ENTRY)?.checked_add(HEAD));
        let whole = directory.and_then(|end| map.get(HEAD..end)).is_some_and(|bytes| hash(bytes) == checksum);
        let pack =
            Self { parts: parts as usize, map: Arc::new(map), checked: Rc::clone(checked), seen: RefCell::default() };
        Ok(whole.then_some(pack))
    }

    /// A part, if it is there and whole.
    pub fn part(&self, number: u64) -> Option<Bytes> {
        self.seen.borrow_mut().entry(number).or_insert_with(|| self.check(number)).clone()
    }

    /// True once the file was cut or written to: what parts have said since may be wrong. Opened again, it is compared with its
    /// checksums again.
    pub fn has_changed(&self) -> bool {
        self.map.has_changed()
    }

    /// True once bytes of it could not be had, and zeros were in their place.
    pub fn has_lost(&self) -> bool {
        self.map.has_lost()
    }

    /// True for a part that was written, but is not whole any more.
    pub fn is_damaged(&self, number: u64) -> bool {
        self.find(number).is_some() && self.part(number).is_none()
    }

    fn find(&self, number: u64) -> Option<[u64; 4]> {
        let (mut low, mut high) = (0, self.parts);
        while low < high {
            let middle = low.midpoint(high);
            if self.entry(middle)?[0] < number { low = middle + 1 } else { high = middle }
        }
        self.entry(low).filter(|entry| entry[0] == number)
    }

    fn check(&self, number: u64) -> Option<Bytes> {
        let [_, offset, length, checksum] = self.find(number)?;
        let start = usize::try_from(offset).ok()?;
        let range = start..start.checked_add(usize::try_from(length).ok()?)?;
        self.map.get(range.clone())?;
        let mut checked = self.checked.borrow_mut();
        if !checked.contains(&(self.map.state(), number)) {
            if self.hash(range.clone()) != checksum || self.map.has_lost() {
                return None;
            }
            if checked.len() >= MOST_CHECKED {
                checked.clear();
            }
            checked.insert((self.map.state(), number));
        }
        Some(Bytes::mapped(&self.map, range))
    }

    /// The checksum of bytes that are there.
    fn hash(&self, range: Range<usize>) -> u64 {
        if range.len() <= STRIDE {
            return hash(&self.map[range]);
        }
        let mut hasher = XxHash3_64::new();
        for start in range.clone().step_by(STRIDE) {
            let stride = start..range.end.min(start + STRIDE);
            hasher.write(&self.map[stride.clone()]);
            self.map.let_go(stride);
        }
        hasher.finish()
    }

    fn entry(&self, index: usize) -> Option<[u64; 4]> {
        let start = HEAD + index * ENTRY;
        self.map.get(start..start + ENTRY).filter(|_| index < self.parts).and_then(numbers)
    }

    /// The numbers of its parts, in order.
    pub fn numbers(&self) -> impl Iterator<Item = u64> {
        (0..self.parts).map_while(|index| Some(self.entry(index)?[0]))
    }

    /// About how many of its bytes were looked at, and so are in memory.
    pub fn bytes_seen(&self) -> usize {
        self.seen.borrow().values().flatten().map(|bytes| bytes.len().min(TOUCHED)).sum()
    }
}

fn numbers<const N: usize>(bytes: &[u8]) -> Option<[u64; N]> {
    let mut numbers = [0; N];
    for (number, word) in numbers.iter_mut().zip(bytes.as_chunks::<8>().0) {
        *number = u64::from_le_bytes(*word);
    }
    (bytes.len() == N * 8).then_some(numbers)
}

pub(crate) fn hash(bytes: &[u8]) -> u64 {
    XxHash3_64::oneshot(bytes)
}

/// Writes the file of a key, of these parts, which are sorted by number, and says how long it is.
pub(crate) fn write(key: &str, parts: &[(u64, Bytes)], into: &mut impl Write) -> io::Result<u64> {
    let mut offset = HEAD + parts.len() * ENTRY;
    let mut directory = Vec::with_capacity(parts.len() * ENTRY);
    for (number, bytes) in parts {
        for value in [*number, offset as u64, bytes.len() as u64, hash(bytes)] {
            directory.extend_from_slice(&value.to_le_bytes());
        }
        offset += bytes.len().next_multiple_of(8);
    }
    for value in [MAGIC, VERSION, parts.len() as u64, offset as u64, hash(&directory), hash(key.as_bytes())] {
        into.write_all(&value.to_le_bytes())?;
    }
    into.write_all(&directory)?;
    for (_, bytes) in parts {
        into.write_all(bytes)?;
        into.write_all(&[0; 8][..bytes.len().next_multiple_of(8) - bytes.len()])?;
    }
    if parts.iter().any(|(_, bytes)| bytes.have_changed()) {
        return Err(io::ErrorKind::InvalidData.into());
    }
    Ok(offset as u64)
}

#[cfg(test)]
mod tests {
    use std::io::Seek as _;

    use super::*;

    fn written(parts: &[(u64, Bytes)]) -> Vec<u8> {
        let mut bytes = Vec::new();
        assert_eq!(write("k", parts, &mut bytes).unwrap(), bytes.len() as u64);
        bytes
    }

    fn opened(bytes: &[u8]) -> Option<Pack> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file.rewind().unwrap();
        if bytes.is_empty() { None } else { Pack::open(file, "k", &Checked::default()).unwrap() }
    }

    fn parts(all: &[(u64, &[u8])]) -> Vec<(u64, Bytes)> {
        all.iter().map(|(number, bytes)| (*number, bytes.to_vec().into())).collect()
    }

    #[test]
    fn parts_come_back() {
        let pack = opened(&written(&parts(&[(1, b"one"), (7, b""), (1 << 40, b"longer than a word")]))).unwrap();
        assert_eq!(pack.numbers().collect::<Vec<_>>(), [1, 7, 1 << 40]);
        assert_eq!(pack.bytes_seen(), 0);
        assert_eq!(&*pack.part(1 << 40).unwrap(), b"longer than a word");
        assert_eq!((&*pack.part(1).unwrap(), &*pack.part(7).unwrap()), (&b"one"[..], &b""[..]));
        assert!(pack.part(0).is_none() && pack.part(2).is_none() && pack.part(u64::MAX).is_none());
        assert_eq!(pack.bytes_seen(), 21);
    }

    #[test]
    fn the_file_of_another_key_is_none() {
        let mut bytes = Vec::new();
        write("other", &parts(&[(1, b"one")]), &mut bytes).unwrap();
        assert!(opened(&bytes).is_none());
    }

    proptest::proptest! {
        #[test]
        fn damage_is_never_given_out(
            texts in proptest::collection::btree_map(0_u64..9, proptest::collection::vec(0_u8..=255, 0..40), 0..5),
            at: proptest::sample::Index,
            bits in 1_u8..=255,
            cut: bool,
        ) {
            let all: Vec<(u64, Bytes)> = texts.iter().map(|(number, text)| (*number, text.clone().into())).collect();
            let mut bytes = written(&all);
            let at = at.index(bytes.len());
            if cut { bytes.truncate(at) } else { bytes[at] ^= bits }
            let pack = opened(&bytes);
            for (number, text) in &texts {
                if let Some(part) = pack.as_ref().and_then(|pack| pack.part(*number)) {
                    proptest::prop_assert_eq!(&*part, &**text);
                }
            }
        }
    }
}
