//! The Pyroscope API as messages: upload (`push.v1`), queries (`querier.v1`), what they share (`types.v1`), and pprof
//! (`google.v1`).
//!
//! ```text
//!  proto/*.proto ──build.rs──▶ messages and service traits ──▶ web implements querier::QuerierService
//!  labels + pprof bytes ──push::request──▶ body of a Push ──▶ components sends it
//! ```
//!
//! Invariants: the `.proto` files are ours and hold the fields that are used, with the numbers of the API; no protoc is
//! needed to build. Deliberately absent: sockets, retries, and what the answers mean.
//!
//! Start at [`push`]; the generated code is what the `.proto` files say. Tested beside the code; the
//! generated clients and servers of the API itself talk to both sides in `e2e`.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod push;

#[allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::allow_attributes_without_reason,
    reason = "generated from proto/"
)]
mod generated {
    connectrpc::include_generated!();
}

/// `querier.v1`: requests and responses of queries, and the trait that answers them.
pub mod querier {
    pub use super::generated::querier::v1::*;
}

/// `types.v1`: labels, profile types and points.
pub mod types {
    pub use super::generated::types::v1::*;
}

/// `push.v1`: the messages of an upload.
pub mod upload {
    pub use super::generated::push::v1::*;
}

/// `google.v1`: pprof. Profiles are written by the crate `profile`; these are for JSON.
pub mod pprof {
    pub use super::generated::google::v1::*;
}
