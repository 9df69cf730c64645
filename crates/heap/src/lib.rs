//! Tells the C library's allocator to give memory back.
//!
//! In: nothing. Out: settings of this process, made once at its start. glibc keeps what a thread freed for that thread's sake,
//! and raises the size from which memory goes back to the system at once with each large block that was freed: after a few
//! large queries a process of 20 MB stays at three times that. Two shared arenas and fixed thresholds keep it small.
//!
//! Start at [`give_back`]. Any other C library is left as it is.

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

#[cfg(test)]
mod tests {
    #[test]
    fn a_large_block_that_was_freed_is_the_systems_again() {
        let resident = || {
            let text = std::fs::read_to_string("/proc/self/statm").expect("Linux has it");
            let pages: usize = text.split_whitespace().nth(1).and_then(|pages| pages.parse().ok()).expect("a number");
            pages * 4096
        };
        super::give_back();
        // glibc would now keep blocks of up to 8 MiB.
        drop(std::hint::black_box(vec![1_u8; 8 << 20]));
        let before = resident();
        let blocks: Vec<Vec<u8>> = (0..32).map(|_| vec![1; 1 << 20]).collect();
        drop(std::hint::black_box(blocks));
        assert!(resident() < before + (4 << 20), "{} grew to {}", before, resident());
    }
}
