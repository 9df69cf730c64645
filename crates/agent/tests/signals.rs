//! The binary obeys signals from its first line of the log on.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::{BufRead as _, BufReader, Lines};
use std::process::{Child, ChildStderr, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// A run of a configuration without components, and what it has not logged yet.
struct Run {
    child: Child,
    log: Lines<BufReader<ChildStderr>>,
    _folder: TempDir,
}

impl Run {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.alloy");
        std::fs::write(&file, "logging { }\n").unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_pyrope"));
        command.arg("run").arg(file).arg("--server.http.listen-addr=127.0.0.1:0");
        command.arg(format!("--storage.path={}", folder.path().display()));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let log = BufReader::new(child.stderr.take().unwrap()).lines();
        Self { child, log, _folder: folder }
    }

    /// Reads the log up to a line with this text, or to its end.
    #[track_caller]
    fn until_logged(&mut self, text: &str) {
        let found = self.log.by_ref().map_while(Result::ok).any(|line| line.contains(text));
        assert!(found, "it ended without logging {text:?}: {:?}", self.child.wait());
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    fn end(mut self) {
        self.until_logged("pyrope has stopped");
        assert!(self.child.wait().unwrap().success());
    }
}

#[test]
fn a_hangup_before_the_configuration_is_loaded_is_a_reload_after_it() {
    let mut run = Run::start();
    run.until_logged("pyrope is starting");
    run.signal(Signal::HUP);
    run.until_logged("pyrope is running");
    run.until_logged("config reloaded");
    run.signal(Signal::TERM);
    run.end();
}

#[test]
fn asked_to_end_before_the_configuration_is_loaded_it_ends_well() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut run = Run::start();
        run.until_logged("pyrope is starting");
        run.signal(signal);
        run.end();
    }
}
