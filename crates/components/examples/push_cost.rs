//! What delivering costs: `cargo run --release -p pyrope-components --example push_cost -- URL [PROFILES] [ROUNDS] [STACKS]`
//!
//! Appends PROFILES profiles of STACKS stacks of 30 frames to a `pyroscope.write`, waits until all are sent, and does it
//! ROUNDS times. Prints the CPU time of this process per profile, encoding included and apart, and its resident memory.

#![expect(clippy::print_stdout, reason = "a tool that prints what it measured")]

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use graph::{Component, ComponentId, Context, Services, Updates};
use lang::decode::{FromValue, decode_body};
use lang::eval::Scope;
use lang::source::Source;
use lang::stdlib::{Host, Stdlib};
use profile::{Function, Line, Profile, ProfileBuilder, ProfileType};
use pyrope_components::metrics::Metrics;
use pyrope_components::receiver::{Append, Outgoing, Receiver};
use pyrope_components::write::status::EndpointStatuses;
use pyrope_components::write::{Exports, PyroscopeWrite};
use tokio_util::sync::CancellationToken;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let url = args.next().ok_or("usage: push_cost URL [PROFILES] [ROUNDS] [STACKS]")?;
    let mut number = |default: usize| args.next().map_or(Ok(default), |text| text.parse());
    let (profiles, rounds, stacks) = (number(100)?, number(20)?, number(50)?);

    let statuses = EndpointStatuses::new();
    let receiver = start(&url, &statuses).await?;
    let all: Vec<Profile> = (0..profiles).map(|service| profile(service, stacks)).collect();
    send(&receiver, &statuses, &all, 1).await;

    let before = cpu();
    for _ in 0..rounds {
        for profile in &all {
            Outgoing::new(profile.clone()).pprofs();
        }
    }
    let encoding = cpu() - before;
    let (before, started) = (cpu(), Instant::now());
    send(&receiver, &statuses, &all, rounds).await;
    let (total, took) = (cpu() - before, started.elapsed());
    let count = (profiles * rounds) as f64;
    println!("{count} profiles of {stacks} stacks in {took:?}");
    println!("CPU per profile: {:.1} µs, of which encoding {:.1} µs", total * 1e6 / count, encoding * 1e6 / count);
    println!(
        "{}",
        std::fs::read_to_string("/proc/self/status")?
            .lines()
            .find(|line| line.starts_with("VmRSS"))
            .unwrap_or_default()
    );
    println!("{:?}", statuses.list());
    Ok(())
}

async fn start(url: &str, statuses: &EndpointStatuses) -> Result<Receiver, Box<dyn std::error::Error>> {
    let parsed = lang::syntax::parse_file(&Source::new("", format!("endpoint {{ url = {url:?} }}")));
    let body = parsed.file.body().ok_or("no body")?;
    let scope = Scope::new::<&str>(Stdlib::new(Host::default()), []);
    let arguments = decode_body(&body, &scope).map_err(|errors| format!("{errors:?}"))?;
    let services = Services::default().with(Arc::new(Metrics::new())).with(Arc::new(statuses.clone()));
    let id = ComponentId::new("pyroscope.write", Some("cost"));
    let cx = Context::<Exports>::detached(id, "/nowhere".into(), services, CancellationToken::new());
    let (keep, updates) = Updates::channel(arguments);
    let seen = cx.clone();
    tokio::spawn(async move {
        let _keep = keep;
        PyroscopeWrite::run(updates, cx).await
    });
    loop {
        tokio::time::sleep(Duration::from_millis(5)).await;
        let exports = seen.exports().as_object().unwrap_or_default();
        if let Some(value) = exports.get(&b"receiver"[..]).filter(|value| !value.is_null()) {
            return Ok(Receiver::from_value(value)?);
        }
    }
}

async fn send(receiver: &Receiver, statuses: &EndpointStatuses, all: &[Profile], rounds: usize) {
    for _ in 0..rounds {
        let append: Append = all.iter().cloned().collect();
        if let Err(error) = receiver.append(append).await {
            println!("{error}");
        }
        while statuses.list().iter().any(|status| status.queued_profiles > 0) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

/// Stacks of 30 frames that share their upper half, as those of a program do.
fn profile(service: usize, stacks: usize) -> Profile {
    let mut builder = ProfileBuilder::new();
    for stack in 0..stacks {
        let frame = |depth: usize| if depth < 15 { stack * 100 + depth } else { depth };
        let ids: Vec<_> = (0..30)
            .map(|depth| {
                let name = format!("company::service::module_{}::function_{}", depth % 7, frame(depth));
                let function = builder.function(&Function::named(name));
                builder.location(None, 0x40_0000 + frame(depth) as u64 * 64, &[Line { function, line: 7 }])
            })
            .collect();
        builder.add(&ids, 10_309_278);
    }
    let service = format!("service-{service}");
    let labels = [("__name__", "process_cpu"), ("service_name", service.as_str())].into_iter().collect();
    let mut profile = builder.finish(labels, ProfileType::cpu("process_cpu"));
    profile.time_nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_nanos() as i64);
    profile.duration_nanos = 15_000_000_000;
    profile.period = 10_309_278;
    profile
}

/// CPU time of this process in seconds, user and system.
fn cpu() -> f64 {
    let threads = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let nanos = threads.filter_map(|thread| {
        let text = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    });
    nanos.sum::<u64>() as f64 / 1e9
}
