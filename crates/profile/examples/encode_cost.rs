//! What encoding costs: `cargo run --release -p pyrope-profile --example encode_cost`.
#![expect(clippy::print_stdout, reason = "prints its result")]

use std::time::Instant;

use pyrope_profile::{Function, Labels, Line, LocationId, Profile, ProfileBuilder, ProfileType, gzip};

const SAMPLES: u64 = 5_000;
const FRAMES: u64 = 30;

fn main() {
    let mut build = Vec::new();
    let mut encode = Vec::new();
    let mut pack = Vec::new();
    let mut size = (0, 0);
    for _ in 0..21 {
        let start = Instant::now();
        let profile = profile();
        build.push(start.elapsed());
        let start = Instant::now();
        let bytes = profile.encode();
        encode.push(start.elapsed());
        let start = Instant::now();
        let packed = gzip(&bytes, 1);
        pack.push(start.elapsed());
        size = (bytes.len(), packed.len());
    }
    println!("{SAMPLES} samples of {FRAMES} frames: {} bytes, {} in gzip 1", size.0, size.1);
    for (what, mut times) in [("build", build), ("encode", encode), ("gzip 1", pack)] {
        times.sort();
        println!("{what}: {} ns a sample", times[times.len() / 2].as_nanos() / u128::from(SAMPLES));
    }
}

/// A profile of random stacks over 3,000 locations with a shared root half.
fn profile() -> Profile {
    let mut state = 1_u64;
    let mut random = move |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let mut builder = ProfileBuilder::new();
    let locations: Vec<LocationId> = (0..3_000)
        .map(|at| {
            let function = builder.function(&Function::named(format!("module::function_number_{}", at / 2)));
            builder.location(None, 0x40_0000 + at * 16, &[Line { function, line: at as i64 }])
        })
        .collect();
    for _ in 0..SAMPLES {
        let stack: Vec<LocationId> =
            (0..FRAMES).map(|at| locations[if at > FRAMES / 2 { at } else { random(3_000) } as usize]).collect();
        builder.add(&stack, 10_309_278);
    }
    builder.finish(Labels::empty(), ProfileType::cpu("process_cpu"))
}
