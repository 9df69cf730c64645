//! One place in the code, in a form that outlives the process.

/// Which addresses a frame's address belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Space(u64);

const PROCESS: u64 = 1 << 63;

/// A space by what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SpaceKind {
    /// Addresses of the kernel.
    Kernel,
    /// Offsets in the vDSO.
    Vdso,
    /// Offsets in the page that the kernel keeps for old programs' system calls.
    Vsyscall,
    /// Offsets in the file with this number.
    File(u64),
    /// Addresses in the process with this number: code that no file holds.
    Process(u32),
    /// What stands for frames that were left out of a deep stack.
    LeftOut,
}

impl Space {
    pub(crate) const KERNEL: Self = Self(0);
    pub(crate) const VDSO: Self = Self(1);
    pub(crate) const LEFT_OUT: Self = Self(2);
    pub(crate) const VSYSCALL: Self = Self(3);

    pub(crate) fn file(number: u64) -> Self {
        Self(number + 4)
    }

    pub(crate) fn process(number: u32) -> Self {
        Self(PROCESS | u64::from(number))
    }

    pub(crate) fn kind(self) -> SpaceKind {
        match self.0 {
            0 => SpaceKind::Kernel,
            1 => SpaceKind::Vdso,
            2 => SpaceKind::LeftOut,
            3 => SpaceKind::Vsyscall,
            number if number & PROCESS != 0 => SpaceKind::Process(number as u32),
            number => SpaceKind::File(number - 4),
        }
    }
}

/// A place. For a return address the address is that of the call's last byte, so that it lies in the caller's line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Frame {
    pub(crate) space: Space,
    /// In bytes: a file offset, an offset in the vDSO, or an address.
    pub(crate) address: u64,
}
