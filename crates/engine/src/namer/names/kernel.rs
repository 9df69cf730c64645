//! Names of kernel functions.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hashbrown::HashSet;
use inspect::Proc;
use symbolize::KernelSymbols;
use symbolize::kernel::Builder;

use super::Found;

/// Modules and BPF programs come and go: an address without a name, or beside one of them, is worth reading the list again, but
/// not more often than this, and than so many times what the reading took.
const AGAIN: Duration = Duration::from_secs(5);
const AGAIN_BY_COST: u32 = 20;
/// An address that a list was read for in vain is worth another only after this long.
const AGAIN_IN_VAIN: Duration = Duration::from_secs(60);
/// So many of those are remembered.
const MOST_IN_VAIN: usize = 4096;

/// The kernel's functions, read when they are first needed.
#[derive(Default)]
pub(super) struct Kernel {
    symbols: Option<KernelSymbols>,
    read: Option<Instant>,
    /// How long it took.
    took: Duration,
    /// Addresses that the list did not have when it was read for them.
    in_vain: HashSet<u64>,
    warned: bool,
}

impl Kernel {
    /// The function at this address.
    pub(super) fn lookup(&mut self, address: u64) -> Option<Found> {
        if self.read.is_none() {
            self.load();
        }
        let before = self.find(address);
        // The list does not say where functions end: what came into an area since then is not what was there before it.
        let lasts = before.as_ref().is_some_and(|(_, found)| found.module.is_none());
        if lasts || self.read.is_some_and(|read| read.elapsed() < self.pause(address)) {
            return before.map(|(_, found)| found);
        }
        self.load();
        let now = self.find(address);
        if now.is_none() && self.in_vain.len() < MOST_IN_VAIN {
            self.in_vain.insert(address);
        }
        nearer(before, now)
    }

    fn find(&self, address: u64) -> Option<(u64, Found)> {
        let symbol = self.symbols.as_ref()?.lookup(address)?;
        let (name, module) = (Arc::from(symbol.name), symbol.module.map(Arc::from));
        Some((symbol.start, Found { name, module, ..Found::default() }))
    }

    fn pause(&self, address: u64) -> Duration {
        let least = if self.in_vain.contains(&address) { AGAIN_IN_VAIN } else { AGAIN };
        least.max(self.took.saturating_mul(AGAIN_BY_COST))
    }

    fn load(&mut self) {
        let begun = Instant::now();
        self.read_list();
        self.read = Some(Instant::now());
        self.took = begun.elapsed();
    }

    fn read_list(&mut self) {
        let mut builder = Builder::new();
        let streamed = Proc::open().and_then(|mut proc| proc.stream("kallsyms", |piece| builder.feed(piece)));
        if let Err(error) = streamed {
            self.warn(&format!("cannot read /proc/kallsyms: {error}"));
            return;
        }
        let (symbols, problems) = builder.finish();
        for problem in problems {
            self.warn(&problem.to_string());
        }
        tracing::debug!(functions = symbols.len(), heap = symbols.heap_bytes(), "kernel symbols read");
        self.symbols = Some(symbols).filter(|symbols| !symbols.is_empty());
    }

    fn warn(&mut self, problem: &str) {
        if !std::mem::replace(&mut self.warned, true) {
            tracing::warn!(problem, "frames of the kernel have no names");
        }
    }
}

/// What an address belongs to by two lists: to what starts nearer, for the rest may be what is left beside it.
fn nearer(before: Option<(u64, Found)>, now: Option<(u64, Found)>) -> Option<Found> {
    let start = |found: &Option<(u64, Found)>| found.as_ref().map(|(start, _)| *start);
    let found = if start(&before) > start(&now) { before } else { now };
    found.map(|(_, found)| found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(start: u64, name: &str) -> Option<(u64, Found)> {
        Some((start, Found { name: name.into(), ..Found::default() }))
    }

    #[test]
    fn neither_a_new_program_nor_one_that_is_gone_has_the_name_of_its_neighbour() {
        let name = |before, now| nearer(before, now).map(|found| found.name.to_string());
        assert_eq!(name(at(0x100, "neighbour"), at(0x200, "new")).as_deref(), Some("new"));
        assert_eq!(name(at(0x200, "gone"), at(0x100, "neighbour")).as_deref(), Some("gone"));
        assert_eq!(name(at(0x200, "gone"), at(0x200, "in its place")).as_deref(), Some("in its place"));
        assert_eq!(name(at(0x200, "gone"), None).as_deref(), Some("gone"));
        assert_eq!(name(None, None), None);
    }
}
