//! `string.*`: text.

use super::{
    Names,
    arguments::{argument, binary, unary},
};
use crate::{
    golang::{chars::first_char, sprintf::sprintf},
    value::{Function, Text, Value, function::Call},
};

pub(super) fn add(names: &mut Names) {
    let text = |bytes: Vec<u8>| Ok(Value::String(bytes.into()));
    let format = Value::Function(Function::new("func(string, ...interface {}) string", |call: &Call<'_>| {
        call.expect_at_least(1)?;
        let format: Text = argument(call, 0)?;
        Ok(Value::String(sprintf(&format, &call.arguments[1..]).into()))
    }));
    let replace = Value::Function(Function::new("func(string, string, string) string", |call: &Call<'_>| {
        call.expect_arguments(3)?;
        let (from, old, new): (Text, Text, Text) = (argument(call, 0)?, argument(call, 1)?, argument(call, 2)?);
        Ok(Value::String(replace(&from, &old, &new).into()))
    }));
    let functions = [
        ("format", format),
        (
            "join",
            binary("func([]string, string) string", move |parts: Vec<Text>, between: Text| text(parts.join(&*between))),
        ),
        ("replace", replace),
        (
            "split",
            binary("func(string, string) []string", |from: Text, at: Text| {
                Ok(Value::array(split(&from, &at).into_iter().map(|part| Value::String(part.into()))))
            }),
        ),
        ("to_lower", unary("func(string) string", move |from: Text| text(map_chars(&from, str::to_lowercase)))),
        ("to_upper", unary("func(string) string", move |from: Text| text(map_chars(&from, str::to_uppercase)))),
        ("trim", binary("func(string, string) string", move |from: Text, set: Text| text(trim(&from, &set)))),
        (
            "trim_prefix",
            binary("func(string, string) string", move |from: Text, prefix: Text| {
                text(from.strip_prefix(&*prefix).unwrap_or(&from).to_vec())
            }),
        ),
        (
            "trim_space",
            unary("func(string) string", move |from: Text| {
                text(trim_where(&from, |c| c.is_some_and(char::is_whitespace)).to_vec())
            }),
        ),
        (
            "trim_suffix",
            binary("func(string, string) string", move |from: Text, suffix: Text| {
                text(from.strip_suffix(&*suffix).unwrap_or(&from).to_vec())
            }),
        ),
    ];
    names.extend(functions.iter().cloned());
    names.insert("string", Value::object(functions));
}

/// Characters one at a time; a bad byte is one of its own.
fn chars(mut bytes: &[u8]) -> impl Iterator<Item = (Option<char>, &[u8])> {
    std::iter::from_fn(move || {
        let (c, width) = first_char(bytes)?;
        let (one, rest) = bytes.split_at(width);
        bytes = rest;
        Some((c, one))
    })
}

fn replace(from: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    if old.is_empty() {
        let spread = chars(from).flat_map(|(_, one)| [one, new]);
        return new.iter().copied().chain(spread.flatten().copied()).collect();
    }
    split(from, old).join(new)
}

/// Pieces between separators; without a separator, characters.
fn split<'a>(from: &'a [u8], at: &[u8]) -> Vec<&'a [u8]> {
    if at.is_empty() {
        return chars(from).map(|(_, one)| one).collect();
    }
    let mut parts = Vec::new();
    let mut start = 0;
    let mut next = 0;
    while next + at.len() <= from.len() {
        if from[next..].starts_with(at) {
            parts.push(&from[start..next]);
            next += at.len();
            start = next;
        } else {
            next += 1;
        }
    }
    parts.push(&from[start..]);
    parts
}

/// Maps text; bytes that are not UTF-8 become U+FFFD, as they do in Go.
fn map_chars(from: &[u8], map: fn(&str) -> String) -> Vec<u8> {
    let text = String::from_utf8_lossy(from);
    // One character stays one: Go maps ß and the like to themselves.
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let mapped = map(c.encode_utf8(&mut [0; 4]));
        if mapped.chars().count() == 1 { out.push_str(&mapped) } else { out.push(c) }
    }
    out.into_bytes()
}

fn trim(from: &[u8], set: &[u8]) -> Vec<u8> {
    let set: Vec<Option<char>> = chars(set).map(|(c, _)| c).collect();
    trim_where(from, |c| set.contains(&c)).to_vec()
}

fn trim_where(from: &[u8], cut: impl Fn(Option<char>) -> bool) -> &[u8] {
    let mut start = from.len();
    let mut end = 0;
    let mut at = 0;
    for (c, one) in chars(from) {
        if !cut(c) {
            start = start.min(at);
            end = at + one.len();
        }
        at += one.len();
    }
    from.get(start..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splitting_and_replacing() {
        assert_eq!(split(b"a,b", b","), [b"a", b"b"]);
        assert_eq!(split(b"", b","), [b""]);
        assert_eq!(split("aé".as_bytes(), b""), ["a".as_bytes(), "é".as_bytes()]);
        assert_eq!(replace(b"abc", b"", b"-"), b"-a-b-c-");
        assert_eq!(replace(b"aaa", b"aa", b"b"), b"ba");
    }

    #[test]
    fn trimming() {
        assert_eq!(trim(b"?!hello?!", b"!?"), b"hello");
        assert_eq!(trim(b"!!", b"!"), b"");
        assert_eq!(trim_where("\u{2003} a \n".as_bytes(), |c| c.is_some_and(char::is_whitespace)), b"a");
    }
}
