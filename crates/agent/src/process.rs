//! Facts about this very process.

use std::sync::Arc;

use components::metrics::{Metrics, Scope};
use components::profiler::Profiler;
use engine::budget::Shed;
use engine::cache::{Cache, CacheLimits};
use engine::debug_server::Asked;
use engine::files::{Closed, FileCounts, Opening};
use engine::rows::RowCounts;
use engine::symbol_cache::SymbolCounts;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the limit of open files as far as allowed: a file of each program that runs is held open to be named.
pub(crate) fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.map_or(65_536, |most| most.min(65_536));
    if limit.current.is_some_and(|current| current < most) {
        // Without the higher limit names of files that are gone are lost, which is not worth refusing to start.
        _ = setrlimit(Resource::Nofile, Rlimit { current: Some(most), maximum: limit.maximum });
    }
}

/// CPU time used so far, in seconds.
pub(crate) fn cpu_seconds() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// Registers what every scraper expects of a process. The guard keeps the series.
pub(crate) fn metrics(metrics: &Metrics, profiler: &Arc<Profiler>) -> Scope {
    let scope = metrics.process();
    scope.counter_from("process_cpu_seconds_total", "CPU time used, in seconds.", &[], cpu_seconds);
    scope
        .gauge_from("process_resident_memory_bytes", "Memory in use, in bytes.", &[], || heap::resident_bytes() as f64);
    let version = env!("CARGO_PKG_VERSION");
    scope.gauge("pyrope_build_info", "Always 1; the labels tell the build.", &[("version", version)]).set(1.0);
    for counter in engine::Counter::ALL {
        let profiler = Arc::clone(profiler);
        let help = "What the kernel side counted, by event.";
        let read = move || profiler.total(counter) as f64;
        scope.counter_from("pyrope_kernel_events_total", help, &[("event", counter.name())], read);
    }
    kernel(&scope, profiler);
    memory(&scope, profiler);
    files(&scope, profiler);
    symbols(&scope, profiler);
    debug_servers(&scope, profiler);
    rows(&scope, profiler);
    caches(&scope, profiler);
    scope
}

/// Samples of which one was timed: `TIMED_ONE_IN` of `bpf/sample.bpf.c`.
const TIMED_ONE_IN: f64 = 16.0;

/// CPU time that taking samples took in the kernel, in seconds.
pub(crate) fn sampling_seconds(profiler: &Profiler) -> f64 {
    profiler.total(engine::Counter::TimedNs) as f64 * TIMED_ONE_IN / 1e9
}

/// Registers what the kernel side costs.
fn kernel(scope: &Scope, profiler: &Arc<Profiler>) {
    let costs = Arc::clone(profiler);
    let help = "CPU time that taking samples took in the kernel, in seconds, by timing one in 16.";
    scope.counter_from("pyrope_kernel_sampling_seconds_total", help, &[], move || sampling_seconds(&costs));
    let holds = Arc::clone(profiler);
    let read = move || holds.status().map_or(0, |status| status.map_bytes) as f64;
    scope.gauge_from("pyrope_kernel_maps_bytes", "Kernel memory that the BPF maps hold, in bytes.", &[], read);
}

/// Registers the budget of memory, and what gave way to it.
fn memory(scope: &Scope, profiler: &Arc<Profiler>) {
    let budget = profiler.budget().bytes() as f64;
    scope.gauge("pyrope_memory_budget_bytes", "Memory that the process may have, in bytes.", &[]).set(budget);
    for shed in Shed::ALL {
        let profiler = Arc::clone(profiler);
        let read = move || profiler.shed().map_or(0, |counts| counts.of(shed)) as f64;
        let help = "How often something gave way because memory was short.";
        scope.counter_from("pyrope_memory_shed_total", help, &[("what", shed.name())], read);
    }
}

/// Registers how well the caches serve.
fn caches(scope: &Scope, profiler: &Arc<Profiler>) {
    type Read = fn(&CacheLimits, Cache) -> u64;
    let counters: [(_, _, Read); 3] = [
        (
            "pyrope_ebpf_cache_hits_total",
            "Times that a table was held in memory when it was asked for.",
            CacheLimits::hits,
        ),
        ("pyrope_ebpf_cache_misses_total", "Times that a table was not held in memory.", CacheLimits::misses),
        ("pyrope_ebpf_cache_evictions_total", "Tables that made room in memory for others.", CacheLimits::evictions),
    ];
    for (name, help, count) in counters {
        for cache in Cache::ALL {
            let profiler = Arc::clone(profiler);
            let read = move || profiler.caches().map_or(0, |caches| count(&caches, cache)) as f64;
            scope.counter_from(name, help, &[("cache", cache.name())], read);
        }
    }
}

