//! The HTTP side: control and metrics, the Pyroscope query API over the embedded store, and the page.
//!
//! ```text
//!  TcpListener ──▶ thread "web" ──▶ access ──┬─▶ control   /-/ready /-/healthy /-/reload /metrics /api/v0/agent/status
//!  (connections)   (one runtime)  (who may)  ├─▶ api       /querier.v1.QuerierService/* ──▶ queue ──▶ store
//!                                            └─▶ assets    / and the page's files, packed at build time
//! ```
//!
//! Invariants:
//!
//! - The server has its own thread and runtime, so that it answers when everything else is stuck. What takes long runs on
//!   blocking threads beside it, and queries leave some of these to the rest.
//! - What requests take is bounded: connections, queries that run and that wait, the size of what one asks for.
//! - On an address that is not loopback, nothing but readiness, health and metrics answers unless a token or a
//!   password guards the rest or the operator said that none is needed.
//! - On loopback, a request must name localhost or an IP address as its host: a page elsewhere cannot reach the agent
//!   through a DNS name of its own.
//! - What it serves comes through [`Backend`] alone; it knows no component.
//!
//! Deliberately absent: TLS, several listeners, upload.
//!
//! Start at [`serve`](fn@serve) and [`router`](fn@router). Tested by requests through the router in `tests/`; the clients that Pyroscope
//! generates talk to the real binary in `e2e`.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod access;
pub mod api;
mod assets;
pub mod backend;
mod connections;
mod control;
mod exposition;
pub mod serve;
mod status;

pub use access::Access;
pub use backend::{Backend, Reload};
pub use serve::{Server, router, serve};
