//! The functions of one unit, and what was inlined into them.

use std::collections::HashMap;

use elf::ReadAt;
use gimli::{Attribute, AttributeValue, DwTag, EntriesRaw, LittleEndian, UnitOffset, constants as dw};

use crate::flatten::NOTHING;
use crate::ranges::Range;
use crate::unit::{MOST_ATTRIBUTES, Slice, Unit, value_of};

/// A function, or a call that was inlined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    /// What it was inlined into.
    pub(crate) parent: u32,
    /// Where its entry is in the unit.
    pub(crate) entry: u64,
    /// Where it was called, by the unit's number of the file.
    pub(crate) file: u32,
    pub(crate) line: u32,
}

/// What the entries of a unit say about its code.
#[derive(Debug, Default)]
pub(crate) struct Functions {
    pub(crate) nodes: Vec<Node>,
    pub(crate) ranges: Vec<(Range, u32)>,
    pub(crate) scopes: Scopes,
}

/// The namespaces and types that functions stand in which have no mangled name.
#[derive(Debug, Default)]
pub(crate) struct Scopes {
    /// Each with the one around it.
    all: Vec<(u32, Vec<u8>)>,
    /// Which one the entry at an offset stands in.
    of: HashMap<u64, u32>,
    /// About how many bytes all this takes.
    bytes: usize,
}

/// What is kept of one unit: so many functions and ranges, and so many bytes for what they stand in. Entries after that are
/// not read.
const MOST_NODES: usize = 1 << 19;
const MOST_RANGES: usize = 1 << 19;
const MOST_SCOPE_BYTES: usize = 8 << 20;
/// A name is not longer with what it stands in; else it is shown alone.
const LONGEST_NAME: usize = 16 << 10;

impl Scopes {
    /// A name with what it stands in before it.
    pub(crate) fn qualified(&self, entry: u64, name: &[u8]) -> Vec<u8> {
        let mut parts = vec![name];
        let mut scope = self.of.get(&entry).copied().unwrap_or(NOTHING);
        let mut length = name.len();
        while let Some((outer, part)) = self.all.get(scope as usize) {
            length += part.len() + 2;
            if length > LONGEST_NAME {
                return name.to_vec();
            }
            parts.push(part);
            scope = *outer;
        }
        parts.reverse();
        parts.join(&b"::"[..])
    }
}

/// Entries lie in each other no deeper than this.
const DEEPEST: usize = 4096;

/// What holds for the entries within one.
#[derive(Clone, Copy)]
struct Around {
    node: u32,
    scope: u32,
}

impl Functions {
    /// Reads the entries of a unit, up to the first that makes no sense.
    pub(crate) fn read<R: ReadAt + Clone>(unit: &Unit<'_, R>, bytes: &[u8], code: Range) -> Self {
        let mut functions = Self::default();
        // What was read up to an error stays.
        let _ = functions.walk(unit, bytes, code);
        functions
    }

    fn walk<R: ReadAt + Clone>(&mut self, unit: &Unit<'_, R>, bytes: &[u8], code: Range) -> gimli::Result<()> {
        let entries_at = |offset: u64| {
            let from = usize::try_from(offset - unit.head.size).unwrap_or(usize::MAX);
            let slice = Slice::new(bytes.get(from..).unwrap_or_default(), LittleEndian);
            EntriesRaw::new(slice, unit.head.encoding, &unit.abbreviations, UnitOffset(offset as usize))
        };
        let mut entries = entries_at(unit.head.size);
        let mut attributes = Vec::new();
        let mut open = vec![Around { node: NOTHING, scope: NOTHING }];
        while let Some(&around) = open.last()
            && !entries.is_empty()
            && self.has_room()
        {
            let offset = entries.next_offset().0 as u64;
            let Some(abbreviation) = entries.read_abbreviation()? else {
                open.pop();
                continue;
            };
            if abbreviation.attributes().len() > MOST_ATTRIBUTES {
                return Ok(());
            }
            let has_children = abbreviation.has_children();
            let part = Part::of(abbreviation.tag());
            if !has_children && !matches!(part, Part::Function | Part::Inlined) || part == Part::Block {
                entries.skip_attributes(abbreviation.attributes())?;
            } else {
                entries.read_attributes(abbreviation.attributes(), &mut attributes)?;
            }
            let mut inside = around;
            let mut skip = false;
            match part {
                Part::Function | Part::Inlined => {
                    if part == Part::Function {
                        inside.node = NOTHING;
                    }
                    let ranges = unit.ranges_of(&attributes);
                    skip = ranges.is_empty();
                    self.function(offset, &attributes, ranges, code, &mut inside);
                    self.scope_of(offset, &attributes, around.scope);
                }
                Part::Scope if has_children => inside.scope = self.scope(unit, &attributes, around.scope),
                Part::Block | Part::Unit | Part::Scope => {}
                Part::Other => skip = true,
            }
            if !has_children {
                continue;
            }
            let sibling = value_of(&attributes, dw::DW_AT_sibling).filter(|_| skip);
            match sibling {
                Some(AttributeValue::UnitRef(UnitOffset(sibling))) if sibling > entries.next_offset().0 => {
                    entries = entries_at(sibling as u64);
                }
                _ if open.len() < DEEPEST => open.push(inside),
                _ => return Ok(()),
            }
        }
        Ok(())
    }

