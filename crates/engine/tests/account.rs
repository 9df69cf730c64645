//! The engine against a fake kernel: what goes in as records comes out as profiles, and every sample is somewhere.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::VecDeque;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use abi::{Counter, Mapping, SampleHead, kind, mapping_flag, sample_flag};
use inspect::{Avma, Proc, maps::Maps};
use profile::{Labels, SampleLabelValue};
use pyrope_engine::account::{Filtered, Lost};
use pyrope_engine::budget::Budget;
use pyrope_engine::cache::{Cache, CacheSizes};
use pyrope_engine::files::Opening;
use pyrope_engine::kernel::{Kernel, KernelCounters, KernelError, Waker};
use pyrope_engine::symbol_cache::SymbolWish;
use pyrope_engine::target::{Target, TargetChange, TargetKey};
use pyrope_engine::{Batch, Demangle, Engine, Session, Settings};
use zerocopy::{FromZeros as _, IntoBytes as _};

/// The records that wait, and the counters that go with them.
#[derive(Default)]
struct Shared {
    records: Mutex<VecDeque<Vec<u64>>>,
    /// Whether they stay in the ring until sampling ends.
    stays: AtomicBool,
    counters: Mutex<KernelCounters>,
    rate: AtomicU32,
    /// Whether it fails to sample, after it has begun to.
    fails: AtomicBool,
    /// Tags of the files that it was told to forget.
    forgotten: Mutex<Vec<u64>>,
    /// Whether samples carry the names of threads.
    comm: AtomicBool,
}

#[derive(Clone, Default)]
struct Fake(Arc<Shared>);

impl Kernel for Fake {
    fn sample(&mut self, hz: Option<u32>) -> Result<(), KernelError> {
        self.0.rate.store(hz.unwrap_or(0), SeqCst);
        if hz.is_some() && self.0.fails.load(SeqCst) { Err(KernelError::new("no more events")) } else { Ok(()) }
    }

    fn follow_cpus(&mut self) -> Result<usize, KernelError> {
        Ok(1)
    }

    fn wait(&mut self, _timeout: Duration) {
        thread::yield_now();
    }

    fn drain(&mut self, each: &mut dyn FnMut(&[u8])) {
        if self.0.stays.load(SeqCst) && self.0.rate.load(SeqCst) > 0 {
            return;
        }
        let records = std::mem::take(&mut *self.0.records.lock().unwrap());
        for record in records {
            each(record.as_bytes());
        }
    }

    fn forget_file(&mut self, tag: u64) {
        self.0.forgotten.lock().unwrap().push(tag);
    }

    fn read_comm(&mut self, wanted: bool) -> Result<(), KernelError> {
        self.0.comm.store(wanted, SeqCst);
        Ok(())
    }

    fn counters(&mut self) -> KernelCounters {
        *self.0.counters.lock().unwrap()
    }

    fn waker(&self) -> Waker {
        Arc::new(|| ())
    }

    fn map_bytes(&self) -> u64 {
        4096
    }
}

impl Fake {
    /// One sample of a process, with these kernel and user addresses, leaf first.
    fn take(&self, tgid: u32, ktime: u64, kernel: &[u64], user: &[u64]) {
        let mapping = Mapping { start: 0x1000, end: 0x9000, flags: 1, ..Mapping::new_zeroed() };
        self.take_in(mapping, tgid, ktime, kernel, user);
    }

    /// The same of a thread with a name, which is read if somebody wants it.
    fn take_of(&self, comm: &str, tgid: u32, ktime: u64, kernel: &[u64], user: &[u64]) {
        let mapping = Mapping { start: 0x1000, end: 0x9000, flags: 1, ..Mapping::new_zeroed() };
        self.take_as(if self.0.comm.load(SeqCst) { comm } else { "" }, mapping, tgid, ktime, kernel, user);
    }

    /// The same where the process has this mapping.
    fn take_in(&self, mapping: Mapping, tgid: u32, ktime: u64, kernel: &[u64], user: &[u64]) {
        self.take_as("", mapping, tgid, ktime, kernel, user);
    }

