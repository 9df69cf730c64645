//! An append-only table of texts in one allocation.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

/// Texts by id. 0 is `""`. The index is there only while something is written.
pub(crate) struct Strings {
    bytes: String,
    ends: Vec<u32>,
    index: Option<HashTable<u32>>,
    hasher: DefaultHashBuilder,
}

impl Strings {
    pub(crate) fn new() -> Self {
        Self { bytes: String::new(), ends: vec![0], index: None, hasher: DefaultHashBuilder::default() }
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Panics when `id` is out of range.
    pub(crate) fn get(&self, id: u32) -> &str {
        let id = id as usize;
        let start = if id == 0 { 0 } else { self.ends[id - 1] as usize };
        &self.bytes[start..self.ends[id] as usize]
    }

    /// Appends without looking whether it is there; false when the table is full (4 GiB of text).
    pub(crate) fn push(&mut self, text: &str) -> bool {
        let Ok(end) = u32::try_from(self.bytes.len() + text.len()) else { return false };
        self.index = None;
        self.bytes.push_str(text);
        self.ends.push(end);
        true
    }

    /// The id of `text`, new or old. Past 4 GiB of text, which no partition reaches, it is that of `""`.
    pub(crate) fn intern(&mut self, text: &str) -> u32 {
        if text.is_empty() {
            return 0;
        }
        let mut index = match self.index.take() {
            Some(index) => index,
            None => self.make_index(),
        };
        let hash = self.hasher.hash_one(text);
        let id = match index.find(hash, |id| self.get(*id) == text) {
            Some(id) => *id,
            None => {
                let id = self.ends.len() as u32;
                if self.push(text) {
                    index.insert_unique(hash, id, |id| self.hasher.hash_one(self.get(*id)));
                    id
                } else {
                    0
                }
            }
        };
        self.index = Some(index);
        id
    }

    /// Forgets the index; the next [`intern`](Self::intern) makes it again.
    pub(crate) fn drop_index(&mut self) {
        self.index = None;
    }

    /// Bytes on the heap.
    pub(crate) fn heap(&self) -> usize {
        self.bytes.capacity() + 4 * self.ends.capacity() + self.index.as_ref().map_or(0, |index| 5 * index.capacity())
    }

    fn make_index(&self) -> HashTable<u32> {
        let mut index = HashTable::with_capacity(self.ends.len() + self.ends.len() / 8);
        for id in 1..self.ends.len() as u32 {
            let hash = |id: &u32| self.hasher.hash_one(self.get(*id));
            index.insert_unique(hash(&id), id, hash);
        }
        index
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_have_one_id_also_those_loaded_before() {
        let mut strings = Strings::new();
        assert!(strings.push("loaded"));
        assert_eq!(strings.intern("a"), 2);
        assert_eq!(strings.intern("loaded"), 1);
        assert_eq!(strings.intern(""), 0);
        assert_eq!(strings.intern("a"), 2);
        assert_eq!((strings.get(0), strings.get(1), strings.get(2)), ("", "loaded", "a"));
    }
}
