//! The rows of `.eh_frame` and `.debug_frame`, in the order of their addresses.

mod bytes;
mod entry;
mod expression;
mod order;
mod pointer;
mod program;

use std::collections::HashMap;
use std::sync::Arc;

use elf::{Elf, ReadAt, Section};

use crate::rule::Rule;
use crate::source::{Source, Stretch};

use entry::{Cie, Fde, HEADER, Header, Kind, Layout};
use order::Order;
pub use order::Orders;
use order::Sorted;
use program::{Machine, State};

/// CIEs that are kept. Most files have a handful; one that was linked without merging has one for each of its parts.
const MOST_CIES: usize = 4096;
/// A longer entry is no real one.
const LONGEST: u64 = 1 << 20;
/// Entries that are looked at in a table. The largest programs have a million; a sparse file can claim any number. One that is
/// long counts for several.
const MOST_LOOKS: u64 = 8 << 20;
const BYTES_A_LOOK: u64 = 64;
/// Entries that are put in order where the linker did not: 16 MiB of them.
const MOST_SORTED: usize = 1 << 20;

/// A table of a file.
pub(crate) struct Table<R> {
    pieces: elf::pieces::Pieces<R>,
    layout: Layout,
    /// The address of the section.
    address: u64,
    size: u64,
    order: Order<R>,
    cies: HashMap<u64, Option<Cie>>,
    remembered: Vec<State>,
    looks: u64,
    /// Entries that could not be read, and those whose program could only be run in part.
    malformed: u64,
}

impl<R: ReadAt + Clone> Table<R> {
    /// The table of `.eh_frame`, by its search table where it has one; `None` for a file without. `kept` is of this file.
    pub(crate) fn exceptions(elf: &Elf<R>, kept: &mut Orders) -> Option<Self> {
        let section = elf.section(".eh_frame").filter(|section| section.has_bytes())?;
        let search = elf.section(".eh_frame_hdr").filter(|section| section.has_bytes());
        let mut table = Self::new(elf, section, Layout::Exceptions);
        let by_search = search.and_then(|search| Order::search_table(elf.reader(), search, section));
        table.order = by_search.unwrap_or_else(|| table.scanned(&mut kept.exceptions));
        Some(table)
    }

    /// The table of `.debug_frame`; `None` for a file without. One that is compressed is left out.
    pub(crate) fn debug(elf: &Elf<R>, kept: &mut Orders) -> Option<Self> {
        const COMPRESSED: u64 = 0x800;
        let section = elf.section(".debug_frame")?;
        if !section.has_bytes() || section.flags & COMPRESSED != 0 {
            return None;
        }
        let mut table = Self::new(elf, section, Layout::Debug);
        table.order = table.scanned(&mut kept.debug);
        Some(table)
    }

    fn new(elf: &Elf<R>, section: &Section, layout: Layout) -> Self {
        let size = section.size.min(elf.reader().size().unwrap_or(0).saturating_sub(section.offset.0));
        Self {
            pieces: elf::pieces::Pieces::new(elf.reader().clone(), section.offset.0, size),
            layout,
            address: if layout == Layout::Exceptions { section.address.0 } else { 0 },
            size,
            order: Order::none(),
            cies: HashMap::new(),
            remembered: Vec::new(),
            looks: 0,
            malformed: 0,
        }
    }

    /// The order of the entries, by reading them all, unless that was done before.
    fn scanned(&mut self, kept: &mut Option<Arc<Sorted>>) -> Order<R> {
        Order::list(Arc::clone(kept.get_or_insert_with(|| Arc::new(self.sorted()))))
    }

    fn sorted(&mut self) -> Sorted {
        let mut found = Vec::new();
        let mut position = 0;
        while let Some(header) = self.header(position) {
            match header.kind {
                Kind::End if self.layout == Layout::Exceptions => break,
                Kind::End | Kind::Cie => {}
                Kind::Fde(_) if found.len() == MOST_SORTED => {
                    self.malformed += 1;
                    break;
                }
                Kind::Fde(_) => {
                    // What begins at 0 was left there by the linker.
                    if let Some(stretch) = self.stretch(position).filter(|stretch| stretch.start != 0) {
                        found.push((stretch.start, position));
                    }
                }
            }
            position += header.size;
        }
        Sorted::new(found)
    }

