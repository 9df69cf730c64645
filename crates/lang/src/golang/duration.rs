//! Durations in Go's form: `1h30m0s`.

use super::quote::quote;

/// Parses a duration to nanoseconds: an optional sign and one or more `number unit`, or a bare `0`.
pub fn parse(text: &str) -> Result<i64, String> {
    let invalid = || format!("time: invalid duration {}", quote(text));
    let (negative, mut rest) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let (whole, after) = leading_digits(rest);
        let (fraction, after) = match after.strip_prefix('.') {
            Some(after) => leading_digits(after),
            None => ("", after),
        };
        if whole.is_empty() && fraction.is_empty() {
            return Err(invalid());
        }
        let unit_end = after.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(after.len());
        let (unit_name, after) = after.split_at(unit_end);
        if unit_name.is_empty() {
            return Err(format!("time: missing unit in duration {}", quote(text)));
        }
        let unit = unit(unit_name)
            .ok_or_else(|| format!("time: unknown unit {} in duration {}", quote(unit_name), quote(text)))?;
        let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| invalid())? };
        let value = whole.checked_mul(unit).filter(|value| *value <= 1 << 63).ok_or_else(invalid)?;
        let value = value + fraction_of(fraction, unit);
        total = total.checked_add(value).filter(|total| *total <= 1 << 63).ok_or_else(invalid)?;
        rest = after;
    }
    match (negative, i64::try_from(total)) {
        (false, Ok(total)) => Ok(total),
        (true, Ok(total)) => Ok(-total),
        (true, Err(_)) => Ok(i64::MIN),
        (false, Err(_)) => Err(invalid()),
    }
}

fn leading_digits(text: &str) -> (&str, &str) {
    text.split_at(text.bytes().take_while(u8::is_ascii_digit).count())
}

fn unit(name: &str) -> Option<u64> {
    Some(match name {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    })
}

/// The nanoseconds of the digits after the point; digits beyond the nineteenth do not matter.
fn fraction_of(digits: &str, unit: u64) -> u64 {
    let digits = &digits[..digits.len().min(18)];
    let Ok(value) = digits.parse::<u64>() else { return 0 };
    let scale = 10_u128.pow(digits.len() as u32);
    u64::try_from(u128::from(value) * u128::from(unit) / scale).unwrap_or(0)
}

/// Writes nanoseconds as Go does: `1h30m0s`, `100ms`, `5µs`, `0s`.
pub fn format(nanos: i64) -> String {
    let sign = if nanos < 0 { "-" } else { "" };
    let nanos = nanos.unsigned_abs();
    let text = match nanos {
        0 => return "0s".to_owned(),
        1..1_000 => format!("{nanos}ns"),
        1_000..1_000_000 => format!("{}µs", decimal(nanos, 1_000)),
        1_000_000..1_000_000_000 => format!("{}ms", decimal(nanos, 1_000_000)),
        _ => {
            let seconds = nanos / 1_000_000_000;
            let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
            let rest = format!("{}s", decimal(nanos % 60_000_000_000, 1_000_000_000));
            match (hours, minutes) {
                (0, 0) => rest,
                (0, _) => format!("{minutes}m{rest}"),
                _ => format!("{hours}h{minutes}m{rest}"),
            }
        }
    };
    format!("{sign}{text}")
}

fn decimal(value: u64, unit: u64) -> String {
    let width = unit.ilog10() as usize;
    let fraction = format!("{:0width$}", value % unit);
    let fraction = fraction.trim_end_matches('0');
    if fraction.is_empty() { (value / unit).to_string() } else { format!("{}.{fraction}", value / unit) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(input: &str, expect: &str) {
        assert_eq!(parse(input).map_or_else(|error| error, format), expect);
    }

    #[test]
    fn reads_and_writes_as_go_does() {
        check("1h30m", "1h30m0s");
        check("100ms", "100ms");
        check("5us", "5µs");
        check("5µs", "5µs");
        check("1.5h", "1h30m0s");
        check("-1.5s", "-1.5s");
        check(".5s", "500ms");
        check("1s1s", "2s");
        check("0", "0s");
        check("90s", "1m30s");
        check("2540400h10m10.000000001s", "2540400h10m10.000000001s");
    }

    #[test]
    fn errors_name_the_text() {
        check("10", r#"time: missing unit in duration "10""#);
        check("1d", r#"time: unknown unit "d" in duration "1d""#);
        check("", r#"time: invalid duration """#);
        check("-", r#"time: invalid duration "-""#);
        check(" 1s", r#"time: invalid duration " 1s""#);
        check("1 s", r#"time: unknown unit " s" in duration "1 s""#);
        check("9999999999h", r#"time: invalid duration "9999999999h""#);
    }
}
