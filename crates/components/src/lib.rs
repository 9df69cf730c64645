//! Not written yet.
#![forbid(unsafe_code)]

pub mod metrics;
pub mod receiver;
