//! A program with a known stack.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A running program; killed when this drops.
pub struct Workload {
    child: Child,
}

/// Where a program of `e2e/workloads` was built.
pub fn path(name: &str) -> PathBuf {
    crate::built("PYROPE_WORKLOADS", "workloads").join(name)
}

impl Workload {
    /// Starts a program of `e2e/workloads` and waits until it is in its steady state.
    pub fn start(name: &str, arguments: &[&str]) -> Self {
        Self::start_file(&path(name), arguments)
    }

    /// Starts any program that prints `ready`.
    pub fn start_file(file: &Path, arguments: &[&str]) -> Self {
        let mut command = Command::new(file);
        command.args(arguments);
        Self::start_command(command)
    }

    /// Starts a command that prints `ready`.
    pub fn start_command(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n", "{command:?}");
        Self { child }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// CPU time that its main thread has used, in seconds.
    pub fn cpu_seconds(&self) -> f64 {
        let text = fs::read_to_string(format!("/proc/{}/schedstat", self.pid())).unwrap();
        text.split_whitespace().next().unwrap().parse::<f64>().unwrap() / 1e9
    }
}

impl Drop for Workload {
    fn drop(&mut self) {
        // It may have ended by itself.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}
