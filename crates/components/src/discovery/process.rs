//! `discovery.process`.
