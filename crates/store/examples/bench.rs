//! What the store costs: `cargo run --release -p pyrope-store --example bench [FOLDER]`.
//!
//! Replays an hour of a busy host, 240 windows of 15 s with 100 series, at least 20,000 distinct stacks in all, and
//! prints medians. With FOLDER the store lies there and stays.
#![expect(clippy::print_stdout, reason = "prints its result")]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use profile::{Function, Line, LocationId, Profile, ProfileBuilder, ProfileType};
use pyrope_store::{Aggregation, Config, Detail, Interval, Query, Selector, SeriesQuery, Store, TimeRange};

const WINDOWS: i64 = 240;
const SERIES: usize = 100;
/// Samples of one window: both cores of a machine busy at 97 Hz for 15 s.
const SAMPLES: usize = 2_900;
const FUNCTIONS: usize = 6_000;
const STACKS: usize = 30_000;

struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }
}

/// Stacks as lists of function numbers, root first: each continues another from some depth on, as real ones do.
fn stacks() -> Vec<Vec<usize>> {
    let mut random = Random(7);
    let mut stacks: Vec<Vec<usize>> = vec![vec![0]];
    while stacks.len() < STACKS {
        let known = &stacks[random.below(stacks.len())];
        let mut stack = known[..1 + random.below(known.len())].to_vec();
        for _ in 0..1 + random.below(12) {
            stack.push(random.below(FUNCTIONS));
        }
        if stack.len() < 60 {
            stacks.push(stack);
        }
    }
    stacks
}

fn window(
    number: i64,
    start: i64,
    stacks: &[Vec<usize>],
    names: &[Arc<str>],
    random: &mut Random,
) -> Vec<Arc<Profile>> {
    let time = start + number * 15_000;
    let mut builders: Vec<ProfileBuilder> = (0..SERIES).map(|_| ProfileBuilder::new()).collect();
    let empty: Arc<str> = Arc::from("");
    for _ in 0..SAMPLES {
        // Few series are busy and most are quiet; each has stacks of its own region.
        let series = random.below(SERIES).min(random.below(SERIES));
        let region = STACKS / SERIES;
        let stack = &stacks[series * region + random.below(region)];
        let builder = &mut builders[series];
        let ids: Vec<LocationId> = stack
            .iter()
            .rev()
            .map(|function| {
                let (name, filename) = (names[*function].clone(), empty.clone());
                let function = Function { name, system_name: empty.clone(), filename, start_line: 0 };
                let function = builder.function(&function);
                builder.location(None, 0, &[Line { function, line: 0 }])
            })
            .collect();
        builder.add(&ids, 10_309_278);
    }
    builders
        .into_iter()
        .enumerate()
        .filter(|(_, builder)| !builder.is_empty())
        .map(|(series, mut builder)| {
            builder.interval(time * 1_000_000, 15_000_000_000).period(10_309_278);
            let labels = [("service_name", format!("service-{series}")), ("container_id", format!("{series:064x}"))];
            Arc::new(builder.finish(labels.into_iter().collect(), ProfileType::cpu("process_cpu")))
        })
        .collect()
}

/// CPU time of this thread: other programs on the machine do not count.
fn cpu_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(text.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or(0))
}

/// Median and least, in milliseconds; on a busy machine the least is nearer to the truth.
fn summary(mut times: Vec<Duration>) -> String {
    times.sort();
    let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
    format!("{:.1} ms (least {:.1})", milliseconds(times[times.len() / 2]), milliseconds(times[0]))
}

fn measure<T>(what: &str, mut run: impl FnMut() -> T) -> T {
    let mut result = run();
    let (mut times, mut cpu) = (Vec::new(), Vec::new());
    for _ in 0..15 {
        let (start, used) = (Instant::now(), cpu_time());
        result = run();
        times.push(start.elapsed());
        cpu.push(cpu_time() - used);
    }
    println!("{what}: {}, CPU {}", summary(times), summary(cpu));
    result
}

