//! What the kernel notes about a perf event: that it stopped it for a while, because too many samples came in one timer tick.
#![expect(unsafe_code, reason = "the kernel writes its notes into memory that both sides have mapped")]

use std::io;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

use crate::perf;

/// Where `struct perf_event_mmap_page` has how far the kernel wrote and how far we read. Source: linux/perf_event.h.
const HEAD: usize = 1024;
const TAIL: usize = 1032;

// Types of records, from the same source.
const LOST: u32 = 2;
const THROTTLE: u32 = 5;

/// The notes of one event: a page about the ring and one page of ring. Nobody is woken for them.
pub(crate) struct Notes {
    pages: NonNull<u8>,
    page: usize,
}

impl Notes {
    /// Of an event that its caller keeps open.
    pub(crate) fn of(fd: i32) -> io::Result<Self> {
        let page = rustix::param::page_size();
        let (protection, fd) = (ProtFlags::READ | ProtFlags::WRITE, perf::borrow(fd));
        // SAFETY: a new mapping, at a place that the kernel chooses.
        let pages = unsafe { mmap(std::ptr::null_mut(), 2 * page, protection, MapFlags::SHARED, fd, 0) }?;
        Ok(Self { pages: NonNull::new(pages.cast()).ok_or(io::ErrorKind::InvalidData)?, page })
    }

    /// Reads what is new: how often the event was stopped.
    pub(crate) fn throttled(&mut self) -> u64 {
        let head = self.word(HEAD).load(Ordering::Acquire);
        let tail = self.word(TAIL).load(Ordering::Relaxed);
        let ring = |at: u64| self.word(self.page + (at as usize & (self.page - 1) & !7)).load(Ordering::Relaxed);
        let throttled = count(ring, tail, head);
        self.word(TAIL).store(head, Ordering::Release);
        throttled
    }

    /// A word of the two pages.
    fn word(&self, at: usize) -> &AtomicU64 {
        assert!(at.is_multiple_of(8) && at < 2 * self.page, "words are asked for that are there");
        // SAFETY: it lies in the mapping, which lives as long as this, and is aligned.
        let word = unsafe { self.pages.as_ptr().add(at) };
        // SAFETY: as above; the kernel writes whole words.
        unsafe { AtomicU64::from_ptr(word.cast()) }
    }
}

impl Drop for Notes {
    fn drop(&mut self) {
        // SAFETY: this mapped it, and nobody has a reference into it any more.
        _ = unsafe { munmap(self.pages.as_ptr().cast(), 2 * self.page) };
    }
}

/// Counts stops in a ring from one place to another. Each is followed by a note that it is over, so that half of those that found
/// no room were stops.
fn count(ring: impl Fn(u64) -> u64, mut at: u64, end: u64) -> u64 {
    let mut stops = 0;
    while at < end {
        // `struct perf_event_header`: type, misc, size.
        let header = ring(at);
        let (kind, size) = (header as u32, header >> 48);
        match kind {
            THROTTLE => stops += 1,
            LOST => stops += ring(at + 16).div_ceil(2),
            _ => {}
        }
        if size < 8 {
            break;
        }
        at += size;
    }
    stops
}

#[cfg(test)]
mod tests {
    use super::count;

    fn header(kind: u64, size: u64) -> u64 {
        kind | size << 48
    }

    #[track_caller]
    fn check(words: &[u64], expect: u64) {
        assert_eq!(count(|at| words[at as usize / 8], 0, words.len() as u64 * 8), expect);
    }

    #[test]
    fn stops_are_counted_and_those_that_found_no_room() {
        check(&[], 0);
        check(&[header(5, 32), 1, 2, 3, header(6, 32), 1, 2, 3, header(5, 32), 1, 2, 3], 2);
        check(&[header(2, 24), 9, 7, header(5, 32), 1, 2, 3], 5);
        check(&[header(9, 16), 5], 0);
    }

    #[test]
    fn a_note_without_a_size_ends_the_reading() {
        check(&[header(5, 0), header(5, 8)], 1);
    }
}
