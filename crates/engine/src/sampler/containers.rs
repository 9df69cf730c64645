//! Which container a process is in.

use std::path::PathBuf;
use std::sync::Arc;

use inspect::{Proc, ProcessKey, cgroup, proc::Wanted};

use crate::cache::{Cache, CacheLimits, Lru};

/// A container, or that there is none.
pub(super) type Container = Option<Arc<str>>;

/// What `/proc` says, and what it said of others in the same cgroup.
pub(super) struct Containers {
    proc: Option<Proc>,
    /// Where the cgroups of version 2 are mounted.
    mount: PathBuf,
    /// Containers by cgroup, for processes that are gone before they could be asked. Cgroup 1 is the root, which every
    /// process is in where only version 1 hierarchies are used.
    by_cgroup: Lru<u64, Container>,
}

impl Containers {
    pub(super) fn new(caches: CacheLimits) -> Self {
        Self::at(Proc::open().ok(), "/sys/fs/cgroup".into(), caches)
    }

    fn at(proc: Option<Proc>, mount: PathBuf, caches: CacheLimits) -> Self {
        Self { proc, mount, by_cgroup: Lru::new(Cache::ContainerId, caches) }
    }

    /// The container of a process whose sample was taken in this cgroup; `None` if nobody can say.
    pub(super) fn find(&mut self, process: ProcessKey, cgroup: u64) -> Option<Container> {
        let known = if cgroup > 1 { self.by_cgroup.get(&cgroup).cloned() } else { None };
        let Some(text) = self.cgroup_text(process) else { return known };
        let container: Container = cgroup::container_id(&text).map(Arc::from);
        // Who starts a container does so from a cgroup of its own, and may have moved since the sample was taken.
        let is_news = cgroup > 1 && known.as_ref() != Some(&container);
        if is_news && self.cgroup_id(&text) == Some(cgroup) {
            self.by_cgroup.insert(cgroup, container.clone());
        }
        Some(container)
    }

    /// Where the process is now; none of one that took over its id.
    fn cgroup_text(&mut self, process: ProcessKey) -> Option<String> {
        let facts = self.proc.as_mut()?.facts(process.tgid, Wanted::CGROUP).ok()?;
        if facts.key == process { facts.cgroup.ok() } else { None }
    }

    /// The kernel's id of the cgroup that the text names: the inode of its folder.
    fn cgroup_id(&self, text: &str) -> Option<u64> {
        let line = cgroup::lines(text).find(|line| line.controllers.is_empty())?;
        let folder = self.mount.join(line.path.trim_start_matches('/'));
        rustix::fs::stat(&folder).ok().map(|stat| stat.st_ino)
    }

    /// Forgets all cgroups.
    pub(super) fn clear(&mut self) {
        self.by_cgroup.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::MetadataExt as _;

    use tempfile::TempDir;

    use super::*;
    use crate::cache::CacheSizes;

    const ID: &str = "8fc9a2c0d3f64b6de75b4bf7e8d5e4a3c1b09f8e7d6c5b4a39281706f5e4d3c2";
    const SERVICE: &str = "/system.slice/containerd.service";

    /// A host with the cgroups of one service and one container.
    struct Host(TempDir);

    impl Host {
        fn new() -> Self {
            let host = Self(tempfile::tempdir().unwrap());
            for folder in [SERVICE, &scope()] {
                fs::create_dir_all(host.folder(folder)).unwrap();
            }
            host
        }

        fn containers(&self) -> Containers {
            fs::create_dir_all(self.0.path().join("proc")).unwrap();
            let proc = Proc::open_at(&self.0.path().join("proc")).ok();
            Containers::at(proc, self.0.path().join("cgroup"), CacheLimits::default())
        }

        fn folder(&self, path: &str) -> PathBuf {
            self.0.path().join("cgroup").join(&path[1..])
        }

        fn id(&self, path: &str) -> u64 {
            fs::metadata(self.folder(path)).unwrap().ino()
        }

        /// Process 7, which is in this cgroup now.
        fn runs(&self, start_time: u64, path: &str) -> ProcessKey {
            let folder = self.0.path().join("proc/7");
            fs::create_dir_all(&folder).unwrap();
            let stat = format!("7 (runc) S 1 7 7 0 -1 4194560 1 0 0 0 7 3 0 0 20 0 1 0 {start_time} 1000 500 1 1 1 0");
            fs::write(folder.join("stat"), stat).unwrap();
            fs::write(folder.join("cgroup"), format!("0::{path}\n")).unwrap();
            ProcessKey { tgid: 7, start_time }
        }
    }

    /// The cgroup of the container.
    fn scope() -> String {
        format!("/system.slice/docker-{ID}.scope")
    }

    /// A process that nothing is left of.
    fn gone() -> ProcessKey {
        ProcessKey { tgid: 8, start_time: 1 }
    }

    fn some(id: &str) -> Option<Container> {
        Some(Some(Arc::from(id)))
    }

    #[test]
    fn a_process_that_is_gone_was_in_the_container_of_its_cgroup() {
        let host = Host::new();
        let mut containers = host.containers();
        assert_eq!(containers.find(gone(), host.id(&scope())), None);
        assert_eq!(containers.find(host.runs(5, &scope()), host.id(&scope())), some(ID));
        assert_eq!(containers.find(gone(), host.id(&scope())), some(ID));
        assert_eq!(containers.find(host.runs(5, SERVICE), host.id(SERVICE)), Some(None));
        assert_eq!(containers.find(gone(), host.id(SERVICE)), Some(None));
    }

    #[test]
    fn of_too_many_cgroups_the_one_that_was_not_asked_for_longest_is_forgotten() {
        let host = Host::new();
        let mut containers = host.containers();
        let limits = CacheLimits::default();
        limits.set(CacheSizes([1; 4]));
        containers.by_cgroup = Lru::new(Cache::ContainerId, limits.clone());
        assert_eq!(containers.find(host.runs(5, &scope()), host.id(&scope())), some(ID));
        assert_eq!(containers.find(host.runs(5, SERVICE), host.id(SERVICE)), Some(None));
        assert_eq!(containers.find(gone(), host.id(SERVICE)), Some(None));
        assert_eq!(containers.find(gone(), host.id(&scope())), None);
        let cache = Cache::ContainerId;
        assert_eq!([limits.hits(cache), limits.misses(cache), limits.evictions(cache)], [1, 3, 1]);
    }

    #[test]
    fn a_process_that_moved_into_a_container_after_its_sample_says_nothing_of_where_it_was() {
        let host = Host::new();
        let mut containers = host.containers();
        let runc = host.runs(5, &scope());
        assert_eq!(containers.find(runc, host.id(SERVICE)), some(ID));
        assert_eq!(containers.find(gone(), host.id(SERVICE)), None);
    }

    #[test]
    fn a_process_that_took_over_the_id_of_another_does_not_speak_for_it() {
        let host = Host::new();
        let mut containers = host.containers();
        let first = ProcessKey { tgid: 7, start_time: 5 };
        host.runs(6, &scope());
        assert_eq!(containers.find(first, host.id(SERVICE)), None);
    }
}
