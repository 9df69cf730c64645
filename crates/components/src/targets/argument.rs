//! `targets = …` of a component.

use std::sync::Arc;

use lang::{
    decode::{FromValue, IntoValue, Shape},
    value::{Number, Text, Type, Value, ValueError},
};
use profile::Labels;

use super::{Target, TargetList, Targets};

/// The targets that a component was given: the very list that another exported, where the expression only names it, else
/// one read from an array of objects, of [`Target`]s or of both.
#[derive(Clone, Debug, PartialEq)]
pub struct TargetsArg {
    /// The list.
    pub list: Arc<TargetList>,
    /// Whether it was read from an array, so that the next value will be another list, without a history.
    pub from_array: bool,
}

impl FromValue for TargetsArg {
    const SHAPE: Shape = Shape::Array(&Shape::Map(&Shape::Label));

    fn from_value(value: &Value) -> Result<Self, ValueError> {
        let array = match value {
            Value::Null => return Ok(Self { list: Arc::new(TargetList::from_iter([])), from_array: true }),
            Value::Array(array) => array,
            _ => return Err(ValueError::wrong_type(value, Type::Array)),
        };
        if let Some(list) = array.host::<TargetList>() {
            return Ok(Self { list, from_array: false });
        }
        let element =
            |(index, element): (usize, Value)| labels_of(&element).map_err(|error| error.in_element(value, index));
        let list = array.iter().enumerate().map(element).collect::<Result<TargetList, _>>()?;
        Ok(Self { list: Arc::new(list), from_array: true })
    }
}

impl IntoValue for TargetsArg {
    fn into_value(self) -> Value {
        Targets(self.list).into_value()
    }
}

/// The labels of one target.
fn labels_of(value: &Value) -> Result<Labels, ValueError> {
    if let Some(target) = value.downcast::<Target>() {
        return Ok(target.0.clone());
    }
    if value.is_null() {
        return Ok(Labels::empty());
    }
    let object = value.as_object().ok_or_else(|| {
        let found = go_type(value);
        ValueError::new(value, format!("target::ConvertFrom: conversion from '{found}' is not supported"))
    })?;
    let label = |(name, label): (&Text, &Value)| {
        let name = name.to_str().ok_or_else(|| ValueError::new(value, format!("label name {name:?} is not UTF-8")))?;
        let text = label_text(label).map_err(|error| error.in_field(value, name))?;
        Ok((name.to_owned(), text))
    };
    object.iter().map(label).collect()
}

/// The text of a label's value; null is an absent label.
fn label_text(value: &Value) -> Result<String, ValueError> {
    match value {
        Value::Bool(bool) => Ok(bool.to_string()),
        _ => String::from_value(value),
    }
}

/// The type as the message that users search for names it.
fn go_type(value: &Value) -> String {
    match value {
        Value::String(_) => "string".to_owned(),
        Value::Bool(_) => "bool".to_owned(),
        Value::Number(Number::Int(_)) => "int".to_owned(),
        Value::Number(Number::Uint(_)) => "uint64".to_owned(),
        Value::Number(Number::Float(_)) => "float64".to_owned(),
        Value::Capsule(capsule) => capsule.type_name().to_owned(),
        other => other.ty().to_string(),
    }
}
