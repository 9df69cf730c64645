//! MiniDebugInfo: a small ELF file with names, packed by xz into the section `.gnu_debugdata` of a stripped program.
//!
//! Distributions leave out of it what the program's `.dynsym` has
//! (<https://sourceware.org/gdb/current/onlinedocs/gdb.html/MiniDebugInfo.html>). Both are joined here, so that what comes out
//! has one table with all names.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};

use elf::{Binding, Elf, Function, ReadAt, SymbolTable};
use lzma_rust2::XzReader;

/// No more is unpacked of one file. Names of the largest programs take some ten megabytes.
const LARGEST_UNPACKED: u64 = 64 << 20;
/// No more is unpacked from.
const LARGEST_PACKED: u64 = 16 << 20;
/// What unpacking may take, in KiB: a dictionary of 16 MiB, twice that of `xz -6`, and a buffer.
const MEMORY: u32 = (16 << 10) + 1024;
/// A program's own table is not joined when it has more symbols or more bytes of names than this.
const MOST_SYMBOLS: u64 = 1 << 20;
const MOST_NAMES: u64 = 64 << 20;

/// True for a file that has names of this kind.
pub fn is_in<R: ReadAt>(elf: &Elf<R>) -> bool {
    elf.section(".gnu_debugdata").is_some_and(|section| section.has_bytes() && section.size > 0)
}

/// Unpacks these names into a file that `scratch` makes, as an ELF file with nothing but a table of symbols; nothing where
/// `elf` has none of the kind.
///
/// # Errors
/// What is wrong with the packed bytes, that they are too many, or that a scratch file cannot be made or written.
pub fn unpack<R: ReadAt>(elf: &Elf<R>, scratch: impl Fn() -> io::Result<File>) -> io::Result<Option<File>> {
    let Some(section) = elf.section(".gnu_debugdata").filter(|section| section.has_bytes()) else { return Ok(None) };
    if section.size > LARGEST_PACKED {
        return Err(invalid("the packed names are too many"));
    }
    let start = section.offset.0;
    let packed = Part { reader: elf.reader(), at: start, end: start.saturating_add(section.size) };
    let names = XzReader::new_mem_limit(BufReader::with_capacity(64 << 10, packed), true, MEMORY);
    let mut unpacked = scratch()?;
    if io::copy(&mut names.take(LARGEST_UNPACKED + 1), &mut unpacked)? > LARGEST_UNPACKED {
        return Err(invalid("the unpacked names are too many"));
    }
    let Ok((names, _)) = Elf::parse(&unpacked) else { return Err(invalid("what was unpacked is no ELF file")) };
    let Some(table) = names.function_table().0.filter(|table| table.complete) else {
        return Err(invalid("what was unpacked has no table of symbols"));
    };
    let own = elf.function_table().0;
    let own = own.filter(|own| !own.complete && own.count <= MOST_SYMBOLS && own.strings.size <= MOST_NAMES);
    let mut joined = scratch()?;
    join((&names, &table), own.as_ref().map(|own| (elf, own)), &mut joined)?;
    Ok(Some(joined))
}

/// Writes a file with the functions of both tables.
fn join<A: ReadAt, B: ReadAt>(
    (names, table): (&Elf<A>, &SymbolTable),
    own: Option<(&Elf<B>, &SymbolTable)>,
    into: &mut File,
) -> io::Result<()> {
    let mut out = Out { file: BufWriter::with_capacity(64 << 10, into), written: 0, failed: None };
    // The header comes last, when it is known what it says.
    out.bytes(&[0; FILE_HEADER]);
    out.bytes(&[0; SYMBOL]);
    names.for_each_function(table, |function| out.symbol(&function, 0));
    if let Some((elf, own)) = own {
        let behind = u32::try_from(table.strings.size).unwrap_or(u32::MAX);
        elf.for_each_function(own, |function| out.symbol(&function, behind));
    }
    let strings = out.written;
    out.copy(names.reader(), table.strings.offset.0, table.strings.size);
    if let Some((elf, own)) = own {
        out.copy(elf.reader(), own.strings.offset.0, own.strings.size);
    }
    let section_names = out.written;
    out.bytes(SECTION_NAMES);
    let sections = out.written;
    let symbols = FILE_HEADER as u64;
    out.section([0; 4], [0; 4]);
    // What symbols without a type refer to: they count as code only there.
    out.section([1, NO_BYTES, 0, 0], [LOADED_CODE, 0, 0, 0]);
    out.section([7, SYMBOLS, 3, SYMBOL as u32], [0, symbols, strings - symbols, 0]);
    out.section([15, STRINGS, 0, 0], [0, strings, section_names - strings, 0]);
    out.section([23, STRINGS, 0, 0], [0, section_names, sections - section_names, 0]);
    let file = out.finish()?;
    std::os::unix::fs::FileExt::write_all_at(file, &file_header(names.machine(), sections), 0)
}

