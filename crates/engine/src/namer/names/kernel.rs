//! Names of kernel functions.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hashbrown::HashSet;
use inspect::Proc;
use symbolize::KernelSymbols;
use symbolize::kernel::Builder;

use super::Found;

/// Modules and BPF programs come and go: an address without a name is worth reading the list again, but not more often than
/// this, and than so many times what the reading took.
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
        let found = self.symbols.as_ref().and_then(|symbols| find(symbols, address));
        if found.is_some() || self.read.is_some_and(|read| read.elapsed() < self.pause(address)) {
            return found;
        }
        self.load();
        let found = self.symbols.as_ref().and_then(|symbols| find(symbols, address));
        if found.is_none() && self.in_vain.len() < MOST_IN_VAIN {
            self.in_vain.insert(address);
        }
        found
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

fn find(symbols: &KernelSymbols, address: u64) -> Option<Found> {
    let symbol = symbols.lookup(address)?;
    Some(Found { name: Arc::from(symbol.name), module: symbol.module.map(Arc::from), ..Found::default() })
}
