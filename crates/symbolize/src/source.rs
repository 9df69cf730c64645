//! Source files, lines and inlined calls of native code, from DWARF.

use std::collections::HashMap;

use dwarf::{Dwarf, Files, Table, UnitId};
use elf::{Elf, ReadAt, Svma};

/// The DWARF of one program or library, and of its units those that were asked for.
#[derive(Debug)]
pub struct Sources<R> {
    dwarf: Dwarf<R>,
    /// Nothing for a unit that cannot be read.
    units: HashMap<UnitId, Option<Table<Vec<u8>>>>,
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
    pub fn open(code: &R, beside: Option<&R>, files: &impl Files<R>) -> Option<Self> {
        let code = Elf::parse(code.clone()).ok()?.0;
        let beside = beside.and_then(|beside| Some(Elf::parse(beside.clone()).ok()?.0));
        let dwarf = Dwarf::open(&code, beside.as_ref().unwrap_or(&code), files).ok()??;
        Some(Self { dwarf, units: HashMap::new() })
    }

    /// What is at an address. Its unit is read if need be and `may_read`, which takes milliseconds.
    pub fn lookup(&mut self, address: Svma, files: &impl Files<R>, may_read: bool) -> Known {
        let Some(unit) = self.dwarf.unit(address.0) else { return Known::Calls(Vec::new()) };
        if !may_read && !self.units.contains_key(&unit) {
            return Known::Unread;
        }
        let table = self.units.entry(unit).or_insert_with(|| self.dwarf.table(unit, files));
        let places = table.as_ref().map(|table| table.lookup(address.0)).unwrap_or_default();
        let call = |place: dwarf::Place<'_>| Call {
            function: place.function.to_owned(),
            file: place.file.to_owned(),
            line: place.line,
        };
        Known::Calls(places.into_iter().map(call).collect())
    }

    /// What it takes of the heap.
    pub fn heap_bytes(&self) -> usize {
        self.dwarf.heap_bytes() + self.units.values().flatten().map(|table| table.bytes().len()).sum::<usize>()
    }
}
