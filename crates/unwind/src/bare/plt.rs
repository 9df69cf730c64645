//! Rows of procedure linkage tables, which some linkers leave undescribed.

use crate::rule::{Cfa, Frame, Rule};
use crate::x86::{Effect, Flow, Steps};

/// Bytes of an entry.
const ENTRY: usize = 16;

/// Whether a section is such a table.
pub(super) fn is_plt(name: &str) -> bool {
    name == ".plt" || name.starts_with(".plt.") || name == ".iplt"
}

/// The rule of the first entry of a table, from its code: it hands over to the dynamic linker, and what comes to it has put
/// the number of a function on the stack. `None` where the table has no such entry.
pub(super) fn header(code: &[u8]) -> Option<[(usize, Rule); 2]> {
    let first = Steps::new(code.get(..ENTRY)?, 0).next()?;
    let second = Steps::new(code.get(first.next as usize..ENTRY)?, first.next).next()?;
    let hands_over = first.effect == Effect::Push(false) && second.flow == Flow::Somewhere;
    hands_over.then(|| [(first.next as usize, pushed(8)), (ENTRY, pushed(16))])
}

/// The rule of an entry, from its code: it jumps to the function, or to what the dynamic linker left there, and that puts a
/// number on the stack. `None` for code of another kind.
pub(super) fn entry(code: &[u8]) -> Option<Rule> {
    let mut pushed_at = None;
    let mut jumps = 0;
    for step in Steps::new(code, 0) {
        match (step.effect, step.flow) {
            (Effect::Push(false), Flow::Next) if pushed_at.is_none() => pushed_at = Some(step.next as u8),
            (Effect::None, Flow::Somewhere | Flow::Jump(_)) => jumps += 1,
            (Effect::None, Flow::Next) if step.idle || jumps == 0 => {}
            _ => return None,
        }
    }
    let cfa = pushed_at.map_or(Frame::ENTRY.cfa, Cfa::Plt);
    (jumps > 0).then_some(Rule::Frame(Frame { cfa, ..Frame::ENTRY }))
}

fn pushed(bytes: i32) -> Rule {
    super::state::State::entered_with(bytes).rule()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_of_all_linkers() {
        // push [rip + 2]; jmp [rip + 4]; nop
        let first = [0xff, 0x35, 2, 0, 0, 0, 0xff, 0x25, 4, 0, 0, 0, 0x0f, 0x1f, 0x40, 0];
        assert_eq!(header(&first), Some([(6, pushed(8)), (16, pushed(16))]));
        let plt = |threshold| Some(Rule::Frame(Frame { cfa: Cfa::Plt(threshold), ..Frame::ENTRY }));
        // jmp [rip + 2]; push 3; jmp -0x30
        let lazy = [0xff, 0x25, 2, 0, 0, 0, 0x68, 3, 0, 0, 0, 0xe9, 0xd0, 0xff, 0xff, 0xff];
        assert_eq!((entry(&lazy), header(&lazy)), (plt(11), None));
        // endbr64; push 3; bnd jmp -0x30; nop
        let marked = [0xf3, 0x0f, 0x1e, 0xfa, 0x68, 3, 0, 0, 0, 0xf2, 0xe9, 0xd0, 0xff, 0xff, 0xff, 0x90];
        assert_eq!(entry(&marked), plt(9));
        // endbr64; jmp [rip + 2]; nop
        let second = [0xf3, 0x0f, 0x1e, 0xfa, 0xff, 0x25, 2, 0, 0, 0, 0x66, 0x0f, 0x1f, 0x44, 0, 0];
        assert_eq!(entry(&second), Some(Rule::Frame(Frame::ENTRY)));
        // jmp [rip + 2]; xchg ax, ax, twice
        let got = [0xff, 0x25, 2, 0, 0, 0, 0x66, 0x90, 0xff, 0x25, 2, 0, 0, 0, 0x66, 0x90];
        assert_eq!(entry(&got), Some(Rule::Frame(Frame::ENTRY)));
        // sub rsp, 8; ret
        assert_eq!(entry(&[0x48, 0x83, 0xec, 8, 0xc3]), None);
    }
}
