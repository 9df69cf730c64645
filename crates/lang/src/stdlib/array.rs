//! `array.*`: lists, and joining and grouping lists of objects.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    Names,
    arguments::{argument, raw},
};
use crate::{
    decode::FromValue as _,
    value::{Array, Number, Object, Text, Type, Value, ValueError, function::Call},
};

pub(super) fn add(names: &mut Names) {
    let concat = raw(concat);
    names.insert("concat", concat.clone());
    let functions = [("combine_maps", raw(combine_maps)), ("concat", concat), ("group_by", raw(group_by))];
    names.insert("array", Value::object(functions));
}

/// All elements of all arrays. A single array is handed on as it is.
fn concat(call: &Call<'_>) -> Result<Value, ValueError> {
    let arrays = call
        .arguments
        .iter()
        .map(|value| match value {
            Value::Array(array) => Ok(array),
            _ => Err(ValueError::wrong_type(value, Type::Array)),
        })
        .collect::<Result<Vec<&Array>, _>>()?;
    Ok(match *arrays {
        [only] => Value::Array(only.clone()),
        _ => Value::array(arrays.iter().flat_map(|array| array.iter())),
    })
}

/// The objects of a list argument.
fn objects(value: &Value) -> Result<Vec<Object>, ValueError> {
    let Value::Array(array) = value else { return Err(ValueError::wrong_type(value, Type::Array)) };
    let object = |(index, element): (usize, Value)| {
        let object = element.as_object().ok_or_else(|| ValueError::wrong_type(&element, Type::Object));
        object.map_err(|error| error.in_element(value, index))
    };
    array.iter().enumerate().map(object).collect()
}

/// Joins two lists of objects on keys; the right side's fields win.
fn combine_maps(call: &Call<'_>) -> Result<Value, ValueError> {
    let count = call.arguments.len();
    if !(3..=4).contains(&count) {
        return Err(ValueError::plain(format!("combine_maps: expected 3 or 4 arguments, got {count}")));
    }
    let (left, right) = (objects(&call.arguments[0])?, objects(&call.arguments[1])?);
    let Value::Array(_) = &call.arguments[2] else {
        return Err(ValueError::wrong_type(&call.arguments[2], Type::Array));
    };
    let keys = Vec::<Text>::from_value(&call.arguments[2])?;
    if keys.is_empty() {
        return Err(ValueError::new(&call.arguments[2], "combine_maps: merge conditions must not be empty"));
    }
    let pass_through: bool = argument(call, 3)?;
    let mut out = Vec::new();
    for left in &left {
        for right in &right {
            if keys.iter().all(|key| joins(left, right, key)) {
                let mut joined = BTreeMap::clone(left);
                joined.extend(right.iter().map(|(key, value)| (key.clone(), value.clone())));
                out.push(Value::Object(Arc::new(joined)));
            } else if pass_through {
                // Once for each element that does not match: configurations see these duplicates today.
                out.push(Value::Object(Arc::clone(left)));
            }
        }
    }
    Ok(Value::array(out))
}

/// Both have the key and hold the same: the same type, and for numbers the same kind.
fn joins(left: &Object, right: &Object, key: &Text) -> bool {
    match (left.get(key), right.get(key)) {
        (Some(Value::Number(a)), Some(Value::Number(b))) => same_number(*a, *b),
        (Some(a), Some(b)) => a == b,
        _ => false,
    }
}

fn same_number(a: Number, b: Number) -> bool {
    a.kind() == b.kind() && a == b
}

/// Groups objects by the text of a key, groups in the order of their first member.
fn group_by(call: &Call<'_>) -> Result<Value, ValueError> {
    let count = call.arguments.len();
    if count != 3 {
        return Err(ValueError::plain(format!("group_by: expected 3 arguments, got {count}")));
    }
    let objects = objects(&call.arguments[0])?;
    let key: Text = match &call.arguments[1] {
        Value::String(key) => key.clone(),
        other => return Err(ValueError::wrong_type(other, Type::String)),
    };
    let Value::Bool(drop_missing) = call.arguments[2] else {
        return Err(ValueError::wrong_type(&call.arguments[2], Type::Bool));
    };
    let mut groups: Vec<(Text, Vec<Value>)> = Vec::new();
    let mut places: BTreeMap<Text, usize> = BTreeMap::new();
    for object in objects {
        let name = match object.get(&key) {
            None if drop_missing => continue,
            None => Text::from(""),
            Some(Value::String(name)) => name.clone(),
            Some(other) => return Err(ValueError::wrong_type(other, Type::String)),
        };
        let place = *places.entry(name.clone()).or_insert_with(|| {
            groups.push((name, Vec::new()));
            groups.len() - 1
        });
        groups[place].1.push(Value::Object(object));
    }
    let group = |(name, items): (Text, Vec<Value>)| {
        Value::object([(key.clone(), Value::String(name)), (Text::from("items"), Value::array(items))])
    };
    Ok(Value::array(groups.into_iter().map(group)))
}
