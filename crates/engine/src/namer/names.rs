//! Where names come from: symbols of files and the vDSO, kallsyms, perf maps.

mod jit;
mod kernel;
mod tables;

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::vdso;
use elf::FileOffset;
use inspect::ProcessKey;
use symbolize::{Call, Known, Symbols};

use super::files::SeenFile;
use crate::cache::CacheLimits;
use crate::symbol_cache::{SymbolCache, SymbolCounts};
use tables::Tables;

pub(crate) use jit::MapState;

/// Reading the debug information of files takes no more time in one interval, but for the file that is begun.
const MOST_READING: Duration = Duration::from_millis(200);

/// What a source says about an address.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) name: Arc<str>,
    pub(crate) file: Arc<str>,
    pub(crate) line: i64,
    /// What was inlined there, the innermost first.
    pub(crate) inlined: Vec<Inlined>,
    /// More can be said once its debug information was read.
    pub(crate) unread: bool,
    /// The kernel module, if it is in one.
    pub(crate) module: Option<Arc<str>>,
}

/// A call that the compiler put in line.
pub(crate) struct Inlined {
    pub(crate) name: Arc<str>,
    pub(crate) file: Arc<str>,
    pub(crate) line: i64,
}

#[derive(Default)]
pub(crate) struct Names {
    tables: Tables,
    kernel: kernel::Kernel,
    jit: jit::Jit,
    vdso: Option<Option<Symbols<Vec<u8>>>>,
    /// Counts the windows.
    now: u64,
    /// How long debug information was read in this window.
    reading: Duration,
}

impl Names {
    pub(crate) fn new(counts: SymbolCounts, caches: CacheLimits) -> Self {
        Self { tables: Tables::new(counts, caches.clone()), jit: jit::Jit::new(caches), ..Self::default() }
    }

    /// Keeps tables of symbols in another folder from now on, or nowhere.
    pub(crate) fn keep_in(&mut self, place: Option<&SymbolCache>) {
        self.tables.keep_in(place);
    }

    pub(crate) fn begin(&mut self) {
        self.now += 1;
        self.reading = Duration::ZERO;
        self.kernel.begin();
    }

    /// The newest BPF program has this number.
    pub(crate) fn set_newest_program(&mut self, program: Option<u32>) {
        self.kernel.set_newest_program(program);
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
        let found = self.look_up(number, file, offset);
        if self.tables.drop_changed(number) { self.look_up(number, file, offset) } else { found }
    }

    fn look_up(&mut self, number: u64, file: &SeenFile, offset: u64) -> Option<Found> {
        let may_read = self.reading < MOST_READING;
        let offset = FileOffset(offset);
        let opened = self.tables.open(number, file);
        let symbol = opened.symbol(offset);
        let calls = opened.go_calls(offset);
        if !calls.is_empty() {
            return with_calls(symbol, calls);
        }
        if symbol.as_ref().is_some_and(|symbol| symbol.line.is_some()) {
            return found(symbol?);
        }
        let begun = Instant::now();
        let known = opened.calls(offset, &file.beside, may_read);
        self.reading += begun.elapsed();
        match known {
            None => found(symbol?),
            Some(Known::Unread) => Some(Found { unread: true, ..found(symbol?)? }),
            Some(Known::Calls(calls)) => with_calls(symbol, calls),
        }
    }

    /// Where that function starts, if its name is all there is to know of the offset.
    pub(crate) fn start(&mut self, number: u64, file: &SeenFile, offset: u64) -> Option<u64> {
        let offset = FileOffset(offset);
        let start = self.tables.open(number, file).start(offset);
        let changed = self.tables.drop_changed(number);
        let start = if changed { self.tables.open(number, file).start(offset) } else { start };
        start.map(|start| start.0)
    }

    /// Closes a file.
    pub(crate) fn close(&mut self, number: u64) {
        self.tables.close(number);
    }

    /// What the tables that are open take, and perf maps.
    pub(crate) fn bytes(&self) -> usize {
        self.tables.bytes() + self.jit.bytes()
    }

    /// Keeps what is new, and closes the tables that were not asked for longest, until the rest is small enough. Perf maps have
    /// half of it, and what tables leave.
    pub(crate) fn trim(&mut self, most: usize) {
        self.tables.keep_new();
        self.tables.trim(most - self.jit.bytes().min(most / 2));
        self.jit.trim(most.saturating_sub(self.tables.bytes()));
    }

    /// Keeps all that is new.
    pub(crate) fn keep_all(&mut self) {
        self.tables.keep_all();
    }
}

fn found(symbol: symbolize::Symbol) -> Option<Found> {
    Some(Found {
        name: Arc::from(symbol.name),
        file: symbol.file.map_or_else(|| Arc::from(""), Arc::from),
        line: symbol.line.map_or(0, i64::from),
        ..Found::default()
    })
}

/// What the tables of symbols and the debug information say together. The linker's name of the outermost function counts: it
/// is unique, and tells parts of a function apart.
fn with_calls(symbol: Option<symbolize::Symbol>, mut calls: Vec<Call>) -> Option<Found> {
    let Some(outermost) = calls.pop() else { return found(symbol?) };
    let name = symbol.map_or(outermost.function, |symbol| symbol.name);
    if name.is_empty() {
        return None;
    }
    let inlined = calls.into_iter().map(|call| Inlined {
        name: Arc::from(call.function),
        file: Arc::from(call.file),
        line: i64::from(call.line),
    });
    let inlined = inlined.filter(|call| !call.name.is_empty()).collect();
    let (file, line) = (Arc::from(outermost.file), i64::from(outermost.line));
    Some(Found { name: Arc::from(name), file, line, inlined, ..Found::default() })
}
