//! The rules of one function.

use elf::GoFrame;

use super::special::Special;
use crate::rule::{Cfa, Frame, Register, Rule, SavedFp};
use crate::x86::{Effect, Steps};

/// More on a stack is no real function's.
const MOST_BYTES: i32 = 1 << 30;

/// What is known of a function beside its table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Body {
    /// From where on the caller's frame pointer lies below the return address, wherever something is on the stack.
    saved: Option<u64>,
    /// From where on the frame pointer points there.
    framed: Option<u64>,
    /// From where on the stack pointer may be on another stack.
    moved: Option<u64>,
    /// Whether what is called from there on does not return.
    leaves: bool,
}

impl Body {
    /// Of a function that the compiler made. Up to Go 1.20 it puts the frame pointer there one instruction later.
    pub(super) const COMPILED: Self = Self { saved: Some(0), framed: None, moved: None, leaves: false };

    /// Of a function in assembly: its first bytes tell. `frame` is where something is on the stack first.
    pub(super) fn of_assembly(function: &GoFrame, code: &[u8], special: Special, frame: Option<u64>) -> Self {
        let start = function.start.0;
        let prologue = frame.and_then(|at| prologue(code, (at - start) as usize));
        let [saved, framed] = [0, 1].map(|which| prologue.map(|places| start + places[which] as u64));
        let moves = function.switches || matches!(special, Special::Moves | Special::Leaves);
        let elsewhere = || Steps::new(code, start).find(|step| step.effect == Effect::StackElsewhere);
        let moved = if moves { framed.or_else(|| elsewhere().map(|step| step.next)) } else { None };
        Self { saved, framed, moved, leaves: special == Special::Leaves }
    }

    /// The rules of a stretch with so many bytes on the stack.
    pub(super) fn rows(&self, start: u64, end: u64, bytes: i32, row: &mut dyn FnMut(u64, u64, Rule)) {
        let saved = self.saved.unwrap_or(u64::MAX).clamp(start, end);
        // With a frame and nothing on the stack it is about to return, on the stack it came from.
        let moved = self.moved.filter(|_| self.framed.is_none() || bytes > 0).unwrap_or(u64::MAX).clamp(start, end);
        let mut stretch = |start, end, rule| {
            if start < end {
                row(start, end, rule);
            }
        };
        stretch(start, saved.min(moved), ordinary(bytes, false));
        stretch(saved.min(moved), moved, ordinary(bytes, true));
        stretch(moved, end, if self.leaves { Rule::Outermost } else { Rule::OtherStack });
    }
}

/// A frame of so many bytes.
fn ordinary(bytes: i32, saves: bool) -> Rule {
    if !(0..MOST_BYTES).contains(&bytes) {
        return Rule::Unknown;
    }
    let fp = if bytes > 0 && saves { SavedFp::AtCfa(-16) } else { SavedFp::Same };
    Rule::Frame(Frame { cfa: Cfa::Register(Register::RSP, bytes + 8), fp, ..Frame::ENTRY })
}

/// Where the assembler's prologue, whose first instruction ends at a place of the code, has saved the frame pointer, and where
/// it ends; `None` for another.
///
/// Since Go 1.21 it is `push rbp; mov rbp, rsp`, before that `sub rsp, N; mov [rsp + N - 8], rbp; lea rbp, [rsp + N - 8]`.
fn prologue(code: &[u8], at: usize) -> Option<[usize; 2]> {
    let mut steps = Steps::new(code.get(at..)?, at as u64);
    let first = steps.next()?;
    if code[..at].ends_with(&[0x55]) {
        return (first.effect == Effect::FrameFromStack(0)).then_some([at, first.next as usize]);
    }
    let second = steps.next()?;
    match (first.effect, second.effect) {
        (Effect::StoreFrame(place), Effect::FrameFromStack(frame)) if place == frame => {
            Some([first.next as usize, second.next as usize])
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_prologues_of_the_assembler_are_known() {
        // nop; push rbp; mov rbp, rsp; sub rsp, 16
        assert_eq!(prologue(&[0x90, 0x55, 0x48, 0x89, 0xe5, 0x48, 0x83, 0xec, 0x10], 2), Some([2, 5]));
        // sub rsp, 24; mov [rsp + 16], rbp; lea rbp, [rsp + 16]
        let old = [0x48, 0x83, 0xec, 0x18, 0x48, 0x89, 0x6c, 0x24, 0x10, 0x48, 0x8d, 0x6c, 0x24, 0x10];
        assert_eq!(prologue(&old, 4), Some([9, 14]));
        // push rbp; push rbx
        assert_eq!(prologue(&[0x55, 0x53], 1), None);
        assert_eq!(prologue(&old[..9], 4), None);
        assert_eq!(prologue(&[], 1), None);
    }
}
