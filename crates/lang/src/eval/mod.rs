//! Expressions to values.
//!
//! - [`scope`]: what names stand for.
//! - [`mod@references`]: which names an expression or a body mentions.
//! - `operators`: what operators do.
//! - `blame`: from a value at fault to the expression that gave it.

mod blame;
mod expression;
mod operators;
pub mod references;
pub mod scope;

pub(crate) use self::expression::Evaluator;
pub use self::{
    references::{Traversal, references, references_in},
    scope::Scope,
};

use crate::{diagnostic::Diagnostic, syntax::ast::Expr, value::Value};

/// Evaluates an expression. The first error ends it.
///
/// The diagnostic points at the sub-expression at fault; one that no expression is to blame for leaves its place to
/// the caller ([`Diagnostic::or_at`]).
pub fn evaluate(expr: &Expr, scope: &Scope) -> Result<Value, Diagnostic> {
    Evaluator::new(scope).evaluate(expr)
}
