//! The configuration language: text in, a tree, diagnostics, values and the host's own structs out.
//!
//! ```text
//! bytes ──syntax──▶ Tree, ast::File ──eval──▶ Value ──decode──▶ a struct that derives FromBlock
//!                        │    ▲                 ▲
//!                        │    └─ references     └─ Scope: exports of components, then stdlib
//!                        └──fmt──▶ formatted text
//! ```
//!
//! What is wrong anywhere on the way is a [`Diagnostic`](diagnostic::Diagnostic) with a place, and
//! [`render`](render::render) shows it with an excerpt.
//!
//! # Invariants
//!
//! - Parsing never fails and never panics: it returns a tree that holds every byte, and diagnostics.
//! - Nothing here does I/O. What functions ask of the machine comes in through [`stdlib::Host`].
//! - No component is known here; the graph and the components are built on top.
//! - Values are shared, not copied: naming a list of ten thousand targets in an expression clones a pointer.
//! - Secrets do not show in `Debug`, in messages or in rendered diagnostics.
//! - Depth is bounded while parsing, so that evaluating and formatting need no bound of their own.
//!
//! The behaviour is that of Grafana Alloy; where it differs on purpose, `docs/language/differences.md` says so.
//!
//! # Where to start
//!
//! [`syntax::parse_file`], then [`syntax::ast`]; [`eval::evaluate`] for one expression, [`decode::decode_body`] for a
//! whole block, [`eval::references()`] for what it depends on. Behaviour borrowed from Go lives in [`golang`].
//!
//! # An example
//!
//! ```
//! use std::time::Duration;
//!
//! use lang::{
//!     decode::{FromBlock, decode_body},
//!     eval::{Scope, references},
//!     source::Source,
//!     stdlib::{Host, Stdlib},
//!     syntax::parse_file,
//!     value::Value,
//! };
//!
//! #[derive(FromBlock)]
//! struct Arguments {
//!     /// The programs to look at.
//!     #[attr]
//!     names: Vec<String>,
//!     #[attr(default = "15s")]
//!     collect_interval: Duration,
//!     #[block]
//!     rule: Vec<Rule>,
//! }
//!
//! #[derive(FromBlock)]
//! struct Rule {
//!     #[attr]
//!     target_label: String,
//! }
//!
//! let source = Source::new("main.alloy", r#"
//!     demo.look "here" {
//!         names = array.concat(local.list.mine.names, ["init"])
//!         rule { target_label = string.to_upper("os") }
//!     }
//! "#);
//! let parsed = parse_file(&source);
//! assert!(parsed.diagnostics.is_empty());
//!
//! let block = parsed.file.body().and_then(|body| body.blocks().next()).expect("there is a block");
//! assert_eq!((block.name(), block.label()), ("demo.look".to_owned(), Some("here".to_owned())));
//! let body = block.body().expect("a block without errors has a body");
//!
//! // What it depends on.
//! let names: Vec<_> = references(&body).iter().map(|traversal| traversal.text()).collect();
//! assert_eq!(names, ["array.concat", "local.list.mine.names", "string.to_upper"]);
//!
//! // What it says, with the exports of others in scope.
//! let mine = Value::object([("names", Value::array([Value::from("sh")]))]);
//! let exports = Value::object([("list", Value::object([("mine", mine)]))]);
//! let scope = Scope::new(Stdlib::new(Host::default()), [("local", exports)]);
//! let arguments: Arguments = decode_body(&body, &scope).expect("it decodes");
//! assert_eq!(arguments.names, ["sh", "init"]);
//! assert_eq!(arguments.collect_interval, Duration::from_secs(15));
//! assert_eq!(arguments.rule[0].target_label, "OS");
//! ```
//!
//! # How it is tested
//!
//! Cases beside the code; `testdata/*.jsonl` holds answers of Alloy itself, run by `tests/conformance.rs` and by
//! `cargo xtask conformance`; `tests/laws.rs` states what holds for every text: nothing is lost, nothing panics,
//! formatting keeps what a file says and formatting twice changes nothing.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

// The derives name this crate `lang`, here too.
extern crate self as lang;

pub mod source;

pub mod diagnostic;
pub mod render;
pub mod secrets;

pub mod syntax;

pub mod value;

pub mod eval;

pub mod decode;

pub mod stdlib;

pub mod fmt;
pub mod golang;

pub mod conformance;
