//! Rows of code that no table describes, from the code itself.
//!
//! ```text
//! a gap ──▶ sections with code ──▶ functions: by symbols, calls, and addresses, after padding ──Follow──▶ State of each instruction ──▶ Rule
//! ```
//!
//! Each instruction moves the stack pointer by a number that it says, or ends what is known. A function that a symbol names or
//! that is called begins with the return address on the stack. Of other code that is believed if it returns: as what lies
//! between its begin and its return is known, so is what was on the stack at its begin. Where two ways to an instruction
//! disagree, there is no rule in the whole function.

use std::collections::BTreeMap;

use elf::{Elf, ReadAt, Segment};

use crate::rule::Rule;
use crate::x86::{Flow, Steps};

mod follow;
mod plt;
mod starts;
mod state;
mod taken;
mod window;

use follow::{Code, Extent, Follow, padding};
use starts::Starts;
use state::State;
use taken::Taken;
use window::Window;

/// Instructions that are looked at in a file.
const MOST_WORK: u64 = 24 << 20;
/// What a function costs beside its instructions.
const WORK_A_FUNCTION: u64 = 8;
/// A longer function gets no rules.
const LONGEST: usize = 256 << 10;
/// As much is looked at to find the end of a function without a size.
const LONGEST_UNSIZED: usize = 64 << 10;
/// Bytes of code that are looked at at once for calls, and calls that are kept.
const SWEPT: usize = 64 << 10;
const MOST_CALLED: usize = 1 << 18;
/// Places that are kept to which functions go.
const MOST_PENDING: usize = 4096;
/// So many bytes of the file's code are worth being looked at, for the addresses that they take, for a byte of code.
const LOOKED_A_BYTE: u64 = 64;
/// With so few symbols it costs nothing to read them.
const FEW_SYMBOLS: u64 = 1 << 14;
/// So many symbols are worth being read for a byte of code.
const SYMBOLS_A_BYTE: u64 = 4;

/// What lets a signal handler return: `mov rax, 15; syscall`, in both of its lengths.
const SIGNAL_RETURNS: [&[u8]; 2] = [b"\x48\xc7\xc0\x0f\x00\x00\x00\x0f\x05", b"\xb8\x0f\x00\x00\x00\x0f\x05"];

/// Fills gaps between what tables describe.
pub(crate) struct Bare<'e, R> {
    elf: &'e Elf<R>,
    /// Where code is, by address, and the kind; of a file that says so.
    sections: Vec<(u64, u64, bool)>,
    starts: Option<Starts<'e, R>>,
    /// Whether all of the file is looked at, and not a span of it.
    is_whole: bool,
    /// The functions whose address is taken in the file, once that was asked for.
    taken: Option<Vec<Taken>>,
    /// What is called in the current stretch of code.
    called: Vec<u64>,
    /// The functions there whose address other code takes.
    begins: Vec<u64>,
    /// What holds where functions go; `None` where several disagree.
    pending: BTreeMap<u64, Option<State>>,
    follow: Follow,
    window: Window,
}

impl<'e, R: ReadAt + Clone> Bare<'e, R> {
    pub(crate) fn of(elf: &'e Elf<R>, is_whole: bool) -> Self {
        let code = elf.sections().iter().filter(|section| section.is_code() && section.has_bytes());
        let mut sections: Vec<_> = code
            .map(|section| {
                (section.address.0, section.address.0.saturating_add(section.size), plt::is_plt(&section.name))
            })
            .collect();
        sections.sort_unstable();
        Self {
            elf,
            sections,
            starts: None,
            is_whole,
            taken: None,
            called: Vec::new(),
            begins: Vec::new(),
            pending: BTreeMap::new(),
            follow: Follow::new(MOST_WORK),
            window: Window::default(),
        }
    }

    /// The rules of a gap in a segment: `row` gets each with where it begins and ends.
    pub(crate) fn rows(&mut self, segment: &Segment, from: u64, to: u64, row: &mut dyn FnMut(u64, u64, Rule)) {
        let mut code = std::mem::take(&mut self.window);
        code.enter(segment);
        self.in_sections(&mut code, from, to, row);
        self.window = code;
    }

    fn in_sections(&mut self, code: &mut Window, from: u64, to: u64, row: &mut dyn FnMut(u64, u64, Rule)) {
        if self.sections.is_empty() {
            return self.stretch(code, from, to, row);
        }
        let mut at = from;
        let first = self.sections.partition_point(|(_, end, _)| *end <= from);
        for index in first..self.sections.len() {
            let (start, end, is_plt) = self.sections[index];
            let (start, end) = (start.max(at), end.min(to));
            if start >= to {
                return;
            }
            if start < end {
                if is_plt {
                    self.plt(code, start, end, row);
                } else {
                    self.stretch(code, start, end, row);
                }
                at = end;
            }
        }
    }

