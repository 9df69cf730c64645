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

    /// Builds a program of C and assembly.
    pub(crate) fn c(&self, compiler: &str, arguments: &[&str], sources: &[(&str, &str)], name: &str) -> PathBuf {
        let output = self.path(name);
        let mut command = Command::new(compiler);
        command.current_dir(self.0.path()).args(arguments).arg("-o").arg(&output);
        for (file, text) in sources {
            fs::write(self.path(file), text).unwrap();
            command.arg(file);
        }
        run(&mut command);
        output
    }
}

/// Clang, as `crates/bpf` finds it.
pub(crate) fn clang() -> String {
    let named = std::env::var("CLANG").ok();
    let numbered = (14..=23).rev().map(|version| format!("clang-{version}"));
    let mut all = named.into_iter().chain(numbered).chain(["clang".to_owned()]);
    all.find(|name| Command::new(name).arg("--version").output().is_ok()).expect("clang is installed")
}

/// Runs a program to its end and gives what it printed.
#[track_caller]
pub(crate) fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
