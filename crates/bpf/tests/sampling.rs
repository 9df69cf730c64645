//! When samples are taken, on the running kernel. Needs root.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use abi::{Counter, Record};
use engine::kernel::Kernel as _;
use pyrope_bpf::{Config, Loaded};
use rustix::thread::{CpuSet, sched_setaffinity};
use rustix::time::{ClockId, Timespec, clock_gettime};

const PERIOD: u64 = 1_000_000_000 / 97;

fn load() -> Loaded {
    Loaded::load(Config { ring_bytes_per_cpu: 512 << 10, row_bytes: 1 << 20 }).expect("the kernel side loads, as root")
}

fn nanoseconds(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Has the calling thread run on one CPU alone, and before others there.
fn alone_on(cpu: usize) {
    let mut set = CpuSet::new();
    set.set(cpu);
    sched_setaffinity(None, &set).unwrap();
    rustix::process::nice(-20).unwrap();
}

fn burn(done: &AtomicBool) {
    while !done.load(Relaxed) {
        std::hint::spin_loop();
    }
}

/// One sample as these tests see it.
#[derive(Clone, Copy)]
struct Seen {
    tid: u32,
    cpu: u32,
    ktime: u64,
}

/// Samples until this says that it is enough, which it is asked some fifty times a second.
fn sample(kernel: &mut Loaded, hz: u32, mut enough: impl FnMut() -> bool) -> Vec<Seen> {
    kernel.sample(Some(hz)).unwrap();
    let mut seen = Vec::new();
    let mut looked = Instant::now();
    while !enough() {
        kernel.wait(Duration::from_millis(20));
        take(kernel, &mut seen);
        if looked.elapsed() >= Duration::from_secs(1) {
            looked = Instant::now();
            kernel.follow_cpus().unwrap();
        }
    }
    kernel.sample(None).unwrap();
    take(kernel, &mut seen);
    assert_eq!(kernel.counters().get(Counter::LostRingFull), 0);
    seen
}

fn take(kernel: &mut Loaded, seen: &mut Vec<Seen>) {
    kernel.drain(&mut |bytes| {
        if let Ok(Record::Sample(sample)) = Record::parse(bytes) {
            let head = sample.head;
            seen.push(Seen { tid: head.tid, cpu: head.cpu, ktime: head.ktime });
        }
    });
}

#[test]
fn a_program_in_step_with_the_samples_is_seen_for_the_time_that_it_takes() {
    let mut kernel = load();
    let done = AtomicBool::new(false);
    let (seen, tid, used) = thread::scope(|scope| {
        // A tenth of each period, at the same place of it.
        let worker = scope.spawn(|| {
            alone_on(1);
            let mut turn = nanoseconds(ClockId::Monotonic) / PERIOD + 1;
            while !done.load(Relaxed) {
                let at = turn * PERIOD;
                let time = Timespec { tv_sec: (at / 1_000_000_000) as i64, tv_nsec: (at % 1_000_000_000) as i64 };
                rustix::thread::clock_nanosleep_absolute(ClockId::Monotonic, &time).unwrap();
                while nanoseconds(ClockId::Monotonic) < at + PERIOD / 10 {}
                turn = turn.max(nanoseconds(ClockId::Monotonic) / PERIOD) + 1;
            }
            (rustix::thread::gettid().as_raw_nonzero().get() as u32, nanoseconds(ClockId::ThreadCPUTime))
        });
        let end = Instant::now() + Duration::from_secs(20);
        let seen = sample(&mut kernel, 97, || Instant::now() > end);
        done.store(true, Relaxed);
        let (tid, used) = worker.join().unwrap();
        (seen, tid, used)
    });
    let count = seen.iter().filter(|sample| sample.tid == tid).count() as f64;
    let due = used as f64 / PERIOD as f64;
    // Were samples independent of each other, this would be four times their standard deviation.
    assert!((count - due).abs() <= 4.0 * due.sqrt(), "{count} samples, {due:.0} periods of CPU time");
}

#[test]
fn samples_of_two_cpus_do_not_come_together() {
    let mut kernel = load();
    let done = AtomicBool::new(false);
    let seen = thread::scope(|scope| {
        for cpu in [0, 1] {
            let done = &done;
            scope.spawn(move || {
                alone_on(cpu);
                burn(done);
            });
        }
        let end = Instant::now() + Duration::from_secs(8);
        let seen = sample(&mut kernel, 97, || Instant::now() > end);
        done.store(true, Relaxed);
        seen
    });
    let of = |cpu: u32| -> Vec<u64> { seen.iter().filter(|sample| sample.cpu == cpu).map(|s| s.ktime).collect() };
    let (first, second) = (of(0), of(1));
    assert!(first.len() > 100 && second.len() > 100, "{} and {} samples", first.len(), second.len());
    let together = first.iter().filter(|at| second.iter().any(|other| other.abs_diff(**at) < PERIOD / 20)).count();
    // A tenth, if neither knows of the other.
    assert!(together < first.len() * 4 / 10, "{together} of {} samples come with one of the other CPU", first.len());
}

/// A setting of the kernel; as it was when this drops.
struct Setting {
    file: &'static str,
    before: String,
}

impl Setting {
    fn set(file: &'static str, value: &str) -> Self {
        let before = fs::read_to_string(file).unwrap();
        fs::write(file, value).unwrap();
        Self { file, before }
    }
}

impl Drop for Setting {
    fn drop(&mut self) {
        fs::write(self.file, &self.before).unwrap();
    }
}

#[test]
fn samples_that_the_kernel_does_not_let_come_are_noticed() {
    let mut kernel = load();
    let done = AtomicBool::new(false);
    let throttled = |kernel: &mut Loaded| kernel.counters().get(Counter::Throttled);
    let until = |what: &str, kernel: &mut Loaded, met: &dyn Fn(&mut Loaded) -> bool| {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !met(kernel) {
            assert!(Instant::now() < deadline, "{what}");
            kernel.wait(Duration::from_millis(20));
            take(kernel, &mut Vec::new());
        }
    };
    thread::scope(|scope| {
        scope.spawn(|| burn(&done));
        // Several in a tick of the kernel, of whatever length.
        kernel.sample(Some(4999)).unwrap();
        until("samples come", &mut kernel, &|kernel| kernel.counters().get(Counter::Taken) > 1_000);
        assert_eq!(throttled(&mut kernel), 0);
        let setting = Setting::set("/proc/sys/kernel/perf_event_max_sample_rate", "100");
        until("the kernel says that it stops them", &mut kernel, &|kernel| throttled(kernel) > 20);
        drop(setting);
        // What was stopped before is noted late at worst.
        until("it stops them no more", &mut kernel, &|kernel| {
            let before = throttled(kernel);
            kernel.wait(Duration::from_millis(100));
            throttled(kernel) == before
        });
        let taken = kernel.counters().get(Counter::Taken);
        until("samples go on", &mut kernel, &|kernel| kernel.counters().get(Counter::Taken) > taken + 1_000);
        done.store(true, Relaxed);
    });
    kernel.sample(None).unwrap();
}
