//! The memory of this process: how much there is, and that the C library's allocator gives back what it does not need.
//!
//! In: nothing. Out: settings of this process, made once at its start. glibc keeps what a thread freed for that thread's sake,
//! and raises the size from which memory goes back to the system at once with each large block that was freed: after a few
//! large queries a process of 20 MB stays at three times that. Two shared arenas and fixed thresholds keep it small.
//!
//! Start at [`give_back`]; [`trim`] gives back at once, [`resident_bytes`] says how much is in use. Any other C library is left as it is.

/// Memory from this size on is mapped by itself and unmapped when it is freed, in bytes: glibc's own first value, which it would
/// raise by itself.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const MAPPED_FROM: libc::c_int = 128 << 10;

/// How many threads can allocate at once without waiting for each other.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const ARENAS: libc::c_int = 2;

/// Sets how memory is given back. Called before the first thread is made; later it has less effect.
#[cfg_attr(
    all(target_os = "linux", target_env = "gnu"),
    expect(unsafe_code, reason = "mallopt has no wrapper in a crate that is kept")
)]
pub fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    for (setting, value) in
        [(libc::M_ARENA_MAX, ARENAS), (libc::M_MMAP_THRESHOLD, MAPPED_FROM), (libc::M_TRIM_THRESHOLD, MAPPED_FROM)]
    {
        // A setting that is refused leaves the usual one, which is right but larger.
        // SAFETY: mallopt takes two numbers and locks the allocator by itself.
        _ = unsafe { libc::mallopt(setting, value) };
    }
}

/// Gives back now what was freed. Takes milliseconds where much was.
#[cfg_attr(
    all(target_os = "linux", target_env = "gnu"),
    expect(unsafe_code, reason = "malloc_trim has no wrapper in a crate that is kept")
)]
pub fn trim() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        // SAFETY: malloc_trim takes a number and locks the allocator by itself.
        _ = unsafe { libc::malloc_trim(0) };
    }
}

/// Memory in use (VmRSS), in bytes; 0 where /proc does not tell.
pub fn resident_bytes() -> u64 {
    // The second number of /proc/self/statm is in pages. Source: Linux, Documentation/filesystems/proc.rst.
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = text.split_whitespace().nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
    pages * PAGE
}

/// Bytes of a page of x86-64.
const PAGE: u64 = 4096;

#[cfg(test)]
mod tests {
    #[test]
    fn a_large_block_that_was_freed_is_the_systems_again() {
        super::give_back();
        // glibc would now keep blocks of up to 8 MiB.
        drop(std::hint::black_box(vec![1_u8; 8 << 20]));
        let before = super::resident_bytes();
        let blocks: Vec<Vec<u8>> = (0..32).map(|_| vec![1; 1 << 20]).collect();
        drop(std::hint::black_box(blocks));
        let after = super::resident_bytes();
        assert!(after < before + (4 << 20), "{before} grew to {after}");
    }
}
