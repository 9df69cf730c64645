//! Arguments of a call into types.

use crate::{
    decode::FromValue,
    value::{Function, Value, ValueError, function::Call},
};

/// The argument at an index; the caller has checked that it is there.
pub(super) fn argument<T: FromValue>(call: &Call<'_>, index: usize) -> Result<T, ValueError> {
    T::from_value(call.arguments.get(index).unwrap_or(&Value::Null))
}

/// A function of one argument.
pub(super) fn unary<A: FromValue>(
    go_type: &'static str,
    body: impl Fn(A) -> Result<Value, String> + Send + Sync + 'static,
) -> Value {
    Value::Function(Function::new(go_type, move |call| {
        call.expect_arguments(1)?;
        body(argument(call, 0)?).map_err(|message| call.failed(message))
    }))
}

/// A function of two arguments.
pub(super) fn binary<A: FromValue, B: FromValue>(
    go_type: &'static str,
    body: impl Fn(A, B) -> Result<Value, String> + Send + Sync + 'static,
) -> Value {
    Value::Function(Function::new(go_type, move |call| {
        call.expect_arguments(2)?;
        body(argument(call, 0)?, argument(call, 1)?).map_err(|message| call.failed(message))
    }))
}

/// A function of any values, which it looks at itself.
pub(super) fn raw(body: impl Fn(&Call<'_>) -> Result<Value, ValueError> + Send + Sync + 'static) -> Value {
    Value::Function(Function::new("value.RawFunction", body))
}
