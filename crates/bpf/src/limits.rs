//! Limits of this process that loading runs into.
#![expect(unsafe_code, reason = "setrlimit has no safe wrapper that keeps the values apart from our other limits")]

/// Raises the locked-memory limit as far as allowed: kernels before 5.11 charge map memory to it. Failing is normal
/// (without CAP_SYS_RESOURCE) and harmless on newer kernels.
pub(crate) fn raise_memlock() {
    let want = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: setrlimit only reads the struct that lives on this stack frame.
    unsafe { libc::setrlimit(libc::RLIMIT_MEMLOCK, &want) };
}
