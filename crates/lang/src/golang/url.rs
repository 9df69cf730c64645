//! Query escaping as Go's `net/url` does it: a blank is `+`.

/// Escapes everything but ASCII letters, digits and `-_.~`.
pub fn query_escape(text: &[u8]) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text {
        match byte {
            b' ' => out.push('+'),
            b'-' | b'_' | b'.' | b'~' => out.push(char::from(*byte)),
            byte if byte.is_ascii_alphanumeric() => out.push(char::from(*byte)),
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// Undoes it; an error for a percent sign without two hexadecimal digits.
pub fn query_unescape(text: &[u8]) -> Result<Vec<u8>, String> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'+' => out.push(b' '),
            b'%' => {
                let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
                let digits = digits.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
                let Some(code) = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) else {
                    let bad = [b"%", &after[..after.len().min(2)]].concat();
                    return Err(format!("invalid URL escape {}", super::quote::quote(bad)));
                };
                out.push(code);
                rest = &after[2..];
            }
            byte => out.push(*byte),
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaping_and_back() {
        assert_eq!(query_escape("a b&é~".as_bytes()), "a+b%26%C3%A9~");
        assert_eq!(query_unescape(b"a+b%26%c3%A9").map(String::from_utf8), Ok(Ok("a b&é".to_owned())));
        assert_eq!(query_unescape(b"%zz1"), Err(r#"invalid URL escape "%zz""#.to_owned()));
        assert_eq!(query_unescape(b"%4"), Err(r#"invalid URL escape "%4""#.to_owned()));
        assert_eq!(query_unescape(b"%+1"), Err(r#"invalid URL escape "%+1""#.to_owned()));
    }
}
