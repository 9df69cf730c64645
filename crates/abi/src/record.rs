//! Records of the rings.

use std::mem::size_of;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{MAX_USER_FRAMES, OUTER_FRAMES};

/// Values of the first byte of each record (`enum record_kind`).
pub mod kind {
    /// A sample.
    pub const SAMPLE: u8 = 1;
    /// The path of a file.
    pub const PATH: u8 = 2;
    /// A process was forked.
    pub const FORK: u8 = 3;
    /// A process executed another program.
    pub const EXEC: u8 = 4;
    /// The last thread of a process exited.
    pub const EXIT: u8 = 5;
    /// The stack of a sample.
    pub const STACK: u8 = 6;
}

/// Bits of [`SampleHead::flags`] (`enum sample_flag`).
pub mod sample_flag {
    /// The interrupted code was the kernel's.
    pub const IN_KERNEL: u8 = 1;
    /// The task is a kernel thread.
    pub const KTHREAD: u8 = 2;
    /// The first user address is that behind a system call instruction.
    pub const IN_SYSCALL: u8 = 4;
    /// The last stack of its CPU belongs to it.
    pub const STACK: u8 = 8;
}

/// Bits of [`StackHead::flags`] (`enum stack_flag`).
pub mod stack_flag {
    /// The instruction pointer is where the thread was interrupted, not a return address.
    pub const EXACT: u8 = 1;
    /// The registers are those of the frame.
    pub const REGISTERS: u8 = 2;
}

/// Bits of [`Mapping::flags`] (`enum mapping_flag`).
pub mod mapping_flag {
    /// Executable.
    pub const EXEC: u32 = 1;
    /// Backed by a file; `ino`, `dev` and `version` are set.
    pub const FILE: u32 = 2;
    /// The kernel's vDSO.
    pub const VDSO: u32 = 4;
}

/// `struct mapping`: an executable mapping that addresses of the sample lie in. Addresses and offsets in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
#[expect(missing_docs, reason = "documented in abi.h, field by field")]
pub struct Mapping {
    pub start: u64,
    pub end: u64,
    pub offset: u64,
    pub ino: u64,
    pub dev: u32,
    pub version: u32,
    pub flags: u32,
    pub pad: u32,
}

/// `struct sample` without its variable part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
#[expect(missing_docs, reason = "documented in abi.h, field by field")]
pub struct SampleHead {
    pub kind: u8,
    pub flags: u8,
    pub end: u8,
    pub mappings: u8,
    pub kernel_frames: u16,
    pub user_frames: u16,
    pub tgid: u32,
    pub tid: u32,
    pub ktime: u64,
    pub start_time: u64,
    pub cgroup: u64,
    pub cpu: u32,
    pub left_out: u32,
    pub comm: [u8; 16],
}

/// `struct stack` without the stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
#[expect(missing_docs, reason = "documented in abi.h, field by field")]
pub struct StackHead {
    pub kind: u8,
    pub flags: u8,
    pub frames: u16,
    pub bytes: u32,
    pub ktime: u64,
    pub cpu: u32,
    pub pad: u32,
    pub pc: u64,
    pub sp: u64,
    pub fp: u64,
    pub registers: [u64; 17],
}

/// `struct process_event`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
#[expect(missing_docs, reason = "documented in abi.h, field by field")]
pub struct ProcessEvent {
    pub kind: u8,
    pub pad: [u8; 3],
    pub tgid: u32,
    pub ktime: u64,
    pub start_time: u64,
    pub parent: u32,
    pub pad2: u32,
}

/// `struct file_path` without its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(crate) struct PathHead {
    pub(crate) kind: u8,
    pub(crate) names: u8,
    pub(crate) bytes: u16,
    pub(crate) tgid: u32,
    pub(crate) ino: u64,
    pub(crate) dev: u32,
    pub(crate) version: u32,
}

/// How many places there are to note whose path was sent (`SEEN_FILES`); a power of two.
pub const SEEN_FILES: u32 = 8192;

const _: () = assert!(size_of::<Mapping>() == 48);
const _: () = assert!(size_of::<SampleHead>() == 64);
const _: () = assert!(size_of::<StackHead>() == 184);
const _: () = assert!(size_of::<ProcessEvent>() == 32);
const _: () = assert!(size_of::<PathHead>() == 24);

/// A sample in the ring's memory.
#[derive(Clone, Copy, Debug)]
pub struct SampleRecord<'a> {
    /// The fixed part.
    pub head: &'a SampleHead,
    /// Kernel addresses, leaf first.
    pub kernel: &'a [u64],
    /// User addresses, leaf first; the first is exact, the others are return addresses unless
    /// [`ADDRESS_EXACT`](crate::ADDRESS_EXACT) is set. Of a stack that is too deep see [`user_runs`](Self::user_runs).
    pub user: &'a [u64],
    /// The mappings that the user addresses lie in.
    pub mappings: &'a [Mapping],
    /// Everything behind the head: two samples of one process with equal bytes here have the same stack.
    pub payload: &'a [u8],
}

