//! Values to JSON text.

use std::fmt::Write as _;

use crate::{
    golang::float,
    value::{Number, Text, Value},
};

/// Writes a value on one line: keys sorted, `<`, `>` and `&` escaped. Capsules as [`plain`] shows them.
///
/// [`plain`]: crate::value::Capsule::plain
pub fn write(value: &Value) -> Result<String, String> {
    let mut out = String::new();
    push(&mut out, value)?;
    Ok(out)
}

fn push(out: &mut String, value: &Value) -> Result<(), String> {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(bool) => out.push_str(if *bool { "true" } else { "false" }),
        Value::Number(Number::Float(float)) => push_float(out, *float)?,
        Value::Number(number) => out.push_str(&number.to_string()),
        Value::String(text) => push_string(out, text),
        Value::Array(array) => {
            out.push('[');
            for (at, element) in array.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                push(out, &element)?;
            }
            out.push(']');
        }
        Value::Object(object) => {
            out.push('{');
            for (at, (key, value)) in object.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                push_string(out, key);
                out.push(':');
                push(out, value)?;
            }
            out.push('}');
        }
        Value::Function(function) => return Err(format!("json: unsupported type: {}", function.go_type())),
        Value::Capsule(capsule) => match capsule.plain() {
            Some(plain) => push(out, &plain)?,
            None => return Err(format!("json: unsupported type: {}", capsule.type_name())),
        },
    }
    Ok(())
}

/// Very large and very small numbers get an exponent, all others none.
fn push_float(out: &mut String, value: f64) -> Result<(), String> {
    if !value.is_finite() {
        return Err(format!("json: unsupported value: {}", Number::Float(value)));
    }
    let size = value.abs();
    if size != 0.0 && !(1e-6..1e21).contains(&size) {
        // e-09 is written e-9; larger exponents have no zero to lose.
        let text = float::format(value, 'e', None);
        out.push_str(&text.replace("e-0", "e-"));
    } else {
        out.push_str(&float::format(value, 'f', None));
    }
    Ok(())
}

/// Writes a string in quotes; bytes that are not UTF-8 become U+FFFD.
pub fn push_string(out: &mut String, text: &Text) {
    out.push('"');
    for c in text.to_string_lossy().chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\x08' => out.push_str("\\b"),
            '\x0c' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..' ' => {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: Value, expect: &str) {
        assert_eq!(write(&value).unwrap_or_else(|error| error), expect);
    }

    #[test]
    fn values_are_written_as_go_writes_them() {
        check("a\"<&>\u{7}\u{b}é\u{2028}".into(), "\"a\\\"\\u003c\\u0026\\u003e\\u0007\\u000bé\\u2028\"");
        check(Value::object([("b", Value::Null), ("a", Value::array([true.into()]))]), r#"{"a":[true],"b":null}"#);
        for (float, expect) in [(1.0, "1"), (1e21, "1e+21"), (1e-7, "1e-7"), (1e20, "100000000000000000000")] {
            check(Value::Number(Number::Float(float)), expect);
        }
        check(Value::Number(Number::Float(f64::INFINITY)), "json: unsupported value: +Inf");
    }
}
