//! Functions of the kernel, its modules and BPF programs, from the text of `/proc/kallsyms`.
//!
//! ```text
//!  pieces of text ──Builder──▶ KernelSymbols ──lookup(address)──▶ name, module, start
//!                                 lows:   [u32]   addresses by their upper halves, sorted
//!                                 names:  bytes   of each, in that order: module, length, codes
//!                                 blocks: [u32]   where every 16th name begins
//! ```
//!
//! A name takes some 13 bytes in its codes, and a function some 19 in all. Left out are symbols of data, and the `__pfx_`
//! names of the padding before each function, which would double the table and which nothing runs in.

use crate::alias;

mod codes;

/// The text has room for names up to this length (`KSYM_NAME_LEN`).
const LONGEST_NAME: usize = 512;

/// No function of the kernel is longer; what lies farther behind the nearest start is not of it.
const LONGEST_FUNCTION: u64 = 1 << 20;

/// A name is found by reading at most this many before it.
const BLOCK: usize = 16;

/// What was wrong with the text.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Problem {
    /// Every address is zero.
    #[error("kernel addresses are hidden: grant CAP_SYSLOG, and set kernel.kptr_restrict to 0 or 1")]
    Hidden,
    /// There is no function in the text.
    #[error("/proc/kallsyms names no function: the kernel is built without CONFIG_KALLSYMS")]
    Empty,
    /// Lines that could not be read were skipped.
    #[error("{lines} lines of /proc/kallsyms were not understood")]
    Malformed {
        /// How many.
        lines: usize,
    },
}

/// A function of the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelSymbol<'a> {
    /// Its name.
    pub name: String,
    /// The module it is in, `bpf` for a BPF program, nothing for the kernel itself.
    pub module: Option<&'a str>,
    /// Where it begins.
    pub start: u64,
}

/// All functions of the kernel.
#[derive(Debug)]
pub struct KernelSymbols {
    /// The upper halves of the addresses that occur, each with the index of the first function that has it.
    highs: Box<[(u32, u32)]>,
    /// The lower halves, in address order.
    lows: Box<[u32]>,
    names: Box<[u8]>,
    blocks: Box<[u32]>,
    modules: Box<[Box<str>]>,
}

/// Takes the text in pieces of any size, as the kernel gives it.
#[derive(Debug)]
pub struct Builder {
    line: Vec<u8>,
    found: Vec<Found>,
    names: Vec<u8>,
    modules: Vec<Box<str>>,
    encoder: codes::Encoder,
    malformed: usize,
    hidden: usize,
}

#[derive(Clone, Copy, Debug)]
struct Found {
    address: u64,
    /// Where its record is among the names.
    record: u32,
    /// How strongly its name is bound.
    rank: u32,
}

impl Default for Builder {
    fn default() -> Self {
        Self::new()
    }
}

impl Builder {
    /// A builder that has seen nothing yet.
    pub fn new() -> Self {
        Self {
            line: Vec::new(),
            found: Vec::new(),
            names: Vec::new(),
            modules: Vec::new(),
            encoder: codes::Encoder::new(),
            malformed: 0,
            hidden: 0,
        }
    }

    /// Takes the next piece of the text.
    pub fn feed(&mut self, piece: &[u8]) {
        let mut rest = piece;
        while let Some(end) = rest.iter().position(|&b| b == b'\n') {
            let (line, after) = (&rest[..end], &rest[end + 1..]);
            if self.line.is_empty() {
                self.take(line);
            } else {
                let mut whole = std::mem::take(&mut self.line);
                whole.extend_from_slice(line);
                self.take(&whole);
                whole.clear();
                self.line = whole;
            }
            rest = after;
        }
        // A line without an end is garbage once it is longer than any line; the rest of it will not parse.
        if self.line.len() + rest.len() <= 4 * LONGEST_NAME {
            self.line.extend_from_slice(rest);
        }
    }

    /// Takes one line, as `ffffffff81000000 T name` or `ffffffffc0200000 t name\t[module]`.
    fn take(&mut self, line: &[u8]) {
        let Some(Line { address, kind, name, module }) = parse_line(line) else {
            self.malformed += usize::from(!line.is_empty());
            return;
        };
        let rank = match kind {
            b'T' => 2,
            b'W' | b'w' => 1,
            b't' => 0,
            _ => return,
        };
        if address == 0 {
            self.hidden += 1;
            return;
        }
        if name.starts_with(b"__pfx_") {
            return;
        }
        let Ok(record) = u32::try_from(self.names.len()) else { return };
        let module = module.map_or(0, |module| self.module(module));
        self.encoder.push(module, name, &mut self.names);
        self.found.push(Found { address, record, rank });
    }

    /// The number of a module, from 1 on. The text has the symbols of one module together.
    fn module(&mut self, name: &[u8]) -> usize {
        let name = String::from_utf8_lossy(name);
        let seen = self.modules.iter().rposition(|module| **module == *name);
        seen.unwrap_or_else(|| {
            self.modules.push(name.into());
            self.modules.len() - 1
        }) + 1
    }

