//! The arguments of `discovery.process`.

use std::time::Duration;

use inspect::Wanted;
use lang::decode::FromBlock;

use crate::targets::TargetsArg;

/// Finds the processes of this host.
#[derive(Debug, FromBlock)]
#[block(validate = Arguments::validate)]
pub struct Arguments {
    /// Targets of containers, whose labels the processes in them get.
    #[attr(optional)]
    pub join: Option<TargetsArg>,
    /// How often all of `/proc` is read.
    #[attr(default = "60s")]
    pub refresh_interval: Duration,
    /// Which facts to read. Each costs a few system calls for each process.
    #[block(optional)]
    pub discover_config: DiscoverConfig,
}

/// Which labels a process gets.
#[derive(Clone, Debug, PartialEq, Eq, FromBlock)]
pub struct DiscoverConfig {
    /// `__meta_process_cwd`: its working directory.
    #[attr(default = true)]
    pub cwd: bool,
    /// `__meta_process_exe`: the path of its executable. While it is asked for, kernel threads are left out.
    #[attr(default = true)]
    pub exe: bool,
    /// `__meta_process_commandline`: its arguments, joined by spaces.
    #[attr(default = true)]
    pub commandline: bool,
    /// `__meta_process_username`: the name of the user who started it, where this host has one for the number.
    #[attr(default = false)]
    pub username: bool,
    /// `__meta_process_uid`: the number of the user who started it.
    #[attr(default = false)]
    pub uid: bool,
    /// `__meta_process_cgroup_path`: the lines of its cgroup file, joined by `|`.
    #[attr(default = false)]
    pub cgroup_path: bool,
    /// `__container_id__`: the container it is in, if any.
    #[attr(default = true)]
    pub container_id: bool,
}

impl Default for DiscoverConfig {
    fn default() -> Self {
        Self {
            cwd: true,
            exe: true,
            commandline: true,
            username: false,
            uid: false,
            cgroup_path: false,
            container_id: true,
        }
    }
}

impl Arguments {
    fn validate(&mut self) -> Result<(), String> {
        if self.refresh_interval.is_zero() {
            return Err("refresh_interval must be greater than 0".to_owned());
        }
        Ok(())
    }
}

impl DiscoverConfig {
    /// The facts behind the labels.
    pub(super) fn wanted(&self) -> Wanted {
        [
            (self.exe, Wanted::EXE),
            (self.cwd, Wanted::CWD),
            (self.commandline, Wanted::COMMAND_LINE),
            (self.username || self.uid, Wanted::USER),
            (self.container_id || self.cgroup_path, Wanted::CGROUP),
        ]
        .into_iter()
        .filter_map(|(asked, fact)| asked.then_some(fact))
        .fold(Wanted::BASE, |all, fact| all | fact)
    }
}
