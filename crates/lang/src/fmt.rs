//! Formatted text.

use crate::syntax::ast::Expr;

/// An expression as messages show it.
pub fn expression_text(expr: &Expr) -> String {
    String::from_utf8_lossy(expr.node().text()).into_owned()
}
