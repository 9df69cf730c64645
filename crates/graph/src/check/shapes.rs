//! Values that are written out against what an attribute takes.

use lang::{
    decode::{FromValue as _, GoDuration, Shape},
    diagnostic::Diagnostic,
    eval::{Scope, evaluate},
    syntax::ast::Expr,
    value::{Number, Type, Value},
};

/// Whether the value is written out, so that it can be known without a scope.
pub(super) fn is_constant(expr: &Expr) -> bool {
    match expr {
        Expr::Identifier(_) | Expr::Access(_) | Expr::Index(_) | Expr::Call(_) => false,
        _ => expr.operands().all(|operand| is_constant(&operand)),
    }
}

/// Complains about every value in an expression that cannot be what the shape asks for. What is not written out is
/// passed over.
pub(super) fn check_shape(expr: &Expr, shape: Shape, scope: &Scope, found: &mut Vec<Diagnostic>) {
    let mut mismatch = |got: Type| {
        let expected = shape.type_name();
        found.push(Diagnostic::error(expr.location(), format!("expected {expected}, got {got}")));
    };
    match (expr, shape) {
        (Expr::Paren(_), _) => {
            if let Some(inner) = expr.operands().next() {
                check_shape(&inner, shape, scope, found);
            }
        }
        (Expr::Array(_), Shape::Array(element)) => {
            for operand in expr.operands() {
                check_shape(&operand, *element, scope, found);
            }
        }
        (Expr::Object(_), Shape::Map(value)) => {
            for operand in expr.operands() {
                check_shape(&operand, *value, scope, found);
            }
        }
        (Expr::Array(_), Shape::Any) | (Expr::Object(_), Shape::Any | Shape::Object) => {}
        (Expr::Array(_), _) => mismatch(Type::Array),
        (Expr::Object(_), _) => mismatch(Type::Object),
        _ if is_constant(expr) => match evaluate(expr, scope) {
            Ok(value) if fits(&value, shape) => {
                if let Some(why) = malformed(&value, shape) {
                    found.push(Diagnostic::error(expr.location(), why));
                }
            }
            Ok(value) => mismatch(value.ty()),
            Err(diagnostic) => found.push(diagnostic),
        },
        _ => {}
    }
}

/// Whether a value that is neither a list nor an object can become what the shape asks for.
fn fits(value: &Value, shape: Shape) -> bool {
    match (value, shape) {
        (Value::Null, _) | (_, Shape::Any) => true,
        (Value::Number(_) | Value::String(_), Shape::String | Shape::Label | Shape::Text(_) | Shape::OneOf(_)) => true,
        (Value::Number(_), Shape::Number)
        | (Value::Bool(_), Shape::Bool | Shape::Label)
        | (Value::String(_), Shape::Secret) => true,
        (Value::String(_), Shape::Number) => Number::from_value(value).is_ok(),
        _ => false,
    }
}

/// What is wrong with the text of a value that has a form of its own.
fn malformed(value: &Value, shape: Shape) -> Option<String> {
    match shape {
        Shape::Text("duration") => GoDuration::from_value(value).err().map(|error| error.message),
        _ => None,
    }
}
