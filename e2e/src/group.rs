//! Control groups that tests make, of either version.

use std::fs;
use std::path::{Path, PathBuf};

use crate::wait::until;

/// What a group is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// CPU time in a tenth of a second, in microseconds.
    Cpu(u32),
    /// Its processes can be stopped and let go on.
    Freezer,
    /// The same by version 2, which has it everywhere.
    Freezer2,
}

/// A group; it goes when this drops, after its processes.
pub struct Group {
    folder: PathBuf,
    limit: Limit,
}

impl Group {
    /// Makes one. A system has it by version 1 or by version 2; that it has it by neither fails.
    pub fn new(name: &str, limit: Limit) -> Self {
        let named = |parent: &Path| parent.join(format!("pyrope-{name}-{}", std::process::id()));
        let group = |folder: PathBuf| {
            fs::create_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
            Self { folder, limit }
        };
        let two = mount_of("cgroup2", "");
        match limit {
            Limit::Cpu(micros) => {
                if let Some(parent) = mount_of("cgroup", "cpu") {
                    let made = group(named(&parent));
                    made.write("cpu.cfs_period_us", "100000");
                    made.write("cpu.cfs_quota_us", &micros.to_string());
                    return made;
                }
                let parent = two.expect("cgroups are mounted");
                fs::write(parent.join("cgroup.subtree_control"), "+cpu").expect("version 2 can limit CPU time");
                let made = group(named(&parent));
                made.write("cpu.max", &format!("{micros} 100000"));
                made
            }
            Limit::Freezer => match mount_of("cgroup", "freezer") {
                Some(parent) => group(named(&parent)),
                None => Self::new(name, Limit::Freezer2),
            },
            Limit::Freezer2 => group(named(&two.expect("version 2 is mounted"))),
        }
    }

    /// The file that takes the ids of its processes.
    pub fn processes(&self) -> PathBuf {
        self.folder.join("cgroup.procs")
    }

    /// Puts a process into it.
    pub fn take(&self, pid: u32) {
        self.write("cgroup.procs", &pid.to_string());
    }

    /// Puts a process where all are that nobody put anywhere.
    pub fn let_go(&self, pid: u32) {
        let parent = self.folder.parent().unwrap();
        fs::write(parent.join("cgroup.procs"), pid.to_string()).unwrap();
    }

    /// Stops its processes, or lets them go on, and returns when that is so.
    pub fn freeze(&self, frozen: bool) {
        let number = |frozen| if frozen { "1" } else { "0" };
        if self.limit == Limit::Freezer2 {
            self.write("cgroup.freeze", number(frozen));
            let line = format!("frozen {}\n", number(frozen));
            until("the group is frozen, or is not", 20, || self.read("cgroup.events").contains(&line).then_some(()));
        } else {
            let state = if frozen { "FROZEN" } else { "THAWED" };
            self.write("freezer.state", state);
            until(state, 20, || (self.read("freezer.state").trim() == state).then_some(()));
        }
    }

    /// How often its processes had to wait for CPU time.
    pub fn waited(&self) -> u64 {
        let text = self.read("cpu.stat");
        let line = text.lines().find_map(|line| line.strip_prefix("nr_throttled "));
        line.unwrap().parse().unwrap()
    }

    fn write(&self, file: &str, text: &str) {
        let file = self.folder.join(file);
        fs::write(&file, text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.folder.join(file)).unwrap()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // A process that was killed is in its group for a moment longer.
            until("the group is empty", 20, || fs::remove_dir(&self.folder).ok());
        }
    }
}

/// Where a hierarchy is mounted: by its file system, and an option that it has.
fn mount_of(kind: &str, option: &str) -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/mounts").unwrap();
    mounts.lines().find_map(|line| {
        let mut fields = line.split(' ').skip(1);
        let (place, found, options) = (fields.next()?, fields.next()?, fields.next()?);
        let has = option.is_empty() || options.split(',').any(|other| other == option);
        (found == kind && has).then(|| PathBuf::from(place))
    })
}
