//! What operators do.

use crate::{
    syntax::kind::Kind,
    value::{
        Number, Type, Value, ValueError,
        number::Pair,
        secret::{OptionalSecret, Secret},
    },
};

/// `op value`
pub(super) fn unary(op: Kind, value: &Value) -> Result<Value, ValueError> {
    match (op, value) {
        (Kind::Not, Value::Bool(bool)) => Ok(Value::Bool(!bool)),
        (Kind::Not, _) => Err(ValueError::wrong_type(value, Type::Bool)),
        (_, Value::Number(number)) => Ok(Value::Number(match number {
            Number::Int(int) => Number::Int(int.wrapping_neg()),
            Number::Uint(uint) => Number::Int((*uint as i64).wrapping_neg()),
            Number::Float(float) => Number::Float(-float),
        })),
        _ => Err(ValueError::wrong_type(value, Type::Number)),
    }
}

/// `left op right`; both sides have been evaluated.
pub(super) fn binary(left: &Value, op: Kind, right: &Value) -> Result<Value, ValueError> {
    let (unwrapped_left, unwrapped_right) = match (left, right) {
        (Value::Capsule(_), _) | (_, Value::Capsule(_)) => unwrap_secrets(left, right),
        _ => (left.clone(), right.clone()),
    };
    let (a, b) = (&unwrapped_left, &unwrapped_right);
    match op {
        Kind::Eq => return Ok(Value::Bool(a == b)),
        Kind::Ne => return Ok(Value::Bool(a != b)),
        _ => {}
    }
    for (shown, value) in [(left, a), (right, b)] {
        let allowed = allowed(op);
        if !allowed.contains(&value.ty()) {
            let names: Vec<_> = allowed.iter().map(|ty| ty.name()).collect();
            let message = format!("should be one of [{}] for binop {op}, got {}", names.join(" "), value.ty());
            return Err(ValueError::new(shown, message));
        }
    }
    if a.ty() != b.ty() {
        // The unwrapped value has no place of its own; the operand has the same type or is the one to show anyway.
        let mut error = ValueError::wrong_type(b, a.ty());
        error.value = Some(right.clone());
        return Err(error);
    }
    match (a, b) {
        (Value::Bool(a), Value::Bool(b)) => Ok(Value::Bool(if op == Kind::Or { *a || *b } else { *a && *b })),
        (Value::String(a), Value::String(b)) if op == Kind::Plus => Ok(Value::String([&**a, &**b].concat().into())),
        (Value::String(a), Value::String(b)) => Ok(Value::Bool(holds(op, a.partial_cmp(b)))),
        (Value::Capsule(_), Value::Capsule(_)) => join_secrets(a, b).ok_or_else(|| {
            let message = format!("could not perform binop {op} for unknown types lhs {} rhs {}", a.ty(), b.ty());
            ValueError::new(left, message)
        }),
        (Value::Number(x), Value::Number(y)) => {
            numbers(*x, op, *y).ok_or_else(|| ValueError::new(right, "divide by zero error"))
        }
        _ => Err(ValueError::new(left, format!("has no operator {op}"))),
    }
}

fn allowed(op: Kind) -> &'static [Type] {
    match op {
        Kind::Or | Kind::And => &[Type::Bool],
        Kind::Plus => &[Type::Number, Type::String, Type::Capsule],
        Kind::Lt | Kind::Le | Kind::Gt | Kind::Ge => &[Type::Number, Type::String],
        _ => &[Type::Number],
    }
}

fn holds(op: Kind, order: Option<std::cmp::Ordering>) -> bool {
    order.is_some_and(|order| match op {
        Kind::Lt => order.is_lt(),
        Kind::Le => order.is_le(),
        Kind::Gt => order.is_gt(),
        _ => order.is_ge(),
    })
}

