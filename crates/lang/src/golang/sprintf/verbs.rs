//! Printing one argument with one verb.

use super::spec::Spec;
use crate::{
    golang::{
        chars::{first_char, is_printable},
        float,
        quote::{push_escaped, quote_with},
    },
    value::{
        Number, Text, Value,
        secret::{OptionalSecret, Secret},
    },
};

/// A value as Go would see it behind an `any`.
#[derive(Clone, Debug)]
pub(super) enum Argument {
    Nil,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Float(f64),
    String(Text, &'static str),
    List(Vec<Argument>),
    Map(Vec<(Text, Argument)>),
    Struct(Vec<Argument>, &'static str),
    /// What has no text of its own.
    Opaque(&'static str),
}

impl Argument {
    pub(super) fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::Nil,
            Value::Bool(bool) => Self::Bool(*bool),
            Value::Number(Number::Int(int)) => Self::Int(*int),
            Value::Number(Number::Uint(uint)) => i64::try_from(*uint).map_or(Self::Uint(*uint), Self::Int),
            Value::Number(Number::Float(float)) => Self::Float(*float),
            Value::String(text) => Self::String(text.clone(), "string"),
            Value::Array(array) => Self::List(array.iter().map(|value| Self::of(&value)).collect()),
            Value::Object(object) => {
                Self::Map(object.iter().map(|(key, value)| (key.clone(), Self::of(value))).collect())
            }
            Value::Function(function) => Self::Opaque(function.go_type()),
            Value::Capsule(capsule) => {
                if let Some(secret) = value.downcast::<Secret>() {
                    Self::String(secret.reveal().clone(), capsule.type_name())
                } else if let Some(secret) = value.downcast::<OptionalSecret>() {
                    let text = Self::String(secret.reveal().clone(), "string");
                    Self::Struct(vec![Self::Bool(secret.is_secret()), text], capsule.type_name())
                } else {
                    capsule.plain().map_or(Self::Opaque(capsule.type_name()), |plain| Self::of(&plain))
                }
            }
        }
    }

    pub(super) fn go_type(&self) -> &'static str {
        match self {
            Self::Nil => "<nil>",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Uint(_) => "uint64",
            Self::Float(_) => "float64",
            Self::List(_) => "[]interface {}",
            Self::Map(_) => "map[string]interface {}",
            Self::String(_, name) | Self::Struct(_, name) | Self::Opaque(name) => name,
        }
    }
}

/// Prints an argument, or why it does not go with the verb.
pub(super) fn print(out: &mut Vec<u8>, argument: &Argument, verb: char, spec: &Spec) {
    if verb == 'T' {
        return pad(out, argument.go_type().as_bytes(), spec);
    }
    let printed = match argument {
        Argument::Nil if verb == 'v' => {
            pad(out, b"<nil>", spec);
            true
        }
        Argument::Bool(bool) if matches!(verb, 't' | 'v') => {
            pad(out, bool.to_string().as_bytes(), spec);
            true
        }
        Argument::Int(int) => integer(out, int.unsigned_abs(), *int < 0, verb, spec),
        Argument::Uint(uint) => integer(out, *uint, false, verb, spec),
        Argument::Float(float) => float_verb(out, *float, verb, spec),
        Argument::String(text, _) => string(out, text, verb, spec),
        Argument::List(items) => {
            let brackets = Brackets::of(argument, "[", "]", verb, spec);
            sequence(out, &brackets, items.iter().map(|item| (None, item)), verb, spec);
            true
        }
        Argument::Struct(items, _) => {
            let brackets = Brackets::of(argument, "{", "}", verb, spec);
            sequence(out, &brackets, items.iter().map(|item| (None, item)), verb, spec);
            true
        }
        Argument::Map(fields) => {
            let brackets = Brackets::of(argument, "map[", "]", verb, spec);
            sequence(out, &brackets, fields.iter().map(|(key, item)| (Some(key), item)), verb, spec);
            true
        }
        Argument::Opaque(name) if matches!(verb, 'v' | 's') => {
            pad(out, name.as_bytes(), spec);
            true
        }
        _ => false,
    };
    if !printed {
        bad_verb(out, argument, verb, spec);
    }
}

