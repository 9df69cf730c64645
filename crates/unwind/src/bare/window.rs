//! The code of a segment, of which a part is in memory.

use elf::{ReadAt, Segment};

/// What is read at once: more than is asked for at once, so that little is read twice.
const BYTES: u64 = 1 << 20;

/// A part of a segment.
#[derive(Default)]
pub(super) struct Window {
    /// Where the segment begins, as an address and in the file, and its bytes.
    address: u64,
    offset: u64,
    size: u64,
    bytes: Vec<u8>,
    /// Where the part begins in the segment.
    start: u64,
}

impl Window {
    /// Turns to a segment.
    pub(super) fn enter(&mut self, segment: &Segment) {
        if (self.address, self.offset) != (segment.address.0, segment.offset.0) {
            self.bytes.clear();
        }
        (self.address, self.offset, self.size) = (segment.address.0, segment.offset.0, segment.file_size);
    }

    /// The bytes at an address, as many as there are but at most `most`.
    pub(super) fn bytes(&mut self, reader: &impl ReadAt, address: u64, most: usize) -> &[u8] {
        let Some(place) = address.checked_sub(self.address).filter(|place| *place < self.size) else { return &[] };
        let end = place.saturating_add(most as u64).min(self.size);
        if place < self.start || end > self.start + self.bytes.len() as u64 {
            self.start = place;
            self.bytes.resize(BYTES.max(end - place).min(self.size - place) as usize, 0);
            let read = reader.read_at(self.offset.saturating_add(place), &mut self.bytes).unwrap_or(0);
            if read < self.bytes.len() {
                // The file was cut short.
                self.size = place + read as u64;
            }
            self.bytes.truncate(read);
        }
        let end = end.min(self.size).max(place);
        let from = (place - self.start) as usize;
        self.bytes.get(from..self.bytes.len().min(from + (end - place) as usize)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use elf::{FileOffset, Svma};

    use super::*;

    #[test]
    fn bytes_come_out_whole_wherever_the_part_ends() {
        let file: Vec<u8> = (0..3 * BYTES + 1000).map(|at| (at % 251) as u8).collect();
        let segment = Segment {
            kind: 1,
            flags: 5,
            offset: FileOffset(500),
            address: Svma(0x10_0500),
            file_size: 3 * BYTES,
            memory_size: 3 * BYTES,
        };
        let mut window = Window::default();
        window.enter(&segment);
        for place in [0, 1, BYTES - 1, BYTES, 2 * BYTES - 7, 5, 3 * BYTES - 3, 3 * BYTES, 1 << 40] {
            for most in [0, 1, 8, 70_000, 300_000] {
                let from = (place + 500).min(3 * BYTES + 500) as usize;
                let to = (from + most).min(3 * BYTES as usize + 500);
                assert_eq!(window.bytes(&file, 0x10_0500 + place, most), &file[from..to], "{most} at {place}");
            }
        }
        assert_eq!(window.bytes(&file, 0x10_04ff, 1), &[0; 0]);
        window.enter(&Segment { offset: FileOffset(0), ..segment });
        assert_eq!(window.bytes(&vec![7; 600], 0x10_0500, 1000).len(), 600, "a file that was cut short");
    }
}
