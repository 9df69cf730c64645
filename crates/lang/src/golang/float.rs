//! Floats in the forms of Go's `strconv.FormatFloat`.

/// `e`, `E`, `f`, `g` or `G` with a number of digits; without one, the shortest that reads back the same.
pub fn format(value: f64, form: char, precision: Option<usize>) -> String {
    if !value.is_finite() {
        return super::number::format_float(value);
    }
    match form {
        'e' | 'E' => exponent(value, form, precision),
        'f' | 'F' => match precision {
            Some(precision) => format!("{value:.precision$}"),
            None => super::number::format_float(value),
        },
        _ => general(value, if form == 'G' { 'E' } else { 'e' }, precision),
    }
}

/// `1.5e+06`: at least two digits of exponent.
fn exponent(value: f64, letter: char, precision: Option<usize>) -> String {
    let text = match precision {
        Some(precision) => format!("{value:.precision$e}"),
        None => format!("{value:e}"),
    };
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, exponent) = match exponent.strip_prefix('-') {
        Some(exponent) => ('-', exponent),
        None => ('+', exponent),
    };
    format!("{digits}{letter}{sign}{exponent:0>2}")
}

/// The shorter of both forms: an exponent below -4 or from the number of digits on (6 for the shortest) is written.
fn general(value: f64, letter: char, precision: Option<usize>) -> String {
    let significant = precision.map(|precision| precision.max(1));
    let scientific = match significant {
        Some(digits) => format!("{value:.prec$e}", prec = digits - 1),
        None => format!("{value:e}"),
    };
    let (digits, power) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let power: i32 = power.parse().unwrap_or(0);
    let digits = if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { digits };
    let count = digits.bytes().filter(u8::is_ascii_digit).count() as i32;
    let limit = match significant {
        None => 6,
        Some(wanted) => {
            let wanted = i32::try_from(wanted).unwrap_or(i32::MAX);
            if wanted > count && count > power { count } else { wanted }
        }
    };
    if power < -4 || power >= limit {
        let sign = if power < 0 { '-' } else { '+' };
        return format!("{digits}{letter}{sign}{:02}", power.abs());
    }
    match significant {
        None => super::number::format_float(value),
        Some(_) => {
            let decimals = (count - 1 - power).max(0) as usize;
            format!("{value:.decimals$}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: f64, form: char, precision: Option<usize>, expect: &str) {
        assert_eq!(format(value, form, precision), expect);
    }

    #[test]
    fn forms_are_those_of_go() {
        check(1.5, 'g', None, "1.5");
        check(123456.0, 'g', None, "123456");
        check(1234567.0, 'g', None, "1.234567e+06");
        check(1e21, 'g', None, "1e+21");
        check(0.0001, 'g', None, "0.0001");
        check(0.00001, 'g', None, "1e-05");
        check(1234.5678, 'g', Some(3), "1.23e+03");
        check(100.0, 'g', Some(3), "100");
        check(100.0, 'g', Some(6), "100");
        check(0.5, 'g', Some(2), "0.5");
        check(1234567.0, 'e', Some(2), "1.23e+06");
        check(1234.5, 'E', None, "1.2345E+03");
        check(2.0, 'f', Some(6), "2.000000");
        check(-0.0, 'g', None, "-0");
        check(f64::NEG_INFINITY, 'g', None, "-Inf");
    }
}
