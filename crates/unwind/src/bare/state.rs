//! What is known of the stack at an instruction.

use crate::rule::{Cfa, Frame, Register, Rule, SavedFp};
use crate::x86::Effect;

/// More on a stack is no real function's.
const MOST_BYTES: i64 = 1 << 30;
/// The distance of the stack pointer where a function begins: the return address is on the stack.
const AT_ENTRY: i32 = 8;

/// What the frame pointer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Fp {
    /// The caller's.
    Caller,
    /// So many bytes below the CFA.
    Below(i32),
    /// Zero, and the caller's is gone.
    Zeroed,
    /// Something else.
    Other,
}

/// Registers and stack of a function, relative to the CFA.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct State {
    /// How far the stack pointer is below the CFA, where that is known.
    depth: Option<i32>,
    fp: Fp,
    /// How far below the CFA the caller's frame pointer was saved, and still is.
    saved: Option<i32>,
    /// A register that has the stack pointer of a place so far below the CFA.
    copy: Option<(u8, i32)>,
    /// Whether something was called since then. What that did to the register is not known, and code that uses it nevertheless knows.
    called: bool,
    /// A word so far above the stack pointer that has it too.
    word: Option<(i32, i32)>,
}

/// The DWARF numbers of the general registers, in the order of instructions.
const BY_INSTRUCTION: [usize; 16] = [0, 2, 1, 3, 7, 6, 4, 5, 8, 9, 10, 11, 12, 13, 14, 15];

/// The function cannot be as it was taken to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Contradiction;

impl State {
    /// Where a function begins.
    pub(super) const ENTRY: Self =
        Self { depth: Some(AT_ENTRY), fp: Fp::Caller, saved: None, copy: None, called: false, word: None };

    /// The same, with so many more bytes on the stack.
    pub(super) const fn entered_with(bytes: i32) -> Self {
        Self { depth: Some(AT_ENTRY + bytes), ..Self::ENTRY }
    }

    /// Whether the function can be left by a jump from here.
    pub(super) fn is_entry(&self) -> bool {
        self.depth == Some(AT_ENTRY) && self.fp == Fp::Caller
    }

    /// Whether the function may return from here; `None` where that is not known.
    pub(super) fn may_return(&self) -> Option<bool> {
        self.depth.map(|depth| depth == AT_ENTRY)
    }

    /// Whether a compiler calls a function from here: it keeps the stack pointer a multiple of 16 then.
    pub(super) fn may_call(&self) -> bool {
        self.depth.is_none_or(|depth| depth % 16 == 0)
    }

    /// Whether the frame pointer was made zero without having been saved: such code never returns.
    pub(super) fn is_zeroed(&self) -> bool {
        self.fp == Fp::Zeroed
    }

