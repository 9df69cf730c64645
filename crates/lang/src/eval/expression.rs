//! Walking an expression.

use super::{blame::Ledger, operators, scope::Scope};
use crate::{
    diagnostic::Diagnostic,
    golang::{number, quote::quote},
    syntax::{ast::Expr, escape::unquote, kind::Kind},
    value::{Array, Text, Type, Value, ValueError},
};

/// Evaluates expressions against one scope and remembers which of them gave which value.
pub(crate) struct Evaluator<'a> {
    scope: &'a Scope,
    ledger: Ledger,
}

/// Why an expression has no value.
enum Failure {
    /// Already said where.
    Said(Box<Diagnostic>),
    /// A value is wrong; the ledger knows where it came from.
    Value(Box<ValueError>),
}

impl From<ValueError> for Failure {
    fn from(error: ValueError) -> Self {
        Self::Value(Box::new(error))
    }
}

impl From<Diagnostic> for Failure {
    fn from(diagnostic: Diagnostic) -> Self {
        Self::Said(Box::new(diagnostic))
    }
}

impl<'a> Evaluator<'a> {
    pub(crate) fn new(scope: &'a Scope) -> Self {
        Self { scope, ledger: Ledger::default() }
    }

    /// The value of an expression.
    pub(crate) fn evaluate(&mut self, expr: &Expr) -> Result<Value, Diagnostic> {
        self.value(expr).map_err(|failure| match failure {
            Failure::Said(diagnostic) => *diagnostic,
            Failure::Value(error) => self.diagnose(*error),
        })
    }

    /// Turns a complaint about a value that was evaluated here into a diagnostic.
    pub(crate) fn diagnose(&self, error: ValueError) -> Diagnostic {
        self.ledger.diagnose(error)
    }

    fn value(&mut self, expr: &Expr) -> Result<Value, Failure> {
        let value = match expr {
            Expr::Literal(_) => literal(expr)?,
            Expr::Identifier(_) => self.identifier(expr)?,
            Expr::Paren(_) => self.operand(expr, 0)?,
            Expr::Unary(_) => {
                let value = self.operand(expr, 0)?;
                operators::unary(operator(expr), &value)?
            }
            Expr::Binary(_) => {
                let left = self.operand(expr, 0)?;
                let right = self.operand(expr, 1)?;
                operators::binary(&left, operator(expr), &right)?
            }
            Expr::Array(_) => {
                let mut values = Vec::new();
                for element in expr.operands() {
                    values.push(self.value(&element)?);
                }
                Value::Array(Array::from_iter(values))
            }
            Expr::Object(_) => self.object(expr)?,
            Expr::Access(_) => self.access(expr)?,
            Expr::Index(_) => {
                let value = self.operand(expr, 0)?;
                let index = self.operand(expr, 1)?;
                element(&value, &index)?
            }
            Expr::Call(_) => self.call(expr)?,
        };
        self.ledger.note(&value, expr);
        Ok(value)
    }

    fn operand(&mut self, expr: &Expr, index: usize) -> Result<Value, Failure> {
        match expr.operands().nth(index) {
            Some(operand) => self.value(&operand),
            None => Err(incomplete(expr)),
        }
    }

    fn identifier(&self, expr: &Expr) -> Result<Value, Failure> {
        let (name, place) = expr.name().ok_or_else(|| incomplete(expr))?;
        let missing = || Diagnostic::error(place, format!("identifier {} does not exist", quote(&name)));
        Ok(self.scope.lookup(&name).ok_or_else(missing)?)
    }

    fn object(&mut self, expr: &Expr) -> Result<Value, Failure> {
        let mut fields = Vec::new();
        for field in expr.fields() {
            let value = field.value().ok_or_else(|| incomplete(expr))?;
            fields.push((Text::from(field.key()), self.value(&value)?));
        }
        Ok(Value::object(fields))
    }

    fn access(&mut self, expr: &Expr) -> Result<Value, Failure> {
        let value = self.operand(expr, 0)?;
        let (name, place) = expr.name().ok_or_else(|| incomplete(expr))?;
        let found = match &value {
            Value::Object(object) => object.get(name.as_bytes()).cloned(),
            Value::Capsule(capsule) => match capsule.field(name.as_bytes()) {
                Some(field) => Some(field),
                None if capsule.to_object().is_some() => None,
                None => return Err(opaque(&value).into()),
            },
            _ => {
                let message = format!("cannot access field {} on value of type {}", quote(&name), value.ty());
                return Err(ValueError::new(&value, message).into());
            }
        };
        let missing = || Diagnostic::error(place, format!("field {} does not exist", quote(&name)));
        Ok(found.ok_or_else(missing)?)
    }

    fn call(&mut self, expr: &Expr) -> Result<Value, Failure> {
        let callee = self.operand(expr, 0)?;
        let Value::Function(function) = &callee else {
            return Err(ValueError::wrong_type(&callee, Type::Function).into());
        };
        let mut arguments = Vec::new();
        for argument in expr.operands().skip(1) {
            arguments.push(self.value(&argument)?);
        }
        Ok(function.call(&arguments)?)
    }
}

fn operator(expr: &Expr) -> Kind {
    expr.operator().map_or(Kind::Error, |token| token.kind)
}

fn incomplete(expr: &Expr) -> Failure {
    Diagnostic::error(expr.location(), "the expression is incomplete").into()
}

fn opaque(value: &Value) -> ValueError {
    ValueError::new(
        value,
        format!("expected object or array or a capsule convertible to an object, got {}", value.ty()),
    )
}

fn literal(expr: &Expr) -> Result<Value, Failure> {
    let token = expr.literal().ok_or_else(|| incomplete(expr))?;
    let bytes = expr.node().token_text(token);
    let text = String::from_utf8_lossy(bytes);
    Ok(match token.kind {
        Kind::Number => Value::Number(number::parse_integer_literal(&text).map_err(ValueError::plain)?),
        Kind::Float => {
            Value::Number(crate::value::Number::Float(number::parse_float(&text).map_err(ValueError::plain)?))
        }
        Kind::String => Value::String(unquote(bytes).into()),
        Kind::Bool => Value::Bool(bytes == b"true"),
        _ => Value::Null,
    })
}

/// `value[index]`
fn element(value: &Value, index: &Value) -> Result<Value, ValueError> {
    let key = || match index {
        Value::String(text) => Ok(text.clone()),
        _ => Err(ValueError::wrong_type(index, Type::String)),
    };
    match value {
        Value::Array(array) => {
            let Value::Number(number) = index else { return Err(ValueError::wrong_type(index, Type::Number)) };
            let at = number.to_i64();
            usize::try_from(at).ok().and_then(|at| array.get(at)).ok_or_else(|| {
                let length = array.len();
                ValueError::new(index, format!("index {at} is out of range of array with length {length}"))
            })
        }
        Value::Object(object) => Ok(object.get(&*key()?).cloned().unwrap_or(Value::Null)),
        Value::Capsule(capsule) => match capsule.to_object() {
            Some(object) => Ok(object.get(&*key()?).cloned().unwrap_or(Value::Null)),
            None => Err(opaque(value)),
        },
        _ => Err(ValueError::new(value, format!("expected object or array, got {}", value.ty()))),
    }
}
