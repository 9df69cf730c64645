//! Values and blocks to the host's types.
//!
//! - [`value`]: [`FromValue`] and [`IntoValue`], one value at a time.
//! - [`block`]: [`FromBlock`], a block's body into a struct; derived with `#[derive(FromBlock)]`.
//! - [`schema`]: what a struct accepts, as data, for checks without evaluation and for documentation.
//! - [`mod@judge`]: what can be said about a block before everything in it is known.
//! - [`duration`] such as `"1h30m"`.

pub mod block;
pub mod duration;
pub mod judge;
pub mod schema;
pub mod value;

pub use lang_derive::{FromBlock, FromText};

pub use self::{
    block::{FromBlock, decode_block, decode_body},
    duration::GoDuration,
    judge::Judge,
    schema::{Field, FieldKind, Schema, Shape},
    value::{FromValue, IntoValue},
};

#[cfg(test)]
mod tests;
