//! Runs the instructions of an entry: they say where its rows begin and what holds from there.
//! Source: DWARF 5, section 6.4.2; the GNU additions: Linux Standard Base 5.0, section 10.5.

use super::bytes::Bytes;
use super::entry::{Cie, Layout};
use super::expression::{Shape, shape};
use super::pointer::{self, Bases};
use crate::rule::{Cfa, Frame, Register, Rule, SavedFp, SavedRa};

/// More states are never remembered at once by a compiler.
const MOST_REMEMBERED: usize = 64;
const RBP: u64 = 6;
const RA: u64 = 16;

/// What is known of a register that the rows need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Saved {
    /// No instruction said anything.
    Unspecified,
    Undefined,
    Same,
    AtCfa(i64),
    In(u64),
    At(Shape),
    /// Something that no row can say.
    Strange,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CfaRule {
    Unspecified,
    Based,
    Expression(Shape),
    Strange,
}

/// What holds at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) cfa: CfaRule,
    /// The register that the CFA is based on, and the distance. Both outlast an expression: hand-written code changes one
    /// of them afterwards and means the other, as the C library's own unwinder does.
    register: u64,
    offset: i64,
    pub(crate) fp: Saved,
    pub(crate) ra: Saved,
}

impl State {
    pub(crate) const START: Self =
        Self { cfa: CfaRule::Unspecified, register: 0, offset: 0, fp: Saved::Unspecified, ra: Saved::Unspecified };

    /// What a row can say of it.
    pub(crate) fn rule(&self) -> Rule {
        let frame = || {
            let ra = match self.ra {
                Saved::Undefined => return Some(Rule::Outermost),
                Saved::AtCfa(offset) => SavedRa::AtCfa(i32::try_from(offset).ok()?),
                Saved::In(register) => SavedRa::In(Register::from_dwarf(register)?),
                _ => return None,
            };
            let cfa = match self.cfa {
                CfaRule::Based => Cfa::Register(Register::from_dwarf(self.register)?, i32::try_from(self.offset).ok()?),
                CfaRule::Expression(shape) => cfa_of(shape)?,
                CfaRule::Unspecified | CfaRule::Strange => return None,
            };
            let fp = match self.fp {
                Saved::Unspecified | Saved::Same => SavedFp::Same,
                Saved::AtCfa(offset) => SavedFp::AtCfa(i32::try_from(offset).ok()?),
                Saved::At(Shape::Offset(register, offset)) => match cfa {
                    // Both are as far from the register as from each other.
                    Cfa::Register(base, distance) if base == register => {
                        SavedFp::AtCfa(i32::try_from(offset.checked_sub(distance.into())?).ok()?)
                    }
                    _ => SavedFp::At(register, i32::try_from(offset).ok()?),
                },
                Saved::In(register) => Register::from_dwarf(register).map_or(SavedFp::Lost, SavedFp::In),
                _ => SavedFp::Lost,
            };
            Some(Rule::Frame(Frame { cfa, fp, ra }))
        };
        frame().unwrap_or(Rule::Unknown)
    }

    fn base(&mut self, register: u64, offset: i64) {
        (self.cfa, self.register, self.offset) = (CfaRule::Based, register, offset);
    }

    fn saved(&mut self, number: u64) -> Option<&mut Saved> {
        match number {
            RBP => Some(&mut self.fp),
            RA => Some(&mut self.ra),
            _ => None,
        }
    }

    fn set(&mut self, number: u64, saved: Saved) {
        if let Some(register) = self.saved(number) {
            *register = saved;
        }
    }
}

fn cfa_of(shape: Shape) -> Option<Cfa> {
    Some(match shape {
        Shape::Offset(register, offset) => Cfa::Register(register, i32::try_from(offset).ok()?),
        Shape::Deref(register, offset, 0) => Cfa::Deref(register, i32::try_from(offset).ok()?),
        Shape::Deref(register, offset, add) => {
            Cfa::DerefPlus(register, i32::try_from(offset).ok()?, i32::try_from(add).ok()?)
        }
        Shape::Plt(threshold) => Cfa::Plt(threshold),
    })
}

/// Runs a program.
pub(crate) struct Machine<'c> {
    cie: &'c Cie,
    layout: Layout,
    /// What `restore` goes back to.
    initial: State,
    remembered: Vec<State>,
}

impl<'c> Machine<'c> {
    pub(crate) fn new(cie: &'c Cie, layout: Layout, initial: State, remembered: Vec<State>) -> Self {
        Self { cie, layout, initial, remembered }
    }

    /// The memory for remembered states, to be used again.
    pub(crate) fn into_memory(mut self) -> Vec<State> {
        self.remembered.clear();
        self.remembered
    }