    fn plt(&mut self, code: &mut Window, from: u64, to: u64, row: &mut dyn FnMut(u64, u64, Rule)) {
        let mut at = from;
        // Rules tell entries by the last bits of an address.
        while at.is_multiple_of(16) && at + 16 <= to && !self.follow.is_spent() {
            let entry = code.bytes(self.elf.reader(), at, 16);
            self.follow.spend(4);
            if let Some(header) = plt::header(entry) {
                let mut begin = 0;
                for (end, rule) in header {
                    row(at + begin, at + end as u64, rule);
                    begin = end as u64;
                }
            } else {
                row(at, at + 16, plt::entry(entry).unwrap_or_default());
            }
            at += 16;
        }
        if at < to {
            let rule = plt::entry(code.bytes(self.elf.reader(), at, (to - at).min(16) as usize));
            if to - at < 16
                && let Some(rule) = rule
            {
                row(at, to, rule);
            }
        }
    }

    /// A stretch of code.
    fn stretch(&mut self, code: &mut Window, from: u64, to: u64, row: &mut dyn FnMut(u64, u64, Rule)) {
        let mut at = from;
        let mut is_ready = false;
        while at < to && !self.follow.is_spent() {
            let idle = padding(code.bytes(self.elf.reader(), at, (to - at).min(SWEPT as u64) as usize)) as u64;
            self.follow.spend(1 + idle / 4);
            if idle > 0 && at + idle < to {
                let next = at + idle;
                at = next;
                if idle == SWEPT as u64 {
                    continue;
                }
            } else if idle > 0 {
                return;
            }
            if !is_ready {
                is_ready = true;
                self.prepare(code, at, to);
            }
            at = self.function(code, at, to, idle > 0, row);
        }
    }

    /// Finds out where functions begin.
    fn prepare(&mut self, window: &mut Window, from: u64, to: u64) {
        let elf = self.elf;
        let starts = self.starts.get_or_insert_with(|| Starts::of(elf));
        self.called.clear();
        self.begins.clear();
        if starts.are_complete() && self.reads_symbols(to - from) {
            return;
        }
        let code = elf.segments().iter().filter(|segment| segment.is_code());
        if self.is_whole && code.map(|segment| segment.file_size).sum::<u64>() / LOOKED_A_BYTE <= to - from {
            let taken = self.taken.get_or_insert_with(|| taken::taken(elf));
            let first = taken.partition_point(|taken| taken.target < from);
            // What takes an address near by may be a jump within a function.
            let here = taken[first..].iter().take_while(|taken| taken.target < to);
            let others = here.filter(|taken| !(from..to).contains(&taken.from));
            self.begins.extend(others.map(|taken| taken.target));
            self.begins.dedup();
        }
        let mut at = from;
        while at < to && !self.follow.is_spent() {
            let code = window.bytes(elf.reader(), at, (to - at).min(SWEPT as u64) as usize);
            if code.is_empty() {
                break;
            }
            let mut done = 0;
            while done < code.len() {
                let mut steps = 0;
                // The next piece begins with an instruction that may go on beyond this one.
                for step in Steps::new(&code[done..], at + done as u64) {
                    steps += 1;
                    done = (step.next - at) as usize;
                    if let Flow::Call(Some(target)) = step.flow
                        && (from..to).contains(&target)
                        && target != step.next
                    {
                        self.called.push(target);
                    }
                }
                self.follow.spend(steps + 1);
                if done + 16 > code.len() {
                    break;
                }
                done += 1;
            }
            at += done.max(1) as u64;
            if self.called.len() >= MOST_CALLED {
                self.called.sort_unstable();
                self.called.dedup();
                if self.called.len() >= MOST_CALLED / 2 {
                    break;
                }
            }
        }
        self.called.sort_unstable();
        self.called.dedup();
    }

    /// Whether symbols are worth being read for so much code.
    fn reads_symbols(&self, bytes: u64) -> bool {
        let count = self.starts.as_ref().map_or(0, Starts::count);
        count <= FEW_SYMBOLS || count <= bytes.saturating_mul(SYMBOLS_A_BYTE)
    }