const FILE_HEADER: usize = 64;
const SYMBOL: usize = 24;
const SECTION_NAMES: &[u8] = b"\0.text\0.symtab\0.strtab\0.shstrtab\0";
/// `SHT_SYMTAB`, `SHT_STRTAB`, `SHT_NOBITS`, and `SHF_ALLOC | SHF_EXECINSTR`.
const SYMBOLS: u32 = 2;
const STRINGS: u32 = 3;
const NO_BYTES: u32 = 8;
const LOADED_CODE: u64 = 2 | 4;

/// The header of a 64-bit file with five sections, the last of which has their names.
fn file_header(machine: u16, sections: u64) -> [u8; FILE_HEADER] {
    let mut header = [0; FILE_HEADER];
    header[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
    for (at, value) in [(16, 3), (18, machine), (20, 1), (52, 64), (58, 64), (60, 5), (62, 4)] {
        header[at..at + 2].copy_from_slice(&u16::to_le_bytes(value));
    }
    header[40..48].copy_from_slice(&sections.to_le_bytes());
    header
}

/// A file that is written from its start to its end; what fails is told in the end.
struct Out<'f> {
    file: BufWriter<&'f mut File>,
    written: u64,
    failed: Option<io::Error>,
}

impl<'f> Out<'f> {
    fn bytes(&mut self, bytes: &[u8]) {
        if self.failed.is_none() {
            self.failed = self.file.write_all(bytes).err();
        }
        self.written += bytes.len() as u64;
    }

    /// A symbol whose name is `behind` bytes further on than its table says.
    fn symbol(&mut self, function: &Function, behind: u32) {
        let Some(name) = function.name.checked_add(behind) else { return };
        let binding = match function.binding {
            Binding::Local => 0,
            Binding::Global => 1,
            Binding::Weak => 2,
        };
        self.bytes(&name.to_le_bytes());
        self.bytes(&[(binding << 4) | (u8::from(function.typed) * 2), 0, 1, 0]);
        self.bytes(&function.address.0.to_le_bytes());
        self.bytes(&function.size.to_le_bytes());
    }

    /// Exactly so many bytes of another file, with zeros for those that are not there.
    fn copy(&mut self, reader: &impl ReadAt, start: u64, size: u64) {
        let mut piece = vec![0; 64 << 10];
        let mut done = 0;
        while done < size {
            let most = usize::try_from(size - done).unwrap_or(piece.len()).min(piece.len());
            let count = reader.read_at(start.saturating_add(done), &mut piece[..most]).unwrap_or(0);
            piece[count..most].fill(0);
            self.bytes(&piece[..most]);
            done += most as u64;
        }
    }

    /// Name, kind, section of strings and record size; flags, place, size and address.
    fn section(&mut self, [name, kind, link, record]: [u32; 4], [flags, offset, size, address]: [u64; 4]) {
        self.bytes(&name.to_le_bytes());
        self.bytes(&kind.to_le_bytes());
        for value in [flags, address, offset, size] {
            self.bytes(&value.to_le_bytes());
        }
        self.bytes(&link.to_le_bytes());
        self.bytes(&[0; 4]);
        self.bytes(&1_u64.to_le_bytes());
        self.bytes(&u64::from(record).to_le_bytes());
    }

    fn finish(self) -> io::Result<&'f mut File> {
        match self.failed {
            Some(error) => Err(error),
            None => self.file.into_inner().map_err(io::IntoInnerError::into_error),
        }
    }
}

/// A part of a file, read from its start to its end.
struct Part<R> {
    reader: R,
    at: u64,
    end: u64,
}

impl<R: ReadAt> Read for Part<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let most = into.len().min(usize::try_from(self.end.saturating_sub(self.at)).unwrap_or(usize::MAX));
        let count = self.reader.read_at(self.at, &mut into[..most])?;
        self.at += count as u64;
        Ok(count)
    }
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
