//! One value into one type of the host, and back.
//!
//! The conversions are those of the language: numbers become strings and strings numbers where they read as such,
//! null becomes the zero value of anything, secrets never become strings.

use std::{collections::BTreeMap, sync::Arc};

use super::Shape;
use crate::{
    golang::number::parse_number,
    value::{
        Array, Function, Number, Object, Text, Type, Value, ValueError,
        capsule::{CapsuleType, downcast},
        secret::{OptionalSecret, Secret},
    },
};

/// A type that a value can become.
pub trait FromValue: Sized {
    /// What values it takes.
    const SHAPE: Shape;

    /// Decodes a value. Null gives the type's zero value, where it has one.
    fn from_value(value: &Value) -> Result<Self, ValueError>;
}

/// A type that can become a value, such as an export.
pub trait IntoValue {
    /// Makes the value.
    fn into_value(self) -> Value;
}

/// Text of a value: a string, a number in decimal, a capsule that has some.
impl FromValue for Text {
    const SHAPE: Shape = Shape::String;

    fn from_value(value: &Value) -> Result<Self, ValueError> {
        match value {
            Value::Null => Ok(Text::from("")),
            Value::String(text) => Ok(text.clone()),
            Value::Number(number) => Ok(number.to_string().into()),
            Value::Array(array) if array.as_bytes().is_some() => {
                Ok(array.as_bytes().cloned().unwrap_or_else(|| Text::from("")))
            }
            Value::Capsule(capsule) => match capsule.to_text() {
                Some(text) => text.map_err(|why| ValueError::new(value, why)),
                None => Err(ValueError::wrong_type(value, Type::String)),
            },
            _ => Err(ValueError::wrong_type(value, Type::String)),
        }
    }
}

/// As [`Text`], but only UTF-8.
impl FromValue for String {
    const SHAPE: Shape = Shape::String;

    fn from_value(value: &Value) -> Result<Self, ValueError> {
        let text = Text::from_value(value)?;
        let utf8 = text.to_str().ok_or_else(|| ValueError::new(value, "is not valid UTF-8"))?;
        Ok(utf8.to_owned())
    }
}

impl FromValue for bool {
    const SHAPE: Shape = Shape::Bool;

    fn from_value(value: &Value) -> Result<Self, ValueError> {
        match value {
            Value::Null => Ok(false),
            Value::Bool(bool) => Ok(*bool),
            _ => Err(ValueError::wrong_type(value, Type::Bool)),
        }
    }
}

/// A number, or a string that reads as one.
impl FromValue for Number {
    const SHAPE: Shape = Shape::Number;

    fn from_value(value: &Value) -> Result<Self, ValueError> {
        let wrong = || ValueError::wrong_type(value, Type::Number);
        match value {
            Value::Null => Ok(Number::Int(0)),
            Value::Number(number) => Ok(*number),
            Value::String(text) => {
                let text = text.to_str().ok_or_else(wrong)?;
                parse_number(text).map_err(|_| wrong())
            }
            Value::Capsule(capsule) => match capsule.to_text() {
                Some(text) => {
                    let text = text.map_err(|why| ValueError::new(value, why))?;
                    text.to_str().and_then(|text| parse_number(text).ok()).ok_or_else(wrong)
                }
                None => Err(wrong()),
            },
            _ => Err(wrong()),
        }
    }
}

impl FromValue for f64 {
    const SHAPE: Shape = Shape::Number;

    fn from_value(value: &Value) -> Result<Self, ValueError> {
        Ok(Number::from_value(value)?.to_f64())
    }
}

