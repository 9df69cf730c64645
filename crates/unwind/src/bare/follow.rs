//! Follows the code of one function from where it begins.
//!
//! Ways that are sure come first: to the next instruction, and to where a jump goes. What comes after a call is followed next,
//! for some calls do not return, and then what comes after them is reached from elsewhere. Last comes what nothing reaches, in
//! a function that jumps through a table. When two ways disagree, the one that was less sure is left out, and all is
//! followed again.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};

use super::state::{Contradiction, State};
use crate::rule::Rule;
use crate::x86::{Effect, Flow, Step, Steps};

/// Times that a function is followed again.
const ATTEMPTS: usize = 40;
/// Ways out of a function that are noted.
const MOST_STRAYS: usize = 256;

/// What a byte of the code is: nothing was found, the rest of an instruction, or from here on the number of the state before
/// the instruction that begins here.
type Mark = u16;
const UNREACHED: Mark = 0;
const INSIDE: Mark = 1;
const FIRST_STATE: Mark = 2;

/// A way that was taken though it need not be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doubt {
    /// The call at a place returns.
    Call(u32),
    /// A jump through a table leads to a place.
    Table(u32),
}

/// What was taken for a function cannot be one, but for doubtful ways, of which at least one is none.
struct Wrong([Option<Doubt>; 2]);

/// How much of the code the function is known to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// All of it.
    Whole,
    /// What can be reached without a gap.
    Reached,
}

/// Code that begins with a function.
#[derive(Clone, Copy)]
pub(super) struct Code<'c> {
    pub(super) bytes: &'c [u8],
    pub(super) address: u64,
    pub(super) extent: Extent,
    /// Whether it is known that what is said of its begin holds. Else it must be proven.
    pub(super) is_known: bool,
}

/// The state of a function, byte by byte. Its memory is used again for the next one.
#[derive(Default)]
pub(super) struct Follow {
    marks: Vec<Mark>,
    /// From here on all marks are those of no code.
    touched: usize,
    states: Vec<State>,
    /// The part of the function that each state is of: what was followed from the begin, or since a doubt.
    parts: Vec<u32>,
    /// The first state of the current part.
    fresh: usize,
    /// The current part.
    part: u32,
    /// One part of the function leads to another.
    leads: Vec<(u32, u32)>,
    /// The doubt about each part.
    doubts: Vec<Option<Doubt>>,
    /// Whether a part was seen to return.
    returns: Vec<bool>,
    work: Vec<u32>,
    /// What comes after calls, the call, and the number of the state.
    after_calls: BinaryHeap<Reverse<(u32, u32, Mark)>>,
    /// The calls after which code is reached.
    returned: HashMap<u32, u32>,
    /// Calls that do not return.
    leaving: HashSet<u32>,
    /// The state at jumps through tables, where all agree.
    table: Option<State>,
    tables_differ: bool,
    /// No table leads to a place from here on.
    tables_end: usize,
    /// The doubt about what is followed now.
    doubt: Option<Doubt>,
    /// Whether it is known that a function begins here.
    is_known: bool,
    /// Ways out of the function, each with what it goes with.
    strays: Vec<(u64, State, u32)>,
    returns_zeroed: bool,
    /// Instructions that may still be looked at, in the whole file.
    budget: u64,
}

impl Follow {
    pub(super) fn new(budget: u64) -> Self {
        Self { budget, ..Self::default() }
    }

    /// Whether nothing more may be looked at.
    pub(super) fn is_spent(&self) -> bool {
        self.budget == 0
    }

    /// So many instructions were looked at.
    pub(super) fn spend(&mut self, instructions: u64) {
        self.budget = self.budget.saturating_sub(instructions);
    }

    /// Follows the code from its first byte, where this holds. False when it cannot be so.
    pub(super) fn run(&mut self, code: Code<'_>, entry: State) -> bool {
        self.leaving.clear();
        self.tables_end = code.bytes.len();
        for _ in 0..ATTEMPTS {
            match self.attempt(code, entry) {
                Ok(()) => return self.prove(code),
                Err(Wrong([None, None])) => return false,
                Err(Wrong(doubts)) => doubts.into_iter().flatten().for_each(|doubt| match doubt {
                    Doubt::Call(at) => _ = self.leaving.insert(at),
                    Doubt::Table(at) => self.tables_end = self.tables_end.min(at as usize),
                }),
            }
        }
        false
    }

