//! Damaged files of every kind that the engine reads, to every reader: no panic, no long wait, little memory.
//!
//! ```text
//!  inputs: programs made here, libc, texts of /proc ──mutate──▶ Image ──▶ readers: elf, unwind, dwarf, symbolize, inspect
//!                                                     │                     │ panics, CPU time, peak of the heap
//!                                                     └─ whole at first, damaged from some read on ─┘
//! ```
//!
//! A run is a number of cases, each from a seed of its own. `make fuzz` runs for minutes from a new seed:
//! `PYROPE_FUZZ_SECONDS` says for how long, `PYROPE_FUZZ_SEED` where a run began that is to be repeated.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod heap;
mod image;
mod inputs;
mod mutate;
mod readers;

use std::collections::BTreeMap;
use std::env;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime};

use rustix::time::{ClockId, clock_gettime};

use image::Image;
use inputs::Input;
use mutate::Chance;

/// What a reader may take of the heap beside the file.
const MOST_HEAP: usize = 64 << 20;
/// CPU time that a reader may take for a file. Code that is not optimized takes ten times as long and more.
const MOST_TIME: Duration = Duration::from_secs(if cfg!(debug_assertions) { 10 } else { 1 });
/// Cases of each input when no time is given.
const CASES: u64 = 60;

/// Where the last panic was.
static PANIC: Mutex<String> = Mutex::new(String::new());

/// What went wrong, how often, and the first case of it.
#[derive(Default)]
struct Faults(BTreeMap<String, (u64, String)>);

impl Faults {
    fn add(&mut self, what: String, case: &str) {
        self.0.entry(what).or_insert_with(|| (0, case.to_owned())).0 += 1;
    }
}

/// What the worst case of a reader took.
#[derive(Default)]
struct Worst {
    runs: u64,
    time: Duration,
    heap: usize,
}

fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Damages the input as the seed says and gives it to its readers.
fn run(input: &Input, seed: u64, worst: &mut BTreeMap<&'static str, Worst>, faults: &mut Faults) {
    let mut chance = Chance::new(seed);
    let hurt_beside = !input.beside.is_empty() && chance.one_in(2);
    let (whole, places) =
        if hurt_beside { (&input.beside, &input.beside_places) } else { (&input.bytes, &input.places) };
    let damaged = mutate::damage(whole, places, &mut chance);
    // Mostly the file is damaged from the start; else it changes while it is read.
    let turn = if chance.one_in(4) { chance.below(300) as u64 } else { 0 };
    for &(name, reader) in input.readers {
        let hurt = Image::changing(whole, &damaged, turn);
        let (main, beside) = match (hurt_beside, input.beside.is_empty()) {
            (true, _) => (Image::still(&input.bytes), Some(hurt)),
            (false, true) => (hurt, None),
            (false, false) => (hurt, Some(Image::still(&input.beside))),
        };
        let case = format!("{} by {name}, seed {seed}", input.name);
        let (began, heap) = (cpu_time(), heap::Peak::begin());
        let result = panic::catch_unwind(AssertUnwindSafe(|| reader(&main, beside.as_ref(), &input.addresses)));
        let (time, heap) = (cpu_time().saturating_sub(began), heap.bytes());
        if result.is_err() {
            faults.add(format!("panics {}", PANIC.lock().unwrap()), &case);
        }
        if time > MOST_TIME {
            faults.add(format!("{name} takes too long"), &format!("{case}: {time:?}"));
        }
        if heap > MOST_HEAP {
            faults.add(format!("{name} takes too much memory"), &format!("{case}: {heap} bytes"));
        }
        let worst = worst.entry(name).or_default();
        *worst = Worst { runs: worst.runs + 1, time: worst.time.max(time), heap: worst.heap.max(heap) };
    }
}

#[test]
fn damaged_files_do_no_harm() {
    let number = |name| env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let limit = number("PYROPE_FUZZ_SECONDS").map(Duration::from_secs);
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
    let first = number("PYROPE_FUZZ_SEED").unwrap_or(if limit.is_some() { now >> 8 } else { 1 });
    let inputs = inputs::all();
    panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        *PANIC.lock().unwrap() = format!("at {place}");
    }));
    let (mut faults, mut worst) = (Faults::default(), BTreeMap::new());
    let (began, mut told) = (Instant::now(), Duration::ZERO);
    println!("{} inputs, first seed {first}", inputs.len());
    for seed in first.. {
        let passed = began.elapsed();
        if limit.map_or(seed - first >= CASES, |limit| passed >= limit) {
            break;
        }
        if passed - told > Duration::from_secs(60) {
            told = passed;
            println!("seed {seed} after {} s, {} kinds of faults", passed.as_secs(), faults.0.len());
        }
        for input in &inputs {
            run(input, seed, &mut worst, &mut faults);
        }
    }
    let _ = panic::take_hook();
    for (name, Worst { runs, time, heap }) in &worst {
        println!("{name}: {runs} runs, at most {time:?} of CPU time and {heap} bytes of the heap");
    }
    let list: Vec<_> = faults.0.iter().map(|(what, (count, case))| format!("{what}, {count} times: {case}")).collect();
    assert!(list.is_empty(), "{}", list.join("\n"));
}
