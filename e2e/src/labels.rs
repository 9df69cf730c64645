//! Which labels a target's profiles have when they reach the server: a real process, sampled and pushed.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::peer::label;
use crate::wait::until;
use crate::{Agent, Peer, Workload};

/// The distinct label sets that arrive for one target, whose value `<pid>` stands for a busy process, behind these
/// external labels. Labels that tell the agent that made a profile (`otel.scope.*`) are left out.
pub fn series(target: &Map<String, Value>, external: &Map<String, Value>) -> BTreeSet<BTreeMap<String, String>> {
    let workload = Workload::start("c-recurse", &["--seconds", "60"]);
    let pid = workload.pid().to_string();
    let peer = Peer::serve(&["--limits", "off"]);
    let configuration = format!(
        r#"
        pyroscope.ebpf "case" {{
            targets          = [{}]
            forward_to       = [pyroscope.write.case.receiver]
            collect_interval = "500ms"
        }}
        pyroscope.write "case" {{
            external_labels = {}
            endpoint {{
                url = "{}"
            }}
        }}
        "#,
        object(target, &pid),
        object(external, &pid),
        peer.url,
    );
    let agent = Agent::run(&configuration);
    until("a profile arrives", 20, || (!peer.recorded("profile").is_empty()).then_some(()));
    drop(agent);
    let names = |profile: &Value| -> BTreeMap<String, String> {
        let labels = profile["labels"].as_object().into_iter().flatten();
        let kept = labels.filter(|(name, _)| !name.starts_with("otel.scope."));
        kept.filter_map(|(name, _)| Some((name.clone(), label(profile, name)?.to_owned()))).collect()
    };
    peer.recorded("profile").iter().map(names).collect()
}

/// An object in the configuration language. Its quoted keys have no escapes.
fn object(fields: &Map<String, Value>, pid: &str) -> String {
    let field = |(name, value): (&String, &Value)| {
        let value = if value == "<pid>" { Value::from(pid) } else { value.clone() };
        format!("\"{name}\" = {value}")
    };
    format!("{{{}}}", fields.iter().map(field).collect::<Vec<_>>().join(", "))
}
