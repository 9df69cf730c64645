//! Regular expressions as Go's RE2 reads them, rewritten for the `regex` crate.

use regex::{Error, Regex, RegexBuilder};

/// Classes such as `\pL` that a pattern may have: each takes some 30 KiB while it is read, whatever comes of it.
const MAX_UNICODE_CLASSES: usize = 64;

/// A pattern that must match the whole value; `.` matches line feeds too. It is an error when it takes more than about
/// `room` bytes once compiled; what it remembers of its searches takes no more either.
pub(crate) fn anchored(pattern: &str, room: usize) -> Result<Regex, Error> {
    let classes = pattern.matches(r"\p").count() + pattern.matches(r"\P").count();
    if classes > MAX_UNICODE_CLASSES {
        return Err(Error::Syntax(format!("it has more than {MAX_UNICODE_CLASSES} classes of the form \\p")));
    }
    let pattern = format!("^(?s:{})$", rewrite(pattern));
    RegexBuilder::new(&pattern).size_limit(room).dfa_size_limit(room).build()
}

/// `\d \w \s \b` mean ASCII, `\Q…\E` quotes, a brace that begins no repetition and a bracket or `&&` within a class are
/// themselves. Groups capture nothing: nobody asks what they matched, and a search may take memory for each at each place
/// of the pattern.
fn rewrite(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len() + 16);
    let mut rest = pattern;
    let mut in_class = false;
    while let Some(character) = rest.chars().next() {
        let after = &rest[character.len_utf8()..];
        rest = after;
        match character {
            '\\' => rest = escape(after, in_class, &mut out),
            '[' if in_class && !after.starts_with(':') => out.push_str("\\["),
            '[' if !in_class => {
                in_class = true;
                out.push('[');
                // A bracket at once after the opening one is a member.
                if let Some(after) = rest.strip_prefix('^') {
                    out.push('^');
                    rest = after;
                }
                if let Some(after) = rest.strip_prefix(']') {
                    out.push_str("\\]");
                    rest = after;
                }
            }
            '[' => {
                let end = after.find(":]").map_or(0, |end| end + 2);
                out.push('[');
                out.push_str(&after[..end]);
                rest = &after[end..];
            }
            ']' => {
                in_class = false;
                out.push(']');
            }
            '&' | '~' if in_class => {
                out.push('\\');
                out.push(character);
            }
            '{' if !in_class && !begins_repetition(after) => out.push_str("\\{"),
            '(' if !in_class => rest = group(after, &mut out),
            other => out.push(other),
        }
    }
    out
}

/// Writes what stands for the escape that `rest` begins with, and gives what follows it.
fn escape<'a>(rest: &'a str, in_class: bool, out: &mut String) -> &'a str {
    let Some(character) = rest.chars().next() else {
        out.push('\\');
        return rest;
    };
    let after = &rest[character.len_utf8()..];
    match (character, in_class) {
        ('Q', false) => {
            let (quoted, after) = after.split_once("\\E").unwrap_or((after, ""));
            out.push_str(&regex::escape(quoted));
            return after;
        }
        ('d', true) => out.push_str("0-9"),
        ('w', true) => out.push_str("0-9A-Za-z_"),
        ('s', true) => out.push_str("\\t\\n\\f\\r "),
        ('d', false) => out.push_str("[0-9]"),
        ('w', false) => out.push_str("[0-9A-Za-z_]"),
        ('s', false) => out.push_str("[\\t\\n\\f\\r ]"),
        ('D', _) => out.push_str("[^0-9]"),
        ('W', _) => out.push_str("[^0-9A-Za-z_]"),
        ('S', _) => out.push_str("[^\\t\\n\\f\\r ]"),
        ('b', false) => out.push_str("(?-u:\\b)"),
        (other, _) => {
            out.push('\\');
            out.push(other);
        }
    }
    after
}

/// Writes the beginning of a group that captures nothing, and gives what follows it of `rest`, which follows its bracket.
fn group<'a>(rest: &'a str, out: &mut String) -> &'a str {
    let named =
        rest.strip_prefix("?P<").or_else(|| rest.strip_prefix("?<").filter(|name| !name.starts_with(['=', '!'])));
    let after_name = named.and_then(|name| name.split_once('>')).map(|(_, after)| after);
    let captures = after_name.is_some() || !rest.starts_with('?');
    out.push_str(if captures { "(?:" } else { "(" });
    after_name.unwrap_or(rest)
}

fn begins_repetition(after: &str) -> bool {
    let digits = after.len() - after.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    if digits == 0 {
        return false;
    }
    let after = &after[digits..];
    let after = after.strip_prefix(',').unwrap_or(after);
    after.trim_start_matches(|c: char| c.is_ascii_digit()).starts_with('}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, value: &str, expect: bool) {
        let matches = anchored(pattern, 1 << 20).map(|regex| regex.is_match(value));
        assert_eq!(matches, Ok(expect), "{pattern} on {value}");
    }

    #[test]
    fn the_whole_value_must_match() {
        check("a", "a", true);
        check("a", "ab", false);
        check("a|b", "b", true);
        check("a|b", "bb", false);
        check(".*", "line\nfeed", true);
        check("", "", true);
        check("é", "é", true);
        check(".", "é", true);
    }

    #[test]
    fn classes_are_ascii_as_in_go() {
        check(r"\d", "٣", false);
        check(r"\w+", "é", false);
        check(r"[\w-]+", "a-b", true);
        check(r"\D", "٣", true);
        check(r"[\D]", "5", false);
        check(r"a\b.*", "a b", true);
    }

    #[test]
    fn what_only_go_takes_literally() {
        check("a{", "a{", true);
        check("x{,3}", "x{,3}", true);
        check("a{2}", "aa", true);
        check("a{1,}", "aaa", true);
        check("[[a]", "[", true);
        check("[a&&b]", "&", true);
        check("[~~]", "~", true);
        check(r"\Qa.b\E+", "a.b", true);
        check(r"\Qa.b", "axb", false);
        check("[]a]", "]", true);
        check("[[:alpha:]]", "x", true);
    }

    #[test]
    fn a_broken_pattern_is_an_error() {
        for pattern in ["(", "[a", "a**b(", r"\", "(?=a)"] {
            assert!(anchored(pattern, 1 << 20).is_err(), "{pattern}");
        }
    }

    #[test]
    fn groups_capture_nothing() {
        check("(a|b)(?:c)(?P<n>d)(?<m>e)(?i:F)", "bcdef", true);
        check(r"[(]\(\Q(\E", "(((", true);
        let groups = anchored("(a)(?P<n>b)(?<m>c)", 1 << 20).map(|regex| regex.captures_len());
        assert_eq!(groups, Ok(1), "the whole match");
        assert!(anchored("(?<=a)b", 1 << 20).is_err(), "what looks behind is no name");
    }

    #[test]
    fn a_pattern_that_grows_too_large_is_an_error() {
        let large = "(?:(?:.{40}){40}){40}";
        assert_eq!(anchored(large, 1 << 20).map(|_| ()), Err(Error::CompiledTooBig(1 << 20)));
    }

    #[test]
    fn a_pattern_that_is_large_to_read_is_an_error() {
        check(&r"\pL?".repeat(20), "é", true);
        let error = anchored(&r"(?i)\pL|\PL|".repeat(33), 1 << 30).map(|_| ()).expect_err("refused").to_string();
        assert_eq!(error, r"it has more than 64 classes of the form \p");
    }
}