fn resident() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let lines = status.lines().filter(|line| line.starts_with("VmRSS") || line.starts_with("RssAnon"));
    lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>().join(", ")
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let scratch = tempfile::tempdir()?;
    let config = Config {
        path: std::env::args_os().nth(1).map_or_else(|| scratch.path().to_owned(), PathBuf::from),
        max_age: Duration::from_secs(7 * 24 * 3600),
        max_bytes: 2 << 30,
        min_free_bytes: 0,
        partition: Duration::from_secs(6 * 3600),
    };
    let stacks = stacks();
    let names: Vec<Arc<str>> =
        (0..FUNCTIONS).map(|at| Arc::from(format!("module_{}::namespace::function_number_{at}", at / 50))).collect();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_millis() as i64;
    let start = now - WINDOWS * 15_000;
    let range = TimeRange { start, end: now };
    println!("resident before the store: {}", resident());

    let store = Store::open(config.clone())?;
    let mut random = Random(1);
    let (mut pairs, mut costs, mut appends) = (0, Vec::new(), Vec::new());
    for number in 0..WINDOWS {
        let profiles = window(number, start, &stacks, &names, &mut random);
        let begin = cpu_time();
        let appended = store.append(Interval { source: 1, number: number as u64 }, &profiles)?;
        let took = cpu_time() - begin;
        pairs += appended.stacks;
        appends.push(took);
        costs.push(took.as_secs_f64() * 1e9 / appended.stacks as f64);
    }
    costs.sort_by(f64::total_cmp);
    let stats = store.stats();
    println!(
        "{WINDOWS} windows, {pairs} pairs of stack and series, {} bytes: {:.2} bytes a pair",
        stats.bytes,
        stats.bytes as f64 / pairs as f64
    );
    println!(
        "append: CPU {} a window, {:.0} ns a pair (least {:.0})",
        summary(appends),
        costs[costs.len() / 2],
        costs[0]
    );
    println!("tables in memory: {} bytes; resident after writing: {}", stats.memory, resident());

    let cpu = ProfileType::cpu("process_cpu");
    let all = Query { profile_type: cpu.clone(), selector: Selector::all(), range };
    let one = Query { selector: Selector::parse(r#"{service_name="service-3"}"#)?, ..all.clone() };
    let merged = measure("flame graph of the hour, whole host", || store.merge(&all, Detail::Functions).value);
    let distinct = (0..merged.tree.len() as u32).filter(|node| merged.tree.self_value(*node) != 0).count();
    println!("  {} nodes, {distinct} distinct stacks", merged.tree.len());
    measure("  its children, sorted", || merged.tree.children());
    let profile = measure("profile of the hour, whole host", || store.merge_profile(&all, Some(65_536)).value);
    println!("  {} samples after pruning to 65,536 nodes", profile.samples().len());
    let bytes = measure("  its encoding", || profile.encode());
    println!("  {} bytes", bytes.len());
    measure("flame graph of the hour, one service", || store.merge(&one, Detail::Functions).value);
    let quarter = Query { range: TimeRange { start: now - 900_000, end: now }, ..all.clone() };
    measure("profile of 15 minutes, whole host", || store.merge_profile(&quarter, Some(65_536)).value);
    let line = |group_by: &[&str]| SeriesQuery {
        query: all.clone(),
        step: 15_000,
        group_by: group_by.iter().map(|name| (*name).to_owned()).collect(),
        aggregation: Aggregation::Sum,
        limit: None,
    };
    let (total, services) = (line(&[]), line(&["service_name"]));
    measure("timeline of the hour", || store.select_series(&total));
    measure("timeline of the hour by service", || store.select_series(&services));
    measure("services of the last 15 minutes", || store.label_values("service_name", &Selector::all(), quarter.range));
    println!("resident after queries: {}", resident());
    drop(store);
    let begin = Instant::now();
    let store = Store::open(config)?;
    println!("open: {:.1} ms", begin.elapsed().as_secs_f64() * 1e3);
    let begin = Instant::now();
    store.merge(&all, Detail::Functions);
    println!("first flame graph of the hour after that: {:.1} ms", begin.elapsed().as_secs_f64() * 1e3);
    Ok(())
}
