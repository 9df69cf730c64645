//! Facts about this very process.

use std::fs;
use std::sync::Arc;

use components::metrics::Metrics;
use components::profiler::Profiler;
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

/// Memory in use (VmRSS), in bytes.
pub(crate) fn resident_bytes() -> u64 {
    let pages = fs::read_to_string("/proc/self/statm").ok();
    let pages = pages.and_then(|text| text.split_whitespace().nth(1)?.parse::<u64>().ok());
    pages.unwrap_or(0) * rustix::param::page_size() as u64
}

/// Registers what every scraper expects of a process. The guard keeps the series.
pub(crate) fn metrics(metrics: &Metrics, profiler: &Arc<Profiler>) -> components::metrics::Scope {
    let scope = metrics.process();
    scope.counter_from("process_cpu_seconds_total", "CPU time used, in seconds.", &[], cpu_seconds);
    scope.gauge_from("process_resident_memory_bytes", "Memory in use, in bytes.", &[], || resident_bytes() as f64);
    let version = env!("CARGO_PKG_VERSION");
    scope.gauge("pyrope_build_info", "Always 1; the labels tell the build.", &[("version", version)]).set(1.0);
    for counter in engine::Counter::ALL {
        let profiler = Arc::clone(profiler);
        let help = "What the kernel side counted, by event.";
        let read = move || profiler.total(counter) as f64;
        scope.counter_from("pyrope_kernel_events_total", help, &[("event", counter.name())], read);
    }
    scope
}
