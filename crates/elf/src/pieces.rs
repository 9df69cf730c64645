//! A part of a file in pieces that are read when needed.

use crate::read::ReadAt;

/// Bytes of a piece.
const PIECE: u64 = 64 << 10;
/// Pieces that are kept: enough for an order that goes back and forth between several parts of the section.
const KEPT: usize = 16;

/// A part of a file, of which a megabyte at most is in memory.
#[derive(Debug)]
pub struct Pieces<R> {
    reader: R,
    offset: u64,
    size: u64,
    /// The piece that each place holds.
    numbers: [u64; KEPT],
    pieces: Vec<Vec<u8>>,
    /// Bytes that lie in several pieces.
    joined: Vec<u8>,
}

impl<R: ReadAt> Pieces<R> {
    /// The part that begins at `offset` and has `size` bytes.
    pub fn new(reader: R, offset: u64, size: u64) -> Self {
        Self { reader, offset, size, numbers: [u64::MAX; KEPT], pieces: vec![Vec::new(); KEPT], joined: Vec::new() }
    }

    /// The bytes at a position, as many as there are but at most `most`.
    #[inline]
    pub fn bytes(&mut self, position: u64, most: usize) -> &[u8] {
        let end = position.saturating_add(most as u64).min(self.size);
        let first = position / PIECE;
        if position >= end {
            return &[];
        }
        if (end - 1) / PIECE == first {
            let from = (position % PIECE) as usize;
            let piece = self.piece(first);
            let to = (from + (end - position) as usize).min(piece.len());
            return piece.get(from..to).unwrap_or_default();
        }
        self.join(position, end)
    }

    fn join(&mut self, position: u64, end: u64) -> &[u8] {
        let mut joined = std::mem::take(&mut self.joined);
        joined.clear();
        let mut at = position;
        while at < end {
            let from = (at % PIECE) as usize;
            let piece = self.piece(at / PIECE);
            let to = piece.len().min(from + (end - at) as usize);
            match piece.get(from..to) {
                Some(bytes) if !bytes.is_empty() => joined.extend_from_slice(bytes),
                _ => break,
            }
            at = position + joined.len() as u64;
        }
        self.joined = joined;
        &self.joined
    }

    fn piece(&mut self, number: u64) -> &[u8] {
        let place = (number % KEPT as u64) as usize;
        if self.numbers[place] != number {
            let start = number * PIECE;
            let piece = &mut self.pieces[place];
            piece.resize(PIECE.min(self.size - start) as usize, 0);
            let read = self.reader.read_at(self.offset + start, piece).unwrap_or(0);
            piece.truncate(read);
            self.numbers[place] = number;
        }
        &self.pieces[place]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_out_whole_wherever_the_pieces_end() {
        let file: Vec<u8> = (0..5 * PIECE + 1000).map(|at| (at % 251) as u8).collect();
        let mut pieces = Pieces::new(&file, 500, 5 * PIECE);
        for position in [0, 1, PIECE - 1, PIECE, 3 * PIECE - 7, 5 * PIECE - 3, 5 * PIECE, u64::MAX] {
            for most in [0, 1, 8, 70_000, 200_000] {
                let from = position.saturating_add(500).min(5 * PIECE + 500) as usize;
                let to = (from + most).min(5 * PIECE as usize + 500);
                assert_eq!(pieces.bytes(position, most), &file[from..to], "{most} at {position}");
            }
        }
    }

    #[test]
    fn a_file_that_is_cut_short_gives_what_is_there() {
        let file = vec![7; PIECE as usize + 10];
        let mut pieces = Pieces::new(&file, 0, 3 * PIECE);
        assert_eq!(pieces.bytes(PIECE - 4, 100).len(), 14);
        assert_eq!(pieces.bytes(2 * PIECE, 100).len(), 0);
    }
}
