//! The same seconds as `perf record --call-graph dwarf` saw them.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, ensure};

use super::super::seen::Selves;

/// Samples a second and CPU; no multiple or divisor of pyrope's, so that neither sees the other's ticks alone.
const RATE: &str = "211";

/// Starts to record the whole machine.
pub(super) fn record(file: &Path, seconds: u64) -> anyhow::Result<Child> {
    let mut command = Command::new("perf");
    command.args(["record", "-q", "-a", "-e", "cpu-clock", "-F", RATE, "--call-graph", "dwarf", "-o"]).arg(file);
    command.args(["sleep", &seconds.to_string()]).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().context("cannot run perf: run `tools/setup.sh bench`")
}

/// Samples by function of the threads with these names, or names that begin so and end in `_`.
/// Also the files in which they were.
pub(super) fn selves(file: &Path, threads: &[&str]) -> anyhow::Result<(Selves, BTreeSet<String>)> {
    let mut script = Command::new("perf")
        .args(["script", "--no-inline", "--no-demangle", "-G", "-F", "comm,ip,sym,dso", "-i"])
        .arg(file)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .context("cannot run perf")?;
    let (mut selves, mut files) = (Selves::new(), BTreeSet::new());
    for line in BufReader::new(script.stdout.take().context("perf has no output")?).split(b'\n') {
        let line = String::from_utf8_lossy(&line?).into_owned();
        let Some((thread, function, file)) = sample(&line) else { continue };
        if threads.iter().any(|name| thread == *name || name.ends_with('_') && thread.starts_with(name)) {
            *selves.entry(function).or_default() += 1;
            if !files.contains(file) {
                files.insert(file.to_owned());
            }
        }
    }
    ensure!(script.wait()?.success(), "perf script failed");
    Ok((selves, files))
}

/// The thread, the function and the file of a line of `comm ip sym (dso)`.
fn sample(line: &str) -> Option<(&str, String, &str)> {
    let (thread, rest) = line.trim().split_once(' ')?;
    let (_, rest) = rest.trim_start().split_once(' ')?;
    let (symbol, file) = rest.trim_end().strip_suffix(')')?.rsplit_once(" (")?;
    let function = match symbol.trim() {
        // Names of entries of a procedure linkage table are perf's own.
        named if named == "[unknown]" || named.ends_with("@plt") => {
            format!("[{}]", file.rsplit('/').next().unwrap_or_default())
        }
        // The version of a symbol is not part of its name.
        named => named.split('@').next().unwrap_or_default().to_owned(),
    };
    Some((thread, function, file))
}

#[cfg(test)]
mod tests {
    use super::sample;

    #[test]
    fn a_line_is_a_thread_and_a_function() {
        let line = "         openssl            22d755 OPENSSL_LH_strhash (/usr/lib/x86_64-linux-gnu/libcrypto.so.3)";
        assert_eq!(
            sample(line),
            Some(("openssl", "OPENSSL_LH_strhash".to_owned(), "/usr/lib/x86_64-linux-gnu/libcrypto.so.3"))
        );
        assert_eq!(sample(" x 1f [unknown] (/usr/bin/x)"), Some(("x", "[x]".to_owned(), "/usr/bin/x")));
        assert_eq!(
            sample(" x 1f memcpy@@GLIBC_2.14 (/usr/lib/libc.so.6)"),
            Some(("x", "memcpy".to_owned(), "/usr/lib/libc.so.6"))
        );
        assert_eq!(sample(""), None);
    }
}
