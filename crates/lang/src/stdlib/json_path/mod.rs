//! `json_path(text, path)`: the parts of a JSON text that a JSONPath names.
//!
//! The dialect is that of ojg: `$` and a leading dot may be left out, `..` descends (what is deeper comes first),
//! brackets take names, indexes, lists of both, slices `[start:end:step]` and filters `[?(@.a == "x")]`.

mod filter;
mod parse;

use super::{Names, arguments::binary};
use crate::{
    golang::json::{self, Numbers, Problem, ReadError},
    value::{Text, Value},
};

pub(super) fn add(names: &mut Names) {
    let function = binary("func(string, string) ([]interface {}, error)", |text: Text, path: Text| {
        let path = parse::path(&path.to_string_lossy())?;
        let value = json::read(&text, Numbers::Integers).map_err(|error| describe(&error, &text))?;
        Ok(Value::array(select(&path, &value, &value)))
    });
    names.insert("json_path", function);
}

/// The error in ojg's words, with line and column.
fn describe(error: &ReadError, text: &[u8]) -> String {
    let before = &text[..error.at.min(text.len())];
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let column = before.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
    let what = match (error.found.map(char::from), &error.problem) {
        (_, Problem::Depth | Problem::Range(_)) => error.to_string(),
        (None, _) => "incomplete JSON".to_owned(),
        (Some(c), Problem::Value) => format!("unexpected character '{c}'"),
        (Some(c), Problem::End) => format!("extra characters after close, '{c}'"),
        (Some(c), Problem::Element | Problem::Field) => format!("expected a comma or close, not '{c}'"),
        (Some(c), Problem::Key) => format!("expected a string start or object close, not '{c}'"),
        (Some(c), Problem::Colon) => format!("expected a colon, not '{c}'"),
        (Some(_), Problem::Word(word, _)) => format!("expected {word}"),
        (Some(_), Problem::Digit(_)) => "invalid number".to_owned(),
        (Some(c), Problem::Character) => format!("invalid JSON character 0x{:02x}", c as u32),
        (Some(c), Problem::Escape) => format!("invalid JSON escape character '\\{c}'"),
        (Some(c), Problem::Hexadecimal) => format!("invalid JSON unicode character '{c}'"),
    };
    format!("{what} at {line}:{column}")
}

/// One step of a path.
#[derive(Clone, Debug, PartialEq)]
enum Step {
    /// `$`
    Root,
    /// `@`
    Current,
    /// `.name`, `['name']`
    Name(String),
    /// `[n]`; negative ones count from the end.
    Nth(i64),
    /// `*`
    All,
    /// `..`
    Descend,
    /// `['a', 2]`
    Union(Vec<Step>),
    /// `[start:end:step]`; the end is left out of the result.
    Slice { start: i64, end: Option<i64>, step: i64 },
    /// `[?(…)]`
    Filter(filter::Expression),
}

/// Every value that a path leads to.
fn select(path: &[Step], root: &Value, current: &Value) -> Vec<Value> {
    let mut found = vec![current.clone()];
    for (at, step) in path.iter().enumerate() {
        let last = at + 1 == path.len();
        let mut next = Vec::new();
        for value in &found {
            match step {
                Step::Root => next.push(root.clone()),
                Step::Current => next.push(value.clone()),
                Step::Descend => descend(value, last, &mut next),
                step => children(step, value, root, &mut next),
            }
        }
        found = next;
    }
    found
}

fn children(step: &Step, value: &Value, root: &Value, out: &mut Vec<Value>) {
    match (step, value) {
        (Step::Name(name), Value::Object(object)) => out.extend(object.get(name.as_bytes()).cloned()),
        (Step::Nth(index), Value::Array(array)) => {
            let index = if *index < 0 { index + array.len() as i64 } else { *index };
            out.extend(usize::try_from(index).ok().and_then(|index| array.get(index)));
        }
        (Step::All, value) => out.extend(inside(value)),
        (Step::Union(steps), value) => steps.iter().for_each(|step| children(step, value, root, out)),
        (Step::Slice { start, end, step }, Value::Array(array)) => {
            let indexes = slice(array.len(), *start, *end, *step);
            out.extend(indexes.into_iter().filter_map(|index| array.get(index)));
        }
        (Step::Filter(expression), value) => {
            out.extend(inside(value).into_iter().filter(|inner| expression.holds(root, inner)));
        }
        _ => {}
    }
}

/// Elements or fields' values.
fn inside(value: &Value) -> Vec<Value> {
    match value {
        Value::Array(array) => array.iter().collect(),
        Value::Object(object) => object.values().cloned().collect(),
        _ => Vec::new(),
    }
}

