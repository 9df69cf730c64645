//! Targets of containers, and which processes they are about.

use std::collections::HashMap;

use profile::Labels;

use crate::targets::TargetList;

/// The targets that processes are joined with.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Externals {
    /// Those that name no container, in order.
    pub(super) others: Vec<Labels>,
    /// Those that name one, by the first appearance of the container; of several for one the last counts.
    pub(super) containers: Vec<Labels>,
    by_id: HashMap<String, usize>,
}

impl Externals {
    pub(super) fn new(targets: &TargetList) -> Self {
        let mut externals = Self::default();
        for (_, labels) in targets.iter() {
            match container_of(labels) {
                None => externals.others.push(labels.clone()),
                Some(id) => match externals.by_id.get(id) {
                    Some(at) => externals.containers[*at] = labels.clone(),
                    None => {
                        externals.by_id.insert(id.to_owned(), externals.containers.len());
                        externals.containers.push(labels.clone());
                    }
                },
            }
        }
        externals
    }

    /// A process's labels with those of its container over them.
    pub(super) fn joined(&self, process: &Labels) -> Labels {
        let container = container_of(process).and_then(|id| self.by_id.get(id));
        match container.and_then(|at| self.containers.get(*at)) {
            None => process.clone(),
            Some(container) => process.iter().chain(container.iter()).collect(),
        }
    }
}

/// The container that labels name. Kubernetes writes its runtime in front; an id of a runtime that is not known ends the
/// search, as it always has.
fn container_of(labels: &Labels) -> Option<&str> {
    if let Some(id) = labels.get("__container_id__") {
        return Some(id);
    }
    if let Some(id) = labels.get("__meta_kubernetes_pod_container_id") {
        return ["docker://", "containerd://", "cri-o://"].iter().find_map(|runtime| id.strip_prefix(runtime));
    }
    labels.get("__meta_docker_container_id")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(text: &str) -> Labels {
        text.split_whitespace().filter_map(|pair| pair.split_once('=')).collect()
    }

    fn externals(targets: &[&str]) -> Externals {
        Externals::new(&targets.iter().map(|target| labels(target)).collect())
    }

    #[track_caller]
    fn check(external: &str, process: &str, expect: &str) {
        assert_eq!(externals(&[external]).joined(&labels(process)).to_string(), expect);
    }

    #[test]
    fn a_process_gets_the_labels_of_its_container() {
        let process = "__process_pid__=1 __container_id__=abc exe=x";
        let merged = r#"{__container_id__="abc", __meta_docker_container_id="abc", __process_pid__="1", exe="y"}"#;
        check("__meta_docker_container_id=abc exe=y", process, merged);
        let alone = r#"{__container_id__="abc", __process_pid__="1", exe="x"}"#;
        check("__meta_docker_container_id=other exe=y", process, alone);
        check("exe=y", process, alone);
        check("__container_id__=abc exe=y", "__process_pid__=1", r#"{__process_pid__="1"}"#);
    }

    #[test]
    fn an_id_of_kubernetes_carries_its_runtime() {
        #[track_caller]
        fn check(id: &str, expect: Option<&str>) {
            let all = labels(&format!("__meta_kubernetes_pod_container_id={id} __meta_docker_container_id=d"));
            assert_eq!(container_of(&all), expect);
        }
        check("containerd://abc", Some("abc"));
        check("docker://abc", Some("abc"));
        check("cri-o://abc", Some("abc"));
        check("rkt://abc", None);
        check("abc", None);
        assert_eq!(container_of(&labels("__meta_docker_container_id=d")), Some("d"));
        assert_eq!(container_of(&labels("__container_id__=c __meta_docker_container_id=d")), Some("c"));
    }

    #[test]
    fn of_several_targets_of_a_container_the_last_counts() {
        let all = externals(&["__container_id__=a port=1", "x=1", "__container_id__=b", "__container_id__=a port=2"]);
        assert_eq!(all.others, [labels("x=1")]);
        assert_eq!(all.containers, [labels("__container_id__=a port=2"), labels("__container_id__=b")]);
    }
}
