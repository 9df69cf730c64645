//! Finds out where the kernel has all physical memory, so that the stack of a process that is ending can be read.

use std::hint::black_box;

use engine::kernel::KernelError;
use libbpf_rs::{MapCore as _, MapFlags, MapHandle, ProgramInput, ProgramMut};
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// `struct memory_probe` of `bpf/lib/gone.bpf.h`.
#[repr(C)]
#[derive(FromBytes, IntoBytes, Immutable, Default)]
struct MemoryProbe {
    address: u64,
    word: u64,
    first: u64,
    found: u64,
}

/// Places, a gigabyte apart, that one run of the program tries.
const PLACES_PER_RUN: u64 = 8;
/// A machine with more gigabytes of memory, gaps among them, goes without.
const MOST_PLACES: u64 = 16 << 10;

/// Has the kernel side look for a word of ours by the page tables, from one place after the other. Where none is right, samples of
/// processes that are ending have no user stack.
pub(crate) fn find(program: &ProgramMut<'_>, probes: &MapHandle) -> Result<bool, KernelError> {
    let failed = |what: &str, error: &dyn std::fmt::Display| KernelError::new(format!("cannot {what}: {error:#}"));
    let word = black_box(Box::new(0x6ba5_c1d7_90e3_42f8_u64));
    let address = &raw const *word as u64;
    let key = 0_u32.to_ne_bytes();
    for first in (0..MOST_PLACES).step_by(PLACES_PER_RUN as usize) {
        let question = MemoryProbe { address, word: *word, first, found: 0 };
        probes.update(&key, question.as_bytes(), MapFlags::ANY).map_err(|error| failed("ask for memory", &error))?;
        program.test_run(ProgramInput::default()).map_err(|error| failed("look for memory", &error))?;
        let answer = probes.lookup(&key, MapFlags::ANY).map_err(|error| failed("read where memory is", &error))?;
        let answer = answer.as_deref().and_then(|bytes| MemoryProbe::read_from_bytes(bytes).ok()).unwrap_or_default();
        if answer.found != 0 {
            tracing::debug!(places = first, "physical memory found");
            return Ok(true);
        }
    }
    tracing::debug!("physical memory was not found: processes that are ending have no user stack");
    Ok(false)
}
