//! A mapped file that may lose its bytes: another process can cut it, and its medium can fail.
//!
//! The kernel then sends SIGBUS to who reads what is gone. A handler puts zeros in the place of that page and notes that the mapping
//! has lost something, which whoever looked at it asks afterwards. What is no mapping of ours goes to the handler before.

#![expect(unsafe_code, reason = "mapping a file is unsafe, for somebody may cut it; and so is a handler of a signal")]

use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::ops::{Deref, Range};
use std::os::unix::fs::MetadataExt as _;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering::SeqCst};

use memmap2::{Mmap, UncheckedAdvice};

/// The mapping.
#[derive(Debug)]
pub(crate) struct Mapping {
    map: Mmap,
    place: &'static Place,
    file: File,
    state: State,
}

/// What tells one state of a file from another: its device, inode and size, and when it was written to.
pub(crate) type State = [u64; 5];

fn state(file: &File) -> io::Result<State> {
    let metadata = file.metadata()?;
    let written = [metadata.mtime() as u64, metadata.mtime_nsec() as u64];
    Ok([metadata.dev(), metadata.ino(), metadata.size(), written[0], written[1]])
}

/// Where a mapping is, for the handler. A place is used again and never freed, so there are as many as there were mappings at a time.
#[derive(Debug)]
struct Place {
    taken: AtomicBool,
    start: AtomicUsize,
    /// 0 while there is no mapping.
    end: AtomicUsize,
    lost: AtomicBool,
    next: AtomicPtr<Place>,
}

static PLACES: AtomicPtr<Place> = AtomicPtr::new(ptr::null_mut());
static BEFORE: OnceLock<libc::sigaction> = OnceLock::new();
static PAGE: AtomicUsize = AtomicUsize::new(0);

impl Mapping {
    /// Maps a whole file.
    pub(crate) fn new(file: File) -> io::Result<Self> {
        handle()?;
        let state = state(&file)?;
        // SAFETY: files are written once and renamed into a folder that no other user can write to (`Cache::open`). Who may write to it
        // can cut or change one all the same: what is cut reads as zeros (`on_fault`), and all bytes are taken for what they are, numbers and
        // texts that are compared with their bounds.
        let map = unsafe { Mmap::map(&file)? };
        let place = Place::take();
        place.lost.store(false, SeqCst);
        place.start.store(map.as_ptr() as usize, SeqCst);
        place.end.store(map.as_ptr() as usize + map.len(), SeqCst);
        Ok(Self { map, place, file, state })
    }

    /// True once something was gone when it was looked at: zeros were in its place.
    pub(crate) fn has_lost(&self) -> bool {
        self.place.lost.load(SeqCst)
    }

    /// True once the file is in another state than when it was mapped, or something of it was gone: what was seen since then is not to be
    /// believed. Of a page that was cut in two the rest is zeros, without a signal.
    pub(crate) fn has_changed(&self) -> bool {
        self.has_lost() || !state(&self.file).is_ok_and(|state| state == self.state)
    }

    /// The state in which it was mapped.
    pub(crate) fn state(&self) -> State {
        self.state
    }

    /// Drops the pages of a part from memory.
    pub(crate) fn let_go(&self, range: Range<usize>) {
        // SAFETY: nothing is ever written to the mapping: its pages are read from the file again.
        _ = unsafe { self.map.unchecked_advise_range(UncheckedAdvice::DontNeed, range.start, range.len()) };
    }
}

impl Deref for Mapping {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.map
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        self.place.end.store(0, SeqCst);
        self.place.taken.store(false, SeqCst);
    }
}

impl Place {
    /// One that nobody has.
    fn take() -> &'static Self {
        let is_ours = |place: &&Self| place.taken.compare_exchange(false, true, SeqCst, SeqCst).is_ok();
        if let Some(place) = places().find(is_ours) {
            return place;
        }
        let place = Box::leak(Box::new(Self {
            taken: AtomicBool::new(true),
            start: AtomicUsize::new(0),
            end: AtomicUsize::new(0),
            lost: AtomicBool::new(false),
            next: AtomicPtr::new(ptr::null_mut()),
        }));
        let mut first = PLACES.load(SeqCst);
        loop {
            place.next.store(first, SeqCst);
            match PLACES.compare_exchange(first, place, SeqCst, SeqCst) {
                Ok(_) => return place,
                Err(other) => first = other,
            }
        }
    }
}

