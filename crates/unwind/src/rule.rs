//! How to get from a frame to its caller.

use std::fmt;

/// A general register of x86-64, by its DWARF number. Source: System V ABI, AMD64 supplement, figure 3.36.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Register(u8);

impl Register {
    /// The frame pointer.
    pub const RBP: Self = Self(6);
    /// The stack pointer.
    pub const RSP: Self = Self(7);
    /// All of them, by number.
    pub const ALL: [Self; 16] = {
        let mut all = [Self(0); 16];
        let mut number = 0;
        while number < 16 {
            all[number as usize] = Self(number);
            number += 1;
        }
        all
    };

    /// The register of a DWARF number; `None` for those that are not general.
    pub fn from_dwarf(number: u64) -> Option<Self> {
        u8::try_from(number).ok().filter(|number| *number < 16).map(Self)
    }

    /// Its DWARF number.
    pub fn number(self) -> u8 {
        self.0
    }
}

/// The order in which the kernel keeps the registers that a signal interrupted, by their DWARF numbers: r8 to r15, rdi, rsi,
/// rbp, rbx, rdx, rax, rcx, rsp; then comes the instruction pointer. Source: linux/arch/x86/include/uapi/asm/sigcontext.h.
pub const SIGNAL_ORDER: [u8; 16] = [8, 9, 10, 11, 12, 13, 14, 15, 5, 4, 6, 3, 1, 0, 2, 7];

impl fmt::Debug for Register {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const NAMES: [&str; 8] = ["rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp"];
        match NAMES.get(usize::from(self.0)) {
            Some(name) => f.write_str(name),
            None => write!(f, "r{}", self.0),
        }
    }
}

/// What holds between two places of the code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Rule {
    /// Nothing is known here.
    #[default]
    Unknown,
    /// There are rows, but not here: they found no room.
    Absent,
    /// There are rows, and they come when they are asked for.
    Awaited,
    /// The frame has no caller.
    Outermost,
    /// The kernel built the frame for a signal: the interrupted registers lie above it.
    Signal,
    /// The classic frame: the saved frame pointer and the return address lie where the frame pointer points.
    FramePointer,
    /// The same, on another stack: the code has moved the stack pointer elsewhere, and its frame is where it was before.
    OtherStack,
    /// A frame as its table describes it.
    Frame(Frame),
}

/// A frame: where it ends, and what it saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Frame {
    /// The canonical frame address: what the stack pointer was before the call pushed the return address.
    pub cfa: Cfa,
    /// The caller's frame pointer.
    pub fp: SavedFp,
    /// The return address.
    pub ra: SavedRa,
}

/// The canonical frame address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cfa {
    /// A register plus a number.
    Register(Register, i32),
    /// A word on the stack, by a register plus a number.
    Deref(Register, i32),
    /// The same, plus a number.
    DerefPlus(Register, i32, i32),
    /// In a procedure linkage table: `rsp + 8`, and 8 more once the last four bits of the address reach this.
    Plt(u8),
}

/// Where the caller's frame pointer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SavedFp {
    /// Still in its register.
    Same,
    /// At the CFA plus a number.
    AtCfa(i32),
    /// Where a register points, plus a number.
    At(Register, i32),
    /// In another register.
    In(Register),
    /// Nowhere that the table tells.
    Lost,
}

/// Where the return address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SavedRa {
    /// At the CFA plus a number; right below the CFA in nearly every frame.
    AtCfa(i32),
    /// In a register.
    In(Register),
}

impl SavedRa {
    /// Where a call leaves it.
    pub const PUSHED: Self = Self::AtCfa(-8);
}

impl Frame {
    /// A frame without its own stack, as at the first instruction of a function.
    pub const ENTRY: Self = Self { cfa: Cfa::Register(Register::RSP, 8), fp: SavedFp::Same, ra: SavedRa::PUSHED };
}