    fn take_as(&self, comm: &str, mapping: Mapping, tgid: u32, ktime: u64, kernel: &[u64], user: &[u64]) {
        let mut head = SampleHead::new_zeroed();
        head.kind = kind::SAMPLE;
        head.flags = if tgid == 2 { sample_flag::KTHREAD } else { 0 };
        head.kernel_frames = kernel.len() as u16;
        head.user_frames = user.len() as u16;
        head.mappings = 1;
        head.tgid = tgid;
        head.ktime = ktime;
        head.comm[..comm.len()].copy_from_slice(comm.as_bytes());
        let mut words: Vec<u64> =
            head.as_bytes().chunks(8).map(|word| u64::from_ne_bytes(word.try_into().unwrap())).collect();
        words.extend(kernel.iter().chain(user));
        words.extend(mapping.as_bytes().chunks(8).map(|word| u64::from_ne_bytes(word.try_into().unwrap())));
        self.0.counters.lock().unwrap().0[Counter::Taken as usize] += 1;
        self.0.records.lock().unwrap().push_back(words);
    }

    /// The path of a file, as a record says it: leaf first.
    fn tell_path(&self, mapping: Mapping, path: &Path) {
        let names = path.iter().skip(1).collect::<Vec<_>>();
        let text: Vec<u8> = names.iter().rev().flat_map(|name| [name.as_encoded_bytes(), b"\0"].concat()).collect();
        let mut bytes = vec![kind::PATH, names.len() as u8];
        bytes.extend((text.len() as u16).to_ne_bytes());
        bytes.extend(0_u32.to_ne_bytes());
        bytes.extend(mapping.ino.to_ne_bytes());
        bytes.extend(mapping.dev.to_ne_bytes());
        bytes.extend(mapping.version.to_ne_bytes());
        bytes.extend(text);
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        let words = bytes.as_chunks::<8>().0.iter().map(|word| u64::from_ne_bytes(*word)).collect();
        self.0.records.lock().unwrap().push_back(words);
    }

    fn lose_in_ring(&self) {
        let mut counters = self.0.counters.lock().unwrap();
        counters.0[Counter::Taken as usize] += 1;
        counters.0[Counter::LostRingFull as usize] += 1;
    }

    fn garbage(&self) {
        self.0.counters.lock().unwrap().0[Counter::Taken as usize] += 1;
        self.0.records.lock().unwrap().push_back(vec![u64::from(kind::SAMPLE)]);
    }

    fn engine(&self) -> Engine {
        let fake = self.clone();
        Engine::start(Budget::default(), move || Ok(Box::new(fake))).unwrap()
    }
}

type Batches = Arc<Mutex<Vec<Batch>>>;

fn settings() -> Settings {
    Settings {
        sample_rate: 100,
        collect_interval: Duration::from_secs(3600),
        demangle: Demangle::None,
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

fn open(engine: &Engine, settings: Settings) -> (Session, Batches) {
    let batches = Batches::default();
    let sink = Arc::clone(&batches);
    let session = engine
        .open(
            settings,
            Box::new(move |batch| {
                sink.lock().unwrap().push(batch);
                Ok(())
            }),
        )
        .unwrap();
    (session, batches)
}

fn pid(pid: u32, service: &str) -> Target {
    let labels: Labels = [("service_name", service), ("__name__", "process_cpu")].into_iter().collect();
    Target { key: TargetKey::Pid(pid), labels }
}

#[track_caller]
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        thread::yield_now();
    }
}

fn services(batches: &Batches) -> Vec<(String, i64)> {
    let batches = batches.lock().unwrap();
    let mut out: Vec<(String, i64)> = batches
        .iter()
        .filter(|batch| !batch.open)
        .flat_map(|batch| &batch.profiles)
        .map(|profile| (profile.labels.get("service_name").unwrap_or("").to_owned(), profile.total() / 10_000_000))
        .collect();
    out.sort();
    out
}

