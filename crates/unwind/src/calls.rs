//! Calls from code whose frame is found by a register that the function called may use for itself.
//!
//! Nothing but the innermost frame has all its registers. The dynamic linker's way to a function that is called for the first
//! time aligns the stack to what the processor saves there, and keeps where it was in `rbx`. What it calls puts that register
//! on the stack first of all, at a place that its code tells: there it is while the call lasts.

use elf::{Elf, ReadAt, Svma};

use crate::rule::{Cfa, Frame, Register, Rule};
use crate::x86::{Effect, Flow, Steps};

/// The register is saved within so many bytes of the function called.
const BEGINNING: usize = 64;
/// Bytes of code that are looked at in a file. The dynamic linker has two kilobytes of such code.
const MOST_BYTES: usize = 1 << 20;
/// The registers that a function saves before it uses them, but for the frame pointer, which each rule tells of.
const PRESERVED: [u8; 5] = [3, 12, 13, 14, 15];

/// Whether a frame is found by such a register.
pub(crate) fn are_seen(frame: &Frame) -> bool {
    matches!(frame.cfa, Cfa::Register(base, _) if PRESERVED.contains(&base.number()))
}

/// The calls of a file.
pub(crate) struct Calls<'e, R> {
    elf: &'e Elf<R>,
    /// Bytes that may still be looked at.
    left: usize,
}

impl<'e, R: ReadAt> Calls<'e, R> {
    pub(crate) fn of(elf: &'e Elf<R>) -> Self {
        Self { elf, left: MOST_BYTES }
    }

    /// The rules of a stretch of code with such a frame: `row` gets each with where it begins and ends.
    pub(crate) fn rows(&mut self, start: u64, end: u64, frame: Frame, row: &mut impl FnMut(u64, u64, Rule)) {
        let Cfa::Register(base, distance) = frame.cfa else { return row(start, end, Rule::Frame(frame)) };
        let mut at = start;
        let code = self.code(start, usize::try_from(end - start).unwrap_or(usize::MAX));
        for step in Steps::new(&code, start) {
            if let Flow::Call(Some(target)) = step.flow
                && let Some(place) = saved(&self.code(target, BEGINNING), target, base)
            {
                // A walk asks for the byte before the return address: the first one of the call is for who stands there.
                row(at, step.at + 1, Rule::Frame(frame));
                let cfa = Cfa::DerefPlus(Register::RSP, place, distance);
                row(step.at + 1, step.next, Rule::Frame(Frame { cfa, ..frame }));
                at = step.next;
            }
        }
        row(at, end, Rule::Frame(frame));
    }

    fn code(&mut self, address: u64, most: usize) -> Vec<u8> {
        let most = most.min(self.left);
        self.left -= most;
        let mut code = vec![0; most];
        let offset = self.elf.file_offset(Svma(address));
        let read = offset.map_or(0, |offset| self.elf.reader().read_at(offset.0, &mut code).unwrap_or(0));
        code.truncate(read);
        code
    }
}

/// Where the first instructions of a function put a register of their caller's: so far from what the stack pointer is before
/// the call.
fn saved(code: &[u8], function: u64, register: Register) -> Option<i32> {
    let mut place = -8_i64;
    let mut steps = Steps::new(code, function);
    while let Some(step) = steps.next() {
        if step.flow != Flow::Next {
            return None;
        }
        match step.effect {
            Effect::Push(_) => place -= 8,
            Effect::MoveStack(up) => place = place.checked_add(up)?,
            Effect::Write(written) | Effect::CopyStack(written) if written == register.number() => return None,
            Effect::None | Effect::Write(_) | Effect::CopyStack(_) | Effect::FrameFromStack(_) => {}
            _ => return None,
        }
        if steps.pushed() == Some(register.number()) {
            return i32::try_from(place).ok();
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rbx_in(code: &[u8]) -> Option<i32> {
        saved(code, 0x1000, Register::ALL[3])
    }

    #[test]
    fn the_first_instructions_of_a_function_tell_where_a_register_is() {
        // endbr64; push rbp; mov rbp, rsp; push r15; push rbx; sub rsp, 24
        let framed = b"\xf3\x0f\x1e\xfa\x55\x48\x89\xe5\x41\x57\x53\x48\x83\xec\x18";
        assert_eq!(rbx_in(framed), Some(-32));
        assert_eq!(saved(framed, 0x1000, Register::ALL[15]), Some(-24));
        assert_eq!(saved(framed, 0x1000, Register::ALL[12]), None);
        // sub rsp, 24; push rbx
        assert_eq!(rbx_in(b"\x48\x83\xec\x18\x53"), Some(-40));
    }

    #[test]
    fn a_register_that_is_used_first_or_only_on_one_way_is_nowhere() {
        // mov rbx, rdi; push rbx
        assert_eq!(rbx_in(b"\x48\x89\xfb\x53"), None);
        // test rdi, rdi; je +2; push rbx
        assert_eq!(rbx_in(b"\x48\x85\xff\x74\x02\x53"), None);
        // and rsp, -64; push rbx
        assert_eq!(rbx_in(b"\x48\x83\xe4\xc0\x53"), None);
        assert_eq!(rbx_in(b""), None);
    }
}
