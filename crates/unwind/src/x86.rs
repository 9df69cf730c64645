//! What an instruction does to the stack and frame pointers, and where it goes.

use iced_x86::{Code, Decoder, DecoderOptions, Instruction, Mnemonic, OpKind, Register};

/// What an instruction does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Nothing that matters here.
    None,
    /// A word is put on the stack; true for the frame pointer.
    Push(bool),
    /// A word is taken off the stack; true if it is the frame pointer's.
    Pop(bool),
    /// The stack pointer goes up by so much; down, if that is negative.
    MoveStack(i64),
    /// Another register, by its number, becomes the stack pointer.
    CopyStack(u8),
    /// The stack pointer becomes another register.
    StackFromCopy(u8),
    /// The stack pointer becomes the word at the stack pointer plus a number.
    StackFromWord(i64),
    /// Another register is stored at the stack pointer plus a number.
    Store(u8, i64),
    /// Another register becomes something else.
    Write(u8),
    /// The stack pointer goes down to a multiple of 16.
    AlignStack,
    /// The stack pointer becomes the frame pointer plus a number.
    StackFromFrame(i64),
    /// The stack pointer becomes something else.
    StackElsewhere,
    /// The frame pointer becomes the stack pointer plus a number.
    FrameFromStack(i64),
    /// The frame pointer is stored at the stack pointer plus a number.
    StoreFrame(i64),
    /// The frame pointer is loaded from the stack pointer plus a number.
    LoadFrame(i64),
    /// The frame pointer becomes zero.
    ZeroFrame,
    /// The frame pointer becomes something else.
    FrameElsewhere,
    /// `enter`, with so many bytes.
    Enter(i64),
    /// `leave`.
    Leave,
    /// Both pointers become something else.
    BothElsewhere,
}

/// Where the code goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// With the next instruction.
    Next,
    /// With the next instruction, once a function was called, if it is known.
    Call(Option<u64>),
    /// Elsewhere.
    Jump(u64),
    /// With the next instruction or elsewhere.
    Branch(u64),
    /// Where a register or a word in memory says.
    Somewhere,
    /// To the caller.
    Return,
    /// Nowhere: the process stopped.
    End,
}

/// One instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// Its address.
    pub(crate) at: u64,
    /// The address of the next.
    pub(crate) next: u64,
    pub(crate) effect: Effect,
    pub(crate) flow: Flow,
    /// Whether it does nothing, as what compilers put between functions.
    pub(crate) idle: bool,
}

/// Reads instructions one after the other.
pub(crate) struct Steps<'b> {
    decoder: Decoder<'b>,
    instruction: Instruction,
}

impl<'b> Steps<'b> {
    /// Of the code that begins at an address.
    pub(crate) fn new(code: &'b [u8], address: u64) -> Self {
        let decoder = Decoder::with_ip(64, code, address, DecoderOptions::NONE);
        Self { decoder, instruction: Instruction::default() }
    }

    /// The general register, by its number, that the last instruction put on the stack.
    pub(crate) fn pushed(&self) -> Option<u8> {
        let is_push = self.instruction.mnemonic() == Mnemonic::Push && !is_short(self.instruction.code());
        is_push.then(|| general(self.instruction.op0_register())).flatten()
    }
}

impl Iterator for Steps<'_> {
    type Item = Step;

    /// The next instruction; `None` at the end and where there is none.
    fn next(&mut self) -> Option<Step> {
        if !self.decoder.can_decode() {
            return None;
        }
        self.decoder.decode_out(&mut self.instruction);
        let instruction = &self.instruction;
        if instruction.is_invalid() {
            return None;
        }
        let (at, next) = (instruction.ip(), instruction.next_ip());
        let idle = matches!(instruction.mnemonic(), Mnemonic::Nop | Mnemonic::Int3);
        Some(Step { at, next, effect: effect(instruction), flow: flow(instruction), idle })
    }
}

fn flow(instruction: &Instruction) -> Flow {
    let near = (instruction.op0_kind() == OpKind::NearBranch64).then(|| instruction.near_branch_target());
    match (instruction.mnemonic(), near) {
        (Mnemonic::Call, target) => Flow::Call(target),
        (Mnemonic::Jmp, target) => target.map_or(Flow::Somewhere, Flow::Jump),
        (Mnemonic::Ret, _) => Flow::Return,
        (Mnemonic::Hlt | Mnemonic::Int3 | Mnemonic::Ud0 | Mnemonic::Ud1 | Mnemonic::Ud2, _) => Flow::End,
        (Mnemonic::Retf | Mnemonic::Iret | Mnemonic::Iretd | Mnemonic::Iretq | Mnemonic::Sysretq, _) => Flow::End,
        // Also `xbegin`, which goes on elsewhere when it is undone.
        (_, Some(target)) => Flow::Branch(target),
        (_, None) => Flow::Next,
    }
}

fn is_fp(register: Register) -> bool {
    matches!(register, Register::RBP | Register::EBP | Register::BP | Register::BPL)
}

fn is_sp(register: Register) -> bool {
    matches!(register, Register::RSP | Register::ESP | Register::SP | Register::SPL)
}

/// Whether two bytes are put on the stack, or taken off it.
fn is_short(code: Code) -> bool {
    matches!(
        code,
        Code::Push_r16
            | Code::Push_rm16
            | Code::Push_imm16
            | Code::Pushw_imm8
            | Code::Pushw_FS
            | Code::Pushw_GS
            | Code::Pop_r16
            | Code::Pop_rm16
            | Code::Popw_FS
            | Code::Popw_GS
    )
}

