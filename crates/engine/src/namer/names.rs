//! Where names come from: symbols of files and the vDSO, kallsyms, perf maps.

mod debug;
mod jit;
mod kernel;

use std::fs::File;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::vdso;
use elf::FileOffset;
use hashbrown::HashMap;
use inspect::ProcessKey;
use symbolize::{Call, Known, Sources, Symbols};

use super::files::SeenFile;

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

/// The symbols of a file, or that it has none, and when they were last asked.
struct Opened {
    symbols: Option<Symbols<Arc<File>>>,
    sources: Option<Sources<Arc<File>>>,
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
    /// How long debug information was read in this window.
    reading: Duration,
}

impl Names {
    pub(crate) fn begin(&mut self) {
        self.now += 1;
        self.reading = Duration::ZERO;
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
        let may_read = self.reading < MOST_READING;
        let opened = opened(&mut self.files, number, file, self.now);
        let symbols = opened.symbols.as_ref()?;
        let symbol = symbols.lookup(FileOffset(offset));
        let (Some(sources), Some(address)) = (&mut opened.sources, symbols.svma(FileOffset(offset))) else {
            return found(symbol?);
        };
        if symbol.as_ref().is_some_and(|symbol| symbol.line.is_some()) {
            return found(symbol?);
        }
        let begun = Instant::now();
        let known = sources.lookup(address, &debug::Beside, may_read);
        self.reading += begun.elapsed();
        match known {
            Known::Unread => Some(Found { unread: true, ..found(symbol?)? }),
            Known::Calls(calls) => with_calls(symbol, calls),
        }
    }

    /// Where that function starts, if its name is all there is to know of the offset.
    pub(crate) fn start(&mut self, number: u64, file: &SeenFile, offset: u64) -> Option<u64> {
        let opened = opened(&mut self.files, number, file, self.now);
        if opened.sources.is_some() {
            return None;
        }
        opened.symbols.as_ref()?.start(FileOffset(offset)).map(|start| start.0)
    }

    /// Closes a file.
    pub(crate) fn close(&mut self, number: u64) {
        self.files.remove(&number);
    }

    /// What the tables that are kept open take.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.files.values().map(bytes).sum()
    }

    /// Closes the tables that were not asked for longest, until the rest is small enough.
    pub(crate) fn trim(&mut self, most: usize) {
        let mut total = self.heap_bytes();
        while total > most {
            let oldest = self.files.iter().filter(|(_, o)| bytes(o) > 0).min_by_key(|(_, opened)| opened.used);
            let Some((number, opened)) = oldest else { return };
            total -= bytes(opened);
            let number = *number;
            self.files.remove(&number);
        }
    }
}

fn bytes(opened: &Opened) -> usize {
    opened.symbols.as_ref().map_or(0, Symbols::heap_bytes) + opened.sources.as_ref().map_or(0, Sources::heap_bytes)
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

fn opened<'f>(files: &'f mut HashMap<u64, Opened>, number: u64, file: &SeenFile, now: u64) -> &'f mut Opened {
    let opened = files.entry(number).or_insert_with(|| open(file));
    opened.used = now;
    opened
}

fn open(file: &SeenFile) -> Opened {
    let mut opened = Opened { symbols: None, sources: None, used: 0 };
    let Some(handle) = &file.handle else { return opened };
    match Symbols::open_with(Arc::clone(handle), |id| debug::file(&id.to_string())) {
        Ok((symbols, problems)) => {
            for problem in problems {
                tracing::debug!(file = &*file.name, %problem, "symbols are incomplete");
            }
            let (code, beside) = symbols.readers();
            opened.sources = Sources::open(code, beside, &debug::Beside);
            opened.symbols = Some(symbols).filter(|symbols| !symbols.is_empty() || opened.sources.is_some());
        }
        Err(error) => tracing::debug!(file = &*file.name, %error, "no symbols"),
    }
    opened
}