impl SampleRecord<'_> {
    /// User addresses in three runs, leaf first: the inner ones, which are all unless some were left out, and the outer ones.
    pub fn user_runs(&self) -> [&[u64]; 3] {
        if self.head.left_out == 0 || self.user.len() < MAX_USER_FRAMES {
            return [self.user, &[], &[]];
        }
        let (inner, outer) = self.user.split_at(MAX_USER_FRAMES - OUTER_FRAMES);
        let (last, first) = outer.split_at(self.head.left_out as usize % OUTER_FRAMES);
        [inner, first, last]
    }

    /// The bytes of the record, as words; [`payload`](Self::payload) plays no part.
    pub fn to_words(&self) -> Vec<u64> {
        let (head, mappings) = (words(self.head.as_bytes()), words(self.mappings.as_bytes()));
        let frames = self.kernel.iter().chain(self.user).copied();
        head.chain(frames).chain(mappings).collect()
    }
}

fn words(bytes: &[u8]) -> impl Iterator<Item = u64> {
    bytes.as_chunks().0.iter().map(|word| u64::from_ne_bytes(*word))
}

/// The stack of a sample whose walk came to code without unwind rows.
#[derive(Clone, Copy, Debug)]
pub struct StackRecord<'a> {
    /// The registers there.
    pub head: &'a StackHead,
    /// The stack, from the stack pointer up.
    pub words: &'a [u64],
}

/// The path of a file, from the kernel's directory entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilePath {
    /// Process whose sample showed the file.
    pub tgid: u32,
    /// Inode number.
    pub ino: u64,
    /// Kernel device number.
    pub dev: u32,
    /// See [`Mapping`].
    pub version: u32,
    /// Absolute within its file system; bytes that are not UTF-8 are replaced.
    pub path: String,
}

/// One record of a ring.
#[derive(Debug)]
pub enum Record<'a> {
    /// A stack.
    Sample(SampleRecord<'a>),
    /// What the next sample of its CPU needs to be walked further.
    Stack(StackRecord<'a>),
    /// A name for a file.
    Path(FilePath),
    /// Birth, exec or death of a process.
    Process(&'a ProcessEvent),
}

/// Where the kernel side notes that it sent a file's path (`first_sight` in `path.bpf.h`), by the file's
/// [tag](crate::rows::file_tag).
pub fn seen_slot(tag: u64) -> u32 {
    (tag >> 40) as u32 & (SEEN_FILES - 1)
}

/// A record that the two sides do not agree about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("record of kind {kind} with {len} bytes does not have the expected shape")]
pub struct Malformed {
    /// Its first byte; 0 when it is empty.
    pub kind: u8,
    /// Its length.
    pub len: usize,
}

impl<'a> Record<'a> {
    /// Reads one record that was copied in words.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn parse_words(words: &'a [u64]) -> Result<Self, Malformed> {
        Self::parse(words.as_bytes())
    }

    /// Reads one record. `bytes` must start at a multiple of 8, as ring records do.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let kind = bytes.first().copied().unwrap_or(0);
        let parsed = match kind {
            kind::SAMPLE => sample(bytes).map(Self::Sample),
            kind::STACK => stack(bytes).map(Self::Stack),
            kind::PATH => path(bytes).map(Self::Path),
            kind::FORK | kind::EXEC | kind::EXIT => {
                ProcessEvent::ref_from_prefix(bytes).ok().map(|(event, _)| Self::Process(event))
            }
            _ => None,
        };
        parsed.ok_or(Malformed { kind, len: bytes.len() })
    }
}

fn sample(bytes: &[u8]) -> Option<SampleRecord<'_>> {
    let (head, payload) = SampleHead::ref_from_prefix(bytes).ok()?;
    let (kernel, rest) = <[u64]>::ref_from_prefix_with_elems(payload, head.kernel_frames.into()).ok()?;
    let (user, rest) = <[u64]>::ref_from_prefix_with_elems(rest, head.user_frames.into()).ok()?;
    let (mappings, _) = <[Mapping]>::ref_from_prefix_with_elems(rest, head.mappings.into()).ok()?;
    Some(SampleRecord { head, kernel, user, mappings, payload })
}

fn stack(bytes: &[u8]) -> Option<StackRecord<'_>> {
    let (head, rest) = StackHead::ref_from_prefix(bytes).ok()?;
    let (words, _) = <[u64]>::ref_from_prefix_with_elems(rest, head.bytes as usize / 8).ok()?;
    Some(StackRecord { head, words })
}

