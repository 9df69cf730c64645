//! Padded base64 as Go's `encoding/base64` reads it.

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE},
};

/// One of the two alphabets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alphabet {
    /// With `+` and `/`.
    Standard,
    /// With `-` and `_`.
    Url,
}

/// Encodes with padding.
pub fn encode(bytes: &[u8], alphabet: Alphabet) -> String {
    match alphabet {
        Alphabet::Standard => STANDARD.encode(bytes),
        Alphabet::Url => URL_SAFE.encode(bytes),
    }
}

/// Decodes. Line breaks are skipped; padding has to be there, the bits that it leaves over do not matter.
pub fn decode(text: &[u8], alphabet: Alphabet) -> Result<Vec<u8>, String> {
    let failed = |at: usize| Err(format!("illegal base64 data at input byte {at}"));
    let mut bytes = text.iter().copied().enumerate().filter(|(_, byte)| !matches!(byte, b'\r' | b'\n'));
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    loop {
        let mut quantum = [0; 4];
        let mut read = 0;
        let mut padded = false;
        while read < 4 {
            match bytes.next() {
                None if read == 0 => return Ok(out),
                None => return failed(text.len() - read),
                Some((at, b'=')) => {
                    let second = if read == 2 { bytes.next() } else { Some((at, b'=')) };
                    match second {
                        _ if read < 2 => return failed(at),
                        None => return failed(text.len()),
                        Some((_, byte)) if byte != b'=' => return failed(at),
                        Some(_) => {}
                    }
                    padded = true;
                    break;
                }
                Some((at, byte)) => match digit(byte, alphabet) {
                    Some(digit) => quantum[read] = digit,
                    None => return failed(at),
                },
            }
            read += 1;
        }
        let bits = quantum.iter().fold(0_u32, |bits, digit| bits << 6 | u32::from(*digit));
        out.extend_from_slice(&bits.to_be_bytes()[1..read]);
        if padded && let Some((at, _)) = bytes.next() {
            return failed(at);
        }
    }
}

fn digit(byte: u8, alphabet: Alphabet) -> Option<u8> {
    Some(match (byte, alphabet) {
        (b'A'..=b'Z', _) => byte - b'A',
        (b'a'..=b'z', _) => byte - b'a' + 26,
        (b'0'..=b'9', _) => byte - b'0' + 52,
        (b'+', Alphabet::Standard) | (b'-', Alphabet::Url) => 62,
        (b'/', Alphabet::Standard) | (b'_', Alphabet::Url) => 63,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expect: &str) {
        let decoded = decode(text.as_bytes(), Alphabet::Standard).map(|bytes| String::from_utf8(bytes).unwrap());
        assert_eq!(decoded.unwrap_or_else(|error| error), expect);
    }

    #[test]
    fn good_text_decodes() {
        check("", "");
        check("aGk=", "hi");
        check("aGVs\r\nbG8=", "hello");
        check("aA==", "h");
        check("aB==", "h");
        assert_eq!(decode(b"Pz8-Pg==", Alphabet::Url), Ok(b"??>>".to_vec()));
        assert_eq!(encode(b"??>>", Alphabet::Url), "Pz8-Pg==");
    }

    #[test]
    fn bad_text_is_placed() {
        check("a", "illegal base64 data at input byte 0");
        check("aGk", "illegal base64 data at input byte 0");
        check("aGk=x", "illegal base64 data at input byte 4");
        check("aG=k", "illegal base64 data at input byte 2");
        check("aG=", "illegal base64 data at input byte 3");
        check("=aaa", "illegal base64 data at input byte 0");
        check("aG!=", "illegal base64 data at input byte 2");
        check("Pz8-", "illegal base64 data at input byte 3");
    }
}
