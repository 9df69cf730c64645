//! The programs on the running kernel. Needs root, as the make target that runs it says.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use engine::budget::Budget;
use engine::cache::CacheSizes;
use engine::kernel::Kernel;
use engine::symbol_cache::SymbolWish;
use engine::{Batch, Demangle, Engine, Settings};
use profile::{Profile, SampleLabelValue};
use pyrope_bpf::{Config, Loaded};

fn start() -> Engine {
    Engine::start(Budget::default(), || {
        Loaded::load(Config { ring_bytes_per_cpu: 512 << 10, row_bytes: 1 << 20 })
            .map(|kernel| Box::new(kernel) as Box<dyn Kernel>)
    })
    .expect("the kernel side loads, as root")
}

fn settings() -> Settings {
    Settings {
        sample_rate: 97,
        collect_interval: Duration::from_millis(700),
        demangle: Demangle::None,
        collect_kernel: true,
        collect_user: true,
        targets_only: false,
        comm_label: false,
        comm_frame: false,
        pid_label: false,
        caches: CacheSizes::SPECIFIED,
        symbol_cache: SymbolWish::SPECIFIED,
    }
}

/// CPU time of the calling thread, in seconds.
fn cpu_seconds() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

#[test]
fn every_sample_that_was_taken_is_delivered_and_a_busy_thread_is_seen_at_the_rate() {
    let engine = start();
    let batches: Arc<Mutex<Vec<Batch>>> = Arc::default();
    let sink = Arc::clone(&batches);
    let session = engine
        .open(
            settings(),
            Box::new(move |batch| {
                sink.lock().unwrap().push(batch);
                Ok(())
            }),
        )
        .unwrap();
    let done = AtomicBool::new(false);
    let burnt = std::thread::scope(|scope| {
        let burner = scope.spawn(|| {
            let mut sum = 0_u64;
            while !done.load(Relaxed) {
                sum = std::hint::black_box(sum.wrapping_mul(31).wrapping_add(7));
            }
            cpu_seconds()
        });
        let end = Instant::now() + Duration::from_secs(3);
        while Instant::now() < end {
            std::thread::sleep(Duration::from_millis(50));
        }
        done.store(true, Relaxed);
        burner.join().unwrap()
    });
    let account = session.accounts();
    session.close();
    engine.stop();

    let batches = batches.lock().unwrap();
    let closed: Vec<&Batch> = batches.iter().filter(|batch| !batch.open).collect();
    assert!(closed.len() >= 4, "an interval of 0.7 s ended four times in 3 s: {}", closed.len());
    let period = 1_000_000_000 / 97;
    let delivered: u64 = closed.iter().map(|batch| batch.samples).sum();
    let counted: i64 = closed.iter().flat_map(|batch| &batch.profiles).map(|profile| profile.total() / period).sum();
    assert_eq!(delivered as i64, counted);
    assert_eq!((account.delivered(), account.open()), (delivered, 0));
    assert!(account.balances(), "{account:?}");
    assert!(delivered as f64 >= burnt * 97.0 * 0.9, "{delivered} samples for {burnt} s of one thread");
}

/// Samples of a profile by their label `comm`; those without it under "".
fn by_comm(batches: &[Batch]) -> BTreeMap<String, i64> {
    let mut samples = BTreeMap::new();
    for profile in batches.iter().filter(|batch| !batch.open).flat_map(|batch| &batch.profiles) {
        for sample in profile.samples() {
            let labels = profile.tables().sample_labels(sample);
            let comm = labels.iter().find_map(|label| match &label.value {
                SampleLabelValue::Text(text) if &*label.key == "comm" => Some(text.to_string()),
                _ => None,
            });
            *samples.entry(comm.unwrap_or_default()).or_default() += sample.value / profile.period;
        }
    }
    samples
}