/// `%!d(string=5)`
fn bad_verb(out: &mut Vec<u8>, argument: &Argument, verb: char, spec: &Spec) {
    out.extend_from_slice(format!("%!{verb}(").as_bytes());
    match argument {
        Argument::Nil => out.extend_from_slice(b"<nil>"),
        _ => {
            out.extend_from_slice(argument.go_type().as_bytes());
            out.push(b'=');
            print(out, argument, 'v', spec);
        }
    }
    out.push(b')');
}

/// What stands around and between items.
struct Brackets {
    open: String,
    between: &'static str,
    close: &'static str,
}

impl Brackets {
    /// Go's own syntax for `%#v`, else the short form.
    fn of(argument: &Argument, open: &str, close: &'static str, verb: char, spec: &Spec) -> Self {
        if verb == 'v' && spec.sharp {
            Self { open: format!("{}{{", argument.go_type()), between: ", ", close: "}" }
        } else {
            Self { open: open.to_owned(), between: " ", close }
        }
    }
}

fn sequence<'a>(
    out: &mut Vec<u8>,
    brackets: &Brackets,
    items: impl Iterator<Item = (Option<&'a Text>, &'a Argument)>,
    verb: char,
    spec: &Spec,
) {
    out.extend_from_slice(brackets.open.as_bytes());
    for (at, (key, item)) in items.enumerate() {
        if at > 0 {
            out.extend_from_slice(brackets.between.as_bytes());
        }
        if let Some(key) = key {
            print(out, &Argument::String(key.clone(), "string"), verb, spec);
            out.push(b':');
        }
        match item {
            // Inside a list nothing is nothing whatever the verb.
            Argument::Nil if verb == 'v' && spec.sharp => out.extend_from_slice(b"interface {}(nil)"),
            Argument::Nil => pad(out, b"<nil>", spec),
            item => print(out, item, verb, spec),
        }
    }
    out.extend_from_slice(brackets.close.as_bytes());
}

/// Fills up to the width with blanks, or with zeros where asked for on the left.
fn pad(out: &mut Vec<u8>, text: &[u8], spec: &Spec) {
    let count = String::from_utf8_lossy(text).chars().count();
    let fill = spec.resolved_width.saturating_sub(count);
    let blank = if spec.zero && !spec.minus { b'0' } else { b' ' };
    if spec.minus {
        out.extend_from_slice(text);
        out.resize(out.len() + fill, b' ');
    } else {
        out.resize(out.len() + fill, blank);
        out.extend_from_slice(text);
    }
}

/// Puts the sign before the zeros that fill a number up.
fn pad_number(out: &mut Vec<u8>, sign: &str, digits: &str, spec: &Spec) {
    let text = format!("{sign}{digits}");
    if spec.zero && !spec.minus && text.len() < spec.resolved_width {
        let fill = spec.resolved_width - text.len();
        out.extend_from_slice(sign.as_bytes());
        out.resize(out.len() + fill, b'0');
        out.extend_from_slice(digits.as_bytes());
    } else {
        pad(out, text.as_bytes(), &Spec { zero: false, ..spec.clone() });
    }
}

fn sign(negative: bool, spec: &Spec) -> &'static str {
    match (negative, spec.plus, spec.space) {
        (true, _, _) => "-",
        (false, true, _) => "+",
        (false, false, true) => " ",
        (false, false, false) => "",
    }
}