    /// Sorts what was taken.
    pub fn finish(mut self) -> (KernelSymbols, Vec<Problem>) {
        let line = std::mem::take(&mut self.line);
        self.take(&line);
        let Self { mut found, names, modules, malformed, hidden, .. } = self;

        let mut problems = Vec::new();
        if found.is_empty() {
            problems.push(if hidden > 0 { Problem::Hidden } else { Problem::Empty });
        }
        if malformed > 0 {
            problems.push(Problem::Malformed { lines: malformed });
        }
        found.sort_by_key(|found| (found.address, std::cmp::Reverse(found.rank)));
        keep_one_name(&mut found, &names);

        let mut highs = Vec::new();
        let mut sorted = Vec::with_capacity(names.len());
        let mut blocks = Vec::with_capacity(found.len().div_ceil(BLOCK));
        for (index, found) in (0_u32..).zip(&found) {
            let high = (found.address >> 32) as u32;
            if highs.last().is_none_or(|&(last, _)| last != high) {
                highs.push((high, index));
            }
            if (index as usize).is_multiple_of(BLOCK) {
                blocks.push(sorted.len() as u32);
            }
            sorted.extend_from_slice(codes::record(&names[found.record as usize..]));
        }
        let lows: Vec<u32> = found.iter().map(|found| found.address as u32).collect();
        let symbols = KernelSymbols {
            highs: highs.into(),
            lows: lows.into(),
            names: sorted.into(),
            blocks: blocks.into(),
            modules: modules.into(),
        };
        (symbols, problems)
    }
}

/// Of the names of one address, leaves the one to show.
fn keep_one_name(found: &mut Vec<Found>, names: &[u8]) {
    let name = |found: &Found| codes::decode(&names[found.record as usize..]).1;
    found.dedup_by(|later, kept| {
        if later.address != kept.address {
            return false;
        }
        if later.rank == kept.rank && alias::compare(name(later).as_bytes(), name(kept).as_bytes()).is_lt() {
            *kept = *later;
        }
        true
    });
}

impl KernelSymbols {
    /// The function that an address is in.
    pub fn lookup(&self, address: u64) -> Option<KernelSymbol<'_>> {
        let (high, low) = ((address >> 32) as u32, address as u32);
        let group = self.highs.partition_point(|&(first, _)| first <= high).checked_sub(1)?;
        let (group_high, from) = self.highs[group];
        let from = from as usize;
        let to = self.highs.get(group + 1).map_or(self.lows.len(), |&(_, next)| next as usize);
        let within =
            if group_high == high { self.lows[from..to].partition_point(|&start| start <= low) } else { to - from };
        // The function may begin under the upper half before.
        let index = (from + within).checked_sub(1)?;
        let start_high = if within > 0 { group_high } else { self.highs[group.checked_sub(1)?].0 };
        let start = (u64::from(start_high) << 32) | u64::from(self.lows[index]);
        if address - start >= LONGEST_FUNCTION {
            return None;
        }
        let (module, name) = self.name(index);
        Some(KernelSymbol { name, module: module.checked_sub(1).map(|module| &*self.modules[module]), start })
    }

    fn name(&self, index: usize) -> (usize, String) {
        let mut rest = &self.names[self.blocks[index / BLOCK] as usize..];
        for _ in 0..index % BLOCK {
            rest = &rest[codes::record(rest).len()..];
        }
        codes::decode(rest)
    }

    /// How many functions it has.
    pub fn len(&self) -> usize {
        self.lows.len()
    }

    /// True when the kernel hid its addresses, or names nothing.
    pub fn is_empty(&self) -> bool {
        self.lows.is_empty()
    }

    /// What it takes of the heap, for the budget.
    pub fn heap_bytes(&self) -> usize {
        let modules = self.modules.iter().map(|module| module.len() + size_of::<Box<str>>());
        size_of_val(&*self.highs)
            + size_of_val(&*self.lows)
            + self.names.len()
            + size_of_val(&*self.blocks)
            + modules.sum::<usize>()
    }
}

/// One line of the text.
struct Line<'a> {
    address: u64,
    /// A letter as `nm` prints it.
    kind: u8,
    name: &'a [u8],
    module: Option<&'a [u8]>,
}

fn parse_line(line: &[u8]) -> Option<Line<'_>> {
    let mut words = line.split(|&b| b == b' ' || b == b'\t').filter(|word| !word.is_empty());
    let (address, kind, name) = (words.next()?, words.next()?, words.next()?);
    if !address[0].is_ascii_hexdigit() || kind.len() != 1 || name.len() > LONGEST_NAME {
        return None;
    }
    let address = u64::from_str_radix(str::from_utf8(address).ok()?, 16).ok()?;
    let module = words.next().map(|module| module.strip_prefix(b"[")?.strip_suffix(b"]"));
    match module {
        Some(None) => None,
        module => Some(Line { address, kind: kind[0], name, module: module.flatten() }),
    }
}

#[cfg(test)]
mod tests;
