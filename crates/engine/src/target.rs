//! Which process belongs to which target, and when.

use std::sync::Arc;

use hashbrown::HashMap;
use profile::Labels;

/// What a target matches.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TargetKey {
    /// The process with this id.
    Pid(u32),
    /// The processes of this container.
    Container(Arc<str>),
}

/// A target as the engine needs it: what it matches, and the labels that its profiles get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// What it matches.
    pub key: TargetKey,
    /// Its final labels.
    pub labels: Labels,
}

impl Target {
    /// Reads the special labels of a target; `None` when it says neither a process nor a container.
    pub fn from_labels(labels: &Labels) -> Option<Self> {
        let key = key_of(labels)?;
        Some(Self { labels: final_labels(labels, &key), key })
    }
}

fn key_of(labels: &Labels) -> Option<TargetKey> {
    if let Some(pid) = labels.get("__process_pid__").and_then(pid_of) {
        return Some(TargetKey::Pid(pid));
    }
    container_of(labels).map(|id| TargetKey::Container(Arc::from(id)))
}

/// The process that digits name. `parse` would take a sign before them.
fn pid_of(text: &str) -> Option<u32> {
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok().filter(|pid| *pid != 0)
}

/// The container that the labels name. A Kubernetes id carries its runtime as `runtime://`; one of another form than
/// those known ends the search, as upstream does.
fn container_of(labels: &Labels) -> Option<&str> {
    if let Some(id) = labels.get("__container_id__") {
        return Some(id);
    }
    if let Some(id) = labels.get("__meta_kubernetes_pod_container_id") {
        return ["docker://", "containerd://", "cri-o://"].iter().find_map(|runtime| id.strip_prefix(runtime));
    }
    labels.get("__meta_docker_container_id").or_else(|| labels.get("__meta_dockerswarm_task_container_id"))
}

fn final_labels(labels: &Labels, key: &TargetKey) -> Labels {
    let kept = |name: &str| !name.starts_with("__") || name == "__name__" || name == "__container_id__";
    let mut out = labels.filter(kept);
    if out.get("__name__").is_none() {
        out = out.with("__name__", "process_cpu");
    }
    if let TargetKey::Container(id) = key {
        out = out.with("__container_id__", id);
    }
    if out.get("service_name").is_none() {
        out = out.with("service_name", &service_name(labels));
    }
    out
}

fn service_name(labels: &Labels) -> String {
    let get = |name: &str| labels.get(name).map(str::to_owned);
    let kubernetes = || {
        let namespace = labels.get("__meta_kubernetes_namespace")?;
        Some(format!("ebpf/{namespace}/{}", labels.get("__meta_kubernetes_pod_container_name")?))
    };
    get("__meta_kubernetes_pod_annotation_pyroscope_io_service_name")
        .or_else(kubernetes)
        .or_else(|| get("__meta_docker_container_name"))
        .or_else(|| get("__meta_dockerswarm_container_label_service_name"))
        .or_else(|| get("__meta_dockerswarm_service_name"))
        .unwrap_or_else(|| "unspecified".to_owned())
}

/// A change of a session's targets.
#[derive(Clone, Debug)]
pub enum TargetChange {
    /// These are all targets now; for equal keys the last one holds.
    All(Vec<Target>),
    /// These keys lost their targets, then these gained or changed theirs.
    Some {
        /// Keys without a target from now on.
        removed: Vec<TargetKey>,
        /// New or changed targets.
        set: Vec<Target>,
    },
}

/// One target's time at one key.
#[derive(Clone, Debug)]
struct Span {
    /// When it lost the key, in nanoseconds of CLOCK_MONOTONIC; `u64::MAX` while it holds it.
    until: u64,
    labels: Labels,
}

/// The targets of a session, with those that held a key earlier in the current interval.
#[derive(Debug, Default)]
pub(crate) struct Targets {
    spans: HashMap<TargetKey, Vec<Span>>,
    /// Whether any target is a container's, or was lately.
    containers: bool,
    /// When it last changed; what was looked up before may be out of date.
    pub(crate) changed: u64,
}

impl Targets {
    /// Whether any target is a container's, so that processes' containers matter.
    pub(crate) fn has_containers(&self) -> bool {
        self.containers
    }

    /// Applies a change at `now` (CLOCK_MONOTONIC, nanoseconds).
    pub(crate) fn apply(&mut self, change: TargetChange, now: u64) {
        self.changed = now;
        match change {
            TargetChange::Some { removed, set } => {
                for key in removed {
                    self.close(&key, now);
                }
                for target in set {
                    self.set(target, now);
                }
            }
            TargetChange::All(targets) => {
                self.containers = false;
                let mut next: HashMap<TargetKey, Labels> = HashMap::with_capacity(targets.len());
                for target in targets {
                    next.insert(target.key, target.labels);
                }
                let gone: Vec<TargetKey> = self.spans.keys().filter(|key| !next.contains_key(*key)).cloned().collect();
                for key in gone {
                    self.close(&key, now);
                }
                for (key, labels) in next {
                    self.set(Target { key, labels }, now);
                }
            }
        }
    }

    fn close(&mut self, key: &TargetKey, now: u64) {
        if let Some(span) = self.spans.get_mut(key).and_then(|spans| spans.last_mut()).filter(|s| s.until == u64::MAX) {
            span.until = now;
        }
    }

