//! From `/proc` to labels.

use std::{
    collections::HashSet,
    fs,
    sync::{Arc, LazyLock},
    time::SystemTime,
};

use inspect::{Facts, Missing, Proc, ProcessKey, Wanted, cgroup, users::Users};
use profile::Labels;

use super::DiscoverConfig;
use crate::metrics::{Counter, Scope};

const PASSWD: &str = "/etc/passwd";

/// Reads processes as a configuration wants them.
pub(super) struct Reader {
    proc: Proc,
    config: DiscoverConfig,
    wanted: Wanted,
    passwd: Passwd,
    skipped: Skipped,
}

/// The names of labels, made once.
struct Names {
    pid: Arc<str>,
    exe: Arc<str>,
    cwd: Arc<str>,
    commandline: Arc<str>,
    username: Arc<str>,
    uid: Arc<str>,
    cgroup_path: Arc<str>,
    container_id: Arc<str>,
}

static NAMES: LazyLock<Names> = LazyLock::new(|| Names {
    pid: "__process_pid__".into(),
    exe: "__meta_process_exe".into(),
    cwd: "__meta_process_cwd".into(),
    commandline: "__meta_process_commandline".into(),
    username: "__meta_process_username".into(),
    uid: "__meta_process_uid".into(),
    cgroup_path: "__meta_process_cgroup_path".into(),
    container_id: "__container_id__".into(),
});

impl Reader {
    /// Opens `/proc`.
    pub(super) fn open(id: &str, scope: &Scope) -> Result<Self, Missing> {
        Ok(Self {
            proc: Proc::open()?,
            config: DiscoverConfig::default(),
            wanted: DiscoverConfig::default().wanted(),
            passwd: Passwd::default(),
            skipped: Skipped::new(id, scope),
        })
    }

    /// What to read from now on.
    pub(super) fn configure(&mut self, config: &DiscoverConfig) {
        self.config = config.clone();
        self.wanted = config.wanted();
    }

    /// Whether the numbers that the kernel gives processes are those of this `/proc`.
    pub(super) fn shares_numbers(&self) -> bool {
        use inspect::namespace::Visibility;
        matches!(self.proc.visibility(), Visibility::Host | Visibility::Unknown)
    }

    /// The ids of all processes, sorted, to be read now.
    pub(super) fn processes(&mut self) -> Result<Vec<u32>, Missing> {
        if self.config.username {
            self.passwd.refresh();
        }
        let mut pids = self.proc.processes()?;
        pids.sort_unstable();
        Ok(pids)
    }

    /// How many processes could not be read so far, other than those that were gone.
    pub(super) fn skipped(&self) -> u64 {
        self.skipped.denied.get() + self.skipped.failed.get()
    }

    /// A process's labels. `None` for one that is gone, that is a kernel thread when those are not wanted, or that could not
    /// be read, which is counted.
    pub(super) fn read(&mut self, pid: u32) -> Option<(ProcessKey, Labels)> {
        let facts = self.proc.facts(pid, self.wanted);
        match facts.and_then(|facts| Ok((facts.key, self.labels(&facts)?))) {
            Ok(found) => Some(found),
            Err(missing) => {
                self.skipped.note(pid, missing);
                None
            }
        }
    }

    fn labels(&mut self, facts: &Facts) -> Result<Labels, Missing> {
        let names = &*NAMES;
        let mut pairs: Vec<(Arc<str>, Arc<str>)> = Vec::with_capacity(8);
        pairs.push((names.pid.clone(), facts.key.tgid.to_string().into()));
        if self.config.exe {
            pairs.push((names.exe.clone(), wanted(&facts.exe)?.to_string_lossy().into()));
        }
        if self.config.cwd {
            pairs.push((names.cwd.clone(), wanted(&facts.cwd)?.to_string_lossy().into()));
        }
        if self.config.commandline {
            pairs.push((names.commandline.clone(), wanted(&facts.command_line)?.as_str().into()));
        }
        if self.config.container_id || self.config.cgroup_path {
            let text = wanted(&facts.cgroup)?;
            if let Some(id) = cgroup::container_id(text).filter(|_| self.config.container_id) {
                pairs.push((names.container_id.clone(), id.into()));
            }
            if self.config.cgroup_path {
                pairs.push((names.cgroup_path.clone(), cgroup::joined(text).into()));
            }
        }
        // A process without a user has fewer labels, but is one.
        if let Ok(uid) = facts.real_uid {
            if self.config.uid {
                pairs.push((names.uid.clone(), uid.to_string().into()));
            }
            if let Some(name) = self.config.username.then(|| self.passwd.name(uid)).flatten() {
                pairs.push((names.username.clone(), name));
            }
        }
        Ok(pairs.into_iter().collect())
    }
}

fn wanted<T>(fact: &Result<T, Missing>) -> Result<&T, Missing> {
    fact.as_ref().map_err(|missing| *missing)
}

/// Names of users; whether the file changed is looked at for every scan and for a name that lacks.
#[derive(Default)]
struct Passwd {
    users: Users,
    modified: Option<SystemTime>,
}

impl Passwd {
    fn name(&mut self, uid: u32) -> Option<Arc<str>> {
        if self.users.name(uid).is_none() {
            self.refresh();
        }
        self.users.name(uid).map(Arc::from)
    }

    fn refresh(&mut self) {
        let modified = fs::metadata(PASSWD).and_then(|file| file.modified()).ok();
        if modified != self.modified {
            self.modified = modified;
            self.users = fs::read(PASSWD).map(|text| Users::parse(&text)).unwrap_or_default();
        }
    }
}

/// Processes that could not be read. Each reason is logged once.
struct Skipped {
    id: String,
    denied: Counter,
    failed: Counter,
    logged: HashSet<&'static str>,
}

impl Skipped {
    fn new(id: &str, scope: &Scope) -> Self {
        let help =
            "Processes that discovery.process left out of a reading because the kernel did not let it read them.";
        let counter = |reason| scope.counter("pyrope_discovery_process_skipped_total", help, &[("reason", reason)]);
        Self { id: id.to_owned(), denied: counter("denied"), failed: counter("failed"), logged: HashSet::new() }
    }

    fn note(&mut self, pid: u32, missing: Missing) {
        let (reason, counter) = match missing {
            // Normal: it ended while it was read, or is none that is wanted.
            Missing::Gone | Missing::KernelThread => return,
            Missing::Denied => ("denied", &self.denied),
            _ => ("failed", &self.failed),
        };
        counter.add(1);
        if self.logged.insert(reason) {
            let message = match missing {
                Missing::Denied => {
                    "a process is left out, for its facts may not be read; run as root or grant CAP_SYS_PTRACE and \
                     CAP_DAC_READ_SEARCH (said once)"
                }
                _ => "a process is left out, for its facts could not be read (said once)",
            };
            tracing::warn!(component_id = self.id, pid, err = %missing, "{message}");
        }
    }
}