#[test]
fn every_sample_is_delivered_filtered_or_lost_by_name() {
    let fake = Fake::default();
    let engine = fake.engine();
    let (session, batches) = open(&engine, settings());
    assert_eq!(fake.0.rate.load(SeqCst), 100);
    session.set_targets(TargetChange::All(vec![pid(10, "cart"), pid(11, "cart"), pid(12, "shop")]));
    for tgid in [10, 11, 10, 12, 99] {
        fake.take(tgid, 1, &[], &[0x1004, 0x2008]);
    }
    fake.take(10, 1, &[], &[]);
    fake.lose_in_ring();
    fake.garbage();
    until("all are read", || fake.0.records.lock().unwrap().is_empty());
    let numbers = session.accounts();
    session.close();
    assert_eq!(services(&batches), [("cart".to_owned(), 3), ("shop".to_owned(), 1)]);
    assert_eq!((numbers.taken(), numbers.delivered(), numbers.open()), (8, 4, 0));
    assert_eq!(numbers.filtered(Filtered::NoTarget), 1);
    assert_eq!(numbers.filtered(Filtered::NoFrames), 1);
    assert_eq!((numbers.lost(Lost::RingFull), numbers.lost(Lost::Malformed)), (1, 1));
    assert!(numbers.balances());
    engine.stop();
    assert_eq!(fake.0.rate.load(SeqCst), 0);
}

#[test]
fn a_process_that_is_discovered_after_its_samples_is_attributed_to_them() {
    let fake = Fake::default();
    let engine = fake.engine();
    let (session, batches) = open(&engine, settings());
    fake.take(20, 1, &[], &[0x1004]);
    until("it is read", || fake.0.records.lock().unwrap().is_empty());
    session.set_targets(TargetChange::Some { removed: vec![], set: vec![pid(20, "brief")] });
    session.set_targets(TargetChange::Some { removed: vec![TargetKey::Pid(20)], set: vec![] });
    // Taken before the target went, read after.
    fake.take(20, 2, &[], &[0x1004]);
    session.close();
    assert_eq!(services(&batches), [("brief".to_owned(), 2)]);
    engine.stop();
}

#[test]
fn a_target_that_went_holds_for_no_later_sample() {
    let fake = Fake::default();
    let engine = fake.engine();
    let (session, batches) = open(&engine, settings());
    fake.take(20, 1, &[], &[0x1004]);
    session.set_targets(TargetChange::All(vec![pid(20, "brief")]));
    session.set_targets(TargetChange::All(vec![]));
    until("it is read", || fake.0.records.lock().unwrap().is_empty());
    let account = session.accounts();
    fake.take(20, u64::MAX - 1, &[], &[0x1004]);
    session.close();
    assert_eq!(services(&batches), [("brief".to_owned(), 1)]);
    assert_eq!(account.filtered(Filtered::NoTarget), 1);
    engine.stop();
}

#[test]
fn a_lower_rate_keeps_its_share_of_a_higher_one() {
    let fake = Fake::default();
    let engine = fake.engine();
    let whole = |rate| Settings { sample_rate: rate, targets_only: false, ..settings() };
    let (fast, _) = open(&engine, whole(100));
    let (slow, _) = open(&engine, whole(19));
    for time in 0..1000 {
        fake.take(5, time, &[], &[0x1004 + time % 7]);
    }
    let (fast_account, slow_account) = (fast.accounts(), slow.accounts());
    slow.close();
    fast.close();
    assert_eq!(fast_account.delivered(), 1000);
    assert_eq!((slow_account.delivered(), slow_account.filtered(Filtered::Thinned)), (190, 810));
    assert!(fast_account.balances() && slow_account.balances());
    engine.stop();
}

#[test]
fn what_is_left_in_the_ring_at_the_end_was_taken_at_the_rate_before() {
    let fake = Fake::default();
    let engine = fake.engine();
    let whole = |rate| Settings { sample_rate: rate, targets_only: false, ..settings() };
    let (fast, _) = open(&engine, whole(100));
    let (slow, _) = open(&engine, whole(19));
    let (fast, slow) = (fast.accounts(), slow.accounts());
    fake.0.stays.store(true, SeqCst);
    for time in 0..1000 {
        fake.take(5, time, &[], &[0x1004 + time % 7]);
    }
    engine.stop();
    assert_eq!(fast.delivered(), 1000);
    assert_eq!((slow.delivered(), slow.filtered(Filtered::Thinned)), (190, 810));
}

#[test]
fn kernel_threads_are_one_service_when_the_whole_host_is_profiled() {
    let fake = Fake::default();
    let engine = fake.engine();
    let (session, batches) = open(&engine, Settings { targets_only: false, ..settings() });
    fake.take(2, 1, &[0xffff_ffff_8100_0000], &[]);
    fake.take(7, 1, &[], &[0x1004]);
    session.close();
    assert_eq!(services(&batches), [("ebpf/unspecified".to_owned(), 1), ("kernel".to_owned(), 1)]);
    engine.stop();
}