    /// What holds after an instruction.
    pub(super) fn after(mut self, effect: Effect) -> Result<Self, Contradiction> {
        match effect {
            Effect::None => {}
            Effect::Push(of_fp) => {
                self.deepen(8)?;
                if of_fp && self.fp == Fp::Caller && self.saved.is_none() {
                    self.saved = self.depth;
                }
            }
            Effect::Pop(false) if self.depth == Some(AT_ENTRY) => self.depth = None,
            Effect::Pop(into_fp) => {
                // It may be into that register.
                self.copy = None;
                if into_fp {
                    self.restore(self.depth);
                }
                self.deepen(-8)?;
            }
            Effect::MoveStack(up) => self.deepen(up.wrapping_neg())?,
            Effect::CopyStack(register) => {
                (self.copy, self.called) = (self.depth.map(|depth| (register, depth)), false);
            }
            // Of what a call writes nothing is taken back: code that calls others knows what they keep.
            Effect::StackFromCopy(from) => {
                self.go_back(self.copy.filter(|(register, _)| *register == from).map(|(_, depth)| depth))?;
            }
            Effect::StackFromWord(from) => {
                self.go_back(self.word.filter(|(up, _)| i64::from(*up) == from).map(|(_, depth)| depth))?;
            }
            Effect::Store(register, up) => {
                let copied = self.copy.filter(|(copy, _)| *copy == register).map(|(_, depth)| depth);
                let place = i32::try_from(up).ok().filter(|up| *up >= 0);
                match place.zip(copied) {
                    Some(word) if self.depth.is_none() => self.word = Some(word),
                    _ => self.word = self.word.filter(|(word, _)| Some(*word) != place),
                }
            }
            Effect::Write(register) => self.copy = self.copy.filter(|(copy, _)| *copy != register),
            // Whoever called the function kept to the rule that the CFA is a multiple of 16.
            Effect::AlignStack => {
                let up = self.depth.map_or(0, |depth| i64::from(depth) - i64::from(depth + 15) / 16 * 16);
                self.deepen(up.wrapping_neg())?;
                self.word = None;
            }
            Effect::StackFromFrame(up) => match self.fp {
                Fp::Below(distance) => {
                    self.depth = Some(distance);
                    self.deepen(up.wrapping_neg())?;
                }
                _ => self.depth = None,
            },
            Effect::StackElsewhere => (self.depth, self.word) = (None, None),
            Effect::FrameFromStack(up) => self.fp = self.below(up).map_or(Fp::Other, Fp::Below),
            Effect::StoreFrame(up) => {
                let place = self.below(up).filter(|place| *place > AT_ENTRY && up >= 0);
                self.word = self.word.filter(|(word, _)| i64::from(*word) != up);
                if self.fp == Fp::Caller {
                    self.saved = self.saved.or(place);
                } else if self.saved == place {
                    self.saved = None;
                }
            }
            Effect::LoadFrame(up) => self.restore(self.below(up)),
            Effect::ZeroFrame if self.fp == Fp::Caller && self.saved.is_none() => self.fp = Fp::Zeroed,
            Effect::ZeroFrame | Effect::FrameElsewhere => self.fp = Fp::Other,
            Effect::Enter(bytes) => {
                self = self.after(Effect::Push(true))?.after(Effect::FrameFromStack(0))?;
                self.deepen(bytes)?;
            }
            Effect::Leave => {
                self.depth = match self.fp {
                    Fp::Below(distance) => Some(distance),
                    _ => None,
                };
                self.restore(self.depth);
                self.deepen(-8)?;
            }
            Effect::BothElsewhere => (self.depth, self.fp) = (None, Fp::Other),
        }
        Ok(self)
    }

    /// What holds when what was called has returned.
    pub(super) fn after_call(self) -> Self {
        Self { called: self.copy.is_some(), ..self }
    }

    /// What is known where two ways meet; `None` where only one of them can be right.
    pub(super) fn joined(self, other: Self) -> Option<Self> {
        let same_frame = matches!(self.fp, Fp::Below(_)) && self.fp == other.fp;
        let depth = match (self.depth, other.depth) {
            (one, two) if one == two => one,
            (Some(_), Some(_)) if !same_frame => return None,
            _ => None,
        };
        let fp = if self.fp == other.fp { self.fp } else { Fp::Other };
        let saved = self.saved.filter(|_| self.saved == other.saved);
        let copy = self.copy.filter(|_| self.copy == other.copy);
        let word = self.word.filter(|_| self.word == other.word);
        let called = copy.is_some() && (self.called || other.called);
        Some(Self { depth, fp, saved, copy, called, word })
    }

    pub(super) fn rule(&self) -> Rule {
        let cfa = match (self.fp, self.depth) {
            // Surer than what was counted, and the same all through the function.
            (Fp::Below(16), _) if self.saved == Some(16) => Cfa::Register(Register::RBP, 16),
            (_, Some(depth)) => Cfa::Register(Register::RSP, depth),
            (Fp::Below(distance), None) => Cfa::Register(Register::RBP, distance),
            (_, None) => match (self.word, self.copy) {
                (Some((up, distance)), _) => Cfa::DerefPlus(Register::RSP, up, distance),
                (None, Some((copy, distance))) if !self.called => {
                    Cfa::Register(Register::ALL[BY_INSTRUCTION[usize::from(copy)]], distance)
                }
                _ => return Rule::Unknown,
            },
        };
        let fp = match (self.saved, self.fp) {
            // Even where it is in its register still: some way that was not found may have changed that.
            (Some(distance), _) => SavedFp::AtCfa(-distance),
            (None, Fp::Caller) => SavedFp::Same,
            (None, _) => SavedFp::Lost,
        };
        Rule::Frame(Frame { cfa, fp, ..Frame::ENTRY })
    }

