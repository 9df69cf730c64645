//! Where functions begin: what symbols say.

use elf::symbols::Names;
use elf::{Elf, ReadAt, SymbolTable};

/// Symbols that are kept at once: those of the code that comes next. 3 MiB of them.
const MOST_KEPT: usize = 1 << 17;
/// Records of symbols that are looked at, over and over, in a file. One with a million symbols takes sixteen million looks.
const MOST_LOOKS: u64 = 1 << 25;

/// A function that a symbol names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Start {
    pub(super) address: u64,
    /// Its bytes; 0 where the symbol does not say.
    pub(super) size: u32,
    name: u32,
}

/// The functions of a file, by address, asked for in that order.
pub(super) struct Starts<'e, R> {
    elf: &'e Elf<R>,
    table: Option<SymbolTable>,
    names: Option<Names<&'e R>>,
    kept: Vec<Start>,
    /// The place in what is kept.
    at: usize,
    /// All functions below are kept, or were.
    until: u64,
    looks: u64,
}

impl<'e, R: ReadAt> Starts<'e, R> {
    pub(super) fn of(elf: &'e Elf<R>) -> Self {
        let (table, _) = elf.function_table();
        let names = table.map(|table| Names::new(table, elf.reader()));
        Self { elf, table, names, kept: Vec::new(), at: 0, until: 0, looks: 0 }
    }

    /// Whether all functions have a symbol.
    pub(super) fn are_complete(&self) -> bool {
        self.table.is_some_and(|table| table.complete)
    }

    /// How many symbols there are.
    pub(super) fn count(&self) -> u64 {
        self.table.map_or(0, |table| table.count)
    }

    /// The first function that does not begin before an address.
    pub(super) fn from(&mut self, address: u64) -> Option<Start> {
        loop {
            while let Some(start) = self.kept.get(self.at) {
                if start.address >= address {
                    return Some(*start);
                }
                self.at += 1;
            }
            if self.until == u64::MAX {
                return None;
            }
            self.read(address.max(self.until));
        }
    }

    /// Reads those that come next.
    fn read(&mut self, from: u64) {
        self.kept.clear();
        self.at = 0;
        self.until = u64::MAX;
        let Some(table) = self.table.filter(|table| self.looks + table.count <= MOST_LOOKS) else { return };
        self.looks += table.count;
        let (kept, until) = (&mut self.kept, &mut self.until);
        self.elf.for_each_function(&table, |function| {
            let address = function.address.0;
            if !function.typed || address < from || address >= *until {
                return;
            }
            if kept.len() == MOST_KEPT {
                let (_, middle, _) = kept.select_nth_unstable(MOST_KEPT / 2);
                *until = middle.address;
                kept.retain(|start| start.address < *until);
                if address >= *until {
                    return;
                }
            }
            // More functions at one address than are kept are none.
            if kept.len() < MOST_KEPT {
                kept.push(Start { address, size: u32::try_from(function.size).unwrap_or(0), name: function.name });
            }
        });
        kept.sort_unstable();
        // Of several names for one function the one that says more.
        kept.dedup_by(|later, kept| {
            let same = later.address == kept.address;
            if same && later.size > 0 {
                *kept = *later;
            }
            same
        });
    }

    /// Whether the compiler split it off another function, so that it begins with that one's stack.
    pub(super) fn is_split_off(&mut self, start: &Start) -> bool {
        let name = self.names.as_mut().and_then(|names| names.get(start.name)).unwrap_or_default();
        name.windows(5).any(|part| part == b".cold")
    }
}
