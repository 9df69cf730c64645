//! Samples whose walk came to code without unwind rows, and how they are completed once the rows are there.
//!
//! ```text
//! kernel side ──stack, then sample──▶ sampler holds the sample ──Repair──▶ rows thread: waits for rows, walks
//!                                        counts it  ◀────────────Repaired────────┘
//! ```

use std::cell::Cell;

use abi::rows::SPAN_BITS;
use abi::{ADDRESS_EXACT, MAX_USER_FRAMES, Mapping, StackHead, WalkEnd, mapping_flag, stack_flag};
use unwind::rule::SIGNAL_ORDER;
use unwind::step::{Memory, Registers, Stop};
use unwind::{Register, Rule};

use crate::opener::FileKey;

/// Samples that wait at most, and what their stacks take, in bytes.
pub(crate) const MOST_HELD: usize = 512;
pub(crate) const MOST_HELD_BYTES: usize = 4 << 20;

/// A walk to be gone on with.
#[derive(Debug)]
pub(crate) struct Repair {
    /// Which sample it is of.
    pub(crate) ticket: u64,
    /// The registers of the frame that comes next.
    pub(crate) head: StackHead,
    /// The stack from its stack pointer up.
    pub(crate) stack: Box<[u64]>,
    /// The mappings that the kernel side found for it.
    pub(crate) mappings: Box<[Mapping]>,
    /// How far it has come.
    pub(crate) progress: Option<Progress>,
}

/// A walk that waits for rows.
#[derive(Debug)]
pub(crate) struct Progress {
    /// The frames that it has found, as a sample has them.
    frames: Vec<u64>,
    /// The registers of the next one.
    registers: Registers,
    exact: bool,
    /// Whether one of them lay in a file that has no rows.
    unbuilt: bool,
}

/// What came of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Repaired {
    pub(crate) ticket: u64,
    /// `None` when the rows did not come in time.
    pub(crate) walk: Option<Walk>,
}

/// The rest of a walk.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Walk {
    /// How many user frames of the sample stay as they are.
    pub(crate) before: u16,
    /// Those that follow, as a sample has them.
    pub(crate) frames: Vec<u64>,
    /// Why it ended.
    pub(crate) end: WalkEnd,
}

/// The file of a mapping, as unwind rows know it; `None` for code in no file.
pub(crate) fn file_of(mapping: &Mapping) -> Option<FileKey> {
    let named = mapping.flags & (mapping_flag::FILE | mapping_flag::VDSO) != 0;
    named.then_some(FileKey { ino: mapping.ino, dev: mapping.dev, version: mapping.version })
}

/// A stack as it was when the sample was taken.
struct Copy<'a> {
    start: u64,
    words: &'a [u64],
    /// Whether something was asked for that was not copied.
    cut: Cell<bool>,
}

impl Memory for Copy<'_> {
    fn word(&self, address: u64) -> Option<u64> {
        let at = address.checked_sub(self.start).filter(|at| at % 8 == 0).map(|at| at / 8);
        let word = at.and_then(|at| self.words.get(usize::try_from(at).ok()?)).copied();
        self.cut.set(self.cut.get() || word.is_none());
        word
    }
}

/// What a walk waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wants {
    /// The rows of a file.
    File(FileKey),
    /// Those of one span of it, by its number.
    Span(FileKey, u64),
}

/// Walks the rest of a stack as the kernel side would have. `rule` gives the rule of a place in a file.
///
/// # Errors
/// Rows that are not there yet. The walk goes on from there when it is called again.
pub(crate) fn walk(repair: &mut Repair, rule: impl Fn(FileKey, u64) -> Option<Rule>) -> Result<Walk, Wants> {
    let begin = || Progress {
        frames: Vec::new(),
        registers: registers(&repair.head),
        exact: repair.head.flags & stack_flag::EXACT != 0,
        unbuilt: false,
    };
    let mut progress = repair.progress.take().unwrap_or_else(begin);
    let memory = Copy { start: repair.head.sp, words: &repair.stack, cut: Cell::new(false) };
    let end = match ascend(repair, &memory, &mut progress, rule) {
        Ok(end) => end,
        Err(wants) => {
            repair.progress = Some(progress);
            return Err(wants);
        }
    };
    let frames = progress.frames;
    // Nothing is known of what was not copied: it is not that the stack could not be read.
    let unread = matches!(end, WalkEnd::Fault | WalkEnd::NoRule) && memory.cut.get();
    let end = if unread { WalkEnd::Unbuilt } else { end };
    Ok(Walk { before: repair.head.frames, frames, end })
}

