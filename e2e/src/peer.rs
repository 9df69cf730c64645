//! The receiver: a Pyroscope server's push API with its rules.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::wait::until;

/// A running receiver.
pub struct Peer {
    child: Child,
    /// Its URL.
    pub url: String,
    folder: TempDir,
}

/// A stack as function names, root first, with its value in nanoseconds.
pub type Stack = (Vec<String>, i64);

/// The Go program.
pub fn binary() -> PathBuf {
    crate::built("PYROPE_PEER", "peer")
}

impl Peer {
    /// Starts one with these arguments to `peer serve`.
    pub fn serve(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut child = Command::new(binary())
            .args(["serve", "--listen", "127.0.0.1:0", "--record"])
            .arg(folder.path())
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut first = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
        let first: Value = serde_json::from_str(&first).unwrap();
        let url = format!("http://{}", first["listening"].as_str().unwrap());
        Self { child, url, folder }
    }

    /// What was recorded of this kind: `profile` or `request`.
    pub fn recorded(&self, kind: &str) -> Vec<Value> {
        let text = fs::read_to_string(self.folder.path().join("pushes.jsonl")).unwrap_or_default();
        // The last line may be half written.
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.filter(|line| line["kind"] == kind).collect()
    }

    /// Profiles whose series has this label.
    pub fn profiles(&self, name: &str, value: &str) -> Vec<Value> {
        self.recorded("profile").into_iter().filter(|profile| label(profile, name) == Some(value)).collect()
    }

    fn digest(&self, profile: &Value) -> Value {
        let file = self.folder.path().join(profile["file"].as_str().unwrap());
        let output = Command::new(binary()).arg("pprof").arg(&file).output().unwrap();
        let digest = serde_json::from_slice(&output.stdout).unwrap();
        assert!(output.status.success(), "{digest}");
        digest
    }

    /// What the samples with each text of a label are worth together, in nanoseconds.
    pub fn tags(&self, profile: &Value, label: &str) -> BTreeMap<String, i64> {
        let digest = self.digest(profile);
        let texts = digest["tags"][label].as_object().into_iter().flatten();
        texts.map(|(text, value)| (text.clone(), value.as_i64().unwrap())).collect()
    }

    /// All stacks of a profile.
    pub fn stacks(&self, profile: &Value) -> Vec<Stack> {
        let digest = self.digest(profile);
        let stacks = digest["stacks"].as_array().unwrap();
        stacks
            .iter()
            .map(|stack| {
                let frames = stack["stack"].as_array().unwrap();
                let names = frames.iter().map(|frame| frame.as_str().unwrap().to_owned()).collect();
                (names, stack["values"][0].as_i64().unwrap())
            })
            .collect()
    }
}

/// A label of a recorded profile's series.
pub fn label<'a>(profile: &'a Value, name: &str) -> Option<&'a str> {
    profile["labels"].get(name)?.as_str()
}

/// The share, by value, of stacks that have these names one after the other somewhere, root first. A star in a name
/// stands for anything.
pub fn share_with(stacks: &[Stack], names: &[&str]) -> f64 {
    let same = |have: &String, want: &&str| match want.split_once('*') {
        Some((start, end)) => have.starts_with(start) && have.ends_with(end),
        None => have == want,
    };
    let has = |frames: &[String]| {
        frames.windows(names.len()).any(|window| window.iter().zip(names).all(|(have, want)| same(have, want)))
    };
    let total: i64 = stacks.iter().map(|(_, value)| value).sum();
    let with: i64 = stacks.iter().filter(|(frames, _)| has(frames)).map(|(_, value)| value).sum();
    if total == 0 { 0.0 } else { with as f64 / total as f64 }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // A peer that does not end by itself is not worth failing for.
        _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(2);
        while self.child.try_wait().is_ok_and(|status| status.is_none()) && std::time::Instant::now() < deadline {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// Waits until the receiver has profiles with this label that fulfil a condition, and gives them.
#[track_caller]
pub fn wait_for(peer: &Peer, name: &str, value: &str, seconds: u64, enough: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    until(&format!("profiles with {name}={value} arrive"), seconds, || {
        let profiles = peer.profiles(name, value);
        enough(&profiles).then_some(profiles)
    })
}