    /// What returns to the function's caller began with what it was said to begin with, and so did all that leads to it. Takes
    /// back the rest, unless it is known to be part of the function; false if it began otherwise.
    fn prove(&mut self, code: Code<'_>) -> bool {
        self.returns[0] |= code.is_known;
        self.leads.sort_unstable();
        self.leads.dedup();
        let mut to: HashMap<u32, Vec<u32>> = HashMap::new();
        self.leads.iter().for_each(|(from, part)| to.entry(*part).or_default().push(*from));
        let mut new: Vec<u32> =
            (0..).zip(&self.returns).filter(|(_, returns)| **returns).map(|(part, _)| part).collect();
        while let Some(part) = new.pop() {
            for from in to.remove(&part).unwrap_or_default() {
                if !std::mem::replace(&mut self.returns[from as usize], true) {
                    new.push(from);
                }
            }
        }
        if code.extent == Extent::Reached {
            let mut taken_back = false;
            for mark in &mut self.marks[..self.touched] {
                if let Some(state) = mark.checked_sub(FIRST_STATE) {
                    taken_back = !self.returns[self.parts[usize::from(state)] as usize];
                }
                if taken_back {
                    *mark = UNREACHED;
                }
            }
        }
        self.returns[0]
    }

    /// Ways out of the last function that could be followed, and what holds where they lead.
    pub(super) fn strays(&self) -> impl Iterator<Item = (u64, State)> {
        let sure = self.strays.iter().filter(|(.., part)| self.returns[*part as usize]);
        sure.map(|(target, state, _)| (*target, *state))
    }

    /// How many bytes can be reached without a gap, but for padding.
    pub(super) fn reached(&self, code: Code<'_>) -> usize {
        let mut end = 0;
        loop {
            let gap = self.marks[end..self.touched].iter().position(|mark| *mark == UNREACHED);
            let Some(gap) = gap.map(|gap| end + gap) else { return self.touched };
            let next = gap + padding(&code.bytes[gap..self.touched]);
            if next == gap || self.marks[..self.touched].get(next).is_none_or(|mark| *mark < FIRST_STATE) {
                return gap;
            }
            end = next;
        }
    }

    /// Where code begins that lies beyond a place, and what holds there.
    pub(super) fn beyond(&self, place: usize) -> impl Iterator<Item = (usize, State)> {
        let marks = self.marks[..self.touched].iter().enumerate().skip(place);
        let begins =
            marks.filter(move |(at, mark)| **mark >= FIRST_STATE && (*at == 0 || self.marks[at - 1] == UNREACHED));
        begins.map(|(at, mark)| (at, self.states[usize::from(mark - FIRST_STATE)]))
    }

    /// The rules of the first bytes: `row` gets where each begins and ends. Where nothing was found there is none.
    pub(super) fn rows(&self, bytes: usize, row: &mut dyn FnMut(usize, usize, Rule)) {
        let (mut start, mut rule) = (0, None);
        for at in 0..bytes {
            let mark = self.marks.get(at).filter(|_| at < self.touched).copied().unwrap_or(UNREACHED);
            let next = match mark {
                UNREACHED => None,
                INSIDE => continue,
                mark => Some(self.rule(self.states[usize::from(mark - FIRST_STATE)])),
            };
            if next != rule {
                if let Some(rule) = rule {
                    row(start, at, rule);
                }
                (start, rule) = (at, next);
            }
        }
        if let Some(rule) = rule {
            row(start, bytes, rule);
        }
    }

    fn rule(&self, state: State) -> Rule {
        match state.is_zeroed() && !self.returns_zeroed {
            true if state.may_return().is_none() => Rule::Outermost,
            true => Rule::Unknown,
            false => state.rule(),
        }
    }

    fn attempt(&mut self, code: Code<'_>, entry: State) -> Result<(), Wrong> {
        self.marks[..self.touched].fill(UNREACHED);
        self.touched = 0;
        if self.marks.len() < code.bytes.len() {
            self.marks.resize(code.bytes.len(), UNREACHED);
        }
        self.states.clear();
        self.work.clear();
        self.after_calls.clear();
        self.returned.clear();
        self.strays.clear();
        self.parts.clear();
        self.leads.clear();
        self.returns.clear();
        self.doubts.clear();
        (self.table, self.tables_differ, self.returns_zeroed) = (None, false, false);
        self.is_known = code.is_known;
        self.begin_part(None);
        self.reach(0, entry)?;
        self.drain(code)?;
        let mut place = 0;
        loop {
            if let Some(Reverse((next, call, mark))) = self.after_calls.pop() {
                self.after_call(code, next, call, mark)?;
            } else if !self.by_table(code, &mut place)? {
                return Ok(());
            }
        }
    }

