//! One unit: how the values of its attributes are understood, and what its first entry says.

use std::cell::{Cell, OnceCell};
use std::rc::Rc;

use elf::ReadAt;
use gimli::{
    Abbreviations, Attribute, AttributeValue, DwAt, DwoId, EndianSlice, EntriesRaw, LittleEndian, UnitOffset,
    constants as dw,
};

use crate::head::{Head, Kind};
use crate::ranges::{self, Form, Range};
use crate::source::Source;

pub(crate) type Slice<'a> = EndianSlice<'a, LittleEndian>;
pub(crate) type Value<'a> = AttributeValue<Slice<'a>>;

/// Where the parts of tables start that belong to a unit.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Bases {
    addresses: u64,
    string_offsets: u64,
    range_lists: u64,
    /// Of `.debug_ranges`, for units of split DWARF 4.
    ranges: u64,
    low_pc: u64,
}

/// A unit whose values can be understood.
#[derive(Debug)]
pub(crate) struct Unit<'f, R> {
    pub(crate) source: &'f Source<R>,
    /// The file whose addresses and ranges it uses: not its own, if it is split.
    main: &'f Source<R>,
    /// What `dwz` took out of the file.
    pub(crate) alternate: Option<&'f Source<R>>,
    pub(crate) head: Head,
    pub(crate) abbreviations: Rc<Abbreviations>,
    bases: Bases,
    /// How many bytes of lists of ranges may still be read.
    room: Cell<usize>,
    /// The bytes of all its entries, once they were asked for.
    entries: OnceCell<Vec<u8>>,
}

/// What the first entry of a unit says.
#[derive(Debug, Default)]
pub(crate) struct Root {
    pub(crate) ranges: Vec<Range>,
    /// Where its lines are in `.debug_line`.
    pub(crate) lines: Option<u64>,
    /// The folder that it was compiled in.
    pub(crate) folder: Option<Vec<u8>>,
    /// The file that has the rest, and the number of the unit there.
    pub(crate) split: Option<(Vec<u8>, u64)>,
}

/// The bytes that are read for one entry at first, and at most.
const ENTRY: [usize; 2] = [512, 1 << 20];
/// Of a longer unit only the lines are read: it has to be in memory as a whole.
const LONGEST: u64 = 16 << 20;
/// An entry with more attributes makes no sense: attributes may take no bytes.
pub(crate) const MOST_ATTRIBUTES: usize = 512;
/// The lists of ranges of one unit take no more bytes than this.
const MOST_RANGES: usize = 16 << 20;

impl<'f, R: ReadAt + Clone> Unit<'f, R> {
    /// Opens a unit of a file.
    pub(crate) fn open(source: &'f Source<R>, alternate: Option<&'f Source<R>>, head: Head) -> Option<(Self, Root)> {
        let abbreviations = source.tables.get(&source.sections.abbreviations, head.abbreviations)?;
        // Where a unit does not say where its part of a table starts, that is behind the table's header.
        let header = if head.encoding.version >= 5 { 2 * head.word() as u64 } else { 0 };
        let bases = Bases { addresses: header, string_offsets: header, ..Bases::default() };
        let room = Cell::new(MOST_RANGES);
        let mut unit =
            Self { source, main: source, alternate, head, abbreviations, bases, room, entries: OnceCell::new() };
        let root = unit.read_root()?;
        Some((unit, root))
    }

    /// Opens the unit of split DWARF that belongs to this one. One of DWARF 4 has its number, which must be `id`, among its
    /// attributes.
    pub(crate) fn open_split(&self, source: &'f Source<R>, head: Head, id: Option<u64>) -> Option<Self> {
        let abbreviations = source.tables.get(&source.sections.abbreviations, head.abbreviations)?;
        let header = if head.encoding.version >= 5 { 2 * head.word() as u64 } else { 0 };
        let range_lists = if head.encoding.version >= 5 { header + 4 } else { 0 };
        let bases = Bases { string_offsets: header, range_lists, ..self.bases };
        let (main, alternate, room) = (self.main, self.alternate, Cell::new(MOST_RANGES));
        let mut unit = Self { source, main, alternate, head, abbreviations, bases, room, entries: OnceCell::new() };
        let (bases, its) = unit.entry(head.size, |_, attributes| {
            (unit.with_bases(attributes), value_of(attributes, dw::DW_AT_GNU_dwo_id).and_then(|value| dwo_id(&value)))
        })?;
        unit.bases = bases;
        (id.is_none() || its == id).then_some(unit)
    }

