//! One step up a stack, as the kernel side makes it.

use crate::rule::{Cfa, Register, Rule, SIGNAL_ORDER, SavedFp, SavedRa};

/// The registers of a frame, as far as they are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registers {
    /// The instruction pointer.
    pub pc: u64,
    /// The others, by their DWARF numbers.
    pub general: [Option<u64>; 16],
}

/// Why there is no caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The frame is the outermost.
    Outermost,
    /// No rule says how.
    NoRule,
    /// The rule needs a register that is not known.
    NoRegister,
    /// The stack could not be read there.
    Fault,
}

/// The memory of the process, in words.
pub trait Memory {
    /// The word at an address.
    fn word(&self, address: u64) -> Option<u64>;
}

/// Where the kernel put the interrupted registers, from the stack pointer in the code that returns from a handler: `struct
/// ucontext` begins there, and its `uc_mcontext` is 40 bytes into it. Source: linux/arch/x86/include/uapi/asm/sigcontext.h.
const SIGNAL_CONTEXT: u64 = 40;

impl Registers {
    /// The value of a register.
    pub fn get(&self, register: Register) -> Option<u64> {
        self.general[usize::from(register.number())]
    }

    fn set(&mut self, register: Register, value: Option<u64>) {
        self.general[usize::from(register.number())] = value;
    }

    /// Those of the caller.
    ///
    /// # Errors
    /// Why there is none.
    pub fn caller(&self, rule: Rule, memory: &impl Memory) -> Result<Self, Stop> {
        let based = |register, offset: i32| {
            self.get(register).map(|value| value.wrapping_add_signed(offset.into())).ok_or(Stop::NoRegister)
        };
        let word = |address| memory.word(address).ok_or(Stop::Fault);
        let mut caller = Self { pc: 0, general: [None; 16] };
        match rule {
            Rule::Unknown | Rule::Absent | Rule::Awaited => return Err(Stop::NoRule),
            Rule::Outermost => return Err(Stop::Outermost),
            Rule::Signal => {
                let context = based(Register::RSP, 0)?.wrapping_add(SIGNAL_CONTEXT);
                for (at, number) in (0_u64..).zip(SIGNAL_ORDER) {
                    caller.general[usize::from(number)] = Some(word(context.wrapping_add(at * 8))?);
                }
                caller.pc = word(context.wrapping_add(16 * 8))?;
            }
            Rule::FramePointer | Rule::OtherStack => {
                let fp = based(Register::RBP, 0)?;
                caller.set(Register::RBP, Some(word(fp)?));
                caller.set(Register::RSP, Some(fp.wrapping_add(16)));
                caller.pc = word(fp.wrapping_add(8))?;
            }
            Rule::Frame(frame) => {
                let cfa = match frame.cfa {
                    Cfa::Register(register, offset) => based(register, offset)?,
                    Cfa::Deref(register, offset) => word(based(register, offset)?)?,
                    Cfa::DerefPlus(register, offset, add) => {
                        word(based(register, offset)?)?.wrapping_add_signed(add.into())
                    }
                    Cfa::Plt(threshold) => {
                        based(Register::RSP, 8 + if self.pc & 15 >= u64::from(threshold) { 8 } else { 0 })?
                    }
                };
                caller.pc = match frame.ra {
                    SavedRa::AtCfa(offset) => word(cfa.wrapping_add_signed(offset.into()))?,
                    SavedRa::In(register) => based(register, 0)?,
                };
                let fp = match frame.fp {
                    SavedFp::Same => self.get(Register::RBP),
                    SavedFp::AtCfa(offset) => Some(word(cfa.wrapping_add_signed(offset.into()))?),
                    SavedFp::At(register, offset) => Some(word(based(register, offset)?)?),
                    SavedFp::In(register) => self.get(register),
                    SavedFp::Lost => None,
                };
                caller.set(Register::RBP, fp);
                caller.set(Register::RSP, Some(cfa));
            }
        }
        Ok(caller)
    }
}
