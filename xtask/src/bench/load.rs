//! What keeps the machine busy while something is measured. Everything ends when its handle drops.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use super::Folders;

/// Seconds after which a load ends even if whoever started it was killed; no row takes so long.
pub(super) const ENDS_AFTER: &str = "1800";

/// Which load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A recursion of this depth on each CPU, with frame pointers, under main and above a leaf.
    Recursion(u32),
    /// The same without frame pointers.
    BareRecursion(u32),
    /// `make -j2` of a C++ tree beside pgbench: most stacks are new.
    Build,
    /// pgbench alone.
    Database,
}

impl Kind {
    pub(super) fn name(self) -> String {
        match self {
            Self::Recursion(depth) => format!("two recursions of {depth} frames"),
            Self::BareRecursion(depth) => format!("two recursions of {depth} frames without frame pointers"),
            Self::Build => "make -j2 of a C++ tree beside pgbench".to_owned(),
            Self::Database => "pgbench".to_owned(),
        }
    }
}

/// A running load. The order of the fields is the order in which it ends.
pub(super) struct Load {
    _groups: Vec<Group>,
    _server: Option<Postgres>,
}

/// A process group that is killed when this drops.
pub(super) struct Group(Child);

impl Load {
    pub(super) fn start(kind: Kind, folders: &Folders) -> anyhow::Result<Self> {
        match kind {
            Kind::Recursion(depth) | Kind::BareRecursion(depth) => {
                let program = if matches!(kind, Kind::Recursion(_)) { "c-recurse" } else { "c-recurse-bare" };
                let start = || {
                    let mut command = Command::new(e2e::workload::path(program));
                    command.args(["--depth", &depth.to_string(), "--seconds", ENDS_AFTER]);
                    group(&mut command)
                };
                Ok(Self { _groups: vec![start()?, start()?], _server: None })
            }
            Kind::Build => {
                let tree = folders.tree()?;
                let server = Postgres::start(folders)?;
                let again = "while :; do rm -rf objects; make -s -k -f tree.mk -j2; done";
                let mut make = Command::new("timeout");
                make.current_dir(&tree).args([ENDS_AFTER, "sh", "-c", again]);
                let make = group(&mut make)?;
                let bench = server.bench()?;
                Ok(Self { _groups: vec![make, bench], _server: Some(server) })
            }
            Kind::Database => {
                let server = Postgres::start(folders)?;
                Ok(Self { _groups: vec![server.bench()?], _server: Some(server) })
            }
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // It may have ended by itself.
        _ = kill_process_group(Pid::from_child(&self.0), Signal::KILL);
        _ = self.0.wait();
    }
}

/// Starts a command as the head of a process group of its own.
pub(super) fn group(command: &mut Command) -> anyhow::Result<Group> {
    command.process_group(0).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let child = command.spawn().with_context(|| format!("cannot start {}", command.get_program().display()))?;
    Ok(Group(child))
}

/// A database server of our own, on a Unix socket in a folder of its own.
pub(super) struct Postgres {
    server: Group,
    programs: PathBuf,
    socket: PathBuf,
}

impl Postgres {
    pub(super) fn start(folders: &Folders) -> anyhow::Result<Self> {
        let programs = programs()?;
        let socket = folders.scratch("postgres")?;
        let data = socket.join("data");
        run(Command::new("chown").arg("postgres").arg(&socket))?;
        run(as_postgres(&programs.join("initdb")).args(["--no-sync", "--auth=trust", "-D"]).arg(&data))?;
        let mut command = as_postgres(&programs.join("postgres"));
        command.arg("-D").arg(&data).arg("-k").arg(&socket).args(["-c", "listen_addresses="]);
        let started = Self { server: group(&mut command)?, programs, socket };
        for _ in 0..100 {
            if started.client("pg_isready").output().is_ok_and(|output| output.status.success()) {
                run(started.client("pgbench").args(["-i", "-q", "-s", "10", "postgres"]))?;
                return Ok(started);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        bail!("the database server did not get ready within 10 s")
    }

    pub(super) fn bench(&self) -> anyhow::Result<Group> {
        group(self.client("pgbench").args(["-c", "2", "-T", ENDS_AFTER, "postgres"]))
    }

    fn client(&self, program: &str) -> Command {
        let mut command = as_postgres(&self.programs.join(program));
        command.arg("-h").arg(&self.socket);
        command
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // INT asks the server to end its clients and itself; it may have ended already.
        _ = kill_process(Pid::from_child(&self.server.0), Signal::INT);
        _ = self.server.0.wait();
    }
}

/// The folder of the newest server that Debian installed.
fn programs() -> anyhow::Result<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").context("no PostgreSQL: run `tools/setup.sh bench`")?;
    let mut folders: Vec<PathBuf> = versions.flatten().map(|version| version.path().join("bin")).collect();
    folders.retain(|folder| folder.join("pgbench").exists());
    folders.sort();
    folders.pop().context("no pgbench below /usr/lib/postgresql: run `tools/setup.sh bench`")
}

/// The server refuses to run as root.
fn as_postgres(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--init-groups", "--"]).arg(program).current_dir("/");
    command
}

pub(super) fn run(command: &mut Command) -> anyhow::Result<()> {
    let output = command.stdin(Stdio::null()).output();
    let output = output.with_context(|| format!("cannot start {}", command.get_program().display()))?;
    ensure!(output.status.success(), "{command:?} failed: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}
