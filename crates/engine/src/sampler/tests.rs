//! What the sampler asks of the kernel side as time passes.

use std::sync::Mutex;

use abi::rows::file_tag;
use abi::{Mapping, SampleHead, kind, mapping_flag};
use crossbeam_channel::bounded;
use zerocopy::{FromZeros as _, IntoBytes as _};

use super::*;
use crate::budget::{Budget, ShedCounts};
use crate::kernel::{KernelCounters, KernelError, Waker};
use crate::namer::NamerEvent;
use crate::rows::RowCounts;

/// A kernel with records to read, which notes the files that it is to forget.
#[derive(Clone, Default)]
struct Fake {
    records: Arc<Mutex<Vec<Vec<u64>>>>,
    forgotten: Arc<Mutex<Vec<u64>>>,
}

impl Kernel for Fake {
    fn sample(&mut self, _: Option<u32>) -> Result<(), KernelError> {
        Ok(())
    }

    fn follow_cpus(&mut self) -> Result<usize, KernelError> {
        Ok(1)
    }

    fn wait(&mut self, _: Duration) {}

    fn drain(&mut self, each: &mut dyn FnMut(&[u8])) {
        let records = std::mem::take(&mut *self.records.lock().unwrap());
        records.iter().for_each(|record| each(record.as_bytes()));
    }

    fn forget_file(&mut self, tag: u64) {
        self.forgotten.lock().unwrap().push(tag);
    }

    fn counters(&mut self) -> KernelCounters {
        KernelCounters::default()
    }

    fn waker(&self) -> Waker {
        Arc::new(|| ())
    }

    fn map_bytes(&self) -> u64 {
        0
    }
}

/// One sample with an address in a file.
fn sample_in_file(ino: u64) -> Vec<u64> {
    let mut head = SampleHead::new_zeroed();
    (head.kind, head.user_frames, head.mappings) = (kind::SAMPLE, 1, 1);
    let mapping =
        Mapping { start: 0x1000, end: 0x9000, ino, dev: 3, flags: mapping_flag::FILE, ..Mapping::new_zeroed() };
    let words = |bytes: &[u8]| bytes.as_chunks::<8>().0.iter().map(|word| u64::from_ne_bytes(*word)).collect();
    let parts: [Vec<u64>; 3] = [words(head.as_bytes()), vec![0x1004], words(mapping.as_bytes())];
    parts.concat()
}

#[test]
fn the_kernel_side_forgets_a_file_when_it_is_forgotten_here() {
    let fake = Fake::default();
    let (_commands, orders) = bounded(1);
    let (to_namer, named) = bounded(8);
    let (to_opener, _opened) = bounded(8);
    let (requests, _to_build) = bounded(8);
    let rows = Asker { requests, repaired: bounded(1).1, counts: RowCounts::default() };
    let (totals, files) = (Totals::default(), FileCounts::default());
    let caches = CacheLimits::default();
    let others = Others { namer: to_namer, opener: to_opener, rows, totals, files, caches };
    let memory = Watch::new(Budget::default(), ShedCounts::default());
    let kernel = Box::new(fake.clone());
    let mut sampler = Sampler::new(kernel, orders, others, memory);
    fake.records.lock().unwrap().push(sample_in_file(17));
    sampler.drain();
    let begin = now();
    for minute in 1..=10 {
        assert_eq!(*fake.forgotten.lock().unwrap(), [], "minute {minute}");
        sampler.forget_files(begin + minute * forget::FILES_EVERY);
    }
    assert_eq!(*fake.forgotten.lock().unwrap(), [file_tag(17, 3, 0)]);
    assert!(matches!(named.try_recv(), Ok(NamerEvent::Close(close)) if close.files == [0]));
}