    fn header(&mut self, position: u64) -> Option<Header> {
        if position >= self.size || self.looks >= MOST_LOOKS {
            return None;
        }
        self.looks += 1;
        Header::parse(self.pieces.bytes(position, HEADER), position, self.layout)
    }

    fn stretch(&mut self, position: u64) -> Option<Stretch> {
        self.with_entry(position, |fde, _| Stretch { start: fde.start, end: fde.end, position })
    }

    /// Reads the entry at a position of the section, and its CIE.
    fn with_entry<T>(&mut self, position: u64, with: impl FnOnce(&Fde<'_>, &Cie) -> T) -> Option<T> {
        let header = self.header(position)?;
        let Kind::Fde(cie_position) = header.kind else { return None };
        if header.size > LONGEST {
            return None;
        }
        self.looks = self.looks.saturating_add(header.size / BYTES_A_LOOK);
        if !self.cies.contains_key(&cie_position) {
            let cie = self.cie(cie_position);
            if self.cies.len() >= MOST_CIES {
                self.cies.clear();
            }
            self.cies.insert(cie_position, cie);
        }
        let cie = self.cies.get(&cie_position)?.as_ref()?;
        let length = (header.size - header.body) as usize;
        let body = self.pieces.bytes(position + header.body, length);
        if body.len() < length {
            return None;
        }
        let place = self.address.wrapping_add(position + header.body);
        Some(with(&Fde::parse(body, place, cie)?, cie))
    }

    fn cie(&mut self, position: u64) -> Option<Cie> {
        let header = self.header(position)?;
        if header.kind != Kind::Cie || header.size > LONGEST {
            return None;
        }
        self.looks = self.looks.saturating_add(header.size / BYTES_A_LOOK);
        let layout = self.layout;
        let body = self.pieces.bytes(position + header.body, (header.size - header.body) as usize);
        let (mut cie, program) = Cie::parse(body)?;
        let (_, initial) =
            Machine::new(&cie, layout, State::START, Vec::new()).run(program, 0, 0, State::START, |_, _| {})?;
        cie.initial = initial;
        Some(cie)
    }
}

impl<R: ReadAt + Clone> Source for Table<R> {
    /// The next stretch, by address. What cannot be read is left out.
    fn next(&mut self) -> Option<Stretch> {
        loop {
            let position = self.order.next().filter(|_| self.looks < MOST_LOOKS)?;
            match self.stretch(position) {
                Some(stretch) if stretch.start < stretch.end && stretch.start != 0 => return Some(stretch),
                // The linker leaves entries of functions that it removed, at address 0 or without length.
                Some(_) => {}
                None => self.malformed += 1,
            }
        }
    }

    /// Runs the program of a stretch: `row` gets each rule with where it begins and ends.
    fn rows(&mut self, stretch: Stretch, row: &mut dyn FnMut(u64, u64, Rule)) {
        let layout = self.layout;
        let memory = std::mem::take(&mut self.remembered);
        let done = self.with_entry(stretch.position, |fde, cie| {
            // It says no more than that the place is exact. The kernel's own frame is described by expressions that no other has;
            // what a row can say of is of somebody else's.
            let rule = |state: &State| match state.rule() {
                Rule::Unknown if cie.is_signal => Rule::Signal,
                rule => rule,
            };
            let mut machine = Machine::new(cie, layout, cie.initial, memory);
            let mut at = fde.start;
            let end = machine.run(fde.program, fde.place, fde.start, cie.initial, |next, state| {
                if at < next && next <= fde.end {
                    row(at, next, rule(state));
                }
                at = at.max(next);
            });
            if let Some((_, state)) = end
                && at < fde.end
            {
                row(at, fde.end, rule(&state));
            }
            (machine.into_memory(), end.is_some())
        });
        match done {
            Some((memory, whole)) => {
                self.remembered = memory;
                self.malformed += u64::from(!whole);
            }
            None => self.malformed += 1,
        }
    }

    fn seek(&mut self, address: u64) {
        self.order.seek(address, self.address);
    }

    fn malformed(&self) -> u64 {
        self.malformed
    }
}