#[test]
fn a_sink_that_is_full_costs_samples_by_name() {
    let fake = Fake::default();
    let engine = fake.engine();
    let session = engine.open(Settings { targets_only: false, ..settings() }, Box::new(Err)).unwrap();
    fake.take(7, 1, &[], &[0x1004]);
    let account = session.accounts();
    session.close();
    assert_eq!((account.lost(Lost::SinkFull), account.balances()), (1, true));
    engine.stop();
}

#[test]
fn samples_that_wait_for_their_names_are_open() {
    let fake = Fake::default();
    let engine = fake.engine();
    // The namer stays in here, with the first interval, until it is let go on.
    let (entered, namer_is_in) = crossbeam_channel::bounded(8);
    let (let_go, may_go) = crossbeam_channel::bounded::<()>(0);
    let sink = move |batch: Batch| {
        entered.send(()).unwrap();
        may_go.recv().unwrap_err();
        if batch.interval == 0 { Ok(()) } else { Err(batch) }
    };
    let rate = |sample_rate| Settings { sample_rate, collect_user: false, targets_only: false, ..settings() };
    let session = engine.open(rate(100), Box::new(sink)).unwrap();
    let account = session.accounts();
    fake.take(7, 1, &[0xffff_ffff_8100_0000], &[]);
    fake.take(7, 2, &[], &[0x1004]);
    session.set(rate(50));
    namer_is_in.recv().unwrap();
    engine.refresh(Duration::from_secs(10));
    assert_eq!((account.taken(), account.open(), account.balances()), (2, 2, true), "one interval is being named");
    fake.take(7, 3, &[0xffff_ffff_8100_0000], &[]);
    session.set(rate(25));
    // What is read before the kernel has the new rate was taken at the old one, and is thinned.
    engine.refresh(Duration::from_secs(10));
    fake.take(7, 4, &[0xffff_ffff_8100_0000], &[]);
    engine.refresh(Duration::from_secs(10));
    assert_eq!((account.taken(), account.open(), account.balances()), (4, 4, true), "another one waits behind it");
    drop(let_go);
    session.close();
    assert_eq!((account.delivered(), account.filtered(Filtered::NoFrames), account.lost(Lost::SinkFull)), (1, 1, 2));
    assert_eq!((account.open(), account.balances()), (0, true));
    engine.stop();
}

#[test]
fn of_all_sessions_the_largest_number_of_tables_counts() {
    let fake = Fake::default();
    let engine = fake.engine();
    let most = || Cache::ALL.map(|cache| engine.caches().most(cache));
    let of = |sizes| Settings { caches: CacheSizes(sizes), ..settings() };
    assert_eq!(most(), [32, 64, 8, 1024]);
    let (first, _) = open(&engine, of([1, 100, 3, 4]));
    until("its sizes hold", || most() == [1, 100, 3, 4]);
    let (second, _) = open(&engine, of([2, 2, 2, 2]));
    until("the largest of each holds", || most() == [2, 100, 3, 4]);
    first.set(of([1, 1, 1, 5]));
    until("changed ones hold", || most() == [2, 2, 2, 5]);
    second.close();
    until("those of a session go with it", || most() == [1, 1, 1, 5]);
    first.close();
    engine.stop();
}

#[test]
fn a_changed_rate_ends_the_interval_so_that_periods_do_not_mix() {
    let fake = Fake::default();
    let engine = fake.engine();
    let (session, batches) = open(&engine, Settings { targets_only: false, ..settings() });
    fake.take(7, 1, &[], &[0x1004]);
    session.set(Settings { sample_rate: 50, targets_only: false, ..settings() });
    until("the rate changed", || fake.0.rate.load(SeqCst) == 50);
    fake.take(7, 2, &[], &[0x1004]);
    session.close();
    let periods: Vec<i64> =
        batches.lock().unwrap().iter().flat_map(|b| &b.profiles).map(|profile| profile.period).collect();
    assert_eq!(periods, [10_000_000, 20_000_000]);
    engine.stop();
}