    /// What is followed from here on holds if this does.
    fn begin_part(&mut self, doubt: Option<Doubt>) {
        self.doubt = doubt;
        self.fresh = self.states.len();
        self.part = self.returns.len() as u32;
        self.returns.push(false);
        self.doubts.push(doubt);
    }

    fn part_of(&self, mark: Mark) -> u32 {
        self.parts[usize::from(mark - FIRST_STATE)]
    }

    fn after_call(&mut self, code: Code<'_>, next: u32, call: u32, mark: Mark) -> Result<(), Wrong> {
        if self.leaving.contains(&call) || next as usize >= code.bytes.len() {
            return Ok(());
        }
        let (state, caller) = (self.states[usize::from(mark - FIRST_STATE)], self.part_of(mark));
        let there = self.marks[next as usize];
        if there < FIRST_STATE {
            self.returned.insert(next, call);
        } else if self.state_at(next).is_some_and(|known| known.joined(state).is_none()) {
            // Reached from elsewhere with another stack: the call does not return.
            return Ok(());
        }
        self.begin_part(Some(Doubt::Call(call)));
        self.leads.push((caller, self.part));
        self.reach(next as usize, state)?;
        self.drain(code)
    }

    /// Takes the next code that nothing reaches for one of those to which a table leads; false when there is none.
    fn by_table(&mut self, code: Code<'_>, place: &mut usize) -> Result<bool, Wrong> {
        let whole = code.extent == Extent::Whole;
        let Some(state) = self.table.filter(|state| !self.tables_differ && (whole || !state.is_entry())) else {
            return Ok(false);
        };
        let end = self.tables_end.min(code.bytes.len());
        while *place < end && self.marks[*place] != UNREACHED {
            *place += 1;
        }
        *place += padding(&code.bytes[*place..end]);
        if *place >= end {
            return Ok(false);
        }
        if self.marks[*place] != UNREACHED {
            return Ok(true);
        }
        self.begin_part(Some(Doubt::Table(*place as u32)));
        self.reach(*place, state)?;
        self.drain(code)?;
        Ok(true)
    }

    fn drain(&mut self, code: Code<'_>) -> Result<(), Wrong> {
        while let Some(at) = self.work.pop() {
            self.walk(code, at as usize)?;
        }
        Ok(())
    }

    /// Goes from one instruction to the next.
    fn walk(&mut self, code: Code<'_>, from: usize) -> Result<(), Wrong> {
        let Some(mut state) = self.state_at(from as u32) else { return Ok(()) };
        let mut end = from;
        for step in Steps::new(&code.bytes[from..], code.address.wrapping_add(from as u64)) {
            self.budget = self.budget.checked_sub(1).ok_or(Wrong([None, None]))?;
            let at = step.at.wrapping_sub(code.address) as usize;
            if at > from {
                match self.meet(at, state)? {
                    Some(joined) => state = joined,
                    None => return Ok(()),
                }
            }
            end = step.next.wrapping_sub(code.address) as usize;
            self.marks[at + 1..end].iter_mut().filter(|mark| **mark == UNREACHED).for_each(|mark| *mark = INSIDE);
            self.touched = self.touched.max(end);
            match self.execute(code, &step, state)? {
                Some(after) => state = after,
                None => return Ok(()),
            }
        }
        if end < code.bytes.len() {
            // Those are no instructions.
            return Err(Wrong([self.doubt, None]));
        }
        // Into the function that follows.
        self.stray(code.address.wrapping_add(end as u64), state);
        Ok(())
    }

    /// What holds at the next instruction; `None` where the code goes on elsewhere.
    fn execute(&mut self, code: Code<'_>, step: &Step, state: State) -> Result<Option<State>, Wrong> {
        let after = self.certain(state.after(step.effect))?;
        match step.flow {
            Flow::Next => return Ok(Some(after)),
            // It asks for its own address. A call that does not return may lie before the function that it calls.
            Flow::Call(Some(target)) if target == step.next && pops(code, step.next) => {
                return self.certain(after.after(Effect::Push(false))).map(Some);
            }
            Flow::Call(_) => {
                if !self.is_known && !after.may_call() {
                    return Err(Wrong([self.doubt, None]));
                }
                let place = |address: u64| address.wrapping_sub(code.address) as u32;
                let mark = self.number(after.after_call())?;
                self.after_calls.push(Reverse((place(step.next), place(step.at), mark)));
            }
            Flow::Jump(target) => {
                let outside = target.wrapping_sub(code.address) >= code.bytes.len() as u64;
                // The last call of a function that begins here for sure is as good as a return.
                self.returns[self.part as usize] |= self.is_known && outside && after.is_entry();
                self.jump(code, target, after, after.is_entry() && code.extent == Extent::Reached)?;
            }
            Flow::Branch(target) => {
                self.jump(code, target, after, false)?;
                return Ok(Some(after));
            }
            Flow::Somewhere => {
                self.tables_differ |= self.table.is_some_and(|table| table != after);
                self.table = Some(after);
            }
            Flow::Return => {
                self.returns_zeroed |= after.is_zeroed();
                match after.may_return() {
                    Some(false) => return Err(Wrong([self.doubt, None])),
                    Some(true) if after.is_entry() => self.returns[self.part as usize] = true,
                    _ => {}
                }
            }
            Flow::End => {}
        }
        Ok(None)
    }

