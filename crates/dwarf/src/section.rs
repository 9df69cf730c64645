//! The bytes of one section, wherever they are: in the file, or unpacked beside it.

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io::{self, Read, Seek as _, Write as _};
use std::sync::Arc;

use elf::{Elf, ReadAt, Section as Header};

/// `SHF_COMPRESSED`.
const COMPRESSED: u64 = 1 << 11;
/// `ELFCOMPRESS_ZLIB` and `ELFCOMPRESS_ZSTD`.
const ZLIB: u32 = 1;
const ZSTD: u32 = 2;
/// The length of a compression header: `Elf64_Chdr` or `Elf32_Chdr`.
const HEADER: [u64; 2] = [12, 24];
/// The sections of one file take no more unpacked, whatever they claim.
const MOST_UNPACKED: u64 = 1 << 30;
/// A frame of Zstandard refers back so far, as a power of two: so much memory it takes to unpack.
const LONGEST_WINDOW: u32 = 23;

/// Makes the files into which the sections of one file are unpacked.
pub(crate) struct Scratch<'s> {
    make: &'s dyn Fn() -> io::Result<File>,
    /// How many bytes may still be unpacked.
    room: Cell<u64>,
}

impl<'s> Scratch<'s> {
    pub(crate) fn new(make: &'s dyn Fn() -> io::Result<File>) -> Self {
        Self { make, room: Cell::new(MOST_UNPACKED) }
    }
}

/// The bytes of a section.
#[derive(Debug)]
pub(crate) struct Section<R> {
    bytes: Bytes<R>,
    pub(crate) size: u64,
    /// Where few bytes were read last, and what is there: they stand in tables, or one after the other, and are asked for in order.
    near: RefCell<(u64, Vec<u8>)>,
    /// The system refused to read something.
    failed: Cell<bool>,
}

/// How many bytes are read where few are asked for.
const NEAR: usize = 4 << 10;

#[derive(Debug)]
enum Bytes<R> {
    Absent,
    InFile { reader: R, offset: u64 },
    Unpacked { file: Arc<File>, offset: u64 },
}

impl<R: ReadAt + Clone> Section<R> {
    /// The section of a name; an empty one where the file has none. A compressed one is unpacked into a file that `scratch` makes.
    pub(crate) fn of(elf: &Elf<R>, name: &str, scratch: &Scratch<'_>) -> io::Result<Self> {
        let Some(header) = elf.section(name).filter(|header| header.has_bytes()) else {
            return Ok(Self::new(Bytes::Absent, 0));
        };
        let (reader, offset) = (elf.reader().clone(), header.offset.0);
        if header.flags & COMPRESSED == 0 {
            let there = reader.size()?.saturating_sub(offset);
            return Ok(Self::new(Bytes::InFile { reader, offset }, header.size.min(there)));
        }
        let mut file = (scratch.make)()?;
        let size = unpack(elf, header, &mut file, &scratch.room)?;
        Ok(Self::new(Bytes::Unpacked { file: Arc::new(file), offset: 0 }, size))
    }

    /// So many bytes from an offset on, as far as they are there.
    pub(crate) fn part(&self, offset: u64, size: u64) -> Self {
        let from = offset.min(self.size);
        let bytes = match &self.bytes {
            Bytes::Absent => Bytes::Absent,
            Bytes::InFile { reader, offset } => {
                Bytes::InFile { reader: reader.clone(), offset: offset.saturating_add(from) }
            }
            Bytes::Unpacked { file, offset } => {
                Bytes::Unpacked { file: Arc::clone(file), offset: offset.saturating_add(from) }
            }
        };
        Self::new(bytes, size.min(self.size - from))
    }

    fn new(bytes: Bytes<R>, size: u64) -> Self {
        Self { bytes, size, near: RefCell::default(), failed: Cell::default() }
    }

    /// The bytes at an offset: as many as asked for, or as the section has.
    pub(crate) fn read(&self, offset: u64, most: usize) -> Vec<u8> {
        let length = most.min(usize::try_from(self.size.saturating_sub(offset)).unwrap_or(usize::MAX));
        let mut bytes = vec![0; length];
        let read = match &self.bytes {
            Bytes::Absent => Ok(0),
            Bytes::InFile { reader, offset: start } => reader.read_at(start.saturating_add(offset), &mut bytes),
            Bytes::Unpacked { file, offset: start } => file.read_at(start.saturating_add(offset), &mut bytes),
        };
        if read.is_err() {
            self.failed.set(true);
        }
        bytes.truncate(read.unwrap_or(0));
        bytes
    }

