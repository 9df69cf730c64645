//! Conditions in brackets.

use std::cmp::Ordering;

use regex::Regex;

use super::{Step, select};
use crate::value::{Number, Value, number::Pair};

/// A condition, or a part of one.
#[derive(Clone, Debug)]
pub(super) enum Expression {
    Constant(Value),
    /// A path from the root or the current value; alone it asks whether there is something.
    Path(Vec<Step>),
    Pattern(Regex),
    Not(Box<Expression>),
    /// The characters of a string, or the elements of a list or object.
    Length(Box<Expression>),
    Binary(Box<Expression>, Operator, Box<Expression>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Or,
    And,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    In,
    Empty,
    Has,
    Matches,
    Add,
    Subtract,
    Multiply,
    Divide,
}

/// Longer ones first.
const OPERATORS: &[(&str, Operator)] = &[
    ("exists", Operator::Has),
    ("empty", Operator::Empty),
    ("has", Operator::Has),
    ("in", Operator::In),
    ("||", Operator::Or),
    ("&&", Operator::And),
    ("==", Operator::Eq),
    ("!=", Operator::Ne),
    ("<=", Operator::Le),
    (">=", Operator::Ge),
    ("=~", Operator::Matches),
    ("~=", Operator::Matches),
    ("<", Operator::Lt),
    (">", Operator::Gt),
    ("+", Operator::Add),
    ("-", Operator::Subtract),
    ("*", Operator::Multiply),
    ("/", Operator::Divide),
];

impl Operator {
    /// The operator that text begins with, and how it is written.
    pub(super) fn starting(text: &str) -> Option<(Self, &'static str)> {
        OPERATORS.iter().find(|(token, _)| text.starts_with(token)).map(|(token, operator)| (*operator, *token))
    }

    pub(super) fn precedence(self) -> u8 {
        match self {
            Self::Or => 1,
            Self::And => 2,
            Self::Add | Self::Subtract => 4,
            Self::Multiply | Self::Divide => 5,
            _ => 3,
        }
    }
}

/// Two filters are never the same; steps are only compared to tell `..` from the rest.
impl PartialEq for Expression {
    fn eq(&self, _other: &Self) -> bool {
        false
    }
}

impl Expression {
    /// Whether a value fulfils the condition.
    pub(super) fn holds(&self, root: &Value, current: &Value) -> bool {
        match self {
            Self::Path(_) => self.value(root, current).is_some(),
            _ => matches!(self.value(root, current), Some(Value::Bool(true))),
        }
    }

    /// The value of a part; nothing where a path leads nowhere.
    fn value(&self, root: &Value, current: &Value) -> Option<Value> {
        match self {
            Self::Constant(value) => Some(value.clone()),
            Self::Path(path) => select(path, root, current).into_iter().next(),
            Self::Pattern(_) => None,
            Self::Not(inner) => Some(Value::Bool(!inner.holds(root, current))),
            Self::Length(inner) => {
                let length = match inner.value(root, current)? {
                    Value::String(text) => text.to_string_lossy().chars().count(),
                    Value::Array(array) => array.len(),
                    Value::Object(object) => object.len(),
                    _ => return None,
                };
                Some(Value::Number(Number::Int(length as i64)))
            }
            Self::Binary(left, operator, right) => binary(left, *operator, right, root, current),
        }
    }
}

fn binary(left: &Expression, operator: Operator, right: &Expression, root: &Value, current: &Value) -> Option<Value> {
    let bool = match operator {
        Operator::Or => left.holds(root, current) || right.holds(root, current),
        Operator::And => left.holds(root, current) && right.holds(root, current),
        Operator::Matches => match (left.value(root, current), right) {
            (Some(Value::String(text)), Expression::Pattern(pattern)) => pattern.is_match(&text.to_string_lossy()),
            _ => false,
        },
        _ => {
            let (left, right) = (left.value(root, current), right.value(root, current));
            match operator {
                Operator::Eq => left == right,
                Operator::Ne => left != right,
                Operator::Lt => order(&left, &right).is_some_and(Ordering::is_lt),
                Operator::Le => order(&left, &right).is_some_and(Ordering::is_le),
                Operator::Gt => order(&left, &right).is_some_and(Ordering::is_gt),
                Operator::Ge => order(&left, &right).is_some_and(Ordering::is_ge),
                Operator::In => match (left, right) {
                    (Some(value), Some(Value::Array(array))) => array.iter().any(|element| element == value),
                    _ => false,
                },
                Operator::Has => right == Some(Value::Bool(left.is_some())),
                Operator::Empty => right == Some(Value::Bool(is_empty(left.as_ref()))),
                _ => return arithmetic(left?, operator, right?),
            }
        }
    };
    Some(Value::Bool(bool))
}

fn order(left: &Option<Value>, right: &Option<Value>) -> Option<Ordering> {
    match (left, right) {
        (Some(Value::Number(a)), Some(Value::Number(b))) => a.partial_cmp(b),
        (Some(Value::String(a)), Some(Value::String(b))) => Some(a.cmp(b)),
        _ => None,
    }
}

fn is_empty(value: Option<&Value>) -> bool {
    match value {
        Some(Value::String(text)) => text.is_empty(),
        Some(Value::Array(array)) => array.is_empty(),
        Some(Value::Object(object)) => object.is_empty(),
        _ => false,
    }
}

fn arithmetic(left: Value, operator: Operator, right: Value) -> Option<Value> {
    let (Value::Number(left), Value::Number(right)) = (left, right) else { return None };
    Some(Value::Number(match left.promote(right) {
        Pair::Float(a, b) => Number::Float(match operator {
            Operator::Add => a + b,
            Operator::Subtract => a - b,
            Operator::Multiply => a * b,
            _ => a / b,
        }),
        Pair::Int(..) | Pair::Uint(..) => {
            let (a, b) = (left.to_i64(), right.to_i64());
            Number::Int(match operator {
                Operator::Add => a.wrapping_add(b),
                Operator::Subtract => a.wrapping_sub(b),
                Operator::Multiply => a.wrapping_mul(b),
                _ => a.checked_div(b)?,
            })
        }
    }))
}
