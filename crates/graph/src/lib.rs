//! Configuration in, running components out, wired by what they export.
//!
//! ```text
//! files ──sources──▶ text ──plan──▶ Plan: who is there, who refers to whom, in which order
//!                                     │ controller::load: what is gone stops, the rest is evaluated and starts
//!                                     ▼
//!    ┌────────────────────── Slot per component ──────────────────────┐
//!    │ Inputs ──definition.decode──▶ Arguments ──Updates──▶ run(args, cx) │ a task each
//!    └──────▲──────────────────────────────────────────────────┬──────┘
//!           │ controller::propagate                            │ cx.export, cx.health
//!           └─────────────── Changes ◀────────── Cell ◀────────┘
//! ```
//!
//! A kind of component is a [`Component`]; a static table of [`Definition`]s says which there are. A [`Controller`]
//! runs one configuration; [`validate`] looks at one without running it. The blocks `logging` and `http` are decoded
//! here and applied by the root through [`Blocks`]; modules (`declare`, `import.*`, `foreach`) are not here.
//!
//! # Invariants
//!
//! - Loading, reloading and stopping are one path: the difference between the plan that runs and another one
//!   (`controller::load`). What nobody uses any more has stopped before anything starts, so that a renamed component
//!   finds its port free. What a component that stays still uses stops when that one has what takes its place, beside
//!   the graph that runs on; a load that has it again waits for its end. A component stops after those that refer to it
//!   and starts after those that it refers to.
//! - What did not change is not disturbed. Arguments are delivered only if the block's text or a value that it refers
//!   to changed; comparing costs a bounded amount of work, whatever the size of the values (`same`).
//! - With an error in the plan nothing changes. A first load is all or nothing; later, what can be known to be wrong
//!   without what changes is an error in the plan too (`controller::rehearse`), and a component that turns out not to be
//!   evaluated keeps its last good arguments, is unhealthy, and touches nobody else. What is refused before a run, here
//!   or by [`validate`], is refused by a run.
//! - One task owns the graph. It waits for components only during a load, and each time for a bounded time: for those
//!   that have to stop first, while it goes on handing on what others export, and for those being built. Components report
//!   through their `Cell`; however often they do, at most one entry a component waits for the graph.
//! - A panic in a component, or in what decodes its arguments, becomes its health.
//! - Components are known only by the traits here, the machine only by tokio. There is no global state.
//!
//! # Where to start
//!
//! [`Component`], then [`Context`] and [`Updates`] for writing one; `controller` and `controller/load` for what runs
//! them; `plan` for names, references and cycles; `check` for what [`validate`] says about a block.
//!
//! # An example
//!
//! ```
//! use std::{path::PathBuf, sync::Arc};
//! # use pyrope_graph::{Component, Context, NoExports, RunError, Updates};
//! use pyrope_graph::{Applied, Controller, Define, Definition, Services, Settings, Stability, Vocabulary};
//! use lang::{source::Source, stdlib::{Host, Stdlib}};
//! # struct Idle;
//! # #[derive(lang::decode::FromBlock)]
//! # struct Arguments {}
//! # impl Component for Idle {
//! #     type Args = Arguments;
//! #     type Exports = NoExports;
//! #     const NAME: &'static str = "demo.idle";
//! #     async fn run(_: Updates<Arguments>, cx: Context<NoExports>) -> Result<(), RunError> {
//! #         cx.built();
//! #         Ok(cx.cancelled().await)
//! #     }
//! # }
//!
//! static COMPONENTS: &[&dyn Definition] = &[&Define::<Idle>::NEW];
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let vocabulary = Vocabulary {
//!     definitions: COMPONENTS,
//!     stdlib: Stdlib::new(Host::default()),
//!     minimum_stability: Stability::GenerallyAvailable,
//! };
//! let settings = Settings::new(vocabulary, Services::default(), PathBuf::from("/var/lib/demo"), Arc::new(()));
//! let controller = Controller::start(settings);
//!
//! let outcome = controller.load(vec![Source::new("main.alloy", r#"demo.idle "a" { }"#)]).await;
//! assert_eq!(outcome.applied, Applied::Fully);
//! assert_eq!(controller.snapshot().components().count(), 1);
//! controller.shutdown().await;
//! # }
//! ```
//!
//! # How it is tested
//!
//! `tests/graph` runs whole graphs of components made to be watched: each notes what it gets and when it stops, on a
//! clock that the test moves. `tests/graph/laws` loads random configurations one after the other and compares with a
//! model.
#![forbid(unsafe_code)]

mod component;
mod define;

mod context;
mod services;
mod updates;

mod health;
mod id;

mod plan;
mod sources;

mod check;
mod validate;

mod controller;

mod blocks;
mod cell;
mod inputs;
mod same;
mod task;

mod snapshot;

pub use self::{
    blocks::{Blocks, Http, HttpAuth, HttpBasicAuth, HttpFilter, HttpTls, LogFormat, LogLevel, Logging},
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
