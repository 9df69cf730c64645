//! An agent whose storage outlives it, or that is looked at before it is ready.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

const LIMIT: Duration = Duration::from_secs(20);

/// With the built-in configuration; killed when this drops.
pub(super) struct Running {
    child: Child,
    /// Where its page and API will be.
    pub(super) address: String,
    /// When it was started.
    pub(super) started: Instant,
}

impl Running {
    /// Starts it and waits for nothing.
    pub(super) fn start(storage: &Path) -> anyhow::Result<Self> {
        // A port that nobody listens on at this moment.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
        let started = Instant::now();
        let child = Command::new(e2e::agent::binary())
            .arg("run")
            .arg(format!("--server.http.listen-addr={address}"))
            .arg(format!("--storage.path={}", storage.display()))
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot start the agent")?;
        Ok(Self { child, address, started })
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Milliseconds since its start when this becomes true.
    pub(super) fn until(&self, ask: impl FnMut() -> bool) -> anyhow::Result<f64> {
        until(self.started, LIMIT, ask)
    }

    /// Asks it to end, and waits.
    pub(super) fn stop(mut self) -> anyhow::Result<()> {
        kill_process(Pid::from_child(&self.child), Signal::TERM)?;
        ensure!(self.child.wait()?.success(), "the agent failed");
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// Milliseconds since `started` when this becomes true.
pub(super) fn until(started: Instant, limit: Duration, mut ask: impl FnMut() -> bool) -> anyhow::Result<f64> {
    while started.elapsed() < limit {
        if ask() {
            return Ok(started.elapsed().as_secs_f64() * 1e3);
        }
        sleep(Duration::from_millis(2));
    }
    bail!("not within {} s", limit.as_secs())
}
