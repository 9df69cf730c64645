//! `array.*`: lists, and joining and grouping lists of objects.

use std::{collections::BTreeMap, sync::Arc};

use super::{Names, arguments::raw};
use crate::value::{Array, Number, Object, Text, Type, Value, ValueError, function::Call};

pub(super) fn add(names: &mut Names) {
    let concat = raw(concat);
    names.insert("concat", concat.clone());
    let functions = [("combine_maps", raw(combine_maps)), ("concat", concat), ("group_by", raw(group_by))];
    names.insert("array", Value::object(functions));
}

/// All elements of all arrays. A single array is handed on as it is.
fn concat(call: &Call<'_>) -> Result<Value, ValueError> {
    let arrays = call.arguments.iter().map(elements).collect::<Result<Vec<_>, _>>()?;
    Ok(match *arrays {
        [only] => Value::Array(only.clone()),
        _ => Value::array(arrays.iter().flat_map(|array| array.iter())),
    })
}

/// The elements of a list argument, each as it is and as an object.
fn objects(value: &Value) -> Result<Vec<(Value, Object)>, ValueError> {
    let object = |(index, element): (usize, Value)| match element.as_object() {
        Some(object) => Ok((element, object)),
        None => Err(ValueError::wrong_type(&element, Type::Object).in_element(value, index)),
    };
    elements(value)?.iter().enumerate().map(object).collect()
}

fn elements(value: &Value) -> Result<&Array, ValueError> {
    match value {
        Value::Array(array) => Ok(array),
        _ => Err(ValueError::wrong_type(value, Type::Array)),
    }
}

fn text(value: &Value) -> Result<Text, ValueError> {
    match value {
        Value::String(text) => Ok(text.clone()),
        _ => Err(ValueError::wrong_type(value, Type::String)),
    }
}

fn bool(value: &Value) -> Result<bool, ValueError> {
    match value {
        Value::Bool(bool) => Ok(*bool),
        _ => Err(ValueError::wrong_type(value, Type::Bool)),
    }
}

/// Joins two lists of objects on keys; the right side's fields win.
fn combine_maps(call: &Call<'_>) -> Result<Value, ValueError> {
    let (left, right, keys, pass_through) = match call.arguments {
        [left, right, keys] => (left, right, keys, None),
        [left, right, keys, pass_through] => (left, right, keys, Some(pass_through)),
        other => {
            let message = format!("combine_maps: expected 3 or 4 arguments, got {}", other.len());
            return Err(ValueError::plain(message));
        }
    };
    let (left, right) = (objects(left)?, objects(right)?);
    let names = elements(keys)?.iter().enumerate();
    let names = names.map(|(index, key)| text(&key).map_err(|error| error.in_element(keys, index)));
    let names = names.collect::<Result<Vec<_>, _>>()?;
    if names.is_empty() {
        return Err(ValueError::new(keys, "combine_maps: merge conditions must not be empty"));
    }
    let pass_through = pass_through.map_or(Ok(false), bool)?;
    let mut out = Vec::new();
    for (original, left) in &left {
        for (_, right) in &right {
            if names.iter().all(|key| joins(left, right, key)) {
                let mut joined = BTreeMap::clone(left);
                joined.extend(right.iter().map(|(key, value)| (key.clone(), value.clone())));
                out.push(Value::Object(Arc::new(joined)));
            } else if pass_through {
                // Once for each element that does not match: configurations see these duplicates today.
                out.push(original.clone());
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
    let [list, key, drop_missing] = call.arguments else {
        let count = call.arguments.len();
        return Err(ValueError::plain(format!("group_by: expected 3 arguments, got {count}")));
    };
    elements(list)?;
    let (key, drop_missing) = (text(key)?, bool(drop_missing)?);
    let mut groups: Vec<(Text, Vec<Value>)> = Vec::new();
    let mut places: BTreeMap<Text, usize> = BTreeMap::new();
    for (_, object) in objects(list)? {
        let name = match object.get(&key) {
            None if drop_missing => continue,
            None => Text::from(""),
            Some(name) => text(name)?,
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