fn places() -> impl Iterator<Item = &'static Place> {
    // SAFETY: what is in the list was leaked and stays.
    let place = |at: *mut Place| unsafe { at.as_ref() };
    std::iter::successors(place(PLACES.load(SeqCst)), move |last| place(last.next.load(SeqCst)))
}

/// Sees to it, once, that the handler is there.
fn handle() -> io::Result<()> {
    if BEFORE.get().is_some() {
        return Ok(());
    }
    PAGE.store(rustix::param::page_size(), SeqCst);
    let mut before = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: there is no new action, and room for the old one.
    if unsafe { libc::sigaction(libc::SIGBUS, ptr::null(), before.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it was filled in, and all zeros are one too.
    let before = unsafe { before.assume_init() };
    // Of several threads one comes to be the first.
    if BEFORE.set(before).is_err() {
        return Ok(());
    }
    // The old flags keep the stack on which a handler of the standard library runs.
    let ours = libc::sigaction {
        sa_sigaction: on_fault as *const () as usize,
        sa_flags: libc::SA_SIGINFO | libc::SA_ONSTACK,
        ..before
    };
    // SAFETY: the handler has the arguments of SA_SIGINFO, and calls nothing that may not be called in one.
    if unsafe { libc::sigaction(libc::SIGBUS, &raw const ours, ptr::null_mut()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

extern "C" fn on_fault(signal: libc::c_int, info: *mut libc::siginfo_t, _context: *mut libc::c_void) {
    // SAFETY: the kernel hands over what it says of the signal.
    let info = unsafe { &*info };
    let code = info.si_code;
    // Those that a process sends have no address.
    if code > 0 {
        // SAFETY: SIGBUS of the kernel has one.
        let address = unsafe { info.si_addr() } as usize;
        let is_there = |place: &&Place| {
            let range = place.start.load(SeqCst)..place.end.load(SeqCst);
            range.contains(&address)
        };
        if let Some(place) = places().find(is_there) {
            place.lost.store(true, SeqCst);
            if put_zeros(address) {
                return;
            }
        }
    }
    if let Some(before) = BEFORE.get() {
        // SAFETY: the action was there before. What faulted does so again under it.
        unsafe { libc::sigaction(signal, before, ptr::null_mut()) };
    }
    if code <= 0 {
        // SAFETY: a signal may be sent from a handler; it comes when this one returns.
        unsafe { libc::raise(signal) };
    }
}

/// Maps zeros over the page of an address.
fn put_zeros(address: usize) -> bool {
    let page = PAGE.load(SeqCst);
    let start = address / page * page;
    let (protection, flags) = (libc::PROT_READ, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED);
    // SAFETY: the page is one of a mapping of ours, which stays as long: it is unmapped with the rest of it.
    unsafe { libc::mmap(start as *mut libc::c_void, page, protection, flags, -1, 0) != libc::MAP_FAILED }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::Command;

    use super::*;

    fn file(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    #[test]
    fn what_was_cut_off_reads_as_zeros_and_is_told() {
        let file = file(&[7; 20_000]);
        let map = || Mapping::new(file.try_clone().unwrap()).unwrap();
        let (mapping, other) = (map(), map());
        assert_eq!(mapping.iter().filter(|byte| **byte == 7).count(), 20_000);
        assert!(!mapping.has_changed());
        file.set_len(5000).unwrap();
        assert_eq!(mapping.iter().filter(|byte| **byte == 7).count(), 5000);
        assert!(mapping.has_lost() && mapping.has_changed());
        assert!(!other.has_lost() && other.has_changed(), "nobody looked");
        drop(mapping);
        file.set_len(20_000).unwrap();
        assert!(!map().has_changed(), "the place is used again");
    }

    #[test]
    fn a_fault_that_is_not_ours_ends_the_process_as_before() {
        const CHILD: &str = "PYROPE_TEST_FAULT";
        if std::env::var_os(CHILD).is_some() {
            let _ours = Mapping::new(file(&[7; 5000])).unwrap();
            let cut = file(&[7; 5000]);
            // SAFETY: that it is cut is what is tested.
            let map = unsafe { Mmap::map(&cut).unwrap() };
            cut.set_len(0).unwrap();
            std::hint::black_box(map[4000]);
            return;
        }
        let name = "mapping::tests::a_fault_that_is_not_ours_ends_the_process_as_before";
        let mut child = Command::new(std::env::current_exe().unwrap());
        let output = child.args(["--exact", name]).env(CHILD, "").output().unwrap();
        let signal = std::os::unix::process::ExitStatusExt::signal(&output.status);
        assert_eq!(signal, Some(libc::SIGBUS), "{output:?}");
    }
}
