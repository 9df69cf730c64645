//! Bytes of another process's memory.
#![expect(unsafe_code, reason = "process_vm_readv has no safe wrapper")]

use rustix::io::Errno;

use crate::maps::Avma;
use crate::process::Missing;

/// Copies memory of another process into `into` and returns how many bytes came.
///
/// Fewer bytes than asked for come when the range reaches into memory that cannot be read; none at all is
/// [`Missing::Failed`] with `EFAULT`. Needs what `ptrace` needs: the same user, or CAP_SYS_PTRACE.
pub fn read(tgid: u32, from: Avma, into: &mut [u8]) -> Result<usize, Missing> {
    let (Ok(pid), Ok(address)) = (libc::pid_t::try_from(tgid), usize::try_from(from.0)) else {
        return Err(Missing::Failed(Errno::FAULT));
    };
    let local = libc::iovec { iov_base: into.as_mut_ptr().cast(), iov_len: into.len() };
    let remote = libc::iovec { iov_base: std::ptr::without_provenance_mut(address), iov_len: into.len() };
    // SAFETY: `local` describes exactly the bytes of `into`, which is borrowed mutably for the whole call, and any bit
    // pattern is a valid `u8`. `remote` is an address in another process that the kernel checks; it is never used here.
    let count = unsafe { libc::process_vm_readv(pid, &raw const local, 1, &raw const remote, 1, 0) };
    usize::try_from(count).map_err(|_| {
        let code = std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EFAULT);
        Missing::from(Errno::from_raw_os_error(code))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_can_read_itself() {
        let secret = *b"what the page holds";
        let mut copy = [0; 19];
        assert_eq!(read(std::process::id(), Avma(secret.as_ptr().addr() as u64), &mut copy), Ok(19));
        assert_eq!(copy, secret);
    }

    #[test]
    fn what_cannot_be_read_is_a_reason() {
        let mut copy = [0; 8];
        assert_eq!(read(std::process::id(), Avma(0), &mut copy), Err(Missing::Failed(Errno::FAULT)));
        assert_eq!(read(std::process::id(), Avma(u64::MAX - 3), &mut copy), Err(Missing::Failed(Errno::FAULT)));
        assert_eq!(read(0x3fff_fff0, Avma(0x1000), &mut copy), Err(Missing::Gone));
        assert_eq!(read(u32::MAX, Avma(0x1000), &mut copy), Err(Missing::Failed(Errno::FAULT)));
    }
}
