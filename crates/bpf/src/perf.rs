//! One perf event per CPU.
#![expect(unsafe_code, reason = "perf_event_open and its ioctls have no wrapper in libc or rustix")]

use std::io;
use std::os::fd::{FromRawFd as _, OwnedFd};

/// `struct perf_event_attr` in its first published size, which every kernel accepts. Source: linux/perf_event.h.
#[repr(C)]
#[derive(Default)]
struct Attributes {
    kind: u32,
    size: u32,
    config: u64,
    sample_period: u64,
    sample_type: u64,
    read_format: u64,
    flags: u64,
    wakeup_events: u32,
    breakpoint_type: u32,
    breakpoint_address: u64,
}

const _: () = assert!(size_of::<Attributes>() == 64);

const TYPE_SOFTWARE: u32 = 1;
const COUNT_CPU_CLOCK: u64 = 0;
const FLAG_EXCLUDE_IDLE: u64 = 1 << 7;
const OPEN_CLOEXEC: libc::c_ulong = 8;
/// `PERF_EVENT_IOC_PERIOD`.
const SET_PERIOD: libc::c_ulong = 0x4008_2404;

/// Opens the software clock of one CPU for all its tasks, one event each `period_ns` nanoseconds of its time; the idle
/// task is left out. The event counts at once, but does nothing until a program is attached.
pub(crate) fn open_cpu_clock(cpu: u32, period_ns: u64) -> io::Result<OwnedFd> {
    let attributes = Attributes {
        kind: TYPE_SOFTWARE,
        size: size_of::<Attributes>() as u32,
        config: COUNT_CPU_CLOCK,
        sample_period: period_ns,
        flags: FLAG_EXCLUDE_IDLE,
        ..Attributes::default()
    };
    // SAFETY: the kernel reads `size` bytes of the struct, which outlives the call; the other arguments are numbers.
    let fd = unsafe { libc::syscall(libc::SYS_perf_event_open, &raw const attributes, -1, cpu, -1, OPEN_CLOEXEC) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    let fd = i32::try_from(fd).expect("file descriptors are ints");
    // SAFETY: the system call just returned this descriptor, and nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Has a new period begin, and each one after it be as long.
pub(crate) fn set_period(fd: i32, period_ns: u64) -> io::Result<()> {
    // SAFETY: the kernel reads the number, which outlives the call.
    match unsafe { libc::ioctl(fd, SET_PERIOD, &raw const period_ns) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The descriptor of an object that the caller keeps alive.
pub(crate) fn borrow<'fd>(fd: i32) -> std::os::fd::BorrowedFd<'fd> {
    // SAFETY: called only with descriptors that an owner beside it keeps open for longer than they are used.
    unsafe { std::os::fd::BorrowedFd::borrow_raw(fd) }
}
