//! Text in double quotes, escaped as Go's `strconv.Quote` does it.

use std::fmt::Write as _;

use super::chars::{first_char, is_printable};

/// Quotes bytes: printable characters as they are, the rest escaped.
pub fn quote(bytes: impl AsRef<[u8]>) -> String {
    quote_with(bytes.as_ref(), '"', false)
}

/// Quotes bytes with the given quote; `ascii` also escapes every character beyond ASCII.
pub fn quote_with(mut bytes: &[u8], mark: char, ascii: bool) -> String {
    let mut out = String::with_capacity(bytes.len() + 2);
    out.push(mark);
    while let Some((c, width)) = first_char(bytes) {
        match c {
            Some(c) => push_escaped(&mut out, c, mark, ascii),
            None => push_code(&mut out, 'x', u32::from(bytes[0]), 2),
        }
        bytes = &bytes[width..];
    }
    out.push(mark);
    out
}

/// Writes one character as it stands between quotes.
pub fn push_escaped(out: &mut String, c: char, mark: char, ascii: bool) {
    match c {
        c if c == mark || c == '\\' => out.extend(['\\', c]),
        c if is_printable(c) && (!ascii || c.is_ascii()) => out.push(c),
        '\x07' => out.push_str("\\a"),
        '\x08' => out.push_str("\\b"),
        '\x0c' => out.push_str("\\f"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\x0b' => out.push_str("\\v"),
        c if c < ' ' || c == '\x7f' => push_code(out, 'x', c as u32, 2),
        c if (c as u32) < 0x10000 => push_code(out, 'u', c as u32, 4),
        c => push_code(out, 'U', c as u32, 8),
    }
}

fn push_code(out: &mut String, letter: char, code: u32, width: usize) {
    // Writing to a String cannot fail.
    let _ = write!(out, "\\{letter}{code:0width$x}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(input: &[u8], expect: &str) {
        assert_eq!(quote(input), expect);
    }

    #[test]
    fn escapes_what_does_not_print() {
        check(b"plain", r#""plain""#);
        check(b"a\"b\\c", r#""a\"b\\c""#);
        check(b"\x07\n\t\x0b\x00\x7f", r#""\a\n\t\v\x00\x7f""#);
        check("é😀\u{feff}".as_bytes(), r#""é😀\ufeff""#);
        check(b"\xff", r#""\xff""#);
        assert_eq!(quote_with("é'".as_bytes(), '\'', true), r"'\u00e9\''");
    }
}
