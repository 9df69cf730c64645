//! From the first bytes of a file to its segments and sections.

use crate::address::{FileOffset, Svma};
use crate::file::{Elf, ParseError, Problem, Section, Segment};
use crate::format::{CLASS_32, CLASS_64, Class, LITTLE_ENDIAN, MAGIC, PN_XNUM, SHN_XINDEX, u16_at, u32_at};
use crate::read::{ReadAt, WINDOW, Window};

/// No more sections or segments than this are kept. A file with holes can claim any number of them for nothing.
const MOST_HEADERS: u64 = 1 << 16;

impl<R: ReadAt> Elf<R> {
    /// Reads the headers. What could not be read is left out and listed.
    pub fn parse(reader: R) -> Result<(Self, Vec<Problem>), ParseError> {
        let mut header = [0; 64];
        let length = reader.read_at(0, &mut header).map_err(ParseError::Read)?;
        let size = reader.size().map_err(ParseError::Read)?;
        if length < 52 || header[..4] != MAGIC {
            return Err(ParseError::NotElf);
        }
        let class = match (header[4], header[5]) {
            (CLASS_32, LITTLE_ENDIAN) => Class { wide: false },
            (CLASS_64, LITTLE_ENDIAN) if length == 64 => Class { wide: true },
            _ => return Err(ParseError::Unsupported),
        };
        let (machine, entry) = (u16_at(&header, 18), Svma(class.address(&header, 24, 24)));
        let mut elf = Self { reader, class, size, machine, entry, segments: Vec::new(), sections: Vec::new() };
        let mut problems = Vec::new();
        let counts = elf.read_sections(&header, &mut problems);
        elf.read_segments(&header, counts, &mut problems);
        Ok((elf, problems))
    }

    /// Reads the section headers and returns the `sh_info` of section 0, where a large number of segments stands.
    fn read_sections(&mut self, header: &[u8], problems: &mut Vec<Problem>) -> u32 {
        let class = self.class;
        let table = class.address(header, 32, 40);
        let fields = if class.wide { 58 } else { 46 };
        let (record_size, mut count, mut names) = (
            u64::from(u16_at(header, fields)),
            u64::from(u16_at(header, fields + 2)),
            u32::from(u16_at(header, fields + 4)),
        );
        if table == 0 {
            return 0;
        }
        let what = "the section table";
        if record_size < class.section_size() {
            problems.push(Problem::RecordSize { what, size: record_size });
            return 0;
        }
        let mut window = Window::new(&self.reader, WINDOW);
        let first = window.bytes(table, record_size as usize).to_vec();
        if (first.len() as u64) < record_size {
            problems.push(Problem::Truncated { what, offset: table, size: record_size });
            return 0;
        }
        let first = section(class, &first);
        if count == 0 {
            count = first.section.size;
        }
        if names == u32::from(SHN_XINDEX) {
            names = first.section.link;
        }

        let kept = self.fitting(what, table, count, record_size, problems);
        let mut parsed: Vec<RawSection> = Vec::with_capacity(kept);
        for index in 0..kept as u64 {
            let record = window.bytes(table + index * record_size, record_size as usize);
            if (record.len() as u64) < record_size {
                problems.push(Problem::Truncated { what, offset: table, size: count.saturating_mul(record_size) });
                break;
            }
            parsed.push(section(class, record));
        }
        let strings = parsed.get(names as usize).map(|strings| (strings.section.offset.0, strings.section.size));
        self.sections = parsed
            .into_iter()
            .map(|RawSection { mut section, name, .. }| {
                if let Some((offset, size)) = strings
                    && u64::from(name) < size
                    && let Some(bytes) = window.string(offset.saturating_add(u64::from(name)))
                {
                    section.name = String::from_utf8_lossy(&bytes[..bytes.len().min(256)]).into();
                }
                section
            })
            .collect();
        if strings.is_none() && !self.sections.is_empty() {
            problems.push(Problem::Malformed { what, reason: "there is no section of names" });
        }
        first.info
    }

    fn read_segments(&mut self, header: &[u8], large_count: u32, problems: &mut Vec<Problem>) {
        let class = self.class;
        let table = class.address(header, 28, 32);
        let fields = if class.wide { 54 } else { 42 };
        let (record_size, count) = (u64::from(u16_at(header, fields)), u16_at(header, fields + 2));
        if table == 0 || count == 0 {
            return;
        }
        let what = "the segment table";
        if record_size < class.segment_size() {
            problems.push(Problem::RecordSize { what, size: record_size });
            return;
        }
        let count = if count == PN_XNUM { u64::from(large_count) } else { u64::from(count) };
        let kept = self.fitting(what, table, count, record_size, problems);
        let mut window = Window::new(&self.reader, WINDOW);
        self.segments.reserve_exact(kept);
        for index in 0..kept as u64 {
            let record = window.bytes(table + index * record_size, record_size as usize);
            if (record.len() as u64) < record_size {
                problems.push(Problem::Truncated { what, offset: table, size: count * record_size });
                return;
            }
            self.segments.push(Segment {
                kind: u32_at(record, 0),
                flags: u32_at(record, if class.wide { 4 } else { 24 }),
                offset: FileOffset(class.address(record, 4, 8)),
                address: Svma(class.address(record, 8, 16)),
                file_size: class.address(record, 16, 32),
                memory_size: class.address(record, 20, 40),
            });
        }
    }

    /// How many of the records the file can hold.
    fn fitting(
        &self,
        what: &'static str,
        table: u64,
        count: u64,
        record_size: u64,
        problems: &mut Vec<Problem>,
    ) -> usize {
        let room = self.size.saturating_sub(table) / record_size;
        if room < count {
            problems.push(Problem::Truncated { what, offset: table, size: count.saturating_mul(record_size) });
        }
        let there = room.min(count);
        if there > MOST_HEADERS {
            problems.push(Problem::TooMany { what, count: there, kept: MOST_HEADERS });
        }
        usize::try_from(there.min(MOST_HEADERS)).unwrap_or(0)
    }
}

struct RawSection {
    section: Section,
    name: u32,
    info: u32,
}

fn section(class: Class, record: &[u8]) -> RawSection {
    RawSection {
        name: u32_at(record, 0),
        info: u32_at(record, if class.wide { 44 } else { 28 }),
        section: Section {
            name: "".into(),
            kind: u32_at(record, 4),
            flags: class.address(record, 8, 8),
            address: Svma(class.address(record, 12, 16)),
            offset: FileOffset(class.address(record, 16, 24)),
            size: class.address(record, 20, 32),
            link: u32_at(record, if class.wide { 40 } else { 24 }),
            record_size: class.address(record, 36, 56),
        },
    }
}