    /// The place at the stack pointer plus a number, as bytes below the CFA.
    fn below(&self, up: i64) -> Option<i32> {
        i32::try_from(i64::from(self.depth?).checked_sub(up)?).ok()
    }

    /// The frame pointer is read from a place.
    fn restore(&mut self, place: Option<i32>) {
        self.fp = if place.is_some() && place == self.saved { Fp::Caller } else { Fp::Other };
    }

    /// The stack pointer becomes what it was so far below the CFA, where that is known.
    fn go_back(&mut self, depth: Option<i32>) -> Result<(), Contradiction> {
        (self.depth, self.word) = (depth, None);
        self.deepen(0)
    }

    fn deepen(&mut self, bytes: i64) -> Result<(), Contradiction> {
        self.word = self.word.and_then(|(up, distance)| {
            let up = i32::try_from(i64::from(up).checked_add(bytes)?).ok().filter(|up| *up >= 0)?;
            Some((up, distance))
        });
        let Some(depth) = self.depth else { return Ok(()) };
        let depth = i64::from(depth).checked_add(bytes).filter(|depth| *depth < MOST_BYTES).ok_or(Contradiction)?;
        if depth < AT_ENTRY.into() {
            return Err(Contradiction);
        }
        self.depth = Some(depth as i32);
        // What lies beyond the stack pointer is no more.
        self.saved = self.saved.filter(|saved| i64::from(*saved) <= depth);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(effects: &[Effect], expect: &str) {
        let state = effects.iter().try_fold(State::ENTRY, |state, effect| state.after(*effect));
        let text = match state.map(|state| state.rule()) {
            Ok(Rule::Frame(frame)) => format!("{:?} {:?}", frame.cfa, frame.fp),
            Ok(other) => format!("{other:?}"),
            Err(wrong) => format!("{wrong:?}"),
        };
        assert_eq!(text, expect);
    }

    #[test]
    fn a_function_with_a_frame_pointer() {
        use Effect::*;
        check(&[], "Register(rsp, 8) Same");
        check(&[Push(true)], "Register(rsp, 16) AtCfa(-16)");
        check(&[Push(true), FrameFromStack(0)], "Register(rbp, 16) AtCfa(-16)");
        check(&[Push(true), FrameFromStack(0), Push(false), StackElsewhere], "Register(rbp, 16) AtCfa(-16)");
        check(&[Push(true), FrameFromStack(0), MoveStack(-64), Leave], "Register(rsp, 8) Same");
        let restored = [Push(true), FrameFromStack(0), Push(false), StackElsewhere, StackFromFrame(-8), Pop(false)];
        check(&restored, "Register(rbp, 16) AtCfa(-16)");
        check(&[Enter(32)], "Register(rbp, 16) AtCfa(-16)");
        check(&[Enter(32), Leave], "Register(rsp, 8) Same");
        check(&[&restored[..], &[Pop(true)]].concat(), "Register(rsp, 8) Same");
    }

    #[test]
    fn a_function_without() {
        use Effect::*;
        check(&[Push(false), Push(true), MoveStack(-24), FrameElsewhere], "Register(rsp, 48) AtCfa(-24)");
        check(&[Push(true), FrameElsewhere, MoveStack(-24), MoveStack(24), Pop(true)], "Register(rsp, 8) Same");
        check(&[MoveStack(-24), StoreFrame(16), FrameElsewhere], "Register(rsp, 32) AtCfa(-16)");
        check(&[MoveStack(-24), StoreFrame(16), FrameElsewhere, LoadFrame(16)], "Register(rsp, 32) AtCfa(-16)");
        check(&[FrameElsewhere], "Register(rsp, 8) Lost");
        // The place of the frame pointer was left.
        check(&[Push(true), FrameElsewhere, MoveStack(8)], "Register(rsp, 8) Lost");
        check(&[StackElsewhere], "Unknown");
        check(&[AlignStack], "Register(rsp, 16) Same");
        check(&[AlignStack, MoveStack(-48), AlignStack], "Register(rsp, 64) Same");
        check(&[AlignStack, StackElsewhere], "Unknown");
        let copied = [CopyStack(1), StackElsewhere, MoveStack(-64)];
        check(&copied, "Register(rcx, 8) Same");
        check(&[&copied[..], &[StackFromCopy(1)]].concat(), "Register(rsp, 8) Same");
        check(&[&copied[..], &[StackFromCopy(2)]].concat(), "Register(rcx, 8) Same");
        check(&[&copied[..], &[Write(1), StackFromCopy(1)]].concat(), "Unknown");
    }

    #[test]
    fn a_register_that_has_the_stack_pointer_leads_on_until_something_is_called() {
        let effects = [Effect::CopyStack(0), Effect::StackElsewhere, Effect::MoveStack(-64)];
        let state = effects.iter().fold(State::ENTRY, |state, effect| state.after(*effect).unwrap());
        assert!(matches!(state.rule(), Rule::Frame(_)));
        let called = state.after_call();
        assert_eq!(called.rule(), Rule::Unknown);
        assert_eq!(state.joined(called).map(|state| state.rule()), Some(Rule::Unknown));
        assert_eq!(called.after(Effect::StackFromCopy(0)).map(|state| state.rule()), Ok(Rule::Frame(Frame::ENTRY)));
    }

    #[test]
    fn a_function_that_keeps_where_the_stack_was_on_the_stack() {
        use Effect::*;
        let check = |more: &[Effect], expect| {
            let kept = [CopyStack(1), StackElsewhere, MoveStack(-64), Store(1, 32), Write(1)];
            check(&[&kept[..], more].concat(), expect);
        };
        check(&[], "DerefPlus(rsp, 32, 8) Same");
        check(&[Push(false), MoveStack(-8)], "DerefPlus(rsp, 48, 8) Same");
        check(&[StackFromWord(32)], "Register(rsp, 8) Same");
        check(&[StackFromWord(40)], "Unknown");
        check(&[Store(2, 24)], "DerefPlus(rsp, 32, 8) Same");
        check(&[Store(2, 32)], "Unknown");
        check(&[StoreFrame(32)], "Unknown");
        check(&[MoveStack(40)], "Unknown");
        check(&[StackElsewhere], "Unknown");
        check(&[AlignStack], "Unknown");
    }

    #[test]
    fn what_no_function_does() {
        use Effect::*;
        check(&[MoveStack(8)], "Contradiction");
        check(&[Pop(true)], "Contradiction");
        check(&[MoveStack(i64::MIN)], "Contradiction");
        check(&[MoveStack(-(1 << 40))], "Contradiction");
        // Some keep their return address in a register.
        check(&[Pop(false)], "Unknown");
    }

    #[test]
    fn where_two_ways_meet_both_must_be_possible() {
        let after =
            |effects: &[Effect]| effects.iter().fold(State::ENTRY, |state, effect| state.after(*effect).unwrap());
        let (pushed, both) = (after(&[Effect::Push(false)]), after(&[Effect::Push(true)]));
        assert_eq!(State::ENTRY.joined(pushed), None);
        assert_eq!(pushed.joined(both), Some(pushed));
        let framed = after(&[Effect::Push(true), Effect::FrameFromStack(0)]);
        let deeper = framed.after(Effect::MoveStack(-32)).unwrap();
        assert_eq!(framed.joined(deeper).map(|state| state.rule()), Some(framed.rule()));
    }
}