#[test]
fn names_of_threads_are_read_while_somebody_wants_them() {
    let engine = start();
    let batches: Arc<Mutex<Vec<Batch>>> = Arc::default();
    let sink = Arc::clone(&batches);
    let take = move |batch| {
        sink.lock().unwrap().push(batch);
        Ok(())
    };
    let session = engine.open(settings(), Box::new(take)).unwrap();
    let account = session.accounts();
    let (done, seen) = (AtomicBool::new(false), |comm: &str| by_comm(&batches.lock().unwrap()).get(comm).copied());
    let until = |what: &str, holds: &dyn Fn() -> bool| {
        let deadline = Instant::now() + Duration::from_secs(30);
        while !holds() {
            if Instant::now() > deadline {
                // Else the thread that burns is waited for without end.
                done.store(true, Relaxed);
                panic!("{what}");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    std::thread::scope(|scope| {
        let burner = std::thread::Builder::new().name("burns".into()).spawn_scoped(scope, || {
            while !done.load(Relaxed) {
                std::hint::black_box(0);
            }
        });
        until("samples have no names", &|| seen("") >= Some(30));
        assert_eq!(seen("burns"), None);
        session.set(Settings { comm_label: true, ..settings() });
        until("samples have names", &|| seen("burns") >= Some(30));
        session.set(settings());
        let without = seen("");
        until("samples have no names again", &|| seen("") >= without.map(|samples| samples + 100));
        let named = seen("burns");
        let without = seen("");
        until("more of them", &|| seen("") >= without.map(|samples| samples + 30));
        assert_eq!(seen("burns"), named, "no more names");
        done.store(true, Relaxed);
        burner.unwrap().join().unwrap();
    });
    session.close();
    engine.stop();
    let all: i64 = by_comm(&batches.lock().unwrap()).values().sum();
    assert_eq!((account.delivered() as i64, account.balances(), account.open()), (all, true, 0));
}

#[test]
fn a_program_that_exec_is_putting_in_place_has_no_frames_of_the_one_before() {
    let engine = start();
    let batches: Arc<Mutex<Vec<Batch>>> = Arc::default();
    let sink = Arc::clone(&batches);
    let take = move |batch| {
        sink.lock().unwrap().push(batch);
        Ok(())
    };
    let session = engine.open(Settings { sample_rate: 997, ..settings() }, Box::new(take)).unwrap();
    let end = Instant::now() + Duration::from_secs(5);
    while Instant::now() < end {
        assert!(Command::new("/bin/true").status().unwrap().success());
    }
    session.close();
    engine.stop();
    let batches = batches.lock().unwrap();
    let folded: Vec<String> =
        batches.iter().filter(|batch| !batch.open).flat_map(|batch| &batch.profiles).map(Profile::folded).collect();
    let in_exec: Vec<&str> =
        folded.iter().flat_map(|profile| profile.lines()).filter(|stack| stack.contains("execve;")).collect();
    assert!(in_exec.len() > 20, "{} stacks in exec", in_exec.len());
    let odd: Vec<_> = in_exec.iter().filter(|stack| stack.starts_with("+0x")).collect();
    assert!(odd.is_empty(), "{} of {}: {odd:#?}", odd.len(), in_exec.len());
}

#[test]
fn the_programs_load_in_little_work_of_the_verifier() {
    // The verifier's own count, which kernels tell from 5.16 on.
    const MOST: u32 = 200_000;
    let begin = Instant::now();
    let kernel = Loaded::load(Config { ring_bytes_per_cpu: 512 << 10, row_bytes: 1 << 20 }).expect("it loads, as root");
    let took = begin.elapsed();
    let ours = ["sample_cpu", "on_fork", "on_exec", "on_exit", "on_cpu_step", "self_check", "find_memory"];
    let programs: Vec<(String, u32)> = libbpf_rs::query::ProgInfoIter::default()
        .map(|program| (program.name.to_string_lossy().into_owned(), program.verified_insns))
        .filter(|(name, _)| ours.contains(&name.as_str()))
        .collect();
    println!("loaded in {took:?}; verified instructions: {programs:?}");
    for name in &ours {
        assert!(programs.iter().any(|(other, _)| other == name), "{name} is loaded: {programs:?}");
    }
    for (name, verified) in programs {
        assert!((1..MOST).contains(&verified), "{name}: {verified} instructions");
    }
    drop(kernel);
}
