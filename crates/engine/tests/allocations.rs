//! A sample of a stack that is known allocates nothing.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(unsafe_code, reason = "an allocator that counts is one")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use abi::{Counter, Mapping, SampleHead, kind};
use pyrope_engine::budget::Budget;
use pyrope_engine::cache::CacheSizes;
use pyrope_engine::kernel::{Kernel, KernelCounters, KernelError, Waker};
use pyrope_engine::symbol_cache::SymbolWish;
use pyrope_engine::{Demangle, Engine, Settings};
use zerocopy::{FromZeros as _, IntoBytes as _};

struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    ALLOCATIONS.set(ALLOCATIONS.get() + 1);
}

// SAFETY: all is done by the system's allocator; what is added is a number of the thread, which needs no memory.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps this function's contract, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: as above.
        unsafe { System.realloc(at, layout, size) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(at, layout) }
    }
}

const SAMPLES: u64 = 10_000;

/// Hands over the same samples again and again, and counts what the reader allocates meanwhile.
struct Same {
    records: Vec<Vec<u64>>,
    counters: KernelCounters,
    /// Allocations of each time but the first, in which all is new.
    counted: Arc<Mutex<Vec<u64>>>,
    rounds: Arc<AtomicU64>,
}

impl Kernel for Same {
    fn sample(&mut self, _: Option<u32>) -> Result<(), KernelError> {
        Ok(())
    }

    fn follow_cpus(&mut self) -> Result<usize, KernelError> {
        Ok(1)
    }

    fn wait(&mut self, _: Duration) {
        std::thread::yield_now();
    }

    fn drain(&mut self, each: &mut dyn FnMut(&[u8])) {
        let round = self.rounds.load(SeqCst);
        if round == 4 {
            return;
        }
        let before = ALLOCATIONS.get();
        for sample in 0..SAMPLES as usize {
            each(self.records[sample % self.records.len()].as_bytes());
        }
        let allocations = ALLOCATIONS.get() - before;
        self.counted.lock().unwrap().push(allocations);
        self.counters.0[Counter::Taken as usize] += SAMPLES;
        self.rounds.store(round + 1, SeqCst);
    }

    fn counters(&mut self) -> KernelCounters {
        self.counters
    }

    fn waker(&self) -> Waker {
        Arc::new(|| ())
    }

    fn map_bytes(&self) -> u64 {
        0
    }
}

/// A sample of a process with this many user frames.
fn sample(tgid: u32, frames: u16) -> Vec<u64> {
    let mut head = SampleHead::new_zeroed();
    (head.kind, head.user_frames, head.kernel_frames, head.mappings) = (kind::SAMPLE, frames, 2, 1);
    (head.tgid, head.ktime) = (tgid, 1);
    let mapping = Mapping { start: 0x1000, end: 0x9_0000, flags: 1, ..Mapping::new_zeroed() };
    let words = |bytes: &[u8]| bytes.as_chunks::<8>().0.iter().map(|word| u64::from_ne_bytes(*word)).collect();
    let addresses = (0..u64::from(frames)).map(|frame| 0x1004 + frame * 16);
    let parts: [Vec<u64>; 4] = [
        words(head.as_bytes()),
        vec![0xffff_ffff_8100_0000, 0xffff_ffff_8100_0100],
        addresses.collect(),
        words(mapping.as_bytes()),
    ];
    parts.concat()
}

#[test]
fn a_sample_of_a_known_stack_allocates_nothing() {
    let (counted, rounds) = (Arc::default(), Arc::new(AtomicU64::new(4)));
    let records = (1..=20).map(|process| sample(process % 5 + 1, (process * 9) as u16)).collect();
    let kernel = Same {
        records,
        counters: KernelCounters::default(),
        counted: Arc::clone(&counted),
        rounds: Arc::clone(&rounds),
    };
    let engine = Engine::start(Budget::default(), move || Ok(Box::new(kernel) as Box<dyn Kernel>)).unwrap();
    let settings = Settings {
        sample_rate: 97,
        // Longer than this takes.
        collect_interval: Duration::from_secs(3_600),
        demangle: Demangle::None,
        collect_kernel: true,
        collect_user: true,
        targets_only: false,
        comm_label: false,
        comm_frame: false,
        pid_label: false,
        caches: CacheSizes::SPECIFIED,
        symbol_cache: SymbolWish::SPECIFIED,
    };
    let session = engine.open(settings, Box::new(|_| Ok(()))).unwrap();
    // Now it has somebody to count for.
    rounds.store(0, SeqCst);
    while rounds.load(SeqCst) < 4 {
        std::thread::sleep(Duration::from_millis(1));
    }
    session.close();
    engine.stop();
    let counted = counted.lock().unwrap();
    assert!(counted[0] > 0, "what is new takes memory, or nothing was counted");
    assert_eq!(counted[1..], [0, 0, 0], "allocations for {SAMPLES} samples of known stacks");
}
