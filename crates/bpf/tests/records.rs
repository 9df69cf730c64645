//! What the programs write into their rings, and when, on the running kernel. Needs root.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod tiny;

use std::fs::{self, File};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use abi::{Counter, Record, WalkEnd};
use engine::kernel::Kernel as _;
use pyrope_bpf::{Config, Loaded};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tempfile::TempDir;

/// As long as the name of an overlay's folder.
const DIGITS: &str = "8fc9a2c0d3f64b6de75b4bf7e8d5e4a3c1b09f8e7d6c5b4a39281706f5e4d3c2";

fn load() -> Loaded {
    // The smallest ring there is.
    Loaded::load(Config { ring_bytes_per_cpu: 1, row_bytes: 1 << 20 }).expect("the kernel side loads, as root")
}

/// Reads records until one is what is waited for.
#[track_caller]
fn until<T>(what: &str, kernel: &mut Loaded, mut each: impl FnMut(Record<'_>) -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut found = None;
    while found.is_none() {
        assert!(Instant::now() < deadline, "{what}");
        kernel.wait(Duration::from_millis(20));
        kernel.drain(&mut |bytes| {
            if let Ok(record) = Record::parse(bytes)
                && found.is_none()
            {
                found = each(record);
            }
        });
    }
    found.unwrap()
}

/// Waits for the path of a file.
#[track_caller]
fn path_of(kernel: &mut Loaded, file: &Path) -> String {
    let ino = fs::metadata(file).unwrap().ino();
    until("the path comes", kernel, |record| match record {
        Record::Path(path) if path.ino == ino && path.path.ends_with("/tiny") => Some(path.path),
        _ => None,
    })
}

/// Where a program lies, in folders with long names: its path is a longer record than any sample of its like.
fn place(folder: &TempDir) -> PathBuf {
    let folder = folder.path().join(DIGITS).join(DIGITS);
    fs::create_dir_all(&folder).unwrap();
    folder.join("tiny")
}

#[test]
fn a_path_has_names_of_64_digits_and_is_sent_again_for_a_file_that_was_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let file = place(&folder);
    tiny::write(&file, true);
    let mut kernel = load();
    kernel.sample(Some(997)).unwrap();
    let first = tiny::Running::start(&file);
    let path = path_of(&mut kernel, &file);
    assert!(path.ends_with(&format!("/{DIGITS}/{DIGITS}/tiny")), "{path}");
    let (ino, pid) = (fs::metadata(&file).unwrap().ino(), first.pid());
    let mapping = until("the sample comes", &mut kernel, |record| match record {
        Record::Sample(sample) if sample.head.tgid == pid => sample.mappings.iter().copied().find(|m| m.ino == ino),
        _ => None,
    });
    drop(first);
    kernel.forget_file(abi::rows::file_tag(mapping.ino, mapping.dev, mapping.version));
    let _second = tiny::Running::start(&file);
    assert_eq!(path_of(&mut kernel, &file), path);
}

#[test]
fn a_path_that_found_no_room_is_counted_and_sent_when_there_is_some() {
    let folder = tempfile::tempdir().unwrap();
    let (loud, late) = (folder.path().join("loud"), place(&folder));
    tiny::write(&loud, true);
    tiny::write(&late, true);
    let mut kernel = load();
    kernel.sample(Some(4999)).unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    let count = |kernel: &mut Loaded, counter, most| {
        while kernel.counters().get(counter) < most {
            assert!(Instant::now() < deadline, "{}", counter.name());
            thread::sleep(Duration::from_millis(20));
        }
    };
    let loud = tiny::Running::start(&loud);
    // Samples have filled what a longer record left.
    count(&mut kernel, Counter::LostRingFull, 500);
    let _late = tiny::Running::start(&late);
    count(&mut kernel, Counter::PathsLost, 1);
    drop(loud);
    path_of(&mut kernel, &late);
}

#[test]
fn a_32_bit_program_is_seen_at_its_place_in_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = place(&folder);
    let spins_at = tiny::write(&file, false);
    let mut kernel = load();
    kernel.sample(Some(997)).unwrap();
    let program = tiny::Running::start(&file);
    let (ino, pid) = (fs::metadata(&file).unwrap().ino(), program.pid());
    let end = until("it is seen in its file", &mut kernel, |record| match record {
        Record::Sample(sample) if sample.head.tgid == pid => {
            let is_there = sample.user == [spins_at] && sample.mappings.iter().any(|mapping| mapping.ino == ino);
            is_there.then_some(sample.head.end)
        }
        _ => None,
    });
    assert_eq!(WalkEnd::from_number(end.into()), Some(WalkEnd::Compat));
}

#[test]
fn the_ring_of_process_events_wakes_when_it_is_half_full() {
    let mut kernel = load();
    // More than fit into the ring, of processes that run no program of their own.
    let storm = "i=0; while [ $i -lt 5000 ]; do (:); i=$((i+1)); done";
    let done = AtomicBool::new(false);
    let wake = kernel.waker();
    let mut events = 0;
    let mut shell = Command::new("sh").args(["-c", storm]).spawn().unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            shell.wait().unwrap();
            done.store(true, SeqCst);
            wake();
        });
        while !done.load(SeqCst) {
            kernel.wait(Duration::from_secs(60));
            kernel.drain(&mut |_| events += 1);
        }
    });
    kernel.drain(&mut |_| events += 1);
    assert_eq!(kernel.counters().get(Counter::ProcessEventsLost), 0, "{events} events were read");
    assert!(events >= 10_000, "a birth and a death each: {events}");
}

#[test]
fn a_start_that_lacks_descriptors_keeps_none() {
    let mut kernel = load();
    // libbpf tries what the kernel can do when it is first needed, and would learn the wrong thing.
    kernel.sample(Some(97)).unwrap();
    kernel.sample(None).unwrap();
    let limit = getrlimit(Resource::Nofile);
    let next = File::open("/dev/null").unwrap();
    let number = next.as_raw_fd() as u64;
    drop(next);
    // The event has it; nothing is left to attach to the event with.
    setrlimit(Resource::Nofile, Rlimit { current: Some(number + 1), ..limit }).unwrap();
    let outcome = kernel.sample(Some(97));
    _ = kernel.sample(None);
    let again = File::open("/dev/null");
    setrlimit(Resource::Nofile, limit).unwrap();
    let error = outcome.unwrap_err().to_string();
    assert!(error.starts_with("cannot attach to the perf event of CPU 0") && error.contains("ulimit -n"), "{error}");
    assert_eq!(again.unwrap().as_raw_fd() as u64, number);
}
