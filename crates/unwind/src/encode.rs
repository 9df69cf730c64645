//! A rule as the kernel side reads it.

use abi::rows::{OFFSET_BIAS, RA_ON_STACK, Rule as Encoded, rule_fp, rule_kind};

use crate::rule::{Cfa, Frame, Register, Rule, SIGNAL_ORDER, SavedFp, SavedRa};

impl From<Rule> for Encoded {
    /// A rule that the kernel side has no words for is unknown to it.
    fn from(rule: Rule) -> Self {
        let simple = |kind| Self { kind, ra: RA_ON_STACK, ..Self::default() };
        match rule {
            Rule::Unknown => simple(rule_kind::UNKNOWN),
            Rule::Outermost => simple(rule_kind::OUTERMOST),
            Rule::Signal => simple(rule_kind::SIGNAL),
            Rule::FramePointer => simple(rule_kind::FRAME_POINTER),
            Rule::Frame(frame) => encode(frame).unwrap_or_else(|| simple(rule_kind::UNKNOWN)),
        }
    }
}

fn encode(frame: Frame) -> Option<Encoded> {
    let (fp_kind, fp) = match frame.fp {
        SavedFp::Same => (rule_fp::SAME, 0),
        SavedFp::AtCfa(offset) => (rule_fp::SAVED, offset),
        SavedFp::At(register, offset) => (rule_fp::AT | place(register) << 4, offset),
        SavedFp::In(register) => (rule_fp::IN | place(register) << 4, 0),
        SavedFp::Lost => (rule_fp::LOST, 0),
    };
    let (kind, base, cfa, extra) = match frame.cfa {
        Cfa::Register(base, offset) => (rule_kind::FRAME, base, offset, 0),
        Cfa::Deref(base, offset) => (rule_kind::DEREF, base, offset, 0),
        Cfa::DerefPlus(base, offset, add) => (rule_kind::DEREF, base, offset, add),
        Cfa::Plt(threshold) => (rule_kind::PLT, Register::RSP, threshold.into(), 0),
    };
    let (ra, extra) = match frame.ra {
        SavedRa::In(register) => (place(register), extra),
        SavedRa::AtCfa(offset) if kind == rule_kind::FRAME => (RA_ON_STACK, offset),
        SavedRa::PUSHED => (RA_ON_STACK, extra),
        SavedRa::AtCfa(_) => return None,
    };
    let plain = kind == rule_kind::FRAME
        && matches!(base, Register::RSP | Register::RBP)
        && matches!(fp_kind, rule_fp::SAME | rule_fp::SAVED)
        && frame.ra == SavedRa::PUSHED;
    let kind = if plain { rule_kind::PLAIN } else { kind };
    let biased = |offset: i32| OFFSET_BIAS.wrapping_add_signed(offset);
    Some(Encoded { kind, base: place(base), fp_kind, ra, cfa: biased(cfa), fp: biased(fp), extra: biased(extra) })
}

/// The number that the kernel side has for a register.
fn place(register: Register) -> u8 {
    SIGNAL_ORDER.iter().position(|number| *number == register.number()).unwrap_or_default() as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(rule: Rule, expect: Encoded) {
        assert_eq!(Encoded::from(rule), expect);
    }

    fn register(number: u64) -> Register {
        Register::from_dwarf(number).unwrap()
    }

    #[test]
    fn the_frame_of_an_ordinary_function_is_plain() {
        let expect = Encoded {
            kind: rule_kind::PLAIN,
            base: 15,
            fp_kind: rule_fp::SAVED,
            ra: RA_ON_STACK,
            cfa: OFFSET_BIAS + 32,
            fp: OFFSET_BIAS - 16,
            extra: OFFSET_BIAS - 8,
        };
        let frame = Frame { cfa: Cfa::Register(Register::RSP, 32), fp: SavedFp::AtCfa(-16), ra: SavedRa::PUSHED };
        check(Rule::Frame(frame), expect);
        let by_rbp = Frame { cfa: Cfa::Register(Register::RBP, 32), ..frame };
        check(Rule::Frame(by_rbp), Encoded { base: 10, ..expect });
        let by_r10 = Frame { cfa: Cfa::Register(register(10), 32), ..frame };
        check(Rule::Frame(by_r10), Encoded { kind: rule_kind::FRAME, base: 2, ..expect });
        let ra_in_rax = Frame { ra: SavedRa::In(register(0)), ..frame };
        check(Rule::Frame(ra_in_rax), Encoded { kind: rule_kind::FRAME, ra: 13, extra: OFFSET_BIAS, ..expect });
        let fp_by_rbx = Frame { fp: SavedFp::At(register(3), 8), ..frame };
        let at = rule_fp::AT | 11 << 4;
        check(Rule::Frame(fp_by_rbx), Encoded { kind: rule_kind::FRAME, fp_kind: at, fp: OFFSET_BIAS + 8, ..expect });
    }

    #[test]
    fn an_end_of_the_frame_in_memory_leaves_no_room_for_an_odd_return_address() {
        let frame = Frame { cfa: Cfa::DerefPlus(Register::RBP, -24, 16), ..Frame::ENTRY };
        let encoded = Encoded::from(Rule::Frame(frame));
        assert_eq!((encoded.kind, encoded.cfa, encoded.extra), (rule_kind::DEREF, OFFSET_BIAS - 24, OFFSET_BIAS + 16));
        let odd = Frame { ra: SavedRa::AtCfa(-16), ..frame };
        assert_eq!(Encoded::from(Rule::Frame(odd)).kind, rule_kind::UNKNOWN);
    }

    #[test]
    fn places_are_those_of_a_signal() {
        assert_eq!((place(Register::RSP), place(Register::RBP), place(register(8))), (15, 10, 0));
    }
}
