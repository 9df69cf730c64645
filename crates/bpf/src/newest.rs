//! Which BPF program the kernel holds was loaded last.

use libbpf_rs::libbpf_sys::bpf_prog_get_next_id;
use rustix::io::Errno;

/// The program with the highest number, which is the newest; `since` is one that was found before, or 0. `None` where the kernel does
/// not tell us.
#[expect(unsafe_code, reason = "a call of libbpf")]
pub(crate) fn newest_program(since: u32) -> Option<u32> {
    let mut newest = since;
    loop {
        let mut next = 0;
        // SAFETY: it writes the number alone.
        match unsafe { bpf_prog_get_next_id(newest, &raw mut next) } {
            0 => newest = next,
            error if error == -Errno::NOENT.raw_os_error() => return Some(newest),
            _ => return None,
        }
    }
}