fn ascend(
    repair: &Repair,
    memory: &Copy<'_>,
    progress: &mut Progress,
    rule: impl Fn(FileKey, u64) -> Option<Rule>,
) -> Result<WalkEnd, Wants> {
    let before = usize::from(repair.head.frames);
    let Progress { frames, registers, exact, unbuilt } = progress;
    loop {
        let at = registers.pc.wrapping_sub(u64::from(!*exact));
        let mapping = repair.mappings.iter().find(|mapping| (mapping.start..mapping.end).contains(&at));
        let depth = before + frames.len();
        if mapping.is_none() && depth > 0 {
            return Ok(WalkEnd::NotCode);
        }
        let found = match mapping.and_then(|mapping| Some((mapping, file_of(mapping)?))) {
            Some((mapping, key)) => {
                let offset = at - mapping.start + mapping.offset;
                match rule(key, offset).ok_or(Wants::File(key))? {
                    Rule::Awaited => return Err(Wants::Span(key, offset >> SPAN_BITS)),
                    rule => rule,
                }
            }
            None => Rule::FramePointer,
        };
        *unbuilt |= found == Rule::Absent;
        let shown_exact = (*exact && depth > 0) || found == Rule::Signal;
        frames.push(if shown_exact { registers.pc | ADDRESS_EXACT } else { registers.pc });
        if depth + 1 >= MAX_USER_FRAMES {
            return Ok(WalkEnd::Full);
        }
        let caller = match found {
            Rule::Unknown | Rule::Absent | Rule::Awaited | Rule::FramePointer | Rule::OtherStack => {
                by_frame_pointer(registers, memory, found, *unbuilt)
            }
            _ => registers.caller(found, memory).map_err(|stop| match stop {
                Stop::Outermost => WalkEnd::Outermost,
                Stop::NoRule => WalkEnd::NoRule,
                Stop::NoRegister => WalkEnd::NoRegister,
                Stop::Fault => WalkEnd::Fault,
            }),
        };
        let next = match caller {
            Ok(next) => next,
            Err(end) => return Ok(end),
        };
        let (sp, below) = (next.get(Register::RSP).unwrap_or(0), registers.get(Register::RSP).unwrap_or(0));
        // Code that took its return address off the stack has an empty frame.
        if !matches!(found, Rule::Signal | Rule::OtherStack) && (sp < below || sp == below && !*exact) {
            return Ok(WalkEnd::Chain);
        }
        if next.pc == 0 {
            return Ok(WalkEnd::Root);
        }
        *exact = found == Rule::Signal;
        *registers = next;
    }
}

fn by_frame_pointer(registers: &Registers, memory: &Copy<'_>, rule: Rule, unbuilt: bool) -> Result<Registers, WalkEnd> {
    let described = matches!(rule, Rule::FramePointer | Rule::OtherStack);
    let lost = match described {
        _ if unbuilt => WalkEnd::Unbuilt,
        true => WalkEnd::Chain,
        false => WalkEnd::NoRule,
    };
    let fp = registers.get(Register::RBP).ok_or(lost)?;
    // Where nobody says that there is a frame pointer, zero is a value like others.
    if fp == 0 {
        return Err(if described && !unbuilt { WalkEnd::Root } else { lost });
    }
    let ascends = rule == Rule::OtherStack || registers.get(Register::RSP).is_some_and(|sp| fp >= sp);
    if !ascends || fp % 8 != 0 {
        return Err(lost);
    }
    registers.caller(Rule::FramePointer, memory).map_err(|_| if described { WalkEnd::Fault } else { lost })
}