fn integer(out: &mut Vec<u8>, value: u64, negative: bool, verb: char, spec: &Spec) -> bool {
    let (digits, prefix) = match verb {
        'd' | 'v' => (value.to_string(), ""),
        'b' => (format!("{value:b}"), if spec.sharp { "0b" } else { "" }),
        'o' => (format!("{value:o}"), if spec.sharp { "0" } else { "" }),
        'O' => (format!("{value:o}"), "0o"),
        'x' => (format!("{value:x}"), if spec.sharp { "0x" } else { "" }),
        'X' => (format!("{value:X}"), if spec.sharp { "0X" } else { "" }),
        'c' | 'q' | 'U' => {
            character(out, value, negative, verb, spec);
            return true;
        }
        _ => return false,
    };
    let digits = match spec.resolved_precision {
        Some(0) if value == 0 => String::new(),
        Some(width) => format!("{digits:0>width$}"),
        None => digits,
    };
    let sign = format!("{}{prefix}", sign(negative, spec));
    let spec = Spec { zero: spec.zero && spec.resolved_precision.is_none(), ..spec.clone() };
    pad_number(out, &sign, &digits, &spec);
    true
}

fn character(out: &mut Vec<u8>, value: u64, negative: bool, verb: char, spec: &Spec) {
    let code = u32::try_from(value).ok().filter(|_| !negative).and_then(char::from_u32);
    let c = code.unwrap_or(char::REPLACEMENT_CHARACTER);
    let text = match verb {
        'c' => c.to_string(),
        'U' => {
            let shown = if spec.sharp && is_printable(c) { format!(" '{c}'") } else { String::new() };
            format!("U+{value:04X}{shown}")
        }
        _ => {
            let mut text = "'".to_owned();
            push_escaped(&mut text, c, '\'', spec.plus);
            text + "'"
        }
    };
    pad(out, text.as_bytes(), spec);
}

fn float_verb(out: &mut Vec<u8>, value: f64, verb: char, spec: &Spec) -> bool {
    let (form, default) = match verb {
        'v' => ('g', None),
        'g' | 'G' => (verb, None),
        'e' | 'E' | 'f' | 'F' => (verb, Some(6)),
        _ => return false,
    };
    let text = float::format(value, form, spec.resolved_precision.or(default));
    let negative = text.starts_with('-');
    let digits = text.trim_start_matches(['-', '+']);
    let spec = Spec { zero: spec.zero && value.is_finite(), ..spec.clone() };
    let sign = if value.is_infinite() && !negative { "+" } else { sign(negative, &spec) };
    pad_number(out, sign, digits, &spec);
    true
}

fn string(out: &mut Vec<u8>, text: &[u8], verb: char, spec: &Spec) -> bool {
    let text = match spec.resolved_precision {
        Some(count) if verb != 'x' && verb != 'X' => first_chars(text, count),
        Some(count) => &text[..text.len().min(count)],
        None => text,
    };
    match verb {
        'v' if spec.sharp => pad(out, quote_with(text, '"', false).as_bytes(), spec),
        'v' | 's' => pad(out, text, spec),
        'x' | 'X' => {
            let hex: Vec<_> = text
                .iter()
                .map(|byte| if verb == 'x' { format!("{byte:02x}") } else { format!("{byte:02X}") })
                .collect();
            let prefix = match (spec.sharp && !hex.is_empty(), verb) {
                (false, _) => "",
                (true, 'x') => "0x",
                (true, _) => "0X",
            };
            let between = if spec.space { format!(" {prefix}") } else { String::new() };
            pad(out, format!("{prefix}{}", hex.join(&between)).as_bytes(), spec);
        }
        'q' if spec.sharp && can_be_raw(text) => {
            pad(out, format!("`{}`", String::from_utf8_lossy(text)).as_bytes(), spec);
        }
        'q' => pad(out, quote_with(text, '"', spec.plus).as_bytes(), spec),
        _ => return false,
    }
    true
}

fn can_be_raw(text: &[u8]) -> bool {
    std::str::from_utf8(text)
        .is_ok_and(|text| text.chars().all(|c| c == '\t' || (c >= ' ' && c != '`' && c != '\x7f' && c != '\u{feff}')))
}

fn first_chars(text: &[u8], count: usize) -> &[u8] {
    let mut end = 0;
    for _ in 0..count {
        match first_char(&text[end..]) {
            Some((_, width)) => end += width,
            None => break,
        }
    }
    &text[..end]
}