fn path(bytes: &[u8]) -> Option<FilePath> {
    let (head, text) = PathHead::ref_from_prefix(bytes).ok()?;
    let text = text.get(..head.bytes.into())?;
    let mut path = String::new();
    for name in text.split(|&byte| byte == 0).filter(|name| !name.is_empty()).collect::<Vec<_>>().iter().rev() {
        path.push('/');
        path.push_str(&String::from_utf8_lossy(name));
    }
    Some(FilePath { tgid: head.tgid, ino: head.ino, dev: head.dev, version: head.version, path })
}

#[cfg(test)]
mod tests {
    use zerocopy::IntoBytes as _;

    use super::*;

    fn head(kernel_frames: u16, user_frames: u16, mappings: u8) -> SampleHead {
        SampleHead { kernel_frames, user_frames, mappings, kind: kind::SAMPLE, ..SampleHead::new_zeroed_head() }
    }

    impl SampleHead {
        fn new_zeroed_head() -> Self {
            <Self as zerocopy::FromZeros>::new_zeroed()
        }
    }

    fn record(head: &SampleHead, rest: &[u64]) -> Vec<u64> {
        words(head.as_bytes()).chain(rest.iter().copied()).collect()
    }

    #[test]
    fn a_sample_has_kernel_frames_then_user_frames_then_mappings() {
        let record = record(&head(1, 2, 1), &[0xffff_ffff_8000_0000, 0x1000, 0x1010, 0x1000, 0x2000, 0, 7, 5, 1, 9]);
        let Record::Sample(sample) = Record::parse(record.as_bytes()).unwrap() else { panic!("not a sample") };
        assert_eq!(sample.kernel, [0xffff_ffff_8000_0000]);
        assert_eq!(sample.user, [0x1000, 0x1010]);
        assert_eq!((sample.mappings[0].start, sample.mappings[0].end, sample.mappings[0].ino), (0x1000, 0x2000, 7));
        assert_eq!(sample.to_words(), record[..17]);
    }

    #[test]
    fn of_a_stack_that_is_too_deep_both_ends_are_in_order() {
        let depth = MAX_USER_FRAMES as u64 + 300;
        let mut words: Vec<u64> = (0..MAX_USER_FRAMES as u64).collect();
        let inner = MAX_USER_FRAMES - OUTER_FRAMES;
        (inner as u64..depth).for_each(|at| words[inner + at as usize % OUTER_FRAMES] = at);
        let head = SampleHead { left_out: 300, ..head(0, MAX_USER_FRAMES as u16, 0) };
        let record = record(&head, &words);
        let Record::Sample(sample) = Record::parse(record.as_bytes()).unwrap() else { panic!("not a sample") };
        let outer = depth - OUTER_FRAMES as u64..depth;
        assert_eq!(sample.user_runs().concat(), (0..inner as u64).chain(outer).collect::<Vec<_>>());
    }

    #[test]
    fn a_sample_that_promises_more_than_it_holds_is_malformed() {
        let record = record(&head(1, 200, 0), &[0; 4]);
        assert!(Record::parse(record.as_bytes()).is_err());
    }

    #[test]
    fn a_stack_has_as_many_words_as_its_head_says() {
        let head = StackHead { kind: kind::STACK, bytes: 16, ..<StackHead as zerocopy::FromZeros>::new_zeroed() };
        let record: Vec<u64> = words(head.as_bytes()).chain([7, 8]).collect();
        let Record::Stack(stack) = Record::parse(record.as_bytes()).unwrap() else { panic!("not a stack") };
        assert_eq!(stack.words, [7, 8]);
        assert!(Record::parse(&record.as_bytes()[..192]).is_err());
    }

    #[test]
    fn names_are_sent_leaf_first() {
        let head = PathHead { kind: kind::PATH, names: 3, bytes: 16, tgid: 1, ino: 2, dev: 3, version: 4 };
        let mut bytes = head.as_bytes().to_vec();
        bytes.extend_from_slice(b"libc.so\0lib\0usr\0");
        let aligned: Vec<u64> = bytes.chunks(8).map(|c| u64::from_ne_bytes(c.try_into().unwrap())).collect();
        let Record::Path(path) = Record::parse(aligned.as_bytes()).unwrap() else { panic!("not a path") };
        assert_eq!(path.path, "/usr/lib/libc.so");
    }

    #[test]
    fn no_bytes_and_unknown_kinds_are_malformed() {
        assert_eq!(Record::parse(&[]).unwrap_err(), Malformed { kind: 0, len: 0 });
        assert_eq!(Record::parse(&[99, 0]).unwrap_err(), Malformed { kind: 99, len: 2 });
    }
}
