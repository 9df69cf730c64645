//! Unwind rows, as user space writes them for the kernel side.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Words in a line of rows or of pointers to rows (`LINE_WORDS`).
pub const LINE_WORDS: usize = 16;
/// Bytes of a file that share a run of lines, as a power of two.
pub const SPAN_BITS: u32 = 14;
/// Bits of the pointer to a span's lines that say how many rows they hold; those above are the first line's number.
pub const ROWS_BITS: u32 = 12;
/// In place of the pointer of a span whose rows come when they are asked for (`SPAN_AWAITED`).
pub const SPAN_AWAITED: u32 = 1 << ROWS_BITS;
/// Bits of a table's number that say where it stands; those above tell it from the tables that stood there before.
pub const TABLE_BITS: u32 = 12;
/// Bits of a table's number.
pub const TABLE_NUMBER_BITS: u32 = 20;
/// Rules at most.
pub const MAX_RULES: usize = 65536;
/// Buckets that files are hashed into; a power of two.
pub const FILE_BUCKETS: u32 = 2048;
/// Files in a bucket at most.
pub const FILES_IN_BUCKET: usize = 8;
/// Added to an offset of a [`Rule`], so that none is negative.
pub const OFFSET_BIAS: u32 = 1 << 31;
/// [`Rule::ra`] where the return address is on the stack.
pub const RA_ON_STACK: u8 = 0xff;

/// Bits of [`Rule::extra`] of an ordinary frame that say where the caller's frame pointer is saved, above the lowest.
pub const PLAIN_FP_BITS: u32 = 8;
/// Bits above these that say where the frame ends.
pub const PLAIN_CFA_BITS: u32 = 15;

/// One line.
pub type Line = [u32; LINE_WORDS];

/// Values of [`Rule::kind`] (`enum rule_kind`, which documents them).
#[expect(missing_docs, reason = "documented in abi.h, one by one")]
pub mod rule_kind {
    pub const UNKNOWN: u8 = 0;
    pub const PLAIN: u8 = 1;
    pub const FRAME: u8 = 2;
    pub const DEREF: u8 = 3;
    pub const PLT: u8 = 4;
    pub const SIGNAL: u8 = 5;
    pub const OUTERMOST: u8 = 6;
    pub const FRAME_POINTER: u8 = 7;
    pub const ABSENT: u8 = 8;
    pub const OTHER_STACK: u8 = 9;
    pub const AWAITED: u8 = 10;
}

/// Values of [`Rule::fp_kind`] (`enum rule_fp`, which documents them).
#[expect(missing_docs, reason = "documented in abi.h, one by one")]
pub mod rule_fp {
    pub const SAME: u8 = 0;
    pub const SAVED: u8 = 1;
    pub const AT: u8 = 2;
    pub const IN: u8 = 3;
    pub const LOST: u8 = 4;
}

/// `struct rule`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
#[expect(missing_docs, reason = "documented in abi.h, field by field")]
pub struct Rule {
    pub kind: u8,
    pub base: u8,
    pub fp_kind: u8,
    pub ra: u8,
    pub cfa: u32,
    pub fp: u32,
    pub extra: u32,
}

/// `struct table`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
#[expect(missing_docs, reason = "documented in abi.h, field by field")]
pub struct Table {
    pub number: u32,
    pub base: u32,
    pub first_span: u32,
    pub spans: u32,
    pub otherwise: u32,
    pub awaited: u32,
}

const _: () = assert!(size_of::<Rule>() == 16);
const _: () = assert!(size_of::<Table>() == 24);

/// The device of the vDSO (`VDSO_DEV`), whose inode and version are 0.
pub const VDSO_DEV: u32 = u32::MAX;

/// What stands for a file's identity where the kernel side looks for its table (`file_tag` in `path.bpf.h`).
pub fn file_tag(ino: u64, dev: u32, version: u32) -> u64 {
    let tag = ino.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (u64::from(dev) << 32 | u64::from(version));
    let tag = tag.wrapping_mul(0xff51_afd7_ed55_8ccd);
    (tag ^ tag >> 29) | 1
}

/// What stands for the state of a file (`file_version` in `vma.bpf.h`): its change time in nanoseconds, and its generation.
pub fn file_version(changed: u64, generation: u32) -> u32 {
    let mix = changed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(u64::from(generation));
    (mix.wrapping_mul(0xff51_afd7_ed55_8ccd) >> 32) as u32
}

/// Which bucket of `file_tables` a file is in.
pub fn file_bucket(tag: u64) -> u32 {
    (tag >> 9) as u32 & (FILE_BUCKETS - 1)
}

/// The word of `file_tables` that says which table a file has.
pub fn file_word(tag: u64, table: u32) -> u64 {
    let number = (1 << TABLE_NUMBER_BITS) - 1;
    tag & !number | u64::from(table) & number
}
