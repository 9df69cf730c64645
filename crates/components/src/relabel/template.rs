//! `$1`, `${1}`, `$name` and `$$` in replacements, as Go expands them.

use std::borrow::Cow;

use lang::golang::chars::{is_digit, is_letter};

use super::pattern::Found;

/// Replaces references to groups by what the groups matched.
///
/// The longest word counts: `$1x` is the group called `1x`. A group that there is not, or that took no part, is empty. `$$`
/// is a dollar; a dollar that begins no reference stays.
pub fn expand<'t>(template: &'t str, found: &Found<'_>) -> Cow<'t, str> {
    if !template.contains('$') {
        return Cow::Borrowed(template);
    }
    let mut out = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        rest = after;
        if let Some(after) = rest.strip_prefix('$') {
            out.push('$');
            rest = after;
        } else if let Some((name, after)) = reference(rest) {
            out.push_str(group(name, found).unwrap_or_default());
            rest = after;
        } else {
            out.push('$');
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// The name of a reference and the text after it.
fn reference(text: &str) -> Option<(&str, &str)> {
    let (inside, braces) = text.strip_prefix('{').map_or((text, false), |inside| (inside, true));
    let end = inside.find(|c| !is_letter(c) && !is_digit(c)).unwrap_or(inside.len());
    let (name, after) = inside.split_at(end);
    let after = if braces { after.strip_prefix('}')? } else { after };
    (!name.is_empty()).then_some((name, after))
}

fn group<'a>(name: &str, found: &Found<'a>) -> Option<&'a str> {
    // More digits than this are no number; neither is one with a zero in front.
    let is_number = name.bytes().all(|byte| byte.is_ascii_digit()) && name.len() <= 9;
    if is_number && (name == "0" || !name.starts_with('0')) {
        return found.group(name.parse().ok()?);
    }
    found.named(name)
}

#[cfg(test)]
mod tests {
    use super::{super::Pattern, *};

    #[track_caller]
    fn check(pattern: &str, text: &str, template: &str, expect: &str) {
        let pattern = Pattern::new(pattern).expect("it compiles");
        assert_eq!(expand(template, &pattern.find(text).expect("it matches")), expect, "{template}");
    }

    #[test]
    fn references() {
        check("(.*)", "abc", "$1", "abc");
        check("(.*)", "abc", "$0-${1}-$2", "abc-abc-");
        check("(a)(?P<rest>.*)", "abc", "${rest}$1", "bca");
        check("(a)(?P<rest>.*)", "abc", "$rest$1", "bca");
        check("(a)(?P<rest>.*)", "abc", "$restless", "");
        check("(a)(.*)", "abc", "$1x", "");
        check("(a)(.*)", "abc", "$1.x", "a.x");
        check("(a)|(b)", "b", "[$1$2]", "[b]");
        check("(a)(.*)", "abc", "$01$00", "");
        check("(a)(.*)", "abc", "$10000000001", "");
        check("(a)(.*)", "abc", "$1ü", "");
    }

    #[test]
    fn dollars_that_are_none() {
        check("(.*)", "abc", "$$1", "$1");
        check("(.*)", "abc", "$", "$");
        check("(.*)", "abc", "a$-$ $", "a$-$ $");
        check("(.*)", "abc", "${1", "${1");
        check("(.*)", "abc", "${}", "${}");
        check("(.*)", "abc", "${1-}", "${1-}");
        check("(.*)", "abc", "${1}}", "abc}");
        check("(.*)", "abc", "$$$1", "$abc");
    }
}
