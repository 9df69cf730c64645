//! Behaviour of Go's standard library that configurations and messages rely on.
//!
//! - [`chars`]: which characters are letters, digits and printable.
//! - [`quote`]: text in Go's quotes, as error messages show it.
//! - [`number`]: numbers from and to text.
//! - [`duration`] such as `1h30m0s`.
//! - [`sprintf`]: the verbs of `string.format`.
//! - [`json`]: reading and writing JSON as Go's `encoding/json` does.
//! - [`url`], [`base64`]: query escaping, padded base64.
//! - [`regex`]: RE2 patterns for Rust's regex crate.

pub mod base64;
pub mod chars;
pub mod duration;
pub mod float;
pub mod json;
pub mod number;
pub mod quote;
pub mod regex;
pub mod sprintf;
pub mod url;
