//! Not written yet.
#![forbid(unsafe_code)]

pub mod discovery;
pub mod ebpf;
pub mod http_client;
pub mod metrics;
pub mod profiler;
pub mod profiles_relabel;
pub mod receiver;
pub mod relabel;
pub mod store;
pub mod targets;
pub mod write;
