//! A Pyroscope server: the program in `e2e/peer`, built once for this run.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value as Json;
use tempfile::TempDir;

/// A running peer. It ends when dropped.
pub(super) struct Peer {
    child: Child,
    record: TempDir,
    pub(super) address: String,
}

impl Peer {
    /// Starts one that behaves as `script` says; `args` are more of its flags.
    pub(super) fn start(script: &str, args: &[&str]) -> Self {
        Self::listen("127.0.0.1:0", script, args)
    }

    pub(super) fn listen(address: &str, script: &str, args: &[&str]) -> Self {
        let record = TempDir::new().unwrap();
        let mut command = Command::new(program());
        command.args(["serve", "--listen", address, "--script", script, "--record"]).arg(record.path()).args(args);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut first = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut first).unwrap();
        let first: Json = serde_json::from_str(&first).unwrap();
        let address = first["listening"].as_str().unwrap().to_owned();
        Self { child, record, address }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The requests that are answered, in the order of their ends.
    pub(super) fn requests(&self) -> Vec<Json> {
        self.lines("request")
    }

    /// The profiles that it got, refused ones among them.
    pub(super) fn profiles(&self) -> Vec<Json> {
        self.lines("profile")
    }

    fn lines(&self, kind: &str) -> Vec<Json> {
        let text = std::fs::read_to_string(self.record.path().join("pushes.jsonl")).unwrap_or_default();
        // The last line may be half written.
        let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        let lines = whole.map(|line| serde_json::from_str::<Json>(line).unwrap());
        lines.filter(|line| line["kind"] == kind).collect()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// The families that Prometheus's own parsers read in a page of metrics.
pub(super) fn promtext(format: &str, page: &str) -> Json {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("metrics");
    std::fs::write(&file, page).unwrap();
    let read = Command::new(program()).args(["promtext", "--format", format]).arg(&file).output().unwrap();
    let text = String::from_utf8(read.stdout).unwrap();
    assert!(read.status.success(), "{text}\n{}\n{page}", String::from_utf8_lossy(&read.stderr));
    serde_json::from_str(&text).unwrap()
}

fn program() -> &'static Path {
    static BUILT: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    let (_, program) = BUILT.get_or_init(|| {
        let folder = TempDir::new().unwrap();
        let program = folder.path().join("peer");
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../e2e/peer");
        let mut build = Command::new("go");
        let built = build.args(["build", "-o"]).arg(&program).arg(".").current_dir(sources).status();
        assert!(built.expect("go is installed").success(), "the peer builds");
        (folder, program)
    });
    program
}