/// Everything below a value, what is deeper first, and the value itself unless the path ends here.
fn descend(value: &Value, last: bool, out: &mut Vec<Value>) {
    for inner in inside(value) {
        if matches!(inner, Value::Array(_) | Value::Object(_)) {
            descend(&inner, last, out);
        }
        if last {
            out.push(inner);
        }
    }
    if !last {
        out.push(value.clone());
    }
}

fn slice(length: usize, start: i64, end: Option<i64>, step: i64) -> Vec<usize> {
    let length = length as i64;
    let from_end = |index: i64| if index < 0 { index + length } else { index };
    let (mut at, mut out) = (from_end(start), Vec::new());
    match step {
        1.. => {
            let end = end.map_or(length, from_end).min(length);
            at = at.max(0);
            while at < end {
                out.push(at as usize);
                at = at.saturating_add(step);
            }
        }
        0 => {}
        ..0 => {
            let end = end.map_or(-1, from_end).max(-1);
            at = at.min(length - 1);
            while at > end {
                out.push(at as usize);
                at = at.saturating_add(step);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, path: &str, expect: &str) {
        let found = parse::path(path).map(|path| {
            let value = json::read(text.as_bytes(), Numbers::Integers).unwrap();
            json::write(&Value::array(select(&path, &value, &value))).unwrap()
        });
        assert_eq!(found.unwrap_or_else(|error| error), expect);
    }

    const BOOKS: &str = r#"{"books": [{"n": "a", "p": 3}, {"n": "b", "p": 9, "x": null}, {"n": "c"}], "p": 1}"#;

    #[test]
    fn paths_select() {
        check(BOOKS, "$.books[0].n", r#"["a"]"#);
        check(BOOKS, ".books[*].n", r#"["a","b","c"]"#);
        check(BOOKS, "books[-1]['n']", r#"["c"]"#);
        check(BOOKS, "$..p", "[3,9,1]");
        check(BOOKS, "$.books[0:2].p", "[3,9]");
        check(BOOKS, "$.books[::2].n", r#"["a","c"]"#);
        check(BOOKS, "$.books[0]['n','p']", r#"["a",3]"#);
        check(BOOKS, "$.nope", "[]");
        check(
            BOOKS,
            "$",
            &format!("[{}]", json::write(&json::read(BOOKS.as_bytes(), Numbers::Integers).unwrap()).unwrap()),
        );
        check("[1,2,3]", "$[3]", "[]");
        check("[1,2,3]", "$[-2:]", "[2,3]");
        check("[1,2,3]", "$[2:0:-1]", "[3,2]");
    }

    #[test]
    fn filters_select() {
        check(BOOKS, r#"$.books[?(@.n == "b")].p"#, "[9]");
        check(BOOKS, "$.books[?(@.p > 2 && @.p < 5)].n", r#"["a"]"#);
        check(BOOKS, "$.books[?@.p == 9 || @.n == 'c'].n", r#"["b","c"]"#);
        check(BOOKS, "$.books[?(!(@.n == 'a'))].n", r#"["b","c"]"#);
        check(BOOKS, "$.books[?(@.p > $.p * 4)].n", r#"["b"]"#);
        check(BOOKS, "$.books[?(@.n =~ /[ab]/)].n", r#"["a","b"]"#);
        check(BOOKS, "$.books[?(@.n in ['a', 'c'])].n", r#"["a","c"]"#);
        check(BOOKS, "$.books[?(@.p has true)].n", r#"["a","b"]"#);
        check(BOOKS, "$.books[?(length(@.n) == 1)].p", "[3,9]");
    }

    #[test]
    fn bad_text_says_where() {
        let check = |text: &str, expect| {
            let error = json::read(text.as_bytes(), Numbers::Integers).unwrap_err();
            assert_eq!(describe(&error, text.as_bytes()), expect);
        };
        check("{", "incomplete JSON at 1:2");
        check("x", "unexpected character 'x' at 1:1");
        check("[1\n x]", "expected a comma or close, not 'x' at 2:2");
        check("{\"a\" 1}", "expected a colon, not '1' at 1:6");
        check("nul!", "expected null at 1:4");
    }

    #[test]
    fn bad_paths_say_where() {
        check("[]", "$[", "not terminated at 3 in $[");
        check("[]", "$[x]", "parse error at 3 in $[x]");
        check("[]", "$.a.", "not terminated at 5 in $.a.");
        check("[]", "$[?(@.a ==)]", "expected a value at 11 in $[?(@.a ==)]");
        check("[]", "$ x", "parse error at 2 in $ x");
        check("[]", &format!("$[?{}", "(".repeat(10_000)), "nested too deeply");
    }
}
