//! String tokens to the bytes they stand for.

/// Decodes a string token with its quotes. Text that the lexer complained about decodes as far as it makes sense.
pub fn unquote(token: &[u8]) -> Vec<u8> {
    match token {
        [b'`', inside @ ..] => {
            let inside = inside.strip_suffix(b"`").unwrap_or(inside);
            inside.iter().copied().filter(|byte| *byte != b'\r').collect()
        }
        [b'"', inside @ ..] => unescape(inside.strip_suffix(b"\"").unwrap_or(inside)),
        other => other.to_vec(),
    }
}

/// The bytes between the quotes as they are written. A token of two bytes or fewer keeps its quotes: as an object's
/// key, `""` is the two-character text `""`.
pub fn between_quotes(token: &[u8]) -> &[u8] {
    match token {
        [b'"' | b'`', inside @ .., b'"' | b'`'] if !inside.is_empty() => inside,
        other => other,
    }
}

fn unescape(mut text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    while let Some(at) = text.iter().position(|byte| *byte == b'\\') {
        out.extend_from_slice(&text[..at]);
        text = escape(&text[at + 1..], &mut out);
    }
    out.extend_from_slice(text);
    out
}

/// Decodes what follows a backslash and returns the rest.
fn escape<'a>(text: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
    let Some((first, rest)) = text.split_first() else { return text };
    let simple = match first {
        b'a' => 0x07,
        b'b' => 0x08,
        b'f' => 0x0c,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'v' => 0x0b,
        b'0'..=b'7' => return code(text, 3, 8, out, push_byte),
        b'x' => return code(rest, 2, 16, out, push_byte),
        b'u' => return code(rest, 4, 16, out, push_char),
        b'U' => return code(rest, 8, 16, out, push_char),
        other => *other,
    };
    out.push(simple);
    rest
}

fn code<'a>(text: &'a [u8], width: usize, radix: u32, out: &mut Vec<u8>, push: fn(&mut Vec<u8>, u32)) -> &'a [u8] {
    let (digits, rest) = text.split_at(width.min(text.len()));
    let code = digits
        .iter()
        .try_fold(0_u32, |code, byte| Some(code.wrapping_mul(radix).wrapping_add(char::from(*byte).to_digit(radix)?)));
    push(out, code.unwrap_or(char::REPLACEMENT_CHARACTER as u32));
    rest
}

fn push_byte(out: &mut Vec<u8>, code: u32) {
    out.push((code & 0xff) as u8);
}

fn push_char(out: &mut Vec<u8>, code: u32) {
    let c = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(token: &str, expect: impl AsRef<[u8]>) {
        assert_eq!(unquote(token.as_bytes()), expect.as_ref());
    }

    #[test]
    fn escapes_become_bytes_and_characters() {
        check(r#""a\n\t\\\"""#, "a\n\t\\\"");
        check(r#""\x41\101\u00e9\U0001F600""#, "AAé😀");
        check(r#""\377\xff""#, b"\xff\xff");
        check("`a\\n\r\nb`", "a\\n\nb");
        check("\"\"", "");
    }

    #[test]
    fn bad_literals_do_not_panic() {
        for bad in ["\"", "\"\\", "\"\\x", "\"\\u12", "`", "\"\\ud800\"", "\"\\777\"", ""] {
            unquote(bad.as_bytes());
        }
    }

    #[test]
    fn keys_are_kept_as_written() {
        assert_eq!(between_quotes(br#""a\nb""#), br"a\nb");
        assert_eq!(between_quotes(br#""""#), br#""""#);
        assert_eq!(between_quotes(b"`x`"), b"x");
        assert_eq!(between_quotes(b"name"), b"name");
    }
}
