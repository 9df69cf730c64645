//! The machine, secrets, paths, and the first value that says something.

use super::{
    Host, Names,
    arguments::{raw, unary},
};
use crate::{
    decode::FromValue,
    value::{
        Function, Number, Text, Value,
        function::Call,
        secret::{OptionalSecret, Secret},
    },
};

pub(super) fn add(names: &mut Names, host: &Host) {
    let env = host.env.clone();
    let env = unary("func(string) string", move |name: Text| Ok(Text::from(env(&name).unwrap_or_default()).into()));
    names.insert("env", env.clone());
    names.insert("sys", Value::object([("env", env)]));

    let constant = |text: &str| Value::from(text);
    let constants = [
        ("hostname", constant(&host.hostname)),
        ("os", constant(&host.os)),
        ("arch", constant(&host.arch)),
        ("version", constant(&host.version)),
    ];
    names.insert("constants", Value::object(constants));

    let nonsensitive = unary("func(alloytypes.Secret) string", |secret: Secret| Ok(secret.reveal().clone().into()));
    names.insert("nonsensitive", nonsensitive.clone());
    names.insert("convert", Value::object([("nonsensitive", nonsensitive)]));

    let path_join = Value::Function(Function::new("func(...string) string", |call: &Call<'_>| {
        let parts = call.arguments.iter().map(Text::from_value).collect::<Result<Vec<_>, _>>()?;
        Ok(Text::from(join_path(&parts)).into())
    }));
    names.insert("file", Value::object([("path_join", path_join)]));

    names.insert(
        "coalesce",
        raw(|call| {
            let first = call.arguments.iter().find(|value| !is_empty(value));
            Ok(first.or(call.arguments.last()).cloned().unwrap_or(Value::Null))
        }),
    );
}

/// Null, the empty string, zero, false, and lists and objects without anything in them.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Number(Number::Float(float)) => float.to_bits() == 0,
        Value::Number(number) => number.to_i64() == 0,
        Value::Bool(bool) => !bool,
        Value::Array(array) => array.is_empty(),
        Value::Object(object) => object.is_empty(),
        Value::Function(_) => false,
        Value::Capsule(capsule) => match capsule.to_object() {
            Some(object) => object.is_empty(),
            None => is_empty_secret(value),
        },
    }
}

fn is_empty_secret(value: &Value) -> bool {
    value.downcast::<Secret>().is_some_and(|secret| secret.reveal().is_empty())
        || value.downcast::<OptionalSecret>().is_some_and(|secret| !secret.is_secret() && secret.reveal().is_empty())
}

/// Joins with slashes, leaving out empty parts, and cleans: no `.`, no `a/..`, no double slash.
fn join_path(parts: &[Text]) -> Vec<u8> {
    let parts: Vec<&[u8]> = parts.iter().map(|part| &**part).filter(|part| !part.is_empty()).collect();
    let Some(first) = parts.first() else { return Vec::new() };
    let rooted = first.starts_with(b"/");
    let mut kept: Vec<&[u8]> = Vec::new();
    for name in parts.iter().flat_map(|part| part.split(|byte| *byte == b'/')) {
        match name {
            b"" | b"." => {}
            b".." if kept.last().is_some_and(|last| *last != b"..") => {
                kept.pop();
            }
            b".." if rooted => {}
            name => kept.push(name),
        }
    }
    let joined = kept.join(&b'/');
    match (rooted, joined.is_empty()) {
        (true, _) => [b"/", &*joined].concat(),
        (false, true) => b".".to_vec(),
        (false, false) => joined,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(parts: &[&str], expect: &str) {
        let parts: Vec<_> = parts.iter().map(|part| Text::from(*part)).collect();
        assert_eq!(String::from_utf8_lossy(&join_path(&parts)), expect);
    }

    #[test]
    fn paths_are_joined_and_cleaned() {
        check(&[], "");
        check(&["", "a"], "a");
        check(&["a", "..", "b//c"], "b/c");
        check(&["/", "..", "a"], "/a");
        check(&["a", "../.."], "..");
        check(&["."], ".");
        check(&["/"], "/");
    }
}