    /// One function; gives where the next one may begin.
    fn function(
        &mut self,
        window: &mut Window,
        at: u64,
        to: u64,
        after_padding: bool,
        row: &mut dyn FnMut(u64, u64, Rule),
    ) -> u64 {
        self.follow.spend(WORK_A_FUNCTION);
        let mut named = None;
        let mut limit = to;
        let reads_symbols = self.reads_symbols(to - at);
        if let Some(starts) = self.starts.as_mut().filter(|_| reads_symbols) {
            named = starts.from(at).filter(|start| start.address == at);
            limit = starts.from(at + 1).map_or(limit, |start| start.address.min(limit));
        }
        let entry = self.elf.entry().0;
        limit = if entry > at { limit.min(entry) } else { limit };
        let called = self.called.partition_point(|called| *called <= at);
        limit = self.called.get(called).map_or(limit, |called| limit.min(*called));
        let begun = self.begins.partition_point(|begin| *begin <= at);
        limit = self.begins.get(begun).map_or(limit, |begin| limit.min(*begin));
        let is_taken = begun > 0 && self.begins[begun - 1] == at;
        let pending_next = self.pending.range(at + 1..).next().map(|(place, _)| *place);
        let is_called = called > 0 && self.called[called - 1] == at;
        let pending = self.pending.remove(&at);
        self.pending = self.pending.split_off(&at);

        let is_named = named.is_some();
        let size = named.map_or(0, |start| u64::from(start.size));
        let split_off =
            named.is_some_and(|start| self.starts.as_mut().is_some_and(|starts| starts.is_split_off(&start)));
        let is_entry = at == entry;
        let extent = if size > 0 { Extent::Whole } else { Extent::Reached };
        let longest = if size > 0 { LONGEST } else { LONGEST_UNSIZED };
        let end = match pending_next {
            _ if size > 0 => limit.min(at.saturating_add(size)),
            Some(place) => limit.min(place),
            None => limit,
        };
        let code = window.bytes(self.elf.reader(), at, (end - at).min(longest as u64 + 1) as usize);
        let code = if size == 0 { &code[..code.len().min(longest)] } else { code };
        if code.is_empty() {
            return to;
        }
        if let Some(pattern) = SIGNAL_RETURNS.iter().find(|pattern| code.starts_with(pattern)) {
            // A handler returns to the first byte of it, so that the one before is looked up.
            let before = u64::from(after_padding);
            let end = at + pattern.len() as u64;
            row(at - before, end, Rule::Signal);
            return end;
        }
        if code.len() > longest {
            row(at, end, Rule::Unknown);
            return end;
        }
        let begins = is_entry || is_called || (is_named && !split_off);
        let (state, is_known) = match pending {
            None => (Some(State::ENTRY), begins || is_taken),
            Some(state) => {
                // Who calls it and who goes on with it may differ in all but the stack.
                let state = state.map(|state| state.joined(State::ENTRY).filter(|_| begins).unwrap_or(state));
                // What another function goes to with something on its stack must return as well: that one may be wrong.
                (state, state.is_some_and(|state| state.may_return() == Some(true)))
            }
        };
        let code = Code { bytes: code, address: at, extent, is_known };
        let fits = state.is_some_and(|state| self.follow.run(code, state));
        let done = if !fits {
            let done = match extent {
                Extent::Whole => code.bytes.len(),
                Extent::Reached => plain(code.bytes),
            };
            self.follow.spend(done as u64 / 4);
            row(at, at + done as u64, Rule::Unknown);
            done
        } else {
            let done = match extent {
                Extent::Whole => code.bytes.len(),
                Extent::Reached => self.follow.reached(code),
            };
            self.emit(code, done, is_entry, row);
            self.keep_strays(at, done);
            done
        };
        at + done.max(1) as u64
    }

    /// Hands over the rules of a function.
    fn emit(&self, code: Code<'_>, bytes: usize, outermost: bool, row: &mut dyn FnMut(u64, u64, Rule)) {
        let mut last = 0;
        let between = |from: usize, to: usize, row: &mut dyn FnMut(u64, u64, Rule)| {
            // Nobody returns to padding; anything else is code that was not understood.
            if from + padding(&code.bytes[from..to]) < to {
                row(code.address + from as u64, code.address + to as u64, Rule::Unknown);
            }
        };
        self.follow.rows(bytes, &mut |start, end, rule| {
            if last < start {
                between(last, start, row);
            }
            let rule = if outermost { Rule::Outermost } else { rule };
            row(code.address + start as u64, code.address + end as u64, rule);
            last = end;
        });
        if last < bytes {
            between(last, bytes, row);
        }
    }

    /// Notes what holds where the function goes on in code that comes later.
    fn keep_strays(&mut self, at: u64, done: usize) {
        let end = at + done as u64;
        let beyond = self.follow.beyond(done).map(|(place, state)| (at + place as u64, state));
        for (place, state) in self.follow.strays().chain(beyond) {
            if place < end || (self.pending.len() >= MOST_PENDING && !self.pending.contains_key(&place)) {
                continue;
            }
            let known = self.pending.entry(place).or_insert(Some(state));
            *known = known.and_then(|known| known.joined(state));
        }
    }
}

/// How many bytes there are up to where the code goes on elsewhere.
fn plain(code: &[u8]) -> usize {
    let mut done = 0;
    for step in Steps::new(code, 0) {
        done = step.next as usize;
        if matches!(step.flow, Flow::Jump(_) | Flow::Somewhere | Flow::Return | Flow::End) {
            break;
        }
    }
    done
}
