//! What the sampler asks of the kernel side as time passes.

use std::sync::Mutex;

use abi::rows::file_tag;
use abi::{Mapping, SampleHead, StackHead, kind, mapping_flag, sample_flag, stack_flag};
use crossbeam_channel::bounded;
use symbolize::Mode;
use zerocopy::{FromBytes as _, FromZeros as _, IntoBytes as _};

use super::*;
use crate::budget::{Budget, ShedCounts};
use crate::kernel::{KernelCounters, KernelError, Waker};
use crate::namer::NamerEvent;
use crate::repair::Repaired;
use crate::rows::{RowCounts, RowRequest};
use crate::session::Settings;
use crate::symbol_cache::SymbolWish;
use crate::target::{Target, TargetChange, TargetKey, Targets};

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

fn words(bytes: &[u8]) -> Vec<u64> {
    bytes.as_chunks::<8>().0.iter().map(|word| u64::from_ne_bytes(*word)).collect()
}

/// One sample with an address in a file.
fn sample_in_file(ino: u64) -> Vec<u64> {
    let mut head = SampleHead::new_zeroed();
    (head.kind, head.user_frames, head.mappings) = (kind::SAMPLE, 1, 1);
    let mapping =
        Mapping { start: 0x1000, end: 0x9000, ino, dev: 3, flags: mapping_flag::FILE, ..Mapping::new_zeroed() };
    let parts: [Vec<u64>; 3] = [words(head.as_bytes()), vec![0x1004], words(mapping.as_bytes())];
    parts.concat()
}

/// What the sampler says to others, and they to it.
struct Ends {
    named: Receiver<NamerEvent>,
    requests: Receiver<RowRequest>,
    repaired: Sender<Repaired>,
    _commands: Sender<Command>,
    _opened: Receiver<OpenRequest>,
}

fn sampler(fake: &Fake) -> (Sampler, Ends) {
    let (commands, orders) = bounded(1);
    let (to_namer, named) = bounded(8);
    let (to_opener, opened) = bounded(8);
    let (to_rows, requests) = bounded(8);
    let (answers, repaired) = bounded(8);
    let rows = Asker { requests: to_rows, repaired, counts: RowCounts::default() };
    let (totals, files) = (Totals::default(), FileCounts::default());
    let caches = CacheLimits::default();
    let others = Others { namer: to_namer, opener: to_opener, rows, totals, files, caches };
    let memory = Watch::new(Budget::default(), ShedCounts::default());
    let sampler = Sampler::new(Box::new(fake.clone()), orders, others, memory);
    (sampler, Ends { named, requests, repaired: answers, _commands: commands, _opened: opened })
}

#[test]
fn the_kernel_side_forgets_a_file_when_it_is_forgotten_here() {
    let fake = Fake::default();
    let (mut sampler, ends) = sampler(&fake);
    fake.records.lock().unwrap().push(sample_in_file(17));
    sampler.drain();
    let begin = now();
    for minute in 1..=10 {
        assert_eq!(*fake.forgotten.lock().unwrap(), [], "minute {minute}");
        sampler.forget_files(begin + minute * forget::FILES_EVERY);
    }
    assert_eq!(*fake.forgotten.lock().unwrap(), [file_tag(17, 3, 0)]);
    assert!(matches!(ends.named.try_recv(), Ok(NamerEvent::Close(close)) if close.files == [0]));
}

#[test]
fn a_sample_that_waits_for_rows_is_of_the_target_that_there_was() {
    let fake = Fake::default();
    let (mut sampler, ends) = sampler(&fake);
    let taken = now();
    let mut session = SessionState::new(settings(), Targets::default(), Arc::default(), Arc::new(Box::new(Err)), taken);
    let labels = [("service_name", "brief")].into_iter().collect();
    session.targets.apply(TargetChange::All(vec![Target { key: TargetKey::Pid(5), labels }]), taken - 1);
    session.targets.apply(TargetChange::All(vec![]), taken + 1);
    sampler.sessions.insert(1, session);
    sampler.rate = 100;

    let mut stack = StackHead::new_zeroed();
    (stack.kind, stack.flags, stack.ktime, stack.pc) = (kind::STACK, stack_flag::EXACT, taken, 0x1004);
    let mut sample = sample_in_file(17);
    let mut head = SampleHead::read_from_prefix(sample.as_bytes()).unwrap().0;
    (head.flags, head.ktime, head.tgid) = (sample_flag::STACK, taken, 5);
    sample[..size_of::<SampleHead>() / 8].copy_from_slice(&words(head.as_bytes()));
    fake.records.lock().unwrap().extend([words(stack.as_bytes()), sample]);
    sampler.drain();
    let Ok(RowRequest::Repair(repair)) = ends.requests.try_recv() else { panic!("it waits") };
    // The interval ends long after the target went, and before the rows come.
    sampler.end_window(1, taken + 10 * IDLE.as_nanos() as u64);
    ends.repaired.send(Repaired { ticket: repair.ticket, walk: None }).unwrap();
    sampler.take_repaired();
    sampler.end_window(1, taken + 20 * IDLE.as_nanos() as u64);
    let account = &sampler.sessions[&1].shared.account;
    assert_eq!((account.filtered(Filtered::NoTarget), account.open()), (0, 1), "it waits for its names");
}

fn settings() -> Settings {
    Settings {
        sample_rate: 100,
        collect_interval: Duration::from_secs(10),
        demangle: Mode::None,
        collect_kernel: true,
        collect_user: true,
        targets_only: true,
        comm_label: false,
        comm_frame: false,
        pid_label: false,
        caches: CacheSizes::SPECIFIED,
        symbol_cache: SymbolWish::SPECIFIED,
    }
}