    fn certain<T>(&self, result: Result<T, Contradiction>) -> Result<T, Wrong> {
        result.map_err(|Contradiction| Wrong([self.doubt, None]))
    }

    /// `leaves`: the jump may be a call in the place of a return.
    fn jump(&mut self, code: Code<'_>, target: u64, state: State, leaves: bool) -> Result<(), Wrong> {
        let place = target.wrapping_sub(code.address);
        if place < code.bytes.len() as u64 && !(leaves && self.marks[place as usize] < FIRST_STATE) {
            return self.reach(place as usize, state);
        }
        self.stray(target, state);
        Ok(())
    }

    fn stray(&mut self, target: u64, state: State) {
        if self.strays.len() < MOST_STRAYS {
            self.strays.push((target, state, self.part));
        }
    }

    /// Something leads to a place.
    fn reach(&mut self, place: usize, state: State) -> Result<(), Wrong> {
        if self.meet(place, state)?.is_some() {
            self.work.push(place as u32);
        }
        Ok(())
    }

    /// Notes what holds at a place; `None` when that was known.
    fn meet(&mut self, place: usize, state: State) -> Result<Option<State>, Wrong> {
        let Some(known) = self.state_at(place as u32) else {
            self.marks[place] = self.number(state)?;
            self.touched = self.touched.max(place + 1);
            return Ok(Some(state));
        };
        let Some(joined) = known.joined(state) else {
            let call = self.returned.get(&(place as u32)).map(|call| Doubt::Call(*call));
            let known = self.doubts[self.part_of(self.marks[place]) as usize];
            return Err(Wrong(call.map_or([self.doubt, known], |call| [Some(call), None])));
        };
        let part = self.part_of(self.marks[place]);
        if part != self.part {
            self.leads.push((self.part, part));
        }
        if joined == known {
            return Ok(None);
        }
        self.marks[place] = self.number(joined)?;
        Ok(Some(joined))
    }

    fn state_at(&self, place: u32) -> Option<State> {
        let mark = self.marks.get(place as usize)?.checked_sub(FIRST_STATE)?;
        self.states.get(usize::from(mark)).copied()
    }

    /// The number of a state. A function has few.
    fn number(&mut self, state: State) -> Result<Mark, Wrong> {
        let lately = self.states[self.fresh..].iter().rev().take(64).position(|known| *known == state);
        let index = match lately {
            Some(back) => self.states.len() - 1 - back,
            None => {
                self.states.push(state);
                self.parts.push(self.part);
                self.states.len() - 1
            }
        };
        Mark::try_from(index).ok().and_then(|index| index.checked_add(FIRST_STATE)).ok_or(Wrong([None, None]))
    }
}

/// Whether a word is taken off the stack at an address.
fn pops(code: Code<'_>, address: u64) -> bool {
    let at = address.wrapping_sub(code.address) as usize;
    let next = code.bytes.get(at..).and_then(|bytes| Steps::new(bytes, address).next());
    next.is_some_and(|step| matches!(step.effect, Effect::Pop(_)))
}

/// Bytes at the begin that are between functions: instructions that do nothing, and zeroes.
pub(super) fn padding(code: &[u8]) -> usize {
    let mut done = 0;
    loop {
        let zeroes = code[done..].iter().take_while(|byte| **byte == 0).count();
        let zeroes = if zeroes > 1 || done + zeroes == code.len() { zeroes } else { 0 };
        let idle = Steps::new(&code[done + zeroes..], 0).take_while(|step| step.idle).last();
        let idle = idle.map_or(0, |step| step.next as usize);
        if zeroes + idle == 0 {
            return done;
        }
        done += zeroes + idle;
    }
}

#[cfg(test)]
mod tests;
