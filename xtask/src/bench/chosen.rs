//! A configuration that profiles some programs alone, so that the ends of walks are of their samples.

use std::time::Duration;

/// Of processes whose program's path matches; all are one service, `chosen`, in the agent's own store.
pub(super) fn configuration(paths: &str, rate: f64, interval: Duration) -> String {
    format!(
        r#"
        discovery.process "all" {{ }}
        discovery.relabel "chosen" {{
            targets = discovery.process.all.targets
            rule {{
                source_labels = ["__meta_process_exe"]
                regex         = "{paths}"
                action        = "keep"
            }}
            rule {{
                target_label = "service_name"
                replacement  = "chosen"
            }}
        }}
        pyroscope.ebpf "chosen" {{
            targets          = discovery.relabel.chosen.output
            forward_to       = [pyrope.store.local.receiver]
            sample_rate      = {rate}
            collect_interval = "{}s"
        }}
        pyrope.store "local" {{ }}
        "#,
        interval.as_secs(),
    )
}
