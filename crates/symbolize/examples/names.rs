//! Prints each line of its input demangled: `… --example names -- full < NAMES`, to compare with other demanglers.
#![expect(clippy::print_stdout, reason = "printing is its purpose")]

use std::io::BufRead as _;

use pyrope_symbolize::demangle::{Mode, demangle};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mode = match std::env::args().nth(1).as_deref() {
        Some("simplified") => Mode::Simplified,
        Some("templates") => Mode::Templates,
        _ => Mode::Full,
    };
    for line in std::io::stdin().lock().lines() {
        println!("{}", demangle(&line?, mode));
    }
    Ok(())
}
