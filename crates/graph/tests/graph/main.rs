//! The graph from outside, with components made for the purpose.

mod components;
mod failures;
mod laws;
mod plan;
mod propagation;
mod reload;
mod shutdown;
mod snapshot;
mod stage;
mod validate;
