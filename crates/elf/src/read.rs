//! Bytes by offset, in bounded pieces.

use std::fs::File;
use std::io;
use std::sync::Arc;

/// The most bytes that one piece has.
pub const WINDOW: usize = 64 << 10;

/// Something that bytes can be read from at any offset; the caller supplies it.
pub trait ReadAt {
    /// Fills `into` from `offset` on and returns how many bytes came. Fewer than asked for come at the end only.
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize>;

    /// How many bytes there are now.
    fn size(&self) -> io::Result<u64>;
}

impl ReadAt for [u8] {
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let rest = usize::try_from(offset).ok().and_then(|offset| self.get(offset..)).unwrap_or_default();
        let count = rest.len().min(into.len());
        into[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }
}

impl ReadAt for Vec<u8> {
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        self.as_slice().read_at(offset, into)
    }

    fn size(&self) -> io::Result<u64> {
        self.as_slice().size()
    }
}

impl ReadAt for File {
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let mut done = 0;
        while done < into.len() {
            match std::os::unix::fs::FileExt::read_at(self, &mut into[done..], offset.saturating_add(done as u64)) {
                Ok(0) => break,
                Ok(count) => done += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }
}

impl<T: ReadAt + ?Sized> ReadAt for &T {
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        (**self).read_at(offset, into)
    }

    fn size(&self) -> io::Result<u64> {
        (**self).size()
    }
}

impl<T: ReadAt + ?Sized> ReadAt for Arc<T> {
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        (**self).read_at(offset, into)
    }

    fn size(&self) -> io::Result<u64> {
        (**self).size()
    }
}

/// One piece of a file that is kept while neighbouring bytes are asked for.
#[derive(Debug)]
pub(crate) struct Window<R> {
    reader: R,
    buffer: Vec<u8>,
    start: u64,
    length: usize,
}

impl<R: ReadAt> Window<R> {
    pub(crate) fn new(reader: R, capacity: usize) -> Self {
        Self { reader, buffer: vec![0; capacity.clamp(1, WINDOW)], start: 0, length: 0 }
    }

    /// The bytes at `offset`, as many as the file and the window have but at most `most`.
    pub(crate) fn bytes(&mut self, offset: u64, most: usize) -> &[u8] {
        let most = most.min(self.buffer.len());
        if !self.holds(offset, most) {
            self.start = offset;
            self.length = self.reader.read_at(offset, &mut self.buffer).unwrap_or(0);
        }
        let from = usize::try_from(offset - self.start).unwrap_or(0);
        &self.buffer[from..self.length.min(from + most)]
    }

    /// The bytes up to the next NUL, without it; `None` when the window has no NUL.
    pub(crate) fn string(&mut self, offset: u64) -> Option<&[u8]> {
        let held = offset.checked_sub(self.start).and_then(|at| usize::try_from(at).ok()).unwrap_or(usize::MAX);
        let in_window = held < self.length && self.buffer[held..self.length].contains(&0);
        if !in_window {
            self.start = offset;
            self.length = self.reader.read_at(offset, &mut self.buffer).unwrap_or(0);
        }
        let from = if in_window { held } else { 0 };
        let bytes = &self.buffer[from..self.length];
        bytes.iter().position(|&b| b == 0).map(|end| &bytes[..end])
    }

    /// True where it has so many bytes of an offset.
    pub(crate) fn holds(&self, offset: u64, most: usize) -> bool {
        offset >= self.start && offset.saturating_add(most as u64) <= self.start.saturating_add(self.length as u64)
    }
}

/// The bytes from `offset` up to the next NUL, without it, read in small steps; `None` when there is none within `limit`.
pub fn string(reader: &impl ReadAt, offset: u64, limit: usize) -> Option<Vec<u8>> {
    let mut found = Vec::new();
    let mut piece = [0; 256];
    while found.len() < limit {
        let count = reader.read_at(offset.checked_add(found.len() as u64)?, &mut piece).ok()?;
        let piece = &piece[..count];
        match piece.iter().position(|&b| b == 0) {
            Some(end) => {
                found.extend_from_slice(&piece[..end]);
                return (found.len() <= limit).then_some(found);
            }
            None if count == 0 => return None,
            None => found.extend_from_slice(piece),
        }
    }
    None
}

/// `N` bytes at `offset`, or nothing where the file ends before.
pub(crate) fn array<const N: usize>(reader: &impl ReadAt, offset: u64) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    (reader.read_at(offset, &mut bytes).ok()? == N).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_end_at_nul_wherever_the_pieces_end() {
        let mut bytes = vec![b'x'; 1000];
        bytes.extend_from_slice(b"\0short\0unended");
        assert_eq!(string(&bytes, 0, 1000).unwrap().len(), 1000);
        assert_eq!(string(&bytes, 0, 999), None);
        assert_eq!(string(&bytes, 1001, 99).unwrap(), b"short");
        assert_eq!(string(&bytes, 1007, 99), None);
        assert_eq!(string(&bytes, u64::MAX, 99), None);
    }

    proptest::proptest! {
        #[test]
        fn a_window_shows_what_is_there(bytes: Vec<u8>, asks: Vec<(u8, u8)>, capacity in 1_usize..40) {
            let mut window = Window::new(&bytes, capacity);
            for (offset, most) in asks {
                let (offset, most) = (usize::from(offset), usize::from(most).min(capacity));
                let expect = bytes.get(offset..).unwrap_or_default();
                let expect = &expect[..expect.len().min(most)];
                proptest::prop_assert_eq!(window.bytes(offset as u64, most), expect);

                let end = bytes.iter().skip(offset).take(capacity).position(|&b| b == 0);
                let shown = window.string(offset as u64).map(<[u8]>::len);
                proptest::prop_assert_eq!(shown, end);
            }
        }
    }
}
