//! What a YAML scalar means.

use crate::{
    golang::{
        base64::{self, Alphabet},
        number::parse_float,
    },
    value::{Number, Value},
};

const PREFIX: &str = "tag:yaml.org,2002:";

/// The value of a scalar. Only plain ones without a tag are looked at closely.
pub(super) fn resolve(text: &str, tag: Option<&str>, plain: bool, line: u64) -> Result<Value, String> {
    let wrong = |kind: &str| Err(format!("yaml: cannot decode !!str `{text}` as a {kind}"));
    let Some(tag) = tag else {
        return Ok(if plain { guess(text) } else { text.into() });
    };
    match tag.strip_prefix(PREFIX) {
        Some("binary") => {
            let joined: String = text.split_whitespace().collect();
            let bytes = base64::decode(joined.as_bytes(), Alphabet::Standard)
                .map_err(|_| format!("yaml: line {line}: !!binary value contains invalid base64 data"))?;
            Ok(Value::String(bytes.into()))
        }
        Some("null") => match guess(text) {
            Value::Null => Ok(Value::Null),
            _ => wrong("!!null"),
        },
        Some("bool") => match guess(text) {
            bool @ Value::Bool(_) => Ok(bool),
            _ => wrong("!!bool"),
        },
        Some("int") => match guess(text) {
            int @ Value::Number(Number::Int(_) | Number::Uint(_)) => Ok(int),
            _ => wrong("!!int"),
        },
        Some("float") => match guess(text) {
            Value::Number(number) => Ok(Value::Number(Number::Float(number.to_f64()))),
            _ => wrong("!!float"),
        },
        _ => Ok(text.into()),
    }
}

/// What a plain scalar without a tag looks like.
fn guess(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        ".nan" | ".NaN" | ".NAN" => return float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => return float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => return float(f64::NEG_INFINITY),
        _ => {}
    }
    if !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.')) {
        return text.into();
    }
    if let Some(time) = timestamp(text) {
        return time.into();
    }
    let digits = text.replace('_', "");
    if let Some(number) = integer(&digits) {
        return Value::Number(number);
    }
    if looks_like_float(&digits)
        && let Ok(number) = parse_float(&digits)
    {
        return float(number);
    }
    text.into()
}

fn float(float: f64) -> Value {
    Value::Number(Number::Float(float))
}

/// Decimal, `0x`, `0o`, `0b`, and octal with a leading zero.
fn integer(text: &str) -> Option<Number> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let lower = digits.to_ascii_lowercase();
    let (digits, radix) = match lower.as_bytes() {
        [b'0', b'x', ..] => (&lower[2..], 16),
        [b'0', b'o', ..] => (&lower[2..], 8),
        [b'0', b'b', ..] => (&lower[2..], 2),
        [b'0', _, ..] => (&lower[1..], 8),
        _ => (lower.as_str(), 10),
    };
    if digits.starts_with(['+', '-']) {
        return None;
    }
    let value = u64::from_str_radix(digits, radix).ok()?;
    match (negative, i64::try_from(value)) {
        (true, Ok(value)) => Some(Number::Int(-value)),
        (true, Err(_)) if value == 1 << 63 => Some(Number::Int(i64::MIN)),
        (true, Err(_)) => None,
        (false, Ok(value)) => Some(Number::Int(value)),
        (false, Err(_)) => Some(Number::Uint(value)),
    }
}

/// Digits with a point anywhere among them, and perhaps an exponent.
fn looks_like_float(text: &str) -> bool {
    let text = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))),
        None => (text, None),
    };
    let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let good_mantissa = match mantissa.split_once('.') {
        Some(("", fraction)) => all_digits(fraction),
        Some((whole, fraction)) => all_digits(whole) && (fraction.is_empty() || all_digits(fraction)),
        None => all_digits(mantissa),
    };
    good_mantissa && exponent.is_none_or(all_digits)
}

/// A date, or a date with a time, in RFC 3339.
fn timestamp(text: &str) -> Option<String> {
    let (year, rest) = text.split_once('-')?;
    let (month, rest) = rest.split_once('-')?;
    let (day, rest) = rest.split_at(rest.bytes().take_while(u8::is_ascii_digit).count());
    let number = |text: &str, width: std::ops::RangeInclusive<usize>| -> Option<u32> {
        let good = width.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        good.then(|| text.parse().ok()).flatten()
    };
    let (year, month, day) = (number(year, 4..=4)?, number(month, 1..=2)?, number(day, 1..=2)?);
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=days).contains(&day) {
        return None;
    }
    let date = format!("{year:04}-{month:02}-{day:02}");
    if rest.is_empty() {
        return Some(format!("{date}T00:00:00Z"));
    }
    let needs_zone = rest.starts_with(['T', 't']);
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let (clock, zone) = rest.split_at(rest.find(['Z', '+', '-']).unwrap_or(rest.len()));
    if needs_zone == zone.is_empty() {
        return None;
    }
    let mut parts = clock.splitn(3, ':');
    let (hour, minute, second) = (parts.next()?, parts.next()?, parts.next()?);
    let (second, fraction) = second.split_once('.').map_or((second, ""), |(second, fraction)| (second, fraction));
    let (hour, minute, second) = (number(hour, 1..=2)?, number(minute, 1..=2)?, number(second, 1..=2)?);
    if hour > 23 || minute > 59 || second > 59 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let fraction = fraction.get(..9).unwrap_or(fraction).trim_end_matches('0');
    let fraction = if fraction.is_empty() { String::new() } else { format!(".{fraction}") };
    let zone = match zone {
        "" | "Z" | "+00:00" | "-00:00" => "Z",
        zone => {
            let (hours, minutes) = zone[1..].split_once(':')?;
            number(hours, 2..=2).filter(|hours| *hours < 24)?;
            number(minutes, 2..=2).filter(|minutes| *minutes < 60)?;
            zone
        }
    };
    Some(format!("{date}T{hour:02}:{minute:02}:{second:02}{fraction}{zone}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expect: &str) {
        assert_eq!(format!("{:?}", guess(text)), expect);
    }

    #[test]
    fn plain_text_is_guessed() {
        check("017", "15");
        check("0o17", "15");
        check("0x1f", "31");
        check("-0b11", "-3");
        check("1_000", "1000");
        check("+5", "5");
        check("08", "8");
        check("1e3", "1000");
        check(".5", "0.5");
        check("-.inf", "-Inf");
        check("1.2.3", "\"1.2.3\"");
        check("-", "\"-\"");
        check("yes", "\"yes\"");
        check("18446744073709551615", "18446744073709551615");
        check("2024-02-30", "\"2024-02-30\"");
        check("2024-2-3", "\"2024-02-03T00:00:00Z\"");
        check("2024-02-03 04:05:06.700", "\"2024-02-03T04:05:06.7Z\"");
        check("2024-02-03T04:05:06+01:00", "\"2024-02-03T04:05:06+01:00\"");
    }

    #[test]
    fn tags_decide() {
        let resolve = |text, tag: &str| resolve(text, Some(&format!("{PREFIX}{tag}")), true, 1);
        assert_eq!(resolve("aGk=", "binary"), Ok("hi".into()));
        assert_eq!(resolve("1", "str"), Ok("1".into()));
        assert_eq!(resolve("1", "float"), Ok(float(1.0)));
        assert_eq!(resolve("x", "int"), Err("yaml: cannot decode !!str `x` as a !!int".to_owned()));
    }
}