macro_rules! integers {
    ($($int:ty),*) => {$(
        /// Fractions are cut off; a number that does not fit is refused.
        impl FromValue for $int {
            const SHAPE: Shape = Shape::Number;

            fn from_value(value: &Value) -> Result<Self, ValueError> {
                let number = Number::from_value(value)?;
                let fitting = match number {
                    Number::Int(int) => <$int>::try_from(int).ok(),
                    Number::Uint(uint) => <$int>::try_from(uint).ok(),
                    Number::Float(float) => {
                        let whole = float.trunc();
                        (whole >= <$int>::MIN as f64 && whole <= <$int>::MAX as f64).then_some(whole as $int)
                    }
                };
                fitting.ok_or_else(|| {
                    let (low, high) = (<$int>::MIN, <$int>::MAX);
                    ValueError::new(value, format!("must be between {low} and {high}, got {number}"))
                })
            }
        }
    )*};
}

integers!(i8, i16, i32, i64, isize, u8, u16, u32, u64, usize);

/// Anything, as it is.
impl FromValue for Value {
    const SHAPE: Shape = Shape::Any;

    fn from_value(value: &Value) -> Result<Self, ValueError> {
        Ok(value.clone())
    }
}

/// A list as it is, shared.
impl FromValue for Array {
    const SHAPE: Shape = Shape::Array(&Shape::Any);

    fn from_value(value: &Value) -> Result<Self, ValueError> {
        match value {
            Value::Null => Ok(Array::from_iter([])),
            Value::Array(array) => Ok(array.clone()),
            _ => Err(ValueError::wrong_type(value, Type::Array)),
        }
    }
}

/// An object as it is, shared; also a capsule that can be seen as one.
impl FromValue for Object {
    const SHAPE: Shape = Shape::Object;

    fn from_value(value: &Value) -> Result<Self, ValueError> {
        match value {
            Value::Null => Ok(Object::default()),
            _ => value.as_object().ok_or_else(|| ValueError::wrong_type(value, Type::Object)),
        }
    }
}

impl FromValue for Function {
    const SHAPE: Shape = Shape::Function;

    fn from_value(value: &Value) -> Result<Self, ValueError> {
        match value {
            Value::Function(function) => Ok(function.clone()),
            _ => Err(ValueError::wrong_type(value, Type::Function)),
        }
    }
}

impl<T: FromValue> FromValue for Vec<T> {
    const SHAPE: Shape = Shape::Array(&T::SHAPE);

    fn from_value(value: &Value) -> Result<Self, ValueError> {
        let array = Array::from_value(value)?;
        let element =
            |(index, element): (usize, Value)| T::from_value(&element).map_err(|error| error.in_element(value, index));
        array.iter().enumerate().map(element).collect()
    }
}

impl<T: FromValue> FromValue for BTreeMap<String, T> {
    const SHAPE: Shape = Shape::Map(&T::SHAPE);

    fn from_value(value: &Value) -> Result<Self, ValueError> {
        let object = Object::from_value(value)?;
        let field = |(key, field): (&Text, &Value)| {
            let name = key.to_str().ok_or_else(|| ValueError::new(value, format!("key {key:?} is not valid UTF-8")))?;
            let decoded = T::from_value(field).map_err(|error| error.in_field(value, name))?;
            Ok((name.to_owned(), decoded))
        };
        object.iter().map(field).collect()
    }
}

/// Null is none.
impl<T: FromValue> FromValue for Option<T> {
    const SHAPE: Shape = T::SHAPE;

    fn from_value(value: &Value) -> Result<Self, ValueError> {
        if value.is_null() { Ok(None) } else { T::from_value(value).map(Some) }
    }
}

impl<T: FromValue> FromValue for Box<T> {
    const SHAPE: Shape = T::SHAPE;

    fn from_value(value: &Value) -> Result<Self, ValueError> {
        T::from_value(value).map(Box::new)
    }
}

/// A capsule of exactly this type.
impl<T: CapsuleType> FromValue for Arc<T> {
    const SHAPE: Shape = Shape::Capsule(T::NAME);

