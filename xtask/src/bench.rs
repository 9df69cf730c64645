//! What pyrope costs, seen from outside: `cargo xtask bench`.
//!
//! ```text
//!  load (workloads, a C++ build, pgbench) ◀─samples─ the release binary ◀── its API, its log, /proc, bpftool
//!                                         ◀─samples─ the floor, perf
//! ```
//!
//! Figures mean something on a machine that does nothing else. docs/performance.md says what each one is.

mod api;
mod birth;
mod chosen;
mod churn;
mod complete;
mod cpu;
mod debug;
mod deep;
mod folders;
mod fresh;
mod kernel;
mod large;
mod limits;
mod load;
mod losses;
mod oracle;
mod page;
mod perf;
mod postgres;
mod process;
mod programs;
mod query;
mod resident;
mod roots;
mod rows;
mod running;
mod seen;
mod settle;
mod start;
mod summary;
mod verifier;
mod walk;

use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;

use folders::Folders;
use summary::Results;

/// What `cargo xtask bench` takes.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// What to measure; everything, if nothing is named
    rows: Vec<Row>,
    /// How many pairs of pyrope and floor
    #[arg(long, default_value_t = 9)]
    pairs: usize,
    /// Seconds of each window of a pair
    #[arg(long, default_value_t = 8)]
    window: u64,
    /// Seconds over which steady CPU is measured
    #[arg(long, default_value_t = 135)]
    steady: u64,
    /// Minutes that are compared with perf
    #[arg(long, default_value_t = 10)]
    compared: u64,
    /// Minutes with a hundred processes, and half as many at rest and with 300
    #[arg(long, default_value_t = 5)]
    resident: u64,
    /// Seconds for which each real program is watched
    #[arg(long, default_value_t = 45)]
    watched: u64,
    /// Real programs to watch; all, if none is named
    #[arg(long = "program")]
    programs: Vec<String>,
    /// Where the figures go, a JSON object a line; bench/results.jsonl in the target folder, if not given
    #[arg(long)]
    out: Option<PathBuf>,
}

/// A row of docs/performance.md, or a few that one run gives.
#[derive(Clone, Copy, ValueEnum)]
enum Row {
    /// BPF time a sample against the floor
    Walk,
    /// How deep a stack may be, and stacks through the C library
    Deep,
    /// Unwind rows: their size, and how fast they are built
    Rows,
    /// New processes, of known code and of code never seen
    Fresh,
    /// Programs that start and end all the time
    Churn,
    /// Steady CPU time of the agent on two loads
    Cpu,
    /// CPU time until it is steady, with an empty cache and a warm one
    Settle,
    /// The same ten minutes by perf
    Perf,
    /// Memory: at rest, with a hundred processes, with 300 and 1,500 libraries
    Resident,
    /// Memory when there is too much of something
    Limits,
    /// Debug information of 500 MB: to the first names
    Debug,
    /// The kernel's verifier: instructions and time
    Verifier,
    /// Debian's postgres: its CPU time, and its stacks
    Postgres,
    /// Start to ready, to the first sample, to names
    Start,
    /// Samples lost
    Losses,
    /// A new process
    Birth,
    /// A flame graph of an hour
    Query,
    /// The page in Chromium
    Page,
    /// Real programs: whole stacks, and the functions that perf sees
    Complete,
    /// Real programs: our unwinding against that of the crate framehop, frame by frame
    Oracle,
}

/// The arguments that rows look at.
struct Options {
    pairs: usize,
    window: Duration,
    steady: Duration,
    compared: Duration,
    resident: Duration,
    watched: Duration,
    programs: Vec<String>,
}

impl Options {
    /// Whether a real program is to be watched.
    fn wants(&self, program: &str) -> bool {
        self.programs.is_empty() || self.programs.iter().any(|name| name == program)
    }
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<bool> {
    let folders = Folders::new()?;
    let options = Options {
        pairs: arguments.pairs.max(1),
        window: Duration::from_secs(arguments.window.max(1)),
        steady: Duration::from_secs(arguments.steady.max(1)),
        compared: Duration::from_secs(arguments.compared.max(1) * 60),
        resident: Duration::from_secs(arguments.resident.max(1) * 60),
        watched: Duration::from_secs(arguments.watched.max(1)),
        programs: arguments.programs.clone(),
    };
    let rows = if arguments.rows.is_empty() { Row::value_variants() } else { &arguments.rows };
    let mut results = Results::new(arguments.out.clone().unwrap_or_else(|| folders.kept("results.jsonl")));
    let mut all_ran = true;
    for row in rows {
        let measure = match row {
            Row::Walk => walk::run,
            Row::Deep => deep::run,
            Row::Rows => rows::run,
            Row::Fresh => fresh::run,
            Row::Churn => churn::run,
            Row::Cpu => cpu::run,
            Row::Settle => settle::run,
            Row::Perf => perf::run,
            Row::Resident => resident::run,
            Row::Limits => limits::run,
            Row::Debug => debug::run,
            Row::Verifier => verifier::run,
            Row::Postgres => postgres::run,
            Row::Start => start::run,
            Row::Losses => losses::run,
            Row::Birth => birth::run,
            Row::Query => query::run,
            Row::Page => page::run,
            Row::Complete => complete::run,
            Row::Oracle => oracle::run,
        };
        // The others may still have something to say.
        if let Err(error) = measure(&options, &folders, &mut results) {
            eprintln!("Error: {error:#}");
            all_ran = false;
        }
        // A later row may take long, or the machine.
        results.write()?;
    }
    print!("{}", results.summary());
    Ok(all_ran)
}