    /// The bytes of all entries; none of a unit that is too long.
    pub(crate) fn entries(&self) -> &[u8] {
        self.entries.get_or_init(|| {
            if self.head.length > LONGEST {
                return Vec::new();
            }
            let length = usize::try_from(self.head.length - self.head.size).unwrap_or(0);
            self.source.sections.info.read(self.head.offset + self.head.size, length)
        })
    }

    /// The bytes from an offset of the unit on.
    fn bytes_at(&self, offset: u64, most: usize) -> Vec<u8> {
        let from = offset.checked_sub(self.head.size).and_then(|at| usize::try_from(at).ok());
        let there = from.zip(self.entries.get()).and_then(|(from, entries)| entries.get(from..));
        match there {
            Some(bytes) if !bytes.is_empty() => bytes[..bytes.len().min(most)].to_vec(),
            _ => self.source.sections.info.read_near(self.head.offset + offset, most),
        }
    }

    /// Gives the attributes of the entry at an offset of the unit to `with`.
    pub(crate) fn entry<T>(&self, offset: u64, with: impl Fn(gimli::DwTag, &[Attribute<Slice<'_>>]) -> T) -> Option<T> {
        let room = self.head.length.checked_sub(offset)?;
        let mut size = ENTRY[0];
        loop {
            let most = size.min(usize::try_from(room).unwrap_or(usize::MAX));
            let bytes = self.bytes_at(offset, most);
            let slice = Slice::new(&bytes, LittleEndian);
            let mut entries = EntriesRaw::new(slice, self.head.encoding, &self.abbreviations, UnitOffset(0));
            let mut attributes = Vec::new();
            let read = entries.read_abbreviation().and_then(|abbreviation| {
                let Some(abbreviation) = abbreviation.filter(|its| its.attributes().len() <= MOST_ATTRIBUTES) else {
                    return Ok(None);
                };
                entries.read_attributes(abbreviation.attributes(), &mut attributes)?;
                Ok(Some(abbreviation.tag()))
            });
            match read {
                Ok(tag) => return Some(with(tag?, &attributes)),
                Err(gimli::Error::UnexpectedEof(_)) if bytes.len() == size && size < ENTRY[1] => size *= 8,
                Err(_) => return None,
            }
        }
    }

    fn read_root(&mut self) -> Option<Root> {
        // Other attributes are understood only with the bases, and ranges only with the lowest address.
        self.bases = self.entry(self.head.size, |_, attributes| self.with_bases(attributes))?;
        let low_pc = |value: Value<'_>| self.address(&value);
        let low_pc =
            self.entry(self.head.size, |_, attributes| value_of(attributes, dw::DW_AT_low_pc).and_then(low_pc))?;
        self.bases.low_pc = low_pc.unwrap_or(0);
        self.entry(self.head.size, |_, attributes| {
            let value = |name| value_of(attributes, name);
            let text = |name| value(name).and_then(|value| self.string(&value));
            let id = match self.head.kind {
                Kind::Skeleton(id) => Some(id),
                _ => value(dw::DW_AT_GNU_dwo_id).and_then(|value| dwo_id(&value)),
            };
            Root {
                ranges: self.ranges_of(attributes),
                lines: value(dw::DW_AT_stmt_list).and_then(|value| offset_of(&value)),
                folder: text(dw::DW_AT_comp_dir),
                split: text(dw::DW_AT_dwo_name).or_else(|| text(dw::DW_AT_GNU_dwo_name)).zip(id),
            }
        })
    }

    fn with_bases(&self, attributes: &[Attribute<Slice<'_>>]) -> Bases {
        let mut bases = self.bases;
        for attribute in attributes {
            let field = match attribute.name() {
                dw::DW_AT_addr_base | dw::DW_AT_GNU_addr_base => &mut bases.addresses,
                dw::DW_AT_str_offsets_base => &mut bases.string_offsets,
                dw::DW_AT_rnglists_base => &mut bases.range_lists,
                dw::DW_AT_GNU_ranges_base => &mut bases.ranges,
                _ => continue,
            };
            *field = offset_of(&attribute.value()).unwrap_or(*field);
        }
        bases
    }

    /// The text of a value.
    pub(crate) fn string(&self, value: &Value<'_>) -> Option<Vec<u8>> {
        let sections = &self.source.sections;
        match value {
            AttributeValue::String(text) => Some(text.slice().to_vec()),
            AttributeValue::DebugStrRef(offset) => sections.strings.string(offset.0 as u64),
            AttributeValue::DebugLineStrRef(offset) => sections.line_strings.string(offset.0 as u64),
            AttributeValue::DebugStrOffsetsIndex(index) => {
                let word = self.head.word();
                let at = self.bases.string_offsets.checked_add((index.0 as u64).checked_mul(word as u64)?)?;
                sections.strings.string(sections.string_offsets.number(at, word)?)
            }
            AttributeValue::DebugStrRefSup(offset) => self.alternate?.sections.strings.string(offset.0 as u64),
            _ => None,
        }
    }

    fn address(&self, value: &Value<'_>) -> Option<u64> {
        match value {
            AttributeValue::Addr(address) => Some(*address),
            AttributeValue::DebugAddrIndex(index) => self.address_at(index.0 as u64),
            _ => None,
        }
    }

    fn address_at(&self, index: u64) -> Option<u64> {
        let size = self.head.encoding.address_size;
        let at = self.bases.addresses.checked_add(index.checked_mul(u64::from(size))?)?;
        self.main.sections.addresses.number(at, usize::from(size))
    }

    /// Where the code of an entry is.
    pub(crate) fn ranges_of(&self, attributes: &[Attribute<Slice<'_>>]) -> Vec<Range> {
        let value = |name| value_of(attributes, name);
        if let Some(value) = value(dw::DW_AT_ranges) {
            return self.range_list(&value).unwrap_or_default();
        }
        let start = value(dw::DW_AT_low_pc).and_then(|value| self.address(&value));
        let end = value(dw::DW_AT_high_pc).zip(start).and_then(|(value, start)| match value {
            AttributeValue::Udata(length) => start.checked_add(length),
            value => self.address(&value),
        });
        start.zip(end).filter(|(start, end)| start < end).map(|(start, end)| Range { start, end }).into_iter().collect()
    }

    fn range_list(&self, value: &Value<'_>) -> Option<Vec<Range>> {
        let form =
            (if self.head.encoding.version >= 5 { Form::Tagged } else { Form::Pairs }, self.head.encoding.address_size);
        // A split unit of DWARF 5 has lists of its own, one of DWARF 4 uses those of the main file.
        let (section, offset) = match value {
            AttributeValue::DebugRngListsIndex(index) => {
                let (word, section) = (self.head.word(), &self.source.sections.range_lists);
                let at = self.bases.range_lists.checked_add((index.0 as u64).checked_mul(word as u64)?)?;
                (section, self.bases.range_lists.checked_add(section.number(at, word)?)?)
            }
            AttributeValue::RangeListsRef(offset) if form.0 == Form::Tagged => {
                (&self.source.sections.range_lists, offset.0 as u64)
            }
            AttributeValue::RangeListsRef(offset) => {
                let base = if std::ptr::eq(self.source, self.main) { 0 } else { self.bases.ranges };
                (&self.main.sections.ranges, base.checked_add(offset.0 as u64)?)
            }
            _ => return None,
        };
        Some(ranges::read(section, offset, form, (self.bases.low_pc, &self.room), &|index| self.address_at(index)))
    }
}

/// The value of an attribute, if the entry has it.
pub(crate) fn value_of<'a>(attributes: &[Attribute<Slice<'a>>], name: DwAt) -> Option<Value<'a>> {
    attributes.iter().find(|attribute| attribute.name() == name).map(Attribute::value)
}

fn dwo_id(value: &Value<'_>) -> Option<u64> {
    match value {
        AttributeValue::DwoId(DwoId(id)) => Some(*id),
        _ => None,
    }
}

/// A place in a section.
fn offset_of(value: &Value<'_>) -> Option<u64> {
    Some(match value {
        AttributeValue::SecOffset(offset) => *offset,
        AttributeValue::DebugAddrBase(base) => base.0,
        AttributeValue::DebugStrOffsetsBase(base) => base.0,
        AttributeValue::DebugRngListsBase(base) => base.0,
        AttributeValue::DebugLineRef(offset) => offset.0,
        AttributeValue::RangeListsRef(offset) => offset.0,
        _ => return None,
    } as u64)
}