/// Arithmetic and order of numbers; nothing for a division by zero. Integers wrap.
fn numbers(left: Number, op: Kind, right: Number) -> Option<Value> {
    if matches!(op, Kind::Lt | Kind::Le | Kind::Gt | Kind::Ge) {
        return Some(Value::Bool(holds(op, left.partial_cmp(&right))));
    }
    let by_zero = match right {
        Number::Float(float) => float == 0.0,
        Number::Int(int) => int == 0,
        Number::Uint(uint) => uint == 0,
    };
    if by_zero && matches!(op, Kind::Slash | Kind::Percent) {
        return None;
    }
    Some(Value::Number(match left.promote(right) {
        Pair::Int(a, b) => Number::Int(match op {
            Kind::Plus => a.wrapping_add(b),
            Kind::Minus => a.wrapping_sub(b),
            Kind::Star => a.wrapping_mul(b),
            Kind::Slash => a.checked_div(b).unwrap_or(a),
            Kind::Percent => a.checked_rem(b).unwrap_or(0),
            // A negative exponent gives the base, as the language has always had it.
            _ if b < 0 => {
                if a == 1 {
                    1
                } else {
                    a
                }
            }
            _ => power(a as u64, b as u64) as i64,
        }),
        Pair::Uint(a, b) => Number::Uint(match op {
            Kind::Plus => a.wrapping_add(b),
            Kind::Minus => a.wrapping_sub(b),
            Kind::Star => a.wrapping_mul(b),
            Kind::Slash => a.checked_div(b).unwrap_or(a),
            Kind::Percent => a.checked_rem(b).unwrap_or(0),
            _ => power(a, b),
        }),
        Pair::Float(a, b) => Number::Float(match op {
            Kind::Plus => a + b,
            Kind::Minus => a - b,
            Kind::Star => a * b,
            Kind::Slash => a / b,
            Kind::Percent => a % b,
            _ => a.powf(b),
        }),
    }))
}

/// Wrapping power by squaring: two's complement makes it right for signed bases too.
fn power(mut base: u64, mut exponent: u64) -> u64 {
    let mut result = 1_u64;
    while exponent > 0 {
        if exponent & 1 == 1 {
            result = result.wrapping_mul(base);
        }
        base = base.wrapping_mul(base);
        exponent >>= 1;
    }
    result
}

/// Brings a secret and its partner to one type, so that they can be compared and joined.
fn unwrap_secrets(left: &Value, right: &Value) -> (Value, Value) {
    match (left.downcast::<Secret>(), right.downcast::<Secret>()) {
        (Some(_), _) => (left.clone(), as_secret(right)),
        (_, Some(_)) => (as_secret(left), right.clone()),
        _ => {
            let (left_optional, right_optional) =
                (left.downcast::<OptionalSecret>(), right.downcast::<OptionalSecret>());
            match (left_optional, right_optional, left, right) {
                (Some(optional), None, _, Value::String(text)) => {
                    if optional.is_secret() {
                        (left.clone(), OptionalSecret::new(true, text.clone()).into())
                    } else {
                        (Value::String(optional.reveal().clone()), right.clone())
                    }
                }
                (None, Some(optional), Value::String(text), _) => {
                    if optional.is_secret() {
                        (OptionalSecret::new(true, text.clone()).into(), right.clone())
                    } else {
                        (left.clone(), Value::String(optional.reveal().clone()))
                    }
                }
                _ => (left.clone(), right.clone()),
            }
        }
    }
}

fn as_secret(value: &Value) -> Value {
    match (value, value.downcast::<OptionalSecret>()) {
        (Value::String(text), _) => Secret::new(text.clone()).into(),
        (_, Some(optional)) => Secret::new(optional.reveal().clone()).into(),
        _ => value.clone(),
    }
}

/// `+` of two capsules that [`unwrap_secrets`] has brought to one type.
fn join_secrets(left: &Value, right: &Value) -> Option<Value> {
    if let (Some(a), Some(b)) = (left.downcast::<Secret>(), right.downcast::<Secret>()) {
        return Some(Secret::new([&**a.reveal(), &**b.reveal()].concat()).into());
    }
    let (a, b) = (left.downcast::<OptionalSecret>()?, right.downcast::<OptionalSecret>()?);
    let text = [&**a.reveal(), &**b.reveal()].concat();
    Some(OptionalSecret::new(a.is_secret() || b.is_secret(), text).into())
}