fn registers(head: &StackHead) -> Registers {
    let mut general = [None; 16];
    if head.flags & stack_flag::REGISTERS != 0 {
        for (number, value) in SIGNAL_ORDER.into_iter().zip(head.registers) {
            general[usize::from(number)] = Some(value);
        }
    }
    general[usize::from(Register::RBP.number())] = Some(head.fp);
    general[usize::from(Register::RSP.number())] = Some(head.sp);
    Registers { pc: head.pc, general }
}

#[cfg(test)]
pub(crate) mod tests {
    use unwind::{Cfa, Frame, SavedFp, SavedRa};

    use super::*;

    pub(crate) const PROGRAM: u64 = 0x40_0000;
    pub(crate) const LIBRARY: u64 = 0x7000_0000;
    const STACK: u64 = 0x7ff0_0000;

    pub(crate) fn file(ino: u64) -> FileKey {
        FileKey { ino, dev: 1, version: 2 }
    }

    fn mapping(start: u64, ino: u64) -> Mapping {
        let flags = if ino == 0 { 0 } else { mapping_flag::FILE };
        Mapping { start, end: start + 0x1000, offset: 0x100, ino, dev: 1, version: 2, flags, pad: 0 }
    }

    pub(crate) fn repair(flags: u8, pc: u64, fp: u64, stack: &[u64]) -> Repair {
        let (kind, frames, registers) = (abi::kind::STACK, 0, std::array::from_fn(|at| at as u64));
        let bytes = stack.len() as u32 * 8;
        let head = StackHead { kind, flags, frames, bytes, ktime: 0, cpu: 0, pad: 0, pc, sp: STACK, fp, registers };
        let mappings = [mapping(PROGRAM, 7), mapping(LIBRARY, 8), mapping(LIBRARY + 0x1000, 0)];
        Repair { ticket: 1, head, stack: stack.into(), mappings: mappings.into(), progress: None }
    }

    /// A frame of so many bytes, with the return address on top.
    fn frame(bytes: i32) -> Rule {
        let cfa = Cfa::Register(Register::RSP, bytes);
        Rule::Frame(Frame { cfa, fp: SavedFp::Same, ra: SavedRa::PUSHED })
    }

    /// Two files of one rule each, but for the library's outermost place.
    pub(crate) fn rule(key: FileKey, offset: u64) -> Option<Rule> {
        match (key.ino, offset) {
            (7, _) => Some(frame(24)),
            (8, 0x15f) => Some(Rule::Outermost),
            (8, _) => Some(frame(16)),
            _ => None,
        }
    }

    #[test]
    fn the_rest_of_a_stack_is_walked_by_the_rows_of_its_files() {
        let stack = [1, 2, LIBRARY + 0x20, 3, LIBRARY + 0x60];
        let walked = walk(&mut repair(stack_flag::EXACT, PROGRAM, 0, &stack), rule);
        let frames = vec![PROGRAM, LIBRARY + 0x20, LIBRARY + 0x60];
        assert_eq!(walked, Ok(Walk { before: 0, frames, end: WalkEnd::Outermost }));
    }

    #[test]
    fn a_file_without_rows_is_named() {
        let stack = [1, 2, LIBRARY + 0x20];
        let walked = walk(&mut repair(stack_flag::EXACT, PROGRAM, 0, &stack), |key, at| {
            rule(key, at).filter(|_| key == file(7))
        });
        assert_eq!(walked, Err(Wants::File(file(8))));
        let awaited = |key, at| rule(key, at).map(|rule| if key == file(8) { Rule::Awaited } else { rule });
        let walked = walk(&mut repair(stack_flag::EXACT, PROGRAM, 0, &stack), awaited);
        assert_eq!(walked, Err(Wants::Span(file(8), 0)));
    }

