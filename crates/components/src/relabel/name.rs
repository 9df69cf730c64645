//! Which label names are legal.

/// Which names a `replace` rule may set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LabelNames {
    /// Any text.
    Any,
    /// Only `[a-zA-Z_][a-zA-Z0-9_]*`.
    Legacy,
}

impl LabelNames {
    /// Whether a name is one of these. The empty name never is.
    pub fn allow(self, name: &str) -> bool {
        match self {
            Self::Any => !name.is_empty(),
            Self::Legacy => {
                let mut bytes = name.bytes();
                bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_') && bytes.all(is_word)
            }
        }
    }
}

/// What `\w` matches in Go.
fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Whether a name with references to groups is one that may become a label:
/// `^(?:(?:[a-zA-Z_]|\$(?:\{\w+\}|\w+))+\w*)+$`. That is: letters, digits and `_`, not a digit first, with `$word` and
/// `${word}` anywhere.
pub fn is_template(text: &str) -> bool {
    let mut rest = text.as_bytes();
    let mut first = true;
    while let Some((&byte, after)) = rest.split_first() {
        rest = match byte {
            b'$' => match reference(after) {
                Some(rest) => rest,
                None => return false,
            },
            _ if is_word(byte) && !(first && byte.is_ascii_digit()) => after,
            _ => return false,
        };
        first = false;
    }
    !text.is_empty()
}

/// The text after `{word}` or after the first letter of `word`.
fn reference(text: &[u8]) -> Option<&[u8]> {
    match text.strip_prefix(b"{") {
        Some(inside) => {
            let end = inside.iter().position(|byte| !is_word(*byte)).filter(|end| *end > 0)?;
            inside[end..].strip_prefix(b"}")
        }
        None => text.split_first().filter(|(first, _)| is_word(**first)).map(|(_, rest)| rest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn template_names() {
        #[track_caller]
        fn check(text: &str, expect: bool) {
            assert_eq!(is_template(text), expect, "{text:?}");
        }
        for good in
            ["label", "label${1}", "${1}label", "${1}", "$1", "asd$2asd", "_${1}_", "foo${bar}foo", "a1", "$1$2"]
        {
            check(good, true);
        }
        for bad in ["", "-label", "${", "$", "${}", "foo${", "-foo${1}bar-", "0${3}", "-${3}", "a.b", "a$", "ä", "1a"]
        {
            check(bad, false);
        }
    }

    proptest::proptest! {
        #[test]
        fn template_names_are_those_of_the_pattern(text in "[a1_${}.-]{0,8}") {
            let pattern = regex::Regex::new(r"^(?:(?:[a-zA-Z_]|\$(?:\{[0-9A-Za-z_]+\}|[0-9A-Za-z_]+))+[0-9A-Za-z_]*)+$");
            proptest::prop_assert_eq!(is_template(&text), pattern.unwrap().is_match(&text));
        }
    }

    #[test]
    fn legacy_names() {
        for (name, legacy) in [("a", true), ("_a1", true), ("1a", false), ("a.b", false), ("a-b", false), ("ü", false)]
        {
            assert_eq!(LabelNames::Legacy.allow(name), legacy, "{name}");
            assert!(LabelNames::Any.allow(name));
        }
        assert!(!LabelNames::Legacy.allow("") && !LabelNames::Any.allow(""));
    }
}
