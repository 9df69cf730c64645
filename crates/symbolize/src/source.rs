//! Source files, lines and inlined calls of native code, from DWARF.

use std::collections::HashMap;
use std::io;

use cache::Bytes;
use dwarf::{Dwarf, Files, Index, Table, UnitId};
use elf::{Elf, ReadAt, Svma};

use crate::kept::{self, Kept};

/// The DWARF of one program or library, and of its units those that were asked for.
#[derive(Debug)]
pub struct Sources<R> {
    code: R,
    beside: Option<R>,
    index: Index<Bytes>,
    /// Opened once a unit is to be read.
    dwarf: Option<Option<Dwarf<R>>>,
    /// Nothing for a unit that cannot be read.
    units: HashMap<UnitId, Option<Table<Bytes>>>,
    /// Units that were read and are not kept yet.
    fresh: Vec<UnitId>,
}

/// A function that has a byte of code, or that was inlined there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Its name, mangled if the compiler mangles; empty where it is not known.
    pub function: String,
    /// The source file with its folder; empty where it is not known.
    pub file: String,
    /// The line: of the byte for the innermost one, of the call for those around it. 0 where it is not known.
    pub line: u32,
}

/// What is known of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    /// The functions that are there, the innermost first; none where DWARF knows nothing of it.
    Calls(Vec<Call>),
    /// The unit that has the address was not read yet.
    Unread,
}

impl<R: ReadAt + Clone> Sources<R> {
    /// Finds the DWARF of a file: in itself, or in `beside`, which has what was stripped from it.
    ///
    /// # Errors
    /// The system refused something, as another file when too many are open: there may be DWARF all the same.
    pub fn open(code: &R, beside: Option<&R>, files: &impl Files<R>) -> io::Result<Option<Self>> {
        let Some(dwarf) = open(code, beside, files)? else { return Ok(None) };
        let index = Index::new(dwarf.index().into());
        if dwarf.has_failed() {
            return Err(io::Error::new(io::ErrorKind::Interrupted, "not all of the debug information could be read"));
        }
        Ok(index.map(|index| Self { dwarf: Some(Some(dwarf)), ..Self::of(code, beside, index) }))
    }

    /// The DWARF that was read before, from what was kept of it.
    pub fn restore(code: &R, beside: Option<&R>, kept: &Kept) -> Option<Self> {
        Some(Self::of(code, beside, Index::new(kept.part(kept::UNITS)?)?))
    }

    fn of(code: &R, beside: Option<&R>, index: Index<Bytes>) -> Self {
        let (code, beside) = (code.clone(), beside.cloned());
        Self { code, beside, index, dwarf: None, units: HashMap::new(), fresh: Vec::new() }
    }

    /// What is at an address. Its unit is taken from what was kept; else it is read if it `may_read`, which takes
    /// milliseconds.
    pub fn lookup(&mut self, address: Svma, files: &impl Files<R>, kept: Option<&Kept>, may_read: bool) -> Known {
        let Some(unit) = self.index.unit(address.0) else { return Known::Calls(Vec::new()) };
        if !self.units.contains_key(&unit) {
            let table = match kept.and_then(|kept| kept.part(kept::UNIT + unit.0)) {
                Some(bytes) => Table::new(bytes),
                None if !may_read => return Known::Unread,
                None => self.read(unit, files),
            };
            self.units.insert(unit, table);
        }
        let table = self.units.get(&unit).and_then(Option::as_ref);
        let places = table.map(|table| table.lookup(address.0)).unwrap_or_default();
        let call = |place: dwarf::Place<'_>| Call {
            function: place.function.to_owned(),
            file: place.file.to_owned(),
            line: place.line,
        };
        Known::Calls(places.into_iter().map(call).collect())
    }

    fn read(&mut self, unit: UnitId, files: &impl Files<R>) -> Option<Table<Bytes>> {
        let Self { code, beside, dwarf, fresh, .. } = self;
        let dwarf = match dwarf {
            Some(dwarf) => dwarf,
            None => dwarf.insert(open(code, beside.as_ref(), files).ok()?),
        };
        let read = dwarf.as_ref().and_then(|dwarf| dwarf.table(unit, files));
        // What was out of reach may be there the next time.
        if read.as_ref().is_none_or(|read| read.whole) {
            fresh.push(unit);
        }
        Table::new(read?.bytes.into())
    }

    /// True when units were read that are not kept yet.
    pub fn has_fresh(&self) -> bool {
        !self.fresh.is_empty()
    }

    /// What is to be kept beside what is kept already.
    pub fn keep(&self) -> Vec<(u64, Bytes)> {
        let units = self.fresh.iter().map(|unit| {
            let table = self.units.get(unit).and_then(Option::as_ref);
            (kept::UNIT + unit.0, table.map(|table| table.bytes().clone()).unwrap_or_default())
        });
        std::iter::once((kept::UNITS, self.index.bytes().clone())).chain(units).collect()
    }

    /// Goes on with what was kept of it.
    pub fn use_kept(&mut self, kept: &Kept) {
        if let Some(index) = kept.part(kept::UNITS).and_then(Index::new) {
            self.index = index;
            // What is not all there is to a unit is not kept, but is all there is now.
            let Self { units, fresh, .. } = self;
            let on_heap = |table: &Table<Bytes>| !table.bytes().is_mapped();
            units.retain(|unit, table| table.as_ref().is_some_and(on_heap) && !fresh.contains(unit));
            fresh.clear();
        }
    }

    /// What it takes of the heap.
    pub fn heap_bytes(&self) -> usize {
        let of = |bytes: &Bytes| if bytes.is_mapped() { 0 } else { bytes.len() };
        of(self.index.bytes()) + self.units.values().flatten().map(|table| of(table.bytes())).sum::<usize>()
    }
}

/// Nothing where there is none, or where it makes no sense; an error where the system refused.
fn open<R: ReadAt + Clone>(code: &R, beside: Option<&R>, files: &impl Files<R>) -> io::Result<Option<Dwarf<R>>> {
    use io::ErrorKind::{InvalidData, InvalidInput, Other, UnexpectedEof};
    let Ok((code, _)) = Elf::parse(code.clone()) else { return Ok(None) };
    let beside = beside.and_then(|beside| Some(Elf::parse(beside.clone()).ok()?.0));
    match Dwarf::open(&code, beside.as_ref().unwrap_or(&code), files) {
        Err(error) if matches!(error.kind(), InvalidData | InvalidInput | Other | UnexpectedEof) => Ok(None),
        opened => opened,
    }
}
