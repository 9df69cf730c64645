//! main → turn → heavy → <Deep as Work>::work → leaf; turn → light → a closure → leaf; turn → leaf. Of each 100 rounds in `leaf` 60
//! come by `heavy`, 30 by `light` and 10 from `turn`.

use std::hint::black_box;
use std::io::Write as _;
use std::time::{Duration, Instant};

#[inline(never)]
fn leaf(seed: u64, rounds: u32) -> u64 {
    let mut value = black_box(seed);
    for _ in 0..rounds {
        value = value.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    }
    black_box(value)
}

trait Work {
    fn work(&self, seed: u64) -> u64;
}

struct Deep;

impl Work for Deep {
    #[inline(never)]
    fn work(&self, seed: u64) -> u64 {
        leaf(seed, 6_000_000) + 1
    }
}

#[inline(never)]
fn heavy(seed: u64) -> u64 {
    let work: Box<dyn Work> = black_box(Box::new(Deep));
    work.work(seed) ^ 1
}

#[inline(never)]
fn light(seed: u64) -> u64 {
    let through: &dyn Fn(u64) -> u64 = black_box(&|seed| leaf(seed, 3_000_000) + 1);
    through(seed) ^ 1
}

#[inline(never)]
fn turn(seed: u64) -> u64 {
    let seed = heavy(seed).wrapping_add(1);
    let seed = light(seed).wrapping_add(1);
    leaf(seed, 1_000_000).wrapping_add(1)
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let seconds = match (arguments.next().as_deref(), arguments.next()) {
        (None, _) => Some(30),
        (Some("--seconds"), Some(seconds)) => seconds.parse().ok(),
        _ => None,
    };
    let Some(seconds) = seconds else {
        eprintln!("usage: tree [--seconds N]");
        std::process::exit(2);
    };
    let end = Instant::now() + Duration::from_secs(seconds);
    println!("ready");
    _ = std::io::stdout().flush();
    let mut seed = 0;
    while Instant::now() < end {
        seed = turn(seed);
    }
    black_box(seed);
}
