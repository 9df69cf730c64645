//! Numbers and blobs as they lie in the file.

use std::cell::RefCell;

/// Bytes that are not what the format says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("damaged {0}")]
pub(crate) struct Damaged(pub(crate) &'static str);

/// The largest blob that is read, uncompressed. A window of 500,000 stacks takes less.
const MAX_BLOB: usize = 256 << 20;

const LEVEL: i32 = 3;

pub(crate) fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub(crate) fn put_signed(out: &mut Vec<u8>, value: i64) {
    put(out, (value << 1 ^ value >> 63) as u64);
}

/// Reads numbers from the front of a blob.
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    what: &'static str,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8], what: &'static str) -> Self {
        Self { rest: bytes, what }
    }

    pub(crate) fn damaged(&self) -> Damaged {
        Damaged(self.what)
    }

    #[inline]
    pub(crate) fn number(&mut self) -> Result<u64, Damaged> {
        if let [byte, rest @ ..] = self.rest
            && *byte < 0x80
        {
            self.rest = rest;
            return Ok(u64::from(*byte));
        }
        self.long_number()
    }

    fn long_number(&mut self) -> Result<u64, Damaged> {
        let mut value = 0;
        for (at, byte) in self.rest.iter().take(10).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * at);
            if *byte < 0x80 {
                self.rest = &self.rest[at + 1..];
                return Ok(value);
            }
        }
        Err(self.damaged())
    }

    pub(crate) fn small(&mut self) -> Result<u32, Damaged> {
        u32::try_from(self.number()?).map_err(|_| self.damaged())
    }

    #[inline]
    pub(crate) fn signed(&mut self) -> Result<i64, Damaged> {
        let value = self.number()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// A count of things of at least `least` bytes each, so never more than there can be.
    pub(crate) fn count(&mut self, least: usize) -> Result<usize, Damaged> {
        let count = usize::try_from(self.number()?).map_err(|_| self.damaged())?;
        if count > self.rest.len() / least.max(1) { Err(self.damaged()) } else { Ok(count) }
    }

    pub(crate) fn bytes(&mut self, len: usize) -> Result<&'a [u8], Damaged> {
        let (bytes, rest) = self.rest.split_at_checked(len).ok_or(self.damaged())?;
        self.rest = rest;
        Ok(bytes)
    }

    pub(crate) fn end(self) -> Result<(), Damaged> {
        if self.rest.is_empty() { Ok(()) } else { Err(Damaged(self.what)) }
    }
}

thread_local! {
    static DECOMPRESSOR: RefCell<Option<zstd::bulk::Decompressor<'static>>> = const { RefCell::new(None) };
}

/// A zstd frame with a checksum.
pub(crate) fn compress(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut compressor = zstd::bulk::Compressor::new(LEVEL)?;
    compressor.include_checksum(true)?;
    compressor.include_contentsize(true)?;
    compressor.compress(bytes)
}

/// Undoes [`compress`] into `out`, which is cleared first.
pub(crate) fn decompress(frame: &[u8], out: &mut Vec<u8>, what: &'static str) -> Result<(), Damaged> {
    out.clear();
    let size = zstd::zstd_safe::get_frame_content_size(frame).ok().flatten().ok_or(Damaged(what))?;
    let size = usize::try_from(size).ok().filter(|size| *size <= MAX_BLOB).ok_or(Damaged(what))?;
    // zstd repeats at most 128 KiB from a block of a few bytes; a frame that promises more is a lie.
    if size / (128 << 10) > frame.len() {
        return Err(Damaged(what));
    }
    out.reserve(size);
    DECOMPRESSOR.with_borrow_mut(|slot| {
        let decompressor = match slot {
            Some(decompressor) => decompressor,
            None => slot.insert(zstd::bulk::Decompressor::new().map_err(|_| Damaged(what))?),
        };
        decompressor.decompress_to_buffer(frame, out).map_err(|_| Damaged(what))?;
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back() {
        let numbers = [0, 1, -1, 63, -64, 64, i64::from(u32::MAX), i64::MAX, i64::MIN];
        let mut out = Vec::new();
        for number in numbers {
            put_signed(&mut out, number);
            put(&mut out, number as u64);
        }
        let mut reader = Reader::new(&out, "test");
        for number in numbers {
            assert_eq!(reader.signed(), Ok(number));
            assert_eq!(reader.number(), Ok(number as u64));
        }
        assert_eq!(reader.number(), Err(Damaged("test")));
        assert_eq!(reader.end(), Ok(()));
    }

    #[test]
    fn blobs_come_back_and_damage_is_seen() {
        let bytes: Vec<u8> = (0..10_000_u32).map(|at| (at % 251) as u8).collect();
        let mut frame = compress(&bytes).unwrap();
        let mut out = Vec::new();
        assert_eq!(decompress(&frame, &mut out, "blob"), Ok(()));
        assert_eq!(out, bytes);
        let last = frame.len() - 1;
        frame[last] ^= 1;
        assert_eq!(decompress(&frame, &mut out, "blob"), Err(Damaged("blob")));
        assert_eq!(decompress(&[], &mut out, "blob"), Err(Damaged("blob")));
        assert_eq!(decompress(&frame[..20], &mut out, "blob"), Err(Damaged("blob")));
    }
}