    fn set(&mut self, target: Target, now: u64) {
        self.containers |= matches!(target.key, TargetKey::Container(_));
        let spans = self.spans.entry(target.key).or_default();
        match spans.last_mut() {
            Some(span) if span.until == u64::MAX && span.labels == target.labels => return,
            Some(span) if span.until == u64::MAX => span.until = now,
            _ => {}
        }
        spans.push(Span { until: u64::MAX, labels: target.labels });
    }

    /// How many targets had lost the key by `time`. The next one holds for a sample of that time, even if it came later,
    /// because discovery is always later than the process.
    pub(crate) fn turn(&self, key: &TargetKey, time: u64) -> usize {
        self.spans.get(key).map_or(0, |spans| spans.iter().take_while(|span| span.until <= time).count())
    }

    /// The labels of the target at this turn, if it has come by now. Turns are counted anew after
    /// [`forget`](Self::forget).
    pub(crate) fn at(&self, key: &TargetKey, turn: usize) -> Option<&Labels> {
        self.spans.get(key)?.get(turn).map(|span| &span.labels)
    }

    /// Forgets targets that lost their key before `time`.
    pub(crate) fn forget(&mut self, time: u64) {
        self.spans.retain(|_, spans| {
            spans.retain(|span| span.until > time);
            !spans.is_empty()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().copied().collect()
    }

    #[track_caller]
    fn check(pairs: &[(&str, &str)], expect: &str) {
        let target = Target::from_labels(&labels(pairs));
        let text = target.map_or_else(|| "none".to_owned(), |t| format!("{:?} {}", t.key, t.labels));
        assert_eq!(text, expect);
    }

    #[test]
    fn a_pid_makes_a_pid_target_and_its_container_stays_a_label() {
        check(
            &[("__process_pid__", "12"), ("__container_id__", "abc"), ("env", "prod"), ("__meta_x", "y")],
            r#"Pid(12) {__container_id__="abc", __name__="process_cpu", env="prod", service_name="unspecified"}"#,
        );
    }

    #[test]
    fn without_a_valid_pid_the_container_counts() {
        check(
            &[("__process_pid__", "0"), ("__meta_docker_container_id", "d1"), ("service_name", "s")],
            r#"Container("d1") {__container_id__="d1", __name__="process_cpu", service_name="s"}"#,
        );
        for pid in ["", "x", "+12", "-12", " 12", "12 ", "0x12", "4294967296"] {
            check(&[("__process_pid__", pid)], "none");
        }
    }

    #[test]
    fn a_kubernetes_id_of_an_unknown_runtime_ends_the_search() {
        check(&[("__meta_kubernetes_pod_container_id", "rkt://1"), ("__meta_docker_container_id", "d")], "none");
    }

    #[test]
    fn the_targets_own_name_wins() {
        check(
            &[("__process_pid__", "1"), ("__name__", "custom"), ("__meta_docker_container_name", "/d")],
            r#"Pid(1) {__name__="custom", service_name="/d"}"#,
        );
    }

    #[test]
    fn a_namespace_without_a_container_name_infers_nothing() {
        check(
            &[
                ("__process_pid__", "1"),
                ("__meta_kubernetes_namespace", "ns"),
                ("__meta_dockerswarm_service_name", "w"),
            ],
            r#"Pid(1) {__name__="process_cpu", service_name="w"}"#,
        );
    }

    fn pid(pid: u32, name: &str) -> Target {
        Target { key: TargetKey::Pid(pid), labels: labels(&[("service_name", name)]) }
    }

    fn at(targets: &Targets, key: u32, time: u64) -> Option<&str> {
        let key = TargetKey::Pid(key);
        targets.at(&key, targets.turn(&key, time))?.get("service_name")
    }

    #[test]
    fn a_sample_gets_the_target_of_its_time_until_the_interval_ends() {
        let mut targets = Targets::default();
        targets.apply(TargetChange::Some { removed: vec![], set: vec![pid(7, "old")] }, 100);
        targets.apply(TargetChange::Some { removed: vec![], set: vec![pid(7, "new")] }, 200);
        targets.apply(TargetChange::Some { removed: vec![TargetKey::Pid(7)], set: vec![] }, 300);
        assert_eq!(at(&targets, 7, 50), Some("old"), "the process was there before it was discovered");
        assert_eq!(at(&targets, 7, 250), Some("new"));
        assert_eq!(at(&targets, 7, 350), None);
        targets.forget(200);
        assert_eq!(at(&targets, 7, 50), Some("new"));
        targets.forget(300);
        assert!(targets.spans.is_empty());
    }

    #[test]
    fn for_equal_keys_the_last_target_of_a_list_holds() {
        let mut targets = Targets::default();
        targets.apply(TargetChange::All(vec![pid(7, "a"), pid(8, "b"), pid(7, "c")]), 1);
        assert_eq!((at(&targets, 7, 5), targets.spans.len()), (Some("c"), 2));
        targets.apply(TargetChange::All(vec![pid(8, "b")]), 10);
        assert_eq!((at(&targets, 7, 15), at(&targets, 8, 15)), (None, Some("b")));
    }
}
