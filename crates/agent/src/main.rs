//! The binary: reads the command line, runs the graph, and says what is wrong.
//!
//! ```text
//!  file or built-in configuration ──▶ graph ──▶ components ──▶ engine, store, endpoints
//!                                       ▲            services: profiler, metrics, stores, sessions
//!  SIGHUP, POST /-/reload ──────────────┘      page, query API, metrics ◀── web thread
//! ```
//!
//! Exit codes: 0 when it ended as asked, 1 when something is wrong, 2 for wrong usage.

#![forbid(unsafe_code)]
#![expect(clippy::print_stderr, reason = "this is the program that talks to the terminal")]

mod cli;
mod configuration;
mod fmt;
mod logging;
mod process;
mod run;
mod serve;
mod status;
mod validate;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    heap::give_back();
    let cli = cli::Cli::parse();
    let result = match cli.command {
        cli::Command::Run(args) => run::run(&args),
        cli::Command::Fmt(args) => fmt::fmt(&args),
        cli::Command::Validate(args) => validate::validate(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("Error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
