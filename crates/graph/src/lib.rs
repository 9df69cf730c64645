//! Configuration in, running components out, wired by what they export.
#![forbid(unsafe_code)]

mod component;
mod define;

mod context;
mod services;
mod updates;

mod health;
mod id;

mod blocks;
mod check;
mod plan;
mod sources;

mod cell;
mod same;

mod controller;
mod inputs;
mod snapshot;
mod task;
mod validate;

pub use self::{
    blocks::{Blocks, LogFormat, LogLevel, Logging},
    check::Decoder,
    component::{Component, NoExports, RunError, Stability},
    context::{Context, Seat},
    controller::{Applied, Controller, Difference, Outcome, Settings},
    define::{Arguments, Define, Definition, Started},
    health::{Health, State},
    id::ComponentId,
    plan::Vocabulary,
    services::Services,
    snapshot::{ComponentView, Shown, Snapshot},
    sources::{ReadError, read_sources},
    updates::Updates,
    validate::validate,
};
