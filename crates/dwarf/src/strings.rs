//! Texts, each kept once, one after the other with a NUL behind each.

use std::collections::HashMap;

/// The texts of one table.
#[derive(Debug, Default)]
pub(crate) struct Strings {
    bytes: Vec<u8>,
    places: HashMap<Box<[u8]>, u32>,
}

impl Strings {
    /// Where a text is; 0 is the empty one.
    pub(crate) fn add(&mut self, text: &[u8]) -> u32 {
        if self.bytes.is_empty() {
            self.bytes.push(0);
        }
        if text.is_empty() {
            return 0;
        }
        if let Some(place) = self.places.get(text) {
            return *place;
        }
        let Ok(place) = u32::try_from(self.bytes.len()) else { return 0 };
        self.bytes.extend_from_slice(text);
        self.bytes.push(0);
        self.places.insert(text.into(), place);
        place
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}
