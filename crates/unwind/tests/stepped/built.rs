//! Programs that the tests build with the system's compilers.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

/// A folder for one program and what is made of it.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Builds a Go program of one file.
    pub(crate) fn go(&self, source: &str, arguments: &[&str], environment: &[(&str, &str)], name: &str) -> PathBuf {
        fs::write(self.path("main.go"), source).unwrap();
        fs::write(self.path("go.mod"), "module workload\n\ngo 1.21\n").unwrap();
        let output = self.path(name);
        let mut command = Command::new("go");
        command.current_dir(self.0.path()).envs(environment.iter().copied());
        run(command.arg("build").args(arguments).arg("-o").arg(&output).arg("."));
        output
    }
}

/// Runs a program to its end and gives what it printed.
#[track_caller]
pub(crate) fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