/// The number of a general register in instructions, whichever part of it is named.
fn general(register: Register) -> Option<u8> {
    let from = |first: Register| register as u8 - first as u8;
    match register {
        _ if register < Register::AL || register > Register::R15 => None,
        _ if register >= Register::AX => Some(from(Register::AX) % 16),
        _ if register >= Register::SPL => Some(from(Register::SPL) + 4),
        _ => Some(from(Register::AL) % 4),
    }
}

/// What clears the last four bits of an address.
const ALIGNED: u64 = !15;

fn effect(instruction: &Instruction) -> Effect {
    let first = match instruction.op0_kind() {
        OpKind::Register => instruction.op0_register(),
        _ => Register::None,
    };
    let second = match instruction.op1_kind() {
        OpKind::Register => instruction.op1_register(),
        _ => Register::None,
    };
    let near = |base| {
        let plain = instruction.memory_base() == base && instruction.memory_index() == Register::None;
        plain.then(|| instruction.memory_displacement64().cast_signed())
    };
    match instruction.mnemonic() {
        Mnemonic::Push | Mnemonic::Pop if is_short(instruction.code()) => Effect::BothElsewhere,
        Mnemonic::Pushf | Mnemonic::Popf => Effect::StackElsewhere,
        Mnemonic::Enter if instruction.immediate8_2nd() == 0 => Effect::Enter(instruction.immediate16().into()),
        Mnemonic::Enter => Effect::BothElsewhere,
        Mnemonic::Push => Effect::Push(first == Register::RBP),
        Mnemonic::Pushfq => Effect::Push(false),
        Mnemonic::Pop if is_sp(first) => Effect::StackElsewhere,
        Mnemonic::Pop => Effect::Pop(first == Register::RBP),
        Mnemonic::Popfq => Effect::Pop(false),
        Mnemonic::Leave => Effect::Leave,
        Mnemonic::Add | Mnemonic::Sub if first == Register::RSP => {
            let number = match instruction.op1_kind() {
                OpKind::Immediate8to64 | OpKind::Immediate32to64 => instruction.immediate(1).cast_signed(),
                _ => return Effect::StackElsewhere,
            };
            Effect::MoveStack(if instruction.mnemonic() == Mnemonic::Add { number } else { number.wrapping_neg() })
        }
        Mnemonic::And if first == Register::RSP && matches!(instruction.try_immediate(1), Ok(ALIGNED)) => {
            Effect::AlignStack
        }
        Mnemonic::Lea if first == Register::RSP => {
            if let Some(offset) = near(Register::RSP) {
                return Effect::MoveStack(offset);
            }
            near(Register::RBP).map_or(Effect::StackElsewhere, Effect::StackFromFrame)
        }
        Mnemonic::Mov if first == Register::RSP && second == Register::RBP => Effect::StackFromFrame(0),
        Mnemonic::Mov if first == Register::RBP && second == Register::RSP => Effect::FrameFromStack(0),
        Mnemonic::Mov if first == Register::RSP && instruction.op1_kind() == OpKind::Memory => {
            near(Register::RSP).map_or(Effect::StackElsewhere, Effect::StackFromWord)
        }
        Mnemonic::Mov if first == Register::RSP => {
            general(second).map_or(Effect::StackElsewhere, Effect::StackFromCopy)
        }
        Mnemonic::Mov if second == Register::RSP => general(first).map_or(Effect::None, Effect::CopyStack),
        Mnemonic::Lea if first == Register::RBP => {
            near(Register::RSP).map_or(Effect::FrameElsewhere, Effect::FrameFromStack)
        }
        Mnemonic::Mov if second == Register::RBP && instruction.op0_kind() == OpKind::Memory => {
            near(Register::RSP).map_or(Effect::None, Effect::StoreFrame)
        }
        Mnemonic::Mov if second >= Register::RAX && instruction.op0_kind() == OpKind::Memory => {
            let store = general(second).zip(near(Register::RSP));
            store.map_or(Effect::None, |(register, up)| Effect::Store(register, up))
        }
        Mnemonic::Mov if first == Register::RBP && instruction.op1_kind() == OpKind::Memory => {
            near(Register::RSP).map_or(Effect::FrameElsewhere, Effect::LoadFrame)
        }
        Mnemonic::Mov if is_fp(first) && matches!(instruction.try_immediate(1), Ok(0)) => Effect::ZeroFrame,
        Mnemonic::Xor if is_fp(first) && first == second => Effect::ZeroFrame,
        // They write to their second operand too.
        Mnemonic::Xchg | Mnemonic::Xadd | Mnemonic::Mulx if is_sp(first) || is_sp(second) => Effect::BothElsewhere,
        Mnemonic::Xchg | Mnemonic::Xadd | Mnemonic::Mulx if is_fp(first) || is_fp(second) => Effect::FrameElsewhere,
        Mnemonic::Cmp | Mnemonic::Test | Mnemonic::Bt | Mnemonic::Call | Mnemonic::Jmp => Effect::None,
        _ if is_sp(first) => Effect::StackElsewhere,
        _ if is_fp(first) => Effect::FrameElsewhere,
        _ => general(first).map_or(Effect::None, Effect::Write),
    }
}