#[test]
fn frames_of_one_side_are_left_out_and_the_sample_keeps_its_weight() {
    // No function is there.
    let kernel = 0xffff_8000_0000_1000;
    let (user_frame, kernel_frame) = ("+0x1004", "vmlinux+0xffff800000001000");
    for (collect_user, collect_kernel, expect) in [
        (true, true, [user_frame, &format!("{user_frame};{kernel_frame}"), kernel_frame]),
        (true, false, [user_frame, user_frame, ""]),
        (false, true, ["", kernel_frame, kernel_frame]),
    ] {
        let fake = Fake::default();
        let engine = fake.engine();
        let (session, batches) =
            open(&engine, Settings { collect_user, collect_kernel, targets_only: false, ..settings() });
        fake.take(7, 1, &[kernel], &[0x1004]);
        fake.take(8, 2, &[], &[0x1004]);
        fake.take(2, 3, &[kernel], &[]);
        let account = session.accounts();
        session.close();
        let batches = batches.lock().unwrap();
        let folded = batches.iter().flat_map(|b| &b.profiles).map(|p| p.folded()).collect::<String>();
        let values = folded.lines().filter_map(|line| line.rsplit_once(' ')).map(|(stack, value)| {
            assert!(expect.contains(&stack), "{folded}");
            value.parse::<u64>().unwrap()
        });
        let kept = expect.iter().filter(|stack| !stack.is_empty()).count() as u64;
        assert_eq!(values.sum::<u64>(), kept * 10_000_000, "{folded}");
        assert_eq!((account.delivered(), account.filtered(Filtered::NoFrames)), (kept, 3 - kept));
        assert!(account.balances());
        engine.stop();
    }
}

/// Each stack with the labels of its sample.
fn labelled(batches: &Batches) -> Vec<String> {
    let mut lines = Vec::new();
    for profile in batches.lock().unwrap().iter().flat_map(|batch| &batch.profiles) {
        for sample in profile.samples() {
            let labels = profile.tables().sample_labels(sample).iter().map(|label| match &label.value {
                SampleLabelValue::Text(text) => format!("{}={text}", label.key),
                SampleLabelValue::Number(..) => panic!("a number"),
            });
            lines.push(format!("{} {}", labels.collect::<Vec<_>>().join(","), sample.value));
        }
    }
    lines.sort();
    lines
}

#[test]
fn samples_of_one_stack_are_told_apart_by_thread_and_process_where_that_is_wanted() {
    let plain = Settings { targets_only: false, ..settings() };
    let check = |settings: Settings, expect: &[&str]| {
        let fake = Fake::default();
        let engine = fake.engine();
        let (session, batches) = open(&engine, settings);
        let names = session.accounts();
        for (comm, pid) in [("main", 7), ("pool", 7), ("pool", 7), ("main", 8), ("", 8)] {
            fake.take_of(comm, pid, 1, &[0xffff_ffff_8100_0000], &[]);
        }
        session.close();
        assert_eq!(labelled(&batches), expect);
        assert_eq!(batches.lock().unwrap().iter().map(|batch| batch.profiles.len()).sum::<usize>(), 1);
        assert!(names.balances() && names.delivered() == 5);
        assert!(!fake.0.comm.load(SeqCst), "nobody wants names any more");
        engine.stop();
    };
    check(plain.clone(), &[" 50000000"]);
    let comm = Settings { comm_label: true, ..plain.clone() };
    check(comm.clone(), &[" 10000000", "comm=main 20000000", "comm=pool 20000000"]);
    let both = ["comm=main,pid=7 10000000", "comm=main,pid=8 10000000", "comm=pool,pid=7 20000000", "pid=8 10000000"];
    check(Settings { pid_label: true, ..comm }, &both);
    check(Settings { pid_label: true, ..plain }, &["pid=7 30000000", "pid=8 20000000"]);
}

