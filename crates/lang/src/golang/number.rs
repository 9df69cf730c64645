//! Numbers from and to text.

use crate::value::Number;

/// Go's `FormatFloat(f, 'f', -1, 64)`: the shortest digits that read back as the same float, without an exponent.
pub fn format_float(float: f64) -> String {
    if float.is_nan() {
        "NaN".to_owned()
    } else if float.is_infinite() {
        if float > 0.0 { "+Inf" } else { "-Inf" }.to_owned()
    } else {
        format!("{float}")
    }
}

/// A `NUMBER` token: a leading zero means octal; what is too large for an integer, or no octal number after all, is a
/// float.
pub fn parse_integer_literal(text: &str) -> Result<Number, String> {
    let (digits, radix) = match text.strip_prefix('0') {
        Some(octal) if !octal.is_empty() => (octal, 8),
        _ => (text, 10),
    };
    if let Ok(int) = i64::from_str_radix(digits, radix) {
        return Ok(Number::Int(int));
    }
    if let Ok(uint) = u64::from_str_radix(digits, radix) {
        return Ok(Number::Uint(uint));
    }
    parse_float(text).map(Number::Float)
}

/// Go's `ParseFloat(text, 64)` for decimal numbers, with its error text.
pub fn parse_float(text: &str) -> Result<f64, String> {
    let failed = |why: &str| format!("strconv.ParseFloat: parsing {}: {why}", super::quote::quote(text));
    let digits = without_underscores(text).ok_or_else(|| failed("invalid syntax"))?;
    let float: f64 = digits.parse().map_err(|_| failed("invalid syntax"))?;
    let named = digits.trim_start_matches(['+', '-']).starts_with(|c: char| c.is_ascii_alphabetic());
    if float.is_infinite() && !named { Err(failed("value out of range")) } else { Ok(float) }
}

/// The text without the underscores that Go allows between digits; nothing when one stands elsewhere.
fn without_underscores(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let stands_between =
        |at: usize| at > 0 && bytes[at - 1].is_ascii_digit() && bytes.get(at + 1).is_some_and(u8::is_ascii_digit);
    let good = bytes.iter().enumerate().all(|(at, byte)| *byte != b'_' || stands_between(at));
    good.then(|| text.replace('_', ""))
}

/// A string where a number is wanted: a leading minus makes it an integer, one of `.eE` a float, else it is unsigned.
pub fn parse_number(text: &str) -> Result<Number, String> {
    if text.starts_with('-') {
        parse_integer(text, "ParseInt").map(Number::Int)
    } else if text.contains(['.', 'e', 'E']) {
        parse_float(text).map(Number::Float)
    } else {
        parse_integer(text, "ParseUint").map(Number::Uint)
    }
}

fn parse_integer<T: std::str::FromStr<Err = std::num::ParseIntError>>(text: &str, function: &str) -> Result<T, String> {
    use std::num::IntErrorKind::{NegOverflow, PosOverflow};
    let failed = |why: &str| format!("strconv.{function}: parsing {}: {why}", super::quote::quote(text));
    if text.starts_with('+') {
        return Err(failed("invalid syntax"));
    }
    text.parse().map_err(|error: std::num::ParseIntError| match error.kind() {
        PosOverflow | NegOverflow => failed("value out of range"),
        _ => failed("invalid syntax"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn literal(text: &str, expect: &str) {
        let shown = parse_integer_literal(text).map(|number| format!("{} {number}", number.kind()));
        assert_eq!(shown.unwrap_or_else(|error| error), expect);
    }

    #[track_caller]
    fn converted(text: &str, expect: &str) {
        let shown = parse_number(text).map(|number| format!("{} {number}", number.kind()));
        assert_eq!(shown.unwrap_or_else(|error| error), expect);
    }

    #[test]
    fn literals_pick_the_smallest_kind_that_fits() {
        literal("0", "int 0");
        literal("010", "int 8");
        literal("08", "float 8");
        literal("9223372036854775808", "uint 9223372036854775808");
        literal("18446744073709551616", "float 18446744073709552000");
    }

    #[test]
    fn strings_become_numbers_by_their_look() {
        converted("5", "uint 5");
        converted("-5", "int -5");
        converted("1_0.5", "float 10.5");
        converted("-1.5", r#"strconv.ParseInt: parsing "-1.5": invalid syntax"#);
        converted("", r#"strconv.ParseUint: parsing "": invalid syntax"#);
        converted("+1", r#"strconv.ParseUint: parsing "+1": invalid syntax"#);
        converted(" 1", r#"strconv.ParseUint: parsing " 1": invalid syntax"#);
        converted("1e400", r#"strconv.ParseFloat: parsing "1e400": value out of range"#);
    }

    #[test]
    fn floats_print_without_an_exponent() {
        assert_eq!(format_float(1e21), "1000000000000000000000");
        assert_eq!(format_float(1.0), "1");
        assert_eq!(format_float(0.0015), "0.0015");
        assert_eq!(format_float(f64::INFINITY), "+Inf");
    }
}
