//! Asks the loaded programs about this very process, before anything is sampled.

use std::fs;

use engine::kernel::KernelError;
use libbpf_rs::{MapCore as _, MapFlags, MapHandle, ProgramInput, ProgramMut};
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// `struct self_check` of `bpf/lib/check.bpf.h`.
#[repr(C)]
#[derive(FromBytes, IntoBytes, Immutable, Default)]
struct SelfCheck {
    address: u64,
    start: u64,
    end: u64,
    ino: u64,
    tgid: u32,
    done: u32,
}

/// Fails where pids would not mean the same to the kernel and to us, or where the VMA walk does not find our own code.
pub(crate) fn run(program: &ProgramMut<'_>, map: &MapHandle) -> Result<(), KernelError> {
    let failed = |what: &str, error: &dyn std::fmt::Display| KernelError::new(format!("cannot {what}: {error:#}"));
    let (address, start) = own_code()?;
    let question = SelfCheck { address, ..SelfCheck::default() };
    let key = 0_u32.to_ne_bytes();
    map.update(&key, question.as_bytes(), MapFlags::ANY).map_err(|error| failed("ask the self check", &error))?;
    program.test_run(ProgramInput::default()).map_err(|error| failed("run the self check", &error))?;
    let answer = map.lookup(&key, MapFlags::ANY).map_err(|error| failed("read the self check", &error))?;
    let answer = answer.as_deref().and_then(|bytes| SelfCheck::read_from_bytes(bytes).ok()).unwrap_or_default();
    if answer.done != 1 {
        return Err(KernelError::new("the self check of the BPF programs did not run"));
    }
    let own = fs::read_link("/proc/self").ok().and_then(|link| link.to_str()?.parse::<u32>().ok());
    if own != Some(answer.tgid) {
        return Err(KernelError::new(format!(
            "this process is not in the host's pid namespace: the kernel calls it {}, /proc calls it {}. Process ids of samples would not match those in /proc. Start the container with --pid=host; in Kubernetes set hostPID: true.",
            answer.tgid,
            own.map_or_else(|| "nothing".to_owned(), |pid| pid.to_string()),
        )));
    }
    if answer.start != start {
        return Err(KernelError::new(format!(
            "the walk of the address space does not work on this kernel: it placed our own code at {:#x}, /proc/self/maps at {start:#x}. Please report the kernel's version.",
            answer.start
        )));
    }
    Ok(())
}

/// An address of this program's code, and where its mapping starts.
fn own_code() -> Result<(u64, u64), KernelError> {
    let address = own_code as fn() -> Result<(u64, u64), KernelError> as usize as u64;
    let maps = fs::read_to_string("/proc/self/maps")
        .map_err(|error| KernelError::new(format!("cannot read /proc/self/maps: {error}. Mount /proc.")))?;
    let start = maps.lines().find_map(|line| {
        let (start, end) = line.split_whitespace().next()?.split_once('-')?;
        let (start, end) = (u64::from_str_radix(start, 16).ok()?, u64::from_str_radix(end, 16).ok()?);
        (start <= address && address < end).then_some(start)
    });
    start.map(|start| (address, start)).ok_or_else(|| KernelError::new("our own code is not in /proc/self/maps"))
}
