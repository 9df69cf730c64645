//! The layout of the records as Rust has them, to be compared with the C's.

use std::mem::{offset_of, size_of};

use crate::record::{Mapping, PathHead, ProcessEvent, SampleHead, StackHead};
use crate::rows::{Rule, Table};

/// One struct of `abi.h`.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// Its name in C.
    pub name: &'static str,
    /// Its size in C, in bytes.
    pub size: usize,
    /// Each field with its offset, in bytes.
    pub fields: &'static [(&'static str, usize)],
}

/// `MAX_PATH_BYTES`: the text behind the head of `struct file_path`.
const PATH_TEXT: usize = 1024;

macro_rules! layout {
    ($name:literal, $size:expr, $type:ty, [$($field:ident),*], [$($more:expr),*]) => {
        Layout { name: $name, size: $size, fields: &[$((stringify!($field), offset_of!($type, $field)),)* $($more),*] }
    };
}

/// All of them.
pub const LAYOUTS: [Layout; 7] = [
    layout!("rule", size_of::<Rule>(), Rule, [kind, base, fp_kind, ra, cfa, fp, extra], []),
    layout!("table", size_of::<Table>(), Table, [number, base, first_span, spans, otherwise, awaited], []),
    layout!("mapping", size_of::<Mapping>(), Mapping, [start, end, offset, ino, dev, version, flags, pad], []),
    layout!(
        "sample",
        size_of::<SampleHead>(),
        SampleHead,
        [
            kind,
            flags,
            end,
            mappings,
            kernel_frames,
            user_frames,
            tgid,
            tid,
            ktime,
            start_time,
            cgroup,
            cpu,
            left_out,
            comm
        ],
        []
    ),
    layout!(
        "stack",
        size_of::<StackHead>(),
        StackHead,
        [kind, flags, frames, bytes, ktime, cpu, pad, pc, sp, fp, registers],
        []
    ),
    layout!(
        "file_path",
        size_of::<PathHead>() + PATH_TEXT,
        PathHead,
        [kind, names, bytes, tgid, ino, dev, version],
        [("text", size_of::<PathHead>())]
    ),
    layout!(
        "process_event",
        size_of::<ProcessEvent>(),
        ProcessEvent,
        [kind, pad, tgid, ktime, start_time, parent, pad2],
        []
    ),
];
