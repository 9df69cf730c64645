//! Configuration in, running components out, wired by what they export.
#![forbid(unsafe_code)]

mod component;
mod define;

mod context;
mod services;
mod updates;

mod health;
mod id;

mod cell;
mod same;

pub use self::{
    component::{Component, NoExports, RunError, Stability},
    context::{Context, Seat},
    define::{Arguments, Define, Definition, Started},
    health::{Health, State},
    id::ComponentId,
    services::Services,
    updates::Updates,
};
