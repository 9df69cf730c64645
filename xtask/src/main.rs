//! Chores of the repository. `cargo xtask help` lists them.
//!
//! Each command is a module with a `run`. They print for people and leave with 0 when all is well, 1 when the thing
//! they looked at is not, 2 when they were called wrongly.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program that talks to people")]

mod bench;
mod conformance;
mod tidy;
mod vm;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Chores of the repository")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Measure what the release binary costs; takes about two hours, on a machine that does nothing else
    Bench(bench::Arguments),
    /// Compare our answers with recorded ones, one case a line
    Conformance(conformance::Arguments),
    /// Check the rules of the house that a program can check
    Tidy,
    /// Run pyrope on other kernels, each in a virtual machine
    Vm(vm::Arguments),
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Conformance(arguments) => conformance::run(&arguments),
        Command::Tidy => tidy::run(),
        Command::Vm(arguments) => vm::run(&arguments),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("Error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
