//! The binary under test.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::http::{self, Answer};
use crate::wait::until;

/// A running agent with a folder of its own.
pub struct Agent {
    child: Child,
    /// Where its page and API are, as `127.0.0.1:PORT`.
    pub address: String,
    folder: TempDir,
    /// When it was started.
    pub started: Instant,
}

/// The binary.
pub fn binary() -> PathBuf {
    crate::built("PYROPE_BIN", "release/pyrope")
}

impl Agent {
    /// Runs a configuration and waits until it is ready.
    pub fn run(configuration: &str) -> Self {
        Self::with(Some(configuration), &[], &[])
    }

    /// Runs a configuration, or none, with more flags and variables, and waits until it is ready.
    pub fn with(configuration: Option<&str>, flags: &[&str], variables: &[(&str, &str)]) -> Self {
        Self::spawn(configuration, flags, variables).ready()
    }

    /// Runs a configuration with a limit of open files, and waits until it is ready.
    pub fn with_open_files(configuration: &str, limit: u32) -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("ulimit -n {limit}; exec \"$0\" \"$@\"")]).arg(binary());
        Self::start(command, Some(configuration), &[], &[]).ready()
    }

    /// Starts and waits until it listens.
    pub fn spawn(configuration: Option<&str>, flags: &[&str], variables: &[(&str, &str)]) -> Self {
        Self::start(Command::new(binary()), configuration, flags, variables)
    }

    fn ready(self) -> Self {
        until("the agent is ready", 20, || http::get(&self.address, "/-/ready").filter(|answer| answer.status == 200));
        self
    }

    fn start(mut command: Command, configuration: Option<&str>, flags: &[&str], variables: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        command.arg("run");
        if let Some(configuration) = configuration {
            let file = folder.path().join("config.alloy");
            fs::write(&file, configuration).unwrap();
            command.arg(file);
        }
        let log = File::create(folder.path().join("log")).unwrap();
        command
            .arg("--server.http.listen-addr=127.0.0.1:0")
            .arg(format!("--storage.path={}", folder.path().join("data").display()))
            .args(flags)
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        let started = Instant::now();
        let child = command.spawn().unwrap();
        let mut agent = Self { child, address: String::new(), folder, started };
        agent.address = until("the agent listens", 20, || {
            let log = agent.log();
            let line = log.lines().find(|line| line.contains("now listening for http traffic"))?;
            line.split_whitespace().find_map(|word| word.strip_prefix("addr=")).map(str::to_owned)
        });
        agent
    }

    /// Its folder, which holds `config.alloy`, `log` and `data`.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Replaces its configuration file, without a reload.
    pub fn write_configuration(&self, text: &str) {
        fs::write(self.folder.path().join("config.alloy"), text).unwrap();
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// GET from its listener.
    pub fn get(&self, path: &str) -> Answer {
        http::get(&self.address, path).unwrap_or_else(|| panic!("no answer to {path}:\n{}", self.log()))
    }

    /// The sum of all series of a metric whose labels contain this text.
    pub fn metric(&self, name: &str, labels: &str) -> Option<f64> {
        let text = self.get("/metrics").body;
        let values: Vec<f64> = text
            .lines()
            .filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' '])))
            .filter(|line| line.contains(labels))
            .filter_map(|line| line.rsplit(' ').next()?.parse().ok())
            .collect();
        (!values.is_empty()).then(|| values.iter().sum())
    }

    /// Asks it to end, waits for it, and gives its status and its log.
    pub fn stop(mut self) -> (ExitStatus, String) {
        self.signal(Signal::TERM);
        let status = until("the agent ends", 60, || self.child.try_wait().unwrap());
        (status, self.log())
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|status| status.is_none()) {
            // The test has failed already, or does not care how it ends.
            _ = self.child.kill();
            _ = self.child.wait();
        }
        if std::thread::panicking() {
            #[expect(clippy::print_stderr, reason = "the log says why the test failed")]
            {
                eprintln!("--- log of the agent\n{}", self.log());
            }
        }
    }
}