    /// Runs it from an address on. `row` gets each address at which what holds so far ends, and that. What holds at the end
    /// is returned; `None` when the program is malformed, after what came before.
    pub(crate) fn run(
        &mut self,
        program: &[u8],
        place: u64,
        start: u64,
        mut state: State,
        mut row: impl FnMut(u64, &State),
    ) -> Option<(u64, State)> {
        let all = program.len();
        let mut bytes = Bytes(program);
        let mut at = start;
        while let Some(code) = bytes.u8() {
            let low = u64::from(code & 0x3f);
            let mut advance = |delta: u64, state: &State| {
                let next = at.wrapping_add(delta.wrapping_mul(self.cie.code_alignment));
                if next != at {
                    row(next, state);
                }
                at = next;
            };
            match code {
                0x40..=0x7f => advance(low, &state),
                0x80..=0xbf => {
                    let offset = self.factored(bytes.uleb()?);
                    state.set(low, Saved::AtCfa(offset));
                }
                0xc0..=0xff => self.restore(&mut state, low),
                0x00 => {}
                0x01 => {
                    let bases = Bases { place: place.wrapping_add((all - bytes.len()) as u64), data: 0 };
                    let next = match self.layout {
                        Layout::Exceptions => pointer::read(&mut bytes, self.cie.encoding, bases)?,
                        Layout::Debug => bytes.u64()?,
                    };
                    if next != at {
                        row(next, &state);
                    }
                    at = next;
                }
                0x02 => advance(bytes.u8()?.into(), &state),
                0x03 => advance(bytes.u16()?.into(), &state),
                0x04 => advance(bytes.u32()?.into(), &state),
                0x1d => advance(bytes.u64()?, &state),
                0x05 => {
                    let (register, offset) = (bytes.uleb()?, bytes.uleb()?);
                    state.set(register, Saved::AtCfa(self.factored(offset)));
                }
                0x06 => self.restore(&mut state, bytes.uleb()?),
                0x07 => state.set(bytes.uleb()?, Saved::Undefined),
                0x08 => state.set(bytes.uleb()?, Saved::Same),
                0x09 => {
                    let (register, other) = (bytes.uleb()?, bytes.uleb()?);
                    state.set(register, Saved::In(other));
                }
                0x0a => {
                    if self.remembered.len() == MOST_REMEMBERED {
                        return None;
                    }
                    self.remembered.push(state);
                }
                0x0b => state = self.remembered.pop()?,
                0x0c => state.base(bytes.uleb()?, i64::try_from(bytes.uleb()?).ok()?),
                0x0d => state.base(bytes.uleb()?, state.offset),
                0x0e => state.base(state.register, i64::try_from(bytes.uleb()?).ok()?),
                0x13 => state.base(state.register, bytes.sleb()?.wrapping_mul(self.cie.data_alignment)),
                0x0f => {
                    let length = bytes.uleb()?;
                    state.cfa = shape(bytes.take(length)?).map_or(CfaRule::Strange, CfaRule::Expression);
                }
                0x10 => {
                    let (register, length) = (bytes.uleb()?, bytes.uleb()?);
                    state.set(register, shape(bytes.take(length)?).map_or(Saved::Strange, Saved::At));
                }
                // A value that is computed and lies nowhere.
                0x16 => {
                    let (register, length) = (bytes.uleb()?, bytes.uleb()?);
                    bytes.take(length)?;
                    state.set(register, Saved::Strange);
                }
                0x11 => {
                    let (register, offset) = (bytes.uleb()?, bytes.sleb()?);
                    state.set(register, Saved::AtCfa(offset.wrapping_mul(self.cie.data_alignment)));
                }
                0x12 => {
                    let (register, offset) = (bytes.uleb()?, bytes.sleb()?);
                    state.base(register, offset.wrapping_mul(self.cie.data_alignment));
                }
                0x14 | 0x15 => {
                    let register = bytes.uleb()?;
                    // Only the length counts, and it is that of both kinds of number.
                    bytes.uleb()?;
                    state.set(register, Saved::Strange);
                }
                // The size of pushed arguments; it changes no register.
                0x2e => _ = bytes.uleb()?,
                0x2f => {
                    let (register, offset) = (bytes.uleb()?, bytes.uleb()?);
                    state.set(register, Saved::AtCfa(self.factored(offset).wrapping_neg()));
                }
                _ => return None,
            }
        }
        Some((at, state))
    }

    fn factored(&self, offset: u64) -> i64 {
        offset.cast_signed().wrapping_mul(self.cie.data_alignment)
    }

    fn restore(&self, state: &mut State, register: u64) {
        match register {
            RBP => state.fp = self.initial.fp,
            RA => state.ra = self.initial.ra,
            _ => {}
        }
    }
}
