//! The names of functions: mangled where the compiler says so, else with what they stand in.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use elf::ReadAt;
use gimli::{AttributeValue, constants as dw};

use crate::functions::Scopes;
use crate::source::Source;
use crate::unit::{Unit, value_of};

/// An entry refers to another one, that to the next, no longer than this.
const LONGEST_CHAIN: u32 = 16;
/// The names of one unit take no more bytes than this.
const MOST_TEXT: usize = 16 << 20;
/// So many other units are kept at hand.
const MOST_UNITS: usize = 64;

/// Units by the file that they are in, and where they start there.
type Others<'f, R> = HashMap<(*const Source<R>, u64), Rc<Unit<'f, R>>>;

/// Finds the names of one unit's functions.
pub(crate) struct Names<'f, R> {
    scopes: &'f Scopes,
    known: HashMap<u64, Option<Rc<[u8]>>>,
    /// How many bytes further names may take.
    room: usize,
    others: RefCell<Others<'f, R>>,
}

/// A name, and whether it is mangled.
#[derive(Clone)]
struct Name {
    text: Vec<u8>,
    linkage: bool,
}

/// Where an entry refers to.
#[derive(Clone, Copy)]
enum Reference {
    Unit(u64),
    File(u64),
    Alternate(u64),
}

impl<'f, R: ReadAt + Clone> Names<'f, R> {
    pub(crate) fn new(scopes: &'f Scopes) -> Self {
        Self { scopes, known: HashMap::new(), room: MOST_TEXT, others: RefCell::default() }
    }

    /// The name of the function at an offset of the unit.
    pub(crate) fn get(&mut self, unit: &Unit<'f, R>, entry: u64) -> Option<Rc<[u8]>> {
        if let Some(name) = self.known.get(&entry) {
            return name.clone();
        }
        let name = self.find(unit, entry, Some(self.scopes), LONGEST_CHAIN);
        let name: Option<Rc<[u8]>> = name.filter(|name| name.text.len() <= self.room).map(|name| Rc::from(name.text));
        self.room -= name.as_ref().map_or(0, |name| name.len());
        self.known.insert(entry, name.clone());
        name
    }

    fn find(&self, unit: &Unit<'f, R>, entry: u64, scopes: Option<&Scopes>, chain: u32) -> Option<Name> {
        let (own, origin) = unit.entry(entry, |_, attributes| {
            let value = |name| value_of(attributes, name);
            let text = |name| value(name).and_then(|value| unit.string(&value)).filter(|text| !text.is_empty());
            let linkage = text(dw::DW_AT_linkage_name).or_else(|| text(dw::DW_AT_MIPS_linkage_name));
            let own = match linkage {
                Some(text) => Some(Name { text, linkage: true }),
                None => text(dw::DW_AT_name).map(|text| Name { text, linkage: false }),
            };
            let origin = value(dw::DW_AT_abstract_origin).or_else(|| value(dw::DW_AT_specification));
            let origin = origin.and_then(|origin| match origin {
                AttributeValue::UnitRef(offset) => Some(Reference::Unit(offset.0 as u64)),
                AttributeValue::DebugInfoRef(offset) => Some(Reference::File(offset.0 as u64)),
                AttributeValue::DebugInfoRefSup(offset) => Some(Reference::Alternate(offset.0 as u64)),
                _ => None,
            });
            (own, origin)
        })?;
        if own.as_ref().is_some_and(|own| own.linkage) {
            return own;
        }
        let referred = origin.filter(|_| chain > 0).and_then(|origin| match origin {
            Reference::Unit(offset) => self.find(unit, offset, scopes, chain - 1),
            Reference::File(offset) => self.elsewhere(unit.source, unit, offset, chain - 1),
            Reference::Alternate(offset) => self.elsewhere(unit.alternate?, unit, offset, chain - 1),
        });
        let qualified = |own: Name| Name {
            text: scopes.map_or_else(|| own.text.clone(), |scopes| scopes.qualified(entry, &own.text)),
            ..own
        };
        match referred {
            Some(name) if name.linkage || own.is_none() => Some(name),
            _ => own.map(qualified),
        }
    }

    /// The name at an offset of a file's `.debug_info`.
    fn elsewhere(&self, source: &'f Source<R>, from: &Unit<'f, R>, offset: u64, chain: u32) -> Option<Name> {
        let head = source.unit_at(offset)?;
        let same = std::ptr::eq(source, from.source);
        if same && head.offset == from.head.offset {
            return self.find(from, offset - head.offset, None, chain);
        }
        let key = (std::ptr::from_ref(source), head.offset);
        let known = self.others.borrow().get(&key).cloned();
        let unit = match known {
            Some(unit) => unit,
            None => {
                let beside = if same { from.alternate } else { None };
                let unit = Rc::new(Unit::open(source, beside, head)?.0);
                let mut others = self.others.borrow_mut();
                if others.len() >= MOST_UNITS {
                    others.clear();
                }
                others.insert(key, Rc::clone(&unit));
                unit
            }
        };
        self.find(&unit, offset - head.offset, None, chain)
    }
}
