//! The components, a module each, in one static table.
//!
//! ```text
//!  discovery.process ─targets─▶ discovery.relabel ─targets─▶ pyroscope.ebpf ─profiles─▶ pyroscope.relabel ─▶ pyroscope.write ─▶ server
//!        ▲ process events                                        │ sessions                              └▶ pyrope.store ─▶ disk
//!        └──────────────────────── engine ◀──────────────────────┘
//! ```
//!
//! Invariants: nothing else knows both the graph and the engine. Names, arguments, defaults, labels, metrics and messages are
//! upstream's where upstream has the component. What a component shares with the rest of the process comes through the
//! graph's services: [`profiler::Profiler`], [`metrics::Metrics`], [`store::Stores`], [`ebpf::Sessions`],
//! [`ebpf::Verbose`], [`write::EndpointStatuses`].
//!
//! Start at [`COMPONENTS`]. Tested beside the code, against real processes and the Go peer of `e2e/peer`, and as a whole in
//! `e2e`.
#![forbid(unsafe_code)]

pub mod relabel;
pub mod targets;

pub mod debuginfod;
pub mod http_client;
pub mod metrics;
pub mod profiler;
pub mod receiver;

pub mod discovery;
pub mod ebpf;
pub mod profiles_relabel;
pub mod store;
pub mod write;

use graph::{Define, Definition};

/// Every kind of component there is, by name.
pub static COMPONENTS: &[&dyn Definition] = &[
    &Define::<discovery::process::DiscoveryProcess>::NEW,
    &Define::<discovery::relabel::DiscoveryRelabel>::NEW,
    &Define::<store::PyropeStore>::NEW,
    &Define::<ebpf::PyroscopeEbpf>::NEW,
    &Define::<profiles_relabel::PyroscopeRelabel>::NEW,
    &Define::<write::PyroscopeWrite>::NEW,
];

#[cfg(test)]
mod tests {
    use lang::decode::{FieldKind, Schema};

    fn secrets(schema: &'static Schema, found: &mut Vec<&'static str>) {
        for field in schema.flat() {
            match field.kind {
                FieldKind::Attribute(shape) if shape.is_secret() => found.push(field.name),
                FieldKind::Block { schema: Some(schema), .. } => secrets(schema(), found),
                _ => {}
            }
        }
    }

    #[test]
    fn every_secret_argument_is_a_secret_in_excerpts_too() {
        let mut found = Vec::new();
        super::COMPONENTS.iter().for_each(|component| secrets(component.schema(), &mut found));
        assert!(found.len() > 5 && found.contains(&"http_headers"), "{found:?}");
        let shown: Vec<_> = found.into_iter().filter(|name| !lang::secrets::is_secret_name(name)).collect();
        assert_eq!(shown, [""; 0]);
    }
}