    /// True once the system refused to read something: that may be there the next time.
    pub(crate) fn has_failed(&self) -> bool {
        self.failed.get()
    }

    /// The bytes up to the next NUL.
    pub(crate) fn string(&self, offset: u64) -> Option<Vec<u8>> {
        if offset >= self.size {
            return None;
        }
        match &self.bytes {
            Bytes::Absent => None,
            Bytes::InFile { reader, offset: start } => {
                elf::read::string(reader, start.checked_add(offset)?, LONGEST_STRING)
            }
            Bytes::Unpacked { file, offset: start } => {
                elf::read::string(file, start.checked_add(offset)?, LONGEST_STRING)
            }
        }
    }

    /// The same for few bytes, which may have been read with those before them.
    pub(crate) fn read_near(&self, offset: u64, most: usize) -> Vec<u8> {
        if most > NEAR / 2 {
            return self.read(offset, most);
        }
        self.near(offset, most, <[u8]>::to_vec)
    }

    /// A little-endian number of at most eight bytes.
    pub(crate) fn number(&self, offset: u64, size: usize) -> Option<u64> {
        let mut number = [0; 8];
        let into = number.get_mut(..size)?;
        let whole = self.near(offset, size, |bytes| {
            let whole = bytes.len() == into.len();
            whole.then(|| into.copy_from_slice(bytes)).is_some()
        });
        whole.then_some(u64::from_le_bytes(number))
    }

    /// Gives bytes to `with`, as many as asked for or as the section has. There is a read only where the last one does not have them.
    fn near<T>(&self, offset: u64, most: usize, with: impl FnOnce(&[u8]) -> T) -> T {
        let mut near = self.near.borrow_mut();
        let end = offset.saturating_add(most as u64).min(self.size);
        if offset < near.0 || end > near.0 + near.1.len() as u64 {
            *near = (offset, self.read(offset, NEAR));
        }
        let from = usize::try_from(offset - near.0).unwrap_or(usize::MAX);
        let bytes = near.1.get(from..).unwrap_or_default();
        with(&bytes[..bytes.len().min(most)])
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.size == 0
    }
}

/// A name or a path is not longer than this.
const LONGEST_STRING: usize = 64 << 10;

fn unpack<R: ReadAt>(elf: &Elf<R>, section: &Header, into: &mut File, room: &Cell<u64>) -> io::Result<u64> {
    let invalid = |what| io::Error::new(io::ErrorKind::InvalidData, what);
    let header_size = HEADER[usize::from(elf.is_64_bit())];
    let mut header = [0; 16];
    if elf.reader().read_at(section.offset.0, &mut header)? < header.len() || section.size < header_size {
        return Err(invalid("a compressed section is cut short"));
    }
    let [kind, narrow, low, high] =
        [0, 4, 8, 12].map(|at| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]));
    let claimed = if elf.is_64_bit() { u64::from(high) << 32 | u64::from(low) } else { u64::from(narrow) };
    let left = room.get().checked_sub(claimed).ok_or_else(|| invalid("the sections are too large unpacked"))?;
    room.set(left);
    let start = section.offset.0.saturating_add(header_size);
    let packed = io::BufReader::with_capacity(
        64 << 10,
        Stream { reader: elf.reader(), at: start, end: start + (section.size - header_size) },
    );
    let mut plain: Box<dyn Read> = match kind {
        ZLIB => Box::new(flate2::bufread::ZlibDecoder::new(packed)),
        ZSTD => {
            let mut decoder = zstd::Decoder::with_buffer(packed)?;
            decoder.window_log_max(LONGEST_WINDOW)?;
            Box::new(decoder)
        }
        _ => return Err(invalid("a section is compressed in an unknown way")),
    };
    let size = io::copy(&mut (&mut *plain).take(claimed), into)?;
    if size < claimed {
        return Err(invalid("a compressed section is shorter than it says"));
    }
    into.flush()?;
    into.rewind()?;
    Ok(size)
}

/// A part of a file, read from its start to its end.
struct Stream<'a, R> {
    reader: &'a R,
    at: u64,
    end: u64,
}

impl<R: ReadAt> Read for Stream<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let most = into.len().min(usize::try_from(self.end - self.at).unwrap_or(usize::MAX));
        let count = self.reader.read_at(self.at, &mut into[..most])?;
        self.at += count as u64;
        Ok(count)
    }
}