/// Registers what became of unwind rows.
fn rows(scope: &Scope, profiler: &Arc<Profiler>) {
    type Read = fn(&RowCounts) -> u64;
    let read = |read: Read| {
        let profiler = Arc::clone(profiler);
        move || profiler.rows().map_or(0, |rows| read(&rows)) as f64
    };
    let counters: [(_, _, Read); 9] = [
        (
            "pyrope_unwind_walks_repaired_total",
            "Walks that came to code without unwind rows and were completed when they had come.",
            RowCounts::repaired,
        ),
        (
            "pyrope_unwind_walks_unrepaired_total",
            "Walks that came to code without unwind rows and stayed as the frame pointer said.",
            RowCounts::unrepaired,
        ),
        ("pyrope_unwind_rules_refused_total", "Unwind rules that got no number.", RowCounts::rules_refused),
        ("pyrope_unwind_files_built_total", "Files whose unwind rows were built.", RowCounts::built),
        ("pyrope_unwind_rows_built_total", "Unwind rows that were built.", RowCounts::rows),
        (
            "pyrope_unwind_tables_refused_total",
            "Times that the unwind rows of a file found no room.",
            RowCounts::refused,
        ),
        ("pyrope_unwind_tables_evicted_total", "Files whose unwind rows made room for others.", RowCounts::evicted),
        (
            "pyrope_unwind_spans_total",
            "Spans of 16 KiB whose unwind rows were built because they were asked for.",
            RowCounts::spans,
        ),
        (
            "pyrope_unwind_entries_malformed_total",
            "Entries of unwind tables that could not be read, or only in part.",
            RowCounts::malformed,
        ),
    ];
    for (name, help, counter) in counters {
        scope.counter_from(name, help, &[], read(counter));
    }
    let build = read(RowCounts::nanoseconds);
    let help = "Time spent building unwind rows, in seconds.";
    scope.counter_from("pyrope_unwind_build_seconds_total", help, &[], move || build() / 1e9);
    scope.gauge_from("pyrope_unwind_tables", "Files that have unwind rows now.", &[], read(RowCounts::tables));
    let help = "Files of which only those unwind rows are held that were asked for.";
    scope.gauge_from("pyrope_unwind_tables_partial", help, &[], read(RowCounts::partial));
    scope.gauge_from("pyrope_unwind_rows_bytes", "Kernel memory that unwind rows take.", &[], read(RowCounts::bytes));
}

/// Registers what became of tables of symbols on disk.
fn symbols(scope: &Scope, profiler: &Arc<Profiler>) {
    type Read = fn(&SymbolCounts) -> u64;
    let results: [(_, Read); 4] = [
        ("found", |counts| counts.disk.found()),
        ("missing", |counts| counts.disk.missing()),
        ("damaged", |counts| counts.disk.damaged()),
        ("removed", |counts| counts.disk.removed()),
    ];
    for (result, count) in results {
        let profiler = Arc::clone(profiler);
        let read = move || profiler.symbols().map_or(0, |counts| count(&counts)) as f64;
        let help = "Tables of symbols on disk: found or missing when asked for, damaged, removed to make room.";
        scope.counter_from("pyrope_symbol_tables_total", help, &[("result", result)], read);
    }
}

/// Registers what came of asking servers for debug information.
fn debug_servers(scope: &Scope, profiler: &Arc<Profiler>) {
    for asked in Asked::ALL {
        let profiler = Arc::clone(profiler);
        let read = move || profiler.debug_servers().map_or(0, |counts| counts.requests(asked)) as f64;
        let help = "Requests for debug information to debuginfod servers, by what came of them.";
        scope.counter_from("pyrope_debuginfod_requests_total", help, &[("result", asked.name())], read);
    }
}

/// Registers what became of the files that frames lie in.
fn files(scope: &Scope, profiler: &Arc<Profiler>) {
    let read = |read: fn(&FileCounts) -> u64| {
        let profiler = Arc::clone(profiler);
        move || profiler.files().map_or(0, |files| read(&files)) as f64
    };
    scope.gauge_from("pyrope_files_open", "Program files held open to be named.", &[], read(FileCounts::open));
    let help = "Places in code that have no name because their file was not reached.";
    scope.counter_from("pyrope_files_nameless_places_total", help, &[], read(FileCounts::nameless));
    let help = "Files that are not read any more, because their file system did not answer in time.";
    scope.counter_from("pyrope_files_silent_total", help, &[], read(FileCounts::silent));
    for outcome in Opening::ALL {
        let profiler = Arc::clone(profiler);
        let read = move || profiler.files().map_or(0, |files| files.openings(outcome)) as f64;
        let help = "Program files seen by samples, by whether they could be opened.";
        scope.counter_from("pyrope_files_seen_total", help, &[("outcome", outcome.name())], read);
    }
    for reason in Closed::ALL {
        let profiler = Arc::clone(profiler);
        let read = move || profiler.files().map_or(0, |files| files.closed(reason)) as f64;
        let help = "Program files closed and forgotten, by reason.";
        scope.counter_from("pyrope_files_closed_total", help, &[("reason", reason.name())], read);
    }
}
