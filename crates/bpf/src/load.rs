//! Opens, sizes and loads the object, and says what is missing when that fails.

use std::path::Path;

use engine::kernel::KernelError;
use libbpf_rs::{ErrorKind, Object, ObjectBuilder, OpenObject, PrintLevel};
use zerocopy::{FromBytes, IntoBytes, KnownLayout};

use crate::{limits, privileges};

/// The object, aligned as an ELF file wants to be.
#[repr(C, align(8))]
struct Aligned<T: ?Sized>(T);

static OBJECT: &Aligned<[u8]> = &Aligned(*include_bytes!(concat!(env!("OUT_DIR"), "/sample.bpf.o")));

/// `struct knobs` of `bpf/lib/knobs.bpf.h`, which documents the fields.
#[repr(C)]
#[derive(FromBytes, IntoBytes, KnownLayout)]
struct Knobs {
    thread_size: u64,
    wake_at_bytes: u64,
    read_cgroup: u64,
}

/// Whether processes are in cgroups of version 2, the only ones that a sample can name.
fn cgroup_ids_tell() -> bool {
    Path::new("/sys/fs/cgroup/cgroup.controllers").exists()
}

/// Sizes that are set at load.
pub(crate) struct Sizes {
    pub(crate) sample_ring: u32,
    pub(crate) wake_at: u64,
    /// Lines of unwind rows, and of pointers to them.
    pub(crate) row_lines: u32,
    pub(crate) pointer_lines: u32,
}

pub(crate) fn object_bytes() -> &'static [u8] {
    &OBJECT.0
}

/// `BPF_LOG_STATS`: the verifier says how much it looked at. Source: linux/bpf_verifier.h.
const STATISTICS: u32 = 4;

pub(crate) fn load(sizes: &Sizes) -> Result<Object, KernelError> {
    if !Path::new("/sys/kernel/btf/vmlinux").exists() {
        return Err(KernelError::new(
            "the kernel publishes no type information: /sys/kernel/btf/vmlinux is missing. Run a kernel built with CONFIG_DEBUG_INFO_BTF=y, as the distributions' kernels from 5.10 on are; in a container, mount the host's /sys.",
        ));
    }
    libbpf_rs::set_print(Some((PrintLevel::Debug, log)));
    if tracing::enabled!(tracing::Level::DEBUG) {
        let mut open = open(sizes)?;
        open.progs_mut().for_each(|mut program| program.set_log_level(STATISTICS));
        if let Ok(object) = open.load() {
            return Ok(object);
        }
        // The statistics stood in the place of the reasons: once more, for them.
    }
    open(sizes)?.load().map_err(|error| explain(&error))
}

/// Opens the object and sets its sizes and knobs.
fn open(sizes: &Sizes) -> Result<OpenObject, KernelError> {
    let mut open = ObjectBuilder::default()
        .name("pyrope")
        .and_then(|builder| builder.open_memory(object_bytes()))
        .map_err(|error| limits::failed("cannot read the built-in BPF object", &error))?;
    for mut map in open.maps_mut() {
        let failed = match map.name().to_str() {
            Some("samples") => map.set_max_entries(sizes.sample_ring).err(),
            Some("rows") => map.set_max_entries(sizes.row_lines).err(),
            Some("spans") => map.set_max_entries(sizes.pointer_lines).err(),
            Some(name) if name.ends_with(".rodata") => match map.initial_value_mut() {
                Some(knobs) => match Knobs::mut_from_bytes(knobs) {
                    Ok(knobs) => {
                        knobs.wake_at_bytes = sizes.wake_at;
                        knobs.read_cgroup = u64::from(cgroup_ids_tell());
                        None
                    }
                    Err(_) => return Err(KernelError::new("the built-in BPF object has other knobs than expected")),
                },
                _ => return Err(KernelError::new("the built-in BPF object has no knobs")),
            },
            _ => None,
        };
        if let Some(error) = failed {
            return Err(KernelError::new(format!("cannot size the BPF maps: {error:#}")));
        }
    }
    Ok(open)
}

fn log(level: PrintLevel, text: String) {
    if let Some((program, processed)) = statistics(&text) {
        tracing::debug!(program, processed, "the verifier looked at a program");
    }
    match level {
        PrintLevel::Warn => tracing::debug!(text = text.trim_end(), "libbpf warns"),
        _ => tracing::trace!(text = text.trim_end(), "libbpf"),
    }
}

/// The program, and the verifier's line about the work that it was, if libbpf passes on its log.
fn statistics(text: &str) -> Option<(&str, &str)> {
    let (_, program) = text.split_once("prog '")?;
    let processed = text.lines().find_map(|line| line.strip_prefix("processed "))?;
    Some((program.split('\'').next()?, processed))
}

fn explain(error: &libbpf_rs::Error) -> KernelError {
    KernelError::new(match error.kind() {
        ErrorKind::PermissionDenied => {
            format!("the kernel does not let this process load BPF programs. {}", privileges::remedy())
        }
        ErrorKind::OutOfMemory => {
            format!("the kernel has no memory for the BPF maps ({error:#}). Raise the memory limit of this cgroup.")
        }
        _ => format!(
            "{} Run with logging {{ level = \"debug\" }} for the verifier's reasons.",
            limits::failed("the kernel refused the BPF programs", error)
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::statistics;

    #[test]
    fn statistics_are_found_in_the_log_of_a_program() {
        let text = "libbpf: prog 'on_fork': -- BEGIN PROG LOAD LOG --\nverification time 9 usec\nprocessed 99 insns (limit 1000000)\n-- END PROG LOAD LOG --\n";
        assert_eq!(statistics(text), Some(("on_fork", "99 insns (limit 1000000)")));
        assert_eq!(statistics("libbpf: prog 'on_fork': found\n"), None);
    }
}