#[test]
fn the_name_of_a_thread_is_its_outermost_frame_where_that_is_wanted() {
    let fake = Fake::default();
    let engine = fake.engine();
    let settings = Settings { comm_frame: true, targets_only: false, collect_kernel: false, ..settings() };
    let (session, batches) = open(&engine, settings);
    let account = session.accounts();
    fake.take_of("pool", 7, 1, &[], &[0x1004, 0x1009]);
    fake.take_of("pool", 8, 2, &[], &[0x1004, 0x1009]);
    fake.take_of("main", 7, 3, &[], &[0x1004]);
    fake.take_of("", 7, 4, &[], &[0x1004]);
    fake.take_of("kworker", 2, 5, &[0xffff_ffff_8100_0000], &[]);
    let deep: Vec<u64> = (0..1000).map(|at| 0x1004 + 4 * at).collect();
    fake.take_of("deep", 9, 6, &[], &deep);
    session.close();
    let batches = batches.lock().unwrap();
    let folded: Vec<String> = batches.iter().flat_map(|b| &b.profiles).map(|p| p.folded()).collect();
    let lines: Vec<&str> = folded[0].lines().collect();
    let shallow: Vec<&&str> = lines.iter().filter(|line| !line.starts_with("deep;")).collect();
    assert_eq!(shallow, [&"+0x1004 10000000", &"main;+0x1004 10000000", &"pool;+0x1008;+0x1004 20000000"]);
    let frames = lines.iter().find(|line| line.starts_with("deep;")).unwrap().split(';').count();
    assert_eq!((frames, account.cut_stacks()), (1000, 1), "what is the most on the wire, with that frame");
    assert_eq!((account.delivered(), account.filtered(Filtered::NoFrames)), (5, 1), "a name alone is no stack");
    engine.stop();
}

#[test]
fn names_of_threads_are_wanted_from_one_sample_to_the_next_and_none_is_lost() {
    let fake = Fake::default();
    let engine = fake.engine();
    let plain = Settings { targets_only: false, ..settings() };
    let (session, batches) = open(&engine, plain.clone());
    let account = session.accounts();
    let comm = Settings { comm_label: true, ..plain.clone() };
    let kernel = [0xffff_ffff_8100_0000];
    fake.take_of("pool", 7, 1, &kernel, &[]);
    session.set(comm);
    until("names are read", || fake.0.comm.load(SeqCst));
    fake.take_of("pool", 7, 2, &kernel, &[]);
    session.set(plain);
    until("names are no longer read", || !fake.0.comm.load(SeqCst));
    fake.take_of("pool", 7, 3, &kernel, &[]);
    session.close();
    assert_eq!(labelled(&batches), [" 10000000", " 10000000", "comm=pool 10000000"]);
    assert!(account.balances() && account.delivered() == 3);
    engine.stop();
}

#[test]
fn a_stack_too_deep_for_the_wire_keeps_both_ends() {
    let fake = Fake::default();
    let engine = fake.engine();
    let (session, batches) = open(&engine, Settings { targets_only: false, ..settings() });
    let account = session.accounts();
    // Return addresses from the leaf on; those of the two deep stacks differ only in the middle.
    let stack = |depth: u64| -> Vec<u64> {
        let (inner, outer) = ((0..depth - 250).map(|at| 0x1004 + 4 * at), (0..250).map(|at| 0x5004 + 4 * at));
        inner.chain(outer).collect()
    };
    for (time, depth) in [1000, 1001, 1010].into_iter().enumerate() {
        fake.take(7, time as u64, &[], &stack(depth));
    }
    session.close();
    let batches = batches.lock().unwrap();
    let folded: Vec<String> = batches.iter().flat_map(|b| &b.profiles).map(|p| p.folded()).collect();
    let lines: Vec<Vec<&str>> = folded[0].lines().map(|line| line.split(';').collect()).collect();
    assert_eq!(lines.iter().map(Vec::len).collect::<Vec<_>>(), [1000, 1000]);
    assert_eq!([lines[0][0], lines[1][0]], ["+0x53e7"; 2]);
    assert_eq!([lines[0][249], lines[1][249]], ["+0x5003"; 2]);
    assert_eq!([lines[0][250], lines[1][250]], ["+0x1bb7", "[stack cut: too deep]"]);
    assert_eq!([lines[0][251], lines[1][251]], ["+0x1bb3"; 2]);
    assert_eq!((lines[0][999], lines[1][999]), ("+0x1004 10000000", "+0x1004 20000000"));
    assert_eq!((account.cut_stacks(), account.delivered()), (2, 3));
    engine.stop();
}