    #[test]
    fn a_walk_goes_on_where_it_waited() {
        let stack = [1, 2, LIBRARY + 0x20, 3, LIBRARY + 0x60];
        let mut repair = repair(stack_flag::EXACT, PROGRAM, 0, &stack);
        let program = |key, at| rule(key, at).filter(|_| key == file(7));
        assert_eq!(walk(&mut repair, program), Err(Wants::File(file(8))));
        let library = |key, at| {
            assert_eq!(key, file(8), "the program's part is done");
            rule(key, at)
        };
        let frames = vec![PROGRAM, LIBRARY + 0x20, LIBRARY + 0x60];
        assert_eq!(walk(&mut repair, library), Ok(Walk { before: 0, frames, end: WalkEnd::Outermost }));
    }

    #[test]
    fn where_rows_are_absent_what_is_there_is_no_sure_end() {
        let stack = [STACK + 32, LIBRARY + 0x20, 0, 0, 0, LIBRARY + 0x1040];
        let absent = |key, _| Some(if key == file(7) { Rule::Absent } else { Rule::FramePointer });
        let walked = walk(&mut repair(stack_flag::EXACT, PROGRAM, STACK, &stack), absent);
        let frames = vec![PROGRAM, LIBRARY + 0x20, LIBRARY + 0x1040];
        assert_eq!(walked, Ok(Walk { before: 0, frames, end: WalkEnd::Unbuilt }));
    }

    #[test]
    fn what_lies_above_the_copy_is_not_taken_for_the_end_of_the_stack() {
        let walked = walk(&mut repair(0, PROGRAM + 1, 0, &[1, 2]), rule);
        assert_eq!(walked, Ok(Walk { before: 0, frames: vec![PROGRAM + 1], end: WalkEnd::Unbuilt }));
    }

    #[test]
    fn code_in_no_file_is_walked_by_the_frame_pointer_and_ends_where_that_is_zero() {
        let stack = [0, LIBRARY + 0x1030];
        let walked = walk(&mut repair(stack_flag::EXACT, LIBRARY + 0x1010, STACK, &stack), rule);
        let frames = vec![LIBRARY + 0x1010, LIBRARY + 0x1030];
        assert_eq!(walked, Ok(Walk { before: 0, frames, end: WalkEnd::Root }));
    }

    #[test]
    fn where_no_rule_is_known_what_looks_like_a_frame_pointer_is_tried() {
        let end = |fp, rule| walk(&mut repair(0, PROGRAM + 1, fp, &[0, 0]), |_, _| Some(rule)).unwrap().end;
        assert_eq!([Rule::FramePointer, Rule::Unknown].map(|rule| end(STACK, rule)), [WalkEnd::Root; 2]);
        assert_eq!([Rule::FramePointer, Rule::Unknown].map(|rule| end(0, rule)), [WalkEnd::Root, WalkEnd::NoRule]);
        assert_eq!([Rule::FramePointer, Rule::Unknown].map(|rule| end(8, rule)), [WalkEnd::Chain, WalkEnd::NoRule]);
        assert_eq!([Rule::FramePointer, Rule::Unknown].map(|rule| end(STACK + 16, rule)), [WalkEnd::Unbuilt; 2]);
    }

    #[test]
    fn a_walk_that_does_not_ascend_ends() {
        let by_r8 = Cfa::Register(Register::from_dwarf(8).unwrap(), 8);
        let rule = |_, _| Some(Rule::Frame(Frame { cfa: by_r8, fp: SavedFp::Same, ra: SavedRa::AtCfa(0) }));
        let end = |flags| walk(&mut repair(flags, PROGRAM, 0, &[0; 4]), rule).unwrap().end;
        assert_eq!(end(stack_flag::EXACT), WalkEnd::NoRegister);
        assert_eq!(
            end(stack_flag::EXACT | stack_flag::REGISTERS),
            WalkEnd::Unbuilt,
            "the register points below the stack, of which nothing was copied"
        );
        let same = |_, _| {
            Some(Rule::Frame(Frame { cfa: Cfa::Register(Register::RSP, 0), fp: SavedFp::Same, ra: SavedRa::AtCfa(0) }))
        };
        assert_eq!(walk(&mut repair(0, PROGRAM + 1, 0, &[PROGRAM + 1; 4]), same).unwrap().end, WalkEnd::Chain);
    }
}
