//! Reads mangled names, one a line, and prints each in every mode that shows another one, with tabs between.

use std::io::{self, BufRead as _, Write as _};

use pyrope_symbolize::demangle::{Mode, demangle};

fn main() -> io::Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    for name in io::stdin().lock().lines() {
        let name = name?;
        let [simplified, templates, full] =
            [Mode::Simplified, Mode::Templates, Mode::Full].map(|mode| demangle(&name, mode));
        writeln!(out, "{name}\t{simplified}\t{templates}\t{full}")?;
    }
    out.flush()
}
