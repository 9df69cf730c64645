//! Character classes as Go's `unicode` package draws them.

use std::sync::LazyLock;

use regex::Regex;

static LETTER: LazyLock<Regex> = LazyLock::new(|| class(r"\p{L}"));
static DIGIT: LazyLock<Regex> = LazyLock::new(|| class(r"\p{Nd}"));
static PRINTABLE: LazyLock<Regex> = LazyLock::new(|| class(r"[\p{L}\p{M}\p{N}\p{P}\p{S}]"));

fn class(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a constant pattern compiles")
}

fn is_in(class: &Regex, c: char) -> bool {
    class.is_match(c.encode_utf8(&mut [0; 4]))
}

/// A letter of an identifier: `_` or Unicode category L.
pub fn is_letter(c: char) -> bool {
    c == '_' || if c.is_ascii() { c.is_ascii_alphabetic() } else { is_in(&LETTER, c) }
}

/// A digit of an identifier: Unicode category Nd.
pub fn is_digit(c: char) -> bool {
    if c.is_ascii() { c.is_ascii_digit() } else { is_in(&DIGIT, c) }
}

/// Go's `unicode.IsPrint`: letters, marks, numbers, punctuation, symbols and the ASCII space.
pub fn is_printable(c: char) -> bool {
    if c.is_ascii() { (' '..='~').contains(&c) } else { is_in(&PRINTABLE, c) }
}

/// Whether text can be used as a name.
pub fn is_identifier(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(is_letter)
        && chars.all(|c| is_letter(c) || is_digit(c))
        && !matches!(text, "true" | "false" | "null")
}

/// Go's `%#U`: the code point, and the character where it prints.
pub fn code_point(c: char) -> String {
    if is_printable(c) { format!("U+{:04X} '{c}'", c as u32) } else { format!("U+{:04X}", c as u32) }
}

/// Splits the first character off bytes: the character, or the width of one bad byte.
pub fn first_char(bytes: &[u8]) -> Option<(Option<char>, usize)> {
    let first = *bytes.first()?;
    if first < 0x80 {
        return Some((Some(char::from(first)), 1));
    }
    let head = &bytes[..bytes.len().min(4)];
    let valid = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(&head[..error.valid_up_to()]).unwrap_or_default(),
    };
    Some(valid.chars().next().map_or((None, 1), |c| (Some(c), c.len_utf8())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_letters_then_letters_and_digits() {
        for good in ["a", "_x9", "é9", "日本", "a٣"] {
            assert!(is_identifier(good), "{good}");
        }
        for bad in ["", "9a", "a-b", "true", "null", "a b", "٣", "Ⅷ"] {
            assert!(!is_identifier(bad), "{bad}");
        }
    }

    #[test]
    fn code_points_show_only_what_prints() {
        assert_eq!(code_point('#'), "U+0023 '#'");
        assert_eq!(code_point('\u{a0}'), "U+00A0");
        assert_eq!(code_point('\u{1F600}'), "U+1F600 '😀'");
    }

    #[test]
    fn bad_bytes_are_taken_one_at_a_time() {
        assert_eq!(first_char(b"\xffa"), Some((None, 1)));
        assert_eq!(first_char("éa".as_bytes()), Some((Some('é'), 2)));
        assert_eq!(first_char(b"\xe6\x97"), Some((None, 1)));
        assert_eq!(first_char(b""), None);
    }
}
