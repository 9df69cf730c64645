//! From a value at fault to the expression that gave it.
//!
//! Functions and decoders see values, not expressions. While an expression is evaluated, a [`Ledger`] notes which
//! sub-expression gave which value; when a value turns out to be wrong, the expression that gave this very value last
//! is the one to show. Values that are stored once, such as `true`, have one identity wherever they come from.

use super::super::{
    diagnostic::{Diagnostic, Place, Severity},
    fmt::expression_text,
    secrets,
    syntax::ast::Expr,
    value::{Value, ValueError},
};

/// Which expression gave which value.
#[derive(Default)]
pub(super) struct Ledger(Vec<(Identity, Expr)>);

/// What makes a value this one and no other.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Identity {
    Null,
    Bool(bool),
    Number(&'static str, u64),
    Stored(usize, usize),
}

impl Ledger {
    /// Notes that an expression gave a value.
    pub(super) fn note(&mut self, value: &Value, expr: &Expr) {
        self.0.push((identity(value), expr.clone()));
    }

    /// The expression that gave a value last.
    fn find(&self, value: &Value) -> Option<&Expr> {
        let wanted = identity(value);
        self.0.iter().rev().find(|(identity, _)| *identity == wanted).map(|(_, expr)| expr)
    }

    /// Turns a complaint about a value into one about an expression.
    ///
    /// The innermost value on the way to the fault that an expression gave is shown; the steps from there on are
    /// written behind it.
    pub(super) fn diagnose(&self, error: ValueError) -> Diagnostic {
        let Some(fault) = &error.value else { return Diagnostic::unplaced(error.message) };
        let mut shown: Option<&Expr> = None;
        let mut path = String::new();
        let mut found_last = false;
        let steps = error.steps.iter().map(|(value, step)| (value, Some(step)));
        for (value, step) in steps.chain([(fault, None)]) {
            if let Some(step) = step {
                path.push_str(&step.to_string());
            }
            let found = self.find(value);
            if found.is_some() {
                if found_last {
                    path.clear();
                }
                shown = found;
            }
            found_last = found.is_some();
        }
        match shown {
            Some(expr) => {
                let at = expr.location();
                let secrets = secrets::spans(at.source.text());
                let is_secret = secrets.iter().any(|secret| secret.start < at.span.end && at.span.start < secret.end);
                let text = if is_secret { secrets::SHOWN.to_owned() } else { expression_text(expr) };
                Diagnostic::error(at, format!("{text}{path} {}", error.message))
            }
            None => Diagnostic::new(Severity::Error, Place::Unknown, format!("{path} {}", error.message)),
        }
    }
}

fn identity(value: &Value) -> Identity {
    match value {
        Value::Null => Identity::Null,
        Value::Bool(bool) => Identity::Bool(*bool),
        Value::Number(number) => Identity::Number(number.kind(), number.bits()),
        Value::String(text) => Identity::Stored(text.address(), 0),
        Value::Array(array) => Identity::Stored(array.address(), array.len()),
        Value::Object(object) => Identity::Stored(std::sync::Arc::as_ptr(object).addr(), 0),
        Value::Function(function) => Identity::Stored(function.address(), 0),
        Value::Capsule(capsule) => Identity::Stored(std::sync::Arc::as_ptr(capsule).addr(), 0),
    }
}
