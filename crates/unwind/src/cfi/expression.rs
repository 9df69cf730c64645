//! The DWARF expressions that compilers and linkers write into unwind tables, known by their shape.

use super::bytes::Bytes;
use crate::rule::Register;

const DEREF: u8 = 0x06;
const AND: u8 = 0x1a;
const PLUS: u8 = 0x22;
const PLUS_UCONST: u8 = 0x23;
const SHL: u8 = 0x24;
const GE: u8 = 0x2a;
const LIT0: u8 = 0x30;
const BREG0: u8 = 0x70;
const BREG_RA: u8 = BREG0 + 16;

/// What an expression computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// `register + offset`.
    Offset(Register, i64),
    /// The word at `register + offset`, plus a number.
    Deref(Register, i64, i64),
    /// The CFA in a procedure linkage table: a slot has pushed one word once its last bits reach this.
    Plt(u8),
}

/// The shape; `None` for an expression that is none of these.
pub(crate) fn shape(expression: &[u8]) -> Option<Shape> {
    let mut bytes = Bytes(expression);
    let (register, offset) = based(&mut bytes)?;
    let simple = Bytes(bytes.0);
    if let Some(shape) = plt(bytes, register, offset) {
        return Some(shape);
    }
    let mut bytes = simple;
    let offset = offset.checked_add(added(&mut bytes)?)?;
    if bytes.is_empty() {
        return Some(Shape::Offset(register, offset));
    }
    if bytes.u8()? != DEREF {
        return None;
    }
    let add = added(&mut bytes)?;
    bytes.is_empty().then_some(Shape::Deref(register, offset, add))
}

fn based(bytes: &mut Bytes<'_>) -> Option<(Register, i64)> {
    let register = bytes.u8()?.checked_sub(BREG0)?;
    Some((Register::from_dwarf(u64::from(register))?, bytes.sleb()?))
}

/// The sum of constants that are added next.
fn added(bytes: &mut Bytes<'_>) -> Option<i64> {
    let mut sum = 0_i64;
    while bytes.0.first() == Some(&PLUS_UCONST) {
        bytes.u8()?;
        sum = sum.checked_add(i64::try_from(bytes.uleb()?).ok()?)?;
    }
    Some(sum)
}

/// `rsp + 8 + ((rip & 15) >= threshold) * 8`, as GNU ld, gold and lld write it.
fn plt(mut bytes: Bytes<'_>, register: Register, offset: i64) -> Option<Shape> {
    if register != Register::RSP || offset != 8 || bytes.u8()? != BREG_RA || bytes.sleb()? != 0 {
        return None;
    }
    let mut expect = |code: u8| (bytes.u8()? == code).then_some(());
    expect(LIT0 + 15)?;
    expect(AND)?;
    let threshold = bytes.u8()?.checked_sub(LIT0)?;
    let mut expect = |code: u8| (bytes.u8()? == code).then_some(());
    expect(GE)?;
    expect(LIT0 + 3)?;
    expect(SHL)?;
    expect(PLUS)?;
    (threshold < 16 && bytes.is_empty()).then_some(Shape::Plt(threshold))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shapes_that_real_files_have() {
        let plt = [0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x3b, 0x2a, 0x33, 0x24, 0x22];
        assert_eq!(shape(&plt), Some(Shape::Plt(11)));
        assert_eq!(shape(&plt[..10]), None);
        assert_eq!(shape(&[0x76, 0x78, 0x06]), Some(Shape::Deref(Register::RBP, -8, 0)));
        assert_eq!(shape(&[0x77, 0xa0, 0x01, 0x06]), Some(Shape::Deref(Register::RSP, 160, 0)));
        assert_eq!(shape(&[0x77, 0xd0, 0x00, 0x06, 0x23, 8]), Some(Shape::Deref(Register::RSP, 80, 8)));
        assert_eq!(shape(&[0x76, 0]), Some(Shape::Offset(Register::RBP, 0)));
        assert_eq!(shape(&[]), None);
        assert_eq!(shape(&[0x06]), None);
        assert_eq!(shape(&[0x76, 0, 0x06, 0x06]), None);
    }
}
