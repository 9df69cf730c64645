//! A rule as the kernel side reads it.

use abi::rows::{OFFSET_BIAS, PLAIN_CFA_BITS, PLAIN_FP_BITS, RA_ON_STACK, Rule as Encoded, rule_fp, rule_kind};

use crate::rule::{Cfa, Frame, Register, Rule, SIGNAL_ORDER, SavedFp, SavedRa};

impl From<Rule> for Encoded {
    /// A rule that the kernel side has no words for is unknown to it.
    fn from(rule: Rule) -> Self {
        let simple = |kind| Self { kind, ra: RA_ON_STACK, ..Self::default() };
        match rule {
            Rule::Unknown => simple(rule_kind::UNKNOWN),
            Rule::Outermost => simple(rule_kind::OUTERMOST),
            Rule::Signal => simple(rule_kind::SIGNAL),
            Rule::Absent => simple(rule_kind::ABSENT),
            Rule::Awaited => simple(rule_kind::AWAITED),
            Rule::FramePointer => simple(rule_kind::FRAME_POINTER),
            Rule::OtherStack => simple(rule_kind::OTHER_STACK),
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
    let biased = |offset: i32| OFFSET_BIAS.wrapping_add_signed(offset);
    let encoded =
        Encoded { kind, base: place(base), fp_kind, ra, cfa: biased(cfa), fp: biased(fp), extra: biased(extra) };
    Some(match plain(frame) {
        Some(extra) => Encoded { kind: rule_kind::PLAIN, extra, ..encoded },
        None => encoded,
    })
}

/// All that there is to say of an ordinary frame.
fn plain(frame: Frame) -> Option<u32> {
    let words = |bytes: i32, bits: u32| {
        let words = u32::try_from(bytes).ok().filter(|bytes| bytes % 8 == 0)? / 8;
        (words < 1 << bits).then_some(words)
    };
    let below = match frame.fp {
        SavedFp::Same => 0,
        SavedFp::AtCfa(offset) => words(offset.checked_neg()?, PLAIN_FP_BITS).filter(|words| *words > 0)?,
        _ => return None,
    };
    let (by_fp, end) = match frame.cfa {
        Cfa::Register(Register::RSP, offset) => (0, offset),
        Cfa::Register(Register::RBP, offset) => (1, offset),
        _ => return None,
    };
    let end = words(end, PLAIN_CFA_BITS).filter(|_| frame.ra == SavedRa::PUSHED)?;
    Some(end << (1 + PLAIN_FP_BITS) | below << 1 | by_fp)
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
            extra: 4 << 9 | 2 << 1,
        };
        let frame = Frame { cfa: Cfa::Register(Register::RSP, 32), fp: SavedFp::AtCfa(-16), ra: SavedRa::PUSHED };
        check(Rule::Frame(frame), expect);
        let by_rbp = Frame { cfa: Cfa::Register(Register::RBP, 32), ..frame };
        check(Rule::Frame(by_rbp), Encoded { base: 10, extra: expect.extra | 1, ..expect });
        // Others are written out.
        let odd = Encoded { kind: rule_kind::FRAME, extra: OFFSET_BIAS - 8, ..expect };
        let by_r10 = Frame { cfa: Cfa::Register(register(10), 32), ..frame };
        check(Rule::Frame(by_r10), Encoded { base: 2, ..odd });
        let ra_in_rax = Frame { ra: SavedRa::In(register(0)), ..frame };
        check(Rule::Frame(ra_in_rax), Encoded { ra: 13, extra: OFFSET_BIAS, ..odd });
        let fp_by_rbx = Frame { fp: SavedFp::At(register(3), 8), ..frame };
        let at = rule_fp::AT | 11 << 4;
        check(Rule::Frame(fp_by_rbx), Encoded { fp_kind: at, fp: OFFSET_BIAS + 8, ..odd });
        let large = Frame { cfa: Cfa::Register(Register::RSP, 1 << 18), ..frame };
        check(Rule::Frame(large), Encoded { cfa: OFFSET_BIAS + (1 << 18), ..odd });
        let far = Frame { fp: SavedFp::AtCfa(-2048), ..frame };
        check(Rule::Frame(far), Encoded { fp: OFFSET_BIAS - 2048, ..odd });
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