/// Where this program has some code.
fn own_code() -> (Mapping, u64) {
    let address = own_code as *const () as u64;
    let mut proc = Proc::open().unwrap();
    let mut maps = Maps::new(proc.maps(std::process::id()).unwrap());
    let mapping = maps.find(|mapping| mapping.contains(Avma(address))).unwrap();
    let (start, end, offset) = (mapping.start.0, mapping.end.0, mapping.offset.0);
    let file = proc.open_mapped(std::process::id(), Avma(start), Avma(end)).unwrap().identity;
    let (ino, dev, flags) = (file.inode, file.device.major << 20 | file.device.minor, mapping_flag::FILE);
    let version = file.generation.map_or(0, |generation| abi::rows::file_version(file.changed as u64, generation));
    (Mapping { start, end, offset, ino, dev, version, flags, ..Mapping::new_zeroed() }, address)
}

#[test]
fn a_file_whose_process_was_gone_is_opened_through_the_next_one() {
    let fake = Fake::default();
    let engine = fake.engine();
    let (session, batches) = open(&engine, Settings { targets_only: false, ..settings() });
    let (mapping, address) = own_code();
    let now = || rustix::time::clock_gettime(rustix::time::ClockId::Monotonic).tv_sec as u64 * 1_000_000_000;
    // No process has this number.
    fake.take_in(mapping, 1 << 30, now(), &[], &[address]);
    until("it is not reached", || engine.files().openings(Opening::Unreached) == 1);
    fake.take_in(mapping, std::process::id(), now(), &[], &[address]);
    until("it is opened", || engine.files().open() == 1);
    session.close();
    let batches = batches.lock().unwrap();
    let folded: Vec<String> = batches.iter().flat_map(|b| &b.profiles).map(|p| p.folded()).collect();
    assert!(folded.iter().any(|folded| folded.contains("own_code")), "{folded:?}");
    engine.stop();
}

#[test]
fn a_file_whose_process_was_gone_is_opened_by_its_path_which_is_told_again() {
    let fake = Fake::default();
    let engine = fake.engine();
    let (session, _) = open(&engine, Settings { targets_only: false, ..settings() });
    let (mapping, address) = own_code();
    let own = std::env::current_exe().unwrap();
    let now = || rustix::time::clock_gettime(rustix::time::ClockId::Monotonic).tv_sec as u64 * 1_000_000_000;
    // No processes have these numbers.
    fake.take_in(mapping, 1 << 30, now(), &[], &[address]);
    until("it is not reached", || engine.files().openings(Opening::Unreached) == 1);
    let tag = abi::rows::file_tag(mapping.ino, mapping.dev, mapping.version);
    until("the kernel side forgets it", || *fake.0.forgotten.lock().unwrap() == [tag]);
    fake.tell_path(mapping, &own);
    fake.take_in(mapping, (1 << 30) + 1, now(), &[], &[address]);
    until("it is opened", || engine.files().open() == 1);
    session.close();
    engine.stop();
}

#[test]
fn a_start_that_fails_half_way_leaves_nothing_on() {
    let fake = Fake::default();
    let engine = fake.engine();
    fake.0.fails.store(true, SeqCst);
    let outcome = engine.open(settings(), Box::new(|_| Ok(())));
    assert_eq!(outcome.err().as_deref(), Some("no more events"));
    assert_eq!(fake.0.rate.load(SeqCst), 0);
    // One that runs goes on when another one fails to make it faster.
    fake.0.fails.store(false, SeqCst);
    let (session, _) = open(&engine, settings());
    fake.0.fails.store(true, SeqCst);
    assert!(engine.open(Settings { sample_rate: 200, ..settings() }, Box::new(|_| Ok(()))).is_err());
    fake.0.fails.store(false, SeqCst);
    until("it samples again", || fake.0.rate.load(SeqCst) == 100);
    session.close();
    engine.stop();
}

#[test]
fn whoever_asks_gets_an_account_of_now() {
    let fake = Fake::default();
    let engine = fake.engine();
    let (session, _) = open(&engine, Settings { targets_only: false, ..settings() });
    let account = session.accounts();
    for time in 0..100 {
        fake.take(7, time, &[], &[0x1004]);
        engine.refresh(Duration::from_secs(10));
        assert_eq!((account.taken(), account.open(), account.balances()), (time + 1, time + 1, true));
        assert_eq!(engine.total(Counter::Taken), time + 1);
    }
    drop(session);
    engine.stop();
    engine.refresh(Duration::from_secs(10));
}
