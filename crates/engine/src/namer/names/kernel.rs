//! Names of kernel functions.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cache::digest;
use inspect::Proc;
use symbolize::KernelSymbols;
use symbolize::kernel::Builder;

use super::Found;

/// The list is not read more often than this, and than so many times what the reading took.
const AGAIN: Duration = Duration::from_secs(1);
const AGAIN_BY_COST: u32 = 20;

/// What code there is beside the kernel's own: modules and BPF programs come and go.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Loaded {
    /// A digest of the list of modules.
    modules: u64,
    /// The number of the newest BPF program.
    program: Option<u32>,
}

/// The kernel's functions, read when they are first needed.
#[derive(Default)]
pub(super) struct Kernel {
    symbols: Option<KernelSymbols>,
    read: Option<Instant>,
    /// How long it took.
    took: Duration,
    /// What there was when it was read.
    listed: Loaded,
    /// The newest BPF program, as the sampler says.
    program: Option<u32>,
    /// What there is, as of this interval.
    loaded: Option<Loaded>,
    warned: bool,
}

impl Kernel {
    /// Another interval begins.
    pub(super) fn begin(&mut self) {
        self.loaded = None;
    }

    /// The newest BPF program has this number; nothing where that cannot be told.
    pub(super) fn set_newest_program(&mut self, program: Option<u32>) {
        self.program = program;
    }

    /// The function at this address. More may be known later where the list is too old for it.
    pub(super) fn lookup(&mut self, address: u64) -> Option<Found> {
        if self.read.is_none() {
            self.load();
        }
        let before = self.find(address);
        if before.as_ref().is_some_and(|(_, found)| found.module.is_none()) || self.loaded() == self.listed {
            return before.map(|(_, found)| found);
        }
        // The list does not say where functions end: what came into an area since then is not what was there before it.
        let pause = AGAIN.max(self.took.saturating_mul(AGAIN_BY_COST));
        if self.read.is_some_and(|read| read.elapsed() < pause) {
            // Programs lie side by side, in the order in which they found room: no name rather than the neighbour's.
            let sure = before.filter(|(_, found)| found.module.as_deref() != Some("bpf"));
            return sure.map(|(_, found)| Found { unread: true, ..found });
        }
        self.load();
        nearer(before, self.find(address))
    }

    fn loaded(&mut self) -> Loaded {
        let program = self.program;
        *self.loaded.get_or_insert_with(|| {
            let mut list = Vec::new();
            // A kernel without modules has no list.
            _ = Proc::open().and_then(|mut proc| proc.stream("modules", |piece| list.extend_from_slice(piece)));
            Loaded { modules: digest_of(&list), program }
        })
    }

    fn find(&self, address: u64) -> Option<(u64, Found)> {
        let symbol = self.symbols.as_ref()?.lookup(address)?;
        let (name, module) = (Arc::from(symbol.name), symbol.module.map(Arc::from));
        Some((symbol.start, Found { name, module, ..Found::default() }))
    }

    fn load(&mut self) {
        let begun = Instant::now();
        self.listed = self.loaded();
        self.read_list();
        self.read = Some(begun);
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

/// A digest of which modules there are, and where; how often each is used changes all the time.
fn digest_of(modules: &[u8]) -> u64 {
    let mut places = Vec::new();
    for line in modules.split(|&byte| byte == b'\n') {
        for (number, word) in line.split(|&byte| byte == b' ').enumerate() {
            // Name, size, uses, users, state, address.
            if matches!(number, 0 | 1 | 5) {
                places.extend_from_slice(word);
                places.push(b' ');
            }
        }
    }
    digest(&places)
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
    fn modules_that_came_or_moved_are_others_and_those_that_are_used_more_are_not() {
        let one = b"ext4 1015808 2 - Live 0xffffffffc0a00000\n";
        let used = b"ext4 1015808 3 dm_mod, Live 0xffffffffc0a00000\n";
        let moved = b"ext4 1015808 2 - Live 0xffffffffc0b00000\n";
        let two = b"ext4 1015808 2 - Live 0xffffffffc0a00000\nvfat 24576 1 - Live 0xffffffffc0900000\n";
        assert_eq!(digest_of(one), digest_of(used));
        assert!([&moved[..], two, b""].iter().all(|other| digest_of(other) != digest_of(one)));
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