    fn from_value(value: &Value) -> Result<Self, ValueError> {
        let Value::Capsule(capsule) = value else { return Err(ValueError::wrong_type(value, Type::Capsule)) };
        downcast(capsule).ok_or_else(|| {
            let message = format!("expected capsule({:?}), got capsule({:?})", T::NAME, capsule.type_name());
            ValueError::new(value, message)
        })
    }
}

impl FromValue for Secret {
    const SHAPE: Shape = Shape::Secret;

    fn from_value(value: &Value) -> Result<Self, ValueError> {
        if let Some(secret) = value.downcast::<Secret>() {
            return Ok(secret.clone());
        }
        OptionalSecret::from_value(value).map(|secret| Secret::new(secret.reveal().clone())).map_err(|mut error| {
            // Name the type that was asked for, not the one tried on the way.
            error.message = error.message.replace(OptionalSecret::NAME, Secret::NAME);
            error
        })
    }
}

impl FromValue for OptionalSecret {
    const SHAPE: Shape = Shape::Secret;

    fn from_value(value: &Value) -> Result<Self, ValueError> {
        if let Some(secret) = value.downcast::<OptionalSecret>() {
            return Ok(secret.clone());
        }
        match value {
            Value::Null => Ok(OptionalSecret::default()),
            Value::String(text) => Ok(OptionalSecret::new(false, text.clone())),
            Value::Capsule(capsule) => match value.downcast::<Secret>() {
                Some(secret) => Ok(OptionalSecret::new(true, secret.reveal().clone())),
                None => {
                    let (wanted, found) = (OptionalSecret::NAME, capsule.type_name());
                    Err(ValueError::new(value, format!("expected capsule({wanted:?}), got capsule({found:?})")))
                }
            },
            _ => Err(ValueError::wrong_type(value, Type::Capsule)),
        }
    }
}

impl IntoValue for Value {
    fn into_value(self) -> Value {
        self
    }
}

macro_rules! into_value {
    ($($ty:ty => |$name:ident| $value:expr;)*) => {$(
        impl IntoValue for $ty {
            fn into_value(self) -> Value {
                let $name = self;
                $value
            }
        }
    )*};
}

into_value! {
    bool => |bool| Value::Bool(bool);
    &str => |text| text.into();
    String => |text| text.into();
    Text => |text| text.into();
    Number => |number| number.into();
    f64 => |float| Value::Number(Number::Float(float));
    i32 => |int| Value::Number(Number::Int(int.into()));
    i64 => |int| Value::Number(Number::Int(int));
    u8 => |uint| Value::Number(Number::Uint(uint.into()));
    u16 => |uint| Value::Number(Number::Uint(uint.into()));
    u32 => |uint| Value::Number(Number::Uint(uint.into()));
    u64 => |uint| Value::Number(Number::Uint(uint));
    usize => |uint| Value::Number(Number::Uint(uint as u64));
    Array => |array| Value::Array(array);
    Object => |object| Value::Object(object);
    Function => |function| Value::Function(function);
    Secret => |secret| secret.into();
    OptionalSecret => |secret| secret.into();
}

impl<T: IntoValue> IntoValue for Vec<T> {
    fn into_value(self) -> Value {
        Value::array(self.into_iter().map(T::into_value))
    }
}

impl<T: IntoValue> IntoValue for BTreeMap<String, T> {
    fn into_value(self) -> Value {
        Value::object(self.into_iter().map(|(key, value)| (key, value.into_value())))
    }
}

impl<T: IntoValue> IntoValue for Option<T> {
    fn into_value(self) -> Value {
        self.map_or(Value::Null, T::into_value)
    }
}

impl<T: CapsuleType> IntoValue for Arc<T> {
    fn into_value(self) -> Value {
        Value::Capsule(self)
    }
}

/// The message for a name that an enum does not have, from its template with `{text}` and `{all}`. For the derive.
#[doc(hidden)]
pub fn unknown_name(template: &str, text: &str, all: &[&str]) -> String {
    let all = all.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ");
    template.replace("{all}", &all).replace("{text}", &crate::golang::quote::quote(text))
}
