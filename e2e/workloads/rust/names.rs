//! One stack with each kind of Rust name that a demangler has to get right: a function in a module, a method of a generic
//! trait implementation, a generic function, a closure. Built once with legacy and once with v0 mangling; README.md lists both.

use std::hint::black_box;
use std::io::Write as _;
use std::process::exit;
use std::time::{Duration, Instant};

mod mill {
    use std::hint::black_box;

    /// What grinds.
    pub trait Grind {
        fn grind(&self, seed: u64) -> u64;
    }

    /// Two wheels of one kind.
    pub struct Pair<T> {
        pub first: T,
        pub second: T,
    }

    impl<T: Copy + Into<u64>> Grind for Pair<T> {
        #[inline(never)]
        fn grind(&self, seed: u64) -> u64 {
            black_box(apply(|value| black_box(burn(value)) + 1, seed)) + self.first.into() + self.second.into()
        }
    }

    #[inline(never)]
    fn apply<F: Fn(u64) -> u64>(step: F, seed: u64) -> u64 {
        black_box(call(&step, seed)) + 1
    }

    #[inline(never)]
    fn call(step: &dyn Fn(u64) -> u64, seed: u64) -> u64 {
        black_box(black_box(step)(seed)) + 1
    }

    #[inline(never)]
    fn burn(mut seed: u64) -> u64 {
        for _ in 0..1_000_000 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        }
        seed & 0xffff_ffff
    }
}

/// The whole number after `--seconds`, else 30.
fn seconds() -> u64 {
    let mut arguments = std::env::args().skip_while(|argument| argument != "--seconds").skip(1);
    let Some(text) = arguments.next() else { return 30 };
    text.parse().unwrap_or_else(|_| {
        eprintln!("--seconds wants a whole number, not `{text}`");
        exit(2)
    })
}

#[inline(never)]
fn turn(mill: &dyn mill::Grind, seed: u64) -> u64 {
    black_box(mill.grind(seed)) % 1_000_003
}

fn main() {
    let end = Instant::now() + Duration::from_secs(seconds());
    let mill = mill::Pair { first: 7u32, second: 11u32 };
    let mut seed = 1;

    println!("ready");
    std::io::stdout().flush().expect("stdout is open");
    while Instant::now() < end {
        seed = turn(&mill, seed);
    }
    black_box(seed);
}