    fn has_room(&self) -> bool {
        let (nodes, ranges, scopes) = (self.nodes.len(), self.ranges.len(), self.scopes.bytes);
        nodes < MOST_NODES && ranges < MOST_RANGES && scopes < MOST_SCOPE_BYTES
    }

    /// Adds a function that has code.
    fn function(
        &mut self,
        entry: u64,
        attributes: &[Attribute<Slice<'_>>],
        ranges: Vec<Range>,
        code: Range,
        inside: &mut Around,
    ) {
        let there = |range: &Range| range.start >= code.start && range.end <= code.end;
        let mut ranges = ranges.into_iter().filter(there).peekable();
        if ranges.peek().is_none() {
            return;
        }
        let number = |name| match value_of(attributes, name) {
            Some(AttributeValue::Udata(number) | AttributeValue::FileIndex(number)) => {
                u32::try_from(number).unwrap_or(0)
            }
            _ => 0,
        };
        let node = self.nodes.len() as u32;
        let (file, line) = (number(dw::DW_AT_call_file), number(dw::DW_AT_call_line));
        self.nodes.push(Node { parent: inside.node, entry, file, line });
        self.ranges.extend(ranges.map(|range| (range, node)));
        inside.node = node;
    }

    /// Remembers what a function stands in if its name alone does not say it.
    fn scope_of(&mut self, entry: u64, attributes: &[Attribute<Slice<'_>>], scope: u32) {
        let has = |name| attributes.iter().any(|attribute| attribute.name() == name);
        if scope != NOTHING && has(dw::DW_AT_name) && !has(dw::DW_AT_linkage_name) {
            self.scopes.of.insert(entry, scope);
            self.scopes.bytes += 32;
        }
    }

    fn scope<R: ReadAt + Clone>(
        &mut self,
        unit: &Unit<'_, R>,
        attributes: &[Attribute<Slice<'_>>],
        around: u32,
    ) -> u32 {
        let name = value_of(attributes, dw::DW_AT_name).and_then(|name| unit.string(&name));
        let name = name.unwrap_or_else(|| b"(anonymous)".to_vec());
        self.scopes.bytes += 32 + name.len();
        self.scopes.all.push((around, name));
        self.scopes.all.len() as u32 - 1
    }
}

/// What an entry is to us.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Function,
    Inlined,
    /// A namespace or a type: part of the names within.
    Scope,
    Block,
    Unit,
    Other,
}

impl Part {
    fn of(tag: DwTag) -> Self {
        match tag {
            dw::DW_TAG_subprogram => Self::Function,
            dw::DW_TAG_inlined_subroutine => Self::Inlined,
            dw::DW_TAG_namespace
            | dw::DW_TAG_module
            | dw::DW_TAG_class_type
            | dw::DW_TAG_structure_type
            | dw::DW_TAG_union_type
            | dw::DW_TAG_enumeration_type
            | dw::DW_TAG_interface_type => Self::Scope,
            dw::DW_TAG_lexical_block
            | dw::DW_TAG_try_block
            | dw::DW_TAG_catch_block
            | dw::DW_TAG_with_stmt
            | dw::DW_TAG_common_block => Self::Block,
            dw::DW_TAG_compile_unit | dw::DW_TAG_partial_unit | dw::DW_TAG_skeleton_unit => Self::Unit,
            _ => Self::Other,
        }
    }
}
