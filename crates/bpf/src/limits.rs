//! Limits of this process that loading runs into.
#![expect(unsafe_code, reason = "setrlimit has no safe wrapper that keeps the values apart from our other limits")]

use std::{fmt, io};

use engine::kernel::KernelError;

/// Raises the locked-memory limit as far as allowed: kernels before 5.11 charge map memory to it. Failing is normal
/// (without CAP_SYS_RESOURCE) and harmless on newer kernels.
pub(crate) fn raise_memlock() {
    let want = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: setrlimit only reads the struct that lives on this stack frame.
    unsafe { libc::setrlimit(libc::RLIMIT_MEMLOCK, &want) };
}

/// The error that this could not be done, with what to do when the reason is that no file descriptor is left. libbpf-rs keeps
/// the number of an error to itself, but for its text.
pub(crate) fn failed(what: impl fmt::Display, error: &impl fmt::Display) -> KernelError {
    let error = format!("{error:#}");
    let no_files = |code: &i32| error.contains(&io::Error::from_raw_os_error(*code).to_string());
    let remedy = if [libc::EMFILE, libc::ENFILE].iter().any(no_files) {
        " Raise the limit of open files (ulimit -n)."
    } else {
        ""
    };
    KernelError::new(format!("{what}: {error}.{remedy}"))
}

#[cfg(test)]
mod tests {
    use libbpf_rs::ErrorExt as _;

    use super::*;

    #[track_caller]
    fn check(code: i32, expect: &str) {
        let error = libbpf_rs::Error::from(io::Error::from_raw_os_error(code)).context("failed to duplicate it");
        assert_eq!(failed("cannot open the BPF map x", &error).to_string(), expect);
    }

    #[test]
    fn an_error_for_want_of_file_descriptors_names_the_remedy() {
        let remedy = "Raise the limit of open files (ulimit -n).";
        let begin = "cannot open the BPF map x: failed to duplicate it:";
        check(libc::EMFILE, &format!("{begin} Too many open files (os error 24). {remedy}"));
        check(libc::ENFILE, &format!("{begin} Too many open files in system (os error 23). {remedy}"));
        check(libc::EPERM, &format!("{begin} Operation not permitted (os error 1)."));
    }
}
