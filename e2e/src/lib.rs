//! End-to-end tests: the real binary on the running kernel, real programs under it, and a real Pyroscope API behind it.
//!
//! ```text
//!  Workload (built by e2e/workloads) ◀─samples─ Agent (target/…/pyrope) ──push──▶ Peer (e2e/peer, in Go) ──▶ pushes.jsonl
//!                                                 └── page, query API, metrics ◀── http::get, `peer query`
//! ```
//!
//! The tests need root, and what `make test-e2e` builds first. Each agent has a folder and a port of its own. Waits are for a
//! condition, with a deadline. Everything started is ended by its pid when its handle drops.

#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

pub mod agent;
pub mod fuse;
pub mod group;
pub mod http;
pub mod labels;
pub mod peer;
pub mod wait;
pub mod watch;
pub mod workload;

use std::path::{Path, PathBuf};

pub use agent::Agent;
pub use peer::Peer;
pub use watch::Watch;
pub use workload::Workload;

/// The repository's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// A file that the Makefile builds: the variable, or its usual place below the target folder.
pub fn built(variable: &str, usual: &str) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    let path = std::env::var_os(variable).map_or_else(|| target.join(usual), PathBuf::from);
    assert!(path.exists(), "{} is not there: run `make test-e2e`, or set {variable}", path.display());
    path
}

/// A configuration that profiles the programs whose path matches `program` and pushes to `url`; each is a service by its
/// file name. `ebpf` holds more arguments of `pyroscope.ebpf`.
pub fn configuration(program: &str, url: &str, ebpf: &str) -> String {
    format!(
        r#"
        discovery.process "all" {{ }}
        discovery.relabel "chosen" {{
            targets = discovery.process.all.targets
            rule {{
                source_labels = ["__meta_process_exe"]
                regex         = "{program}"
                action        = "keep"
            }}
            rule {{
                source_labels = ["__meta_process_exe"]
                regex         = "(?:.*/)?([^/]+?)(?: \\(deleted\\))?"
                target_label  = "service_name"
            }}
        }}
        pyroscope.ebpf "chosen" {{
            targets    = discovery.relabel.chosen.output
            forward_to = [pyroscope.write.peer.receiver]
            {ebpf}
        }}
        pyroscope.write "peer" {{
            endpoint {{
                url = "{url}"
            }}
        }}
        "#
    )
}
