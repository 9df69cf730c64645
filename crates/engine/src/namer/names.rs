//! Where names come from: symbols of files and the vDSO, kallsyms, perf maps.

mod jit;
mod kernel;

use std::fs::File;
use std::sync::Arc;

use crate::vdso;
use elf::{BuildId, FileOffset};
use hashbrown::HashMap;
use inspect::ProcessKey;
use symbolize::Symbols;

use super::files::SeenFile;

pub(crate) use jit::MapState;

/// Symbol tables kept open between windows take no more than this of the heap, in bytes.
const MOST_HEAP: usize = 6 << 20;

/// What a source says about an address.
pub(crate) struct Found {
    pub(crate) name: Arc<str>,
    pub(crate) file: Arc<str>,
    pub(crate) line: i64,
    /// The kernel module, if it is in one.
    pub(crate) module: Option<Arc<str>>,
}

/// The symbols of a file, or that it has none, and when they were last asked.
struct Opened {
    symbols: Option<Symbols<Arc<File>>>,
    used: u64,
}

#[derive(Default)]
pub(crate) struct Names {
    files: HashMap<u64, Opened>,
    kernel: kernel::Kernel,
    jit: jit::Jit,
    vdso: Option<Option<Symbols<Vec<u8>>>>,
    /// Counts the windows.
    now: u64,
}

impl Names {
    pub(crate) fn begin(&mut self) {
        self.now += 1;
    }

    /// The kernel's function at this address.
    pub(crate) fn kernel(&mut self, address: u64) -> Option<Found> {
        self.kernel.lookup(address)
    }

    /// The function at this offset of the vDSO, which is the same for every process.
    pub(crate) fn vdso(&mut self, offset: u64) -> Option<Found> {
        let open = || Symbols::open(vdso::own_image()?).ok().map(|(symbols, _)| symbols);
        let symbols = self.vdso.get_or_insert_with(open).as_ref()?;
        found(symbols.lookup(FileOffset(offset))?)
    }

    /// What a process says of its code that no file holds.
    pub(crate) fn process(&mut self, key: ProcessKey, address: u64) -> Option<Found> {
        self.jit.lookup(key, address, self.now)
    }

    /// How far the list of that code has got; none where nothing more is to be had of it.
    pub(crate) fn map_state(&mut self, key: ProcessKey) -> Option<MapState> {
        self.jit.state(key, self.now)
    }

    /// Keeps that list for when the process is gone.
    pub(crate) fn hold_map(&mut self, key: ProcessKey) {
        self.jit.hold(key);
    }

    /// The function at this offset of a file.
    pub(crate) fn file(&mut self, number: u64, file: &SeenFile, offset: u64) -> Option<Found> {
        found(self.symbols(number, file)?.lookup(FileOffset(offset))?)
    }

    /// Where that function starts, if its name is all there is to know of the offset.
    pub(crate) fn start(&mut self, number: u64, file: &SeenFile, offset: u64) -> Option<u64> {
        self.symbols(number, file)?.start(FileOffset(offset)).map(|start| start.0)
    }

    fn symbols(&mut self, number: u64, file: &SeenFile) -> Option<&Symbols<Arc<File>>> {
        let now = self.now;
        let opened = self.files.entry(number).or_insert_with(|| Opened { symbols: open(file), used: now });
        opened.used = now;
        opened.symbols.as_ref()
    }

    /// Closes a file.
    pub(crate) fn close(&mut self, number: u64) {
        self.files.remove(&number);
    }

    /// Closes the tables that were not asked for longest, until the rest is small enough.
    pub(crate) fn trim(&mut self) {
        let bytes = |opened: &Opened| opened.symbols.as_ref().map_or(0, Symbols::heap_bytes);
        let mut total: usize = self.files.values().map(bytes).sum();
        while total > MOST_HEAP {
            let oldest = self.files.iter().filter(|(_, o)| bytes(o) > 0).min_by_key(|(_, opened)| opened.used);
            let Some((number, opened)) = oldest else { return };
            total -= bytes(opened);
            let number = *number;
            self.files.remove(&number);
        }
    }
}

fn found(symbol: symbolize::Symbol) -> Option<Found> {
    Some(Found {
        name: Arc::from(symbol.name),
        file: symbol.file.map_or_else(|| Arc::from(""), Arc::from),
        line: symbol.line.map_or(0, i64::from),
        module: None,
    })
}

fn open(file: &SeenFile) -> Option<Symbols<Arc<File>>> {
    let debug = |id: &BuildId| debug_file(&id.to_string());
    match Symbols::open_with(Arc::clone(file.handle.as_ref()?), debug) {
        Ok((symbols, problems)) => {
            for problem in problems {
                tracing::debug!(file = &*file.name, %problem, "symbols are incomplete");
            }
            Some(symbols).filter(|symbols| !symbols.is_empty())
        }
        Err(error) => {
            tracing::debug!(file = &*file.name, %error, "no symbols");
            None
        }
    }
}

/// Where a distribution's package of debug files puts the one of a build id.
fn debug_file(id: &str) -> Option<Arc<File>> {
    let (first, rest) = id.split_at_checked(2)?;
    File::open(format!("/usr/lib/debug/.build-id/{first}/{rest}.debug")).ok().map(Arc::new)
}
