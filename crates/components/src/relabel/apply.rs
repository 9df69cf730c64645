//! What each action does to a label set.

use std::borrow::Cow;

use md5::{Digest as _, Md5};
use profile::Labels;

use super::{
    name::LabelNames,
    rule::{Action, Rule},
    template::expand,
};

/// The labels after all rules; `None` when a rule drops the whole set. What no rule touches stays the very same set.
pub fn apply(rules: &[Rule], labels: &Labels, names: LabelNames) -> Option<Labels> {
    rules.iter().try_fold(labels.clone(), |labels, rule| step(rule, labels, names))
}

fn step(rule: &Rule, labels: Labels, names: LabelNames) -> Option<Labels> {
    let value = value(rule, &labels);
    let keep = match rule.action? {
        Action::Keep => rule.regex.matches(&value),
        Action::Drop => !rule.regex.matches(&value),
        Action::Keepequal => labels.get(&rule.target_label).unwrap_or_default() == value,
        Action::Dropequal => labels.get(&rule.target_label).unwrap_or_default() != value,
        Action::Replace => {
            return Some(
                replace(rule, &value, names).map_or_else(|| labels.clone(), |(name, value)| labels.with(&name, &value)),
            );
        }
        Action::Hashmod => return Some(labels.with(&rule.target_label, &hash(rule, &value))),
        Action::Lowercase => return Some(labels.with(&rule.target_label, &map_case(&value, lower))),
        Action::Uppercase => return Some(labels.with(&rule.target_label, &map_case(&value, upper))),
        Action::Labelmap => return Some(map_names(rule, &labels)),
        Action::Labeldrop => return Some(filter(&labels, |name| !rule.regex.matches(name))),
        Action::Labelkeep => return Some(filter(&labels, |name| rule.regex.matches(name))),
    };
    keep.then(|| labels.clone())
}

/// What a rule looks at.
fn value<'l>(rule: &Rule, labels: &'l Labels) -> Cow<'l, str> {
    let value_of = |name: &String| labels.get(name).unwrap_or_default();
    match rule.source_labels.as_deref().unwrap_or_default() {
        [] => Cow::Borrowed(""),
        [only] => Cow::Borrowed(value_of(only)),
        names => Cow::Owned(names.iter().map(value_of).collect::<Vec<_>>().join(&rule.separator)),
    }
}

/// The label that a `replace` rule sets and what to; an empty value removes it. `None` when the rule does nothing.
fn replace<'r>(rule: &'r Rule, value: &str, names: LabelNames) -> Option<(Cow<'r, str>, Cow<'r, str>)> {
    let found = rule.regex.find(value)?;
    let name = expand(&rule.target_label, &found);
    names.allow(&name).then(|| (name, expand(&rule.replacement, &found)))
}

/// The last eight bytes of the value's MD5, modulo.
fn hash(rule: &Rule, value: &str) -> String {
    let digest: [u8; 16] = Md5::digest(value.as_bytes()).into();
    let low = u128::from_be_bytes(digest) as u64;
    low.checked_rem(rule.modulus).unwrap_or_default().to_string()
}

fn map_names(rule: &Rule, labels: &Labels) -> Labels {
    let mut out = labels.clone();
    for (name, value) in labels.iter() {
        if let Some(found) = rule.regex.find(name) {
            out = out.with(&expand(&rule.replacement, &found), value);
        }
    }
    out
}

fn filter(labels: &Labels, keep: impl Fn(&str) -> bool) -> Labels {
    if labels.iter().all(|(name, _)| keep(name)) { labels.clone() } else { labels.filter(keep) }
}

fn map_case(text: &str, map: fn(char) -> char) -> String {
    text.chars().map(map).collect()
}

/// One character for one, as Go maps them: a letter whose other case would be several letters stays.
fn lower(c: char) -> char {
    // The one letter whose full lower case is two characters, though it has a simple one.
    if c == 'İ' { 'i' } else { only(c.to_lowercase()).unwrap_or(c) }
}

fn upper(c: char) -> char {
    match c {
        // Greek letters with iota subscript: their full upper case is two letters, the simple one is the title case.
        '\u{1f80}'..='\u{1f87}' | '\u{1f90}'..='\u{1f97}' | '\u{1fa0}'..='\u{1fa7}' => {
            char::from_u32(c as u32 + 8).unwrap_or(c)
        }
        'ᾳ' => 'ᾼ',
        'ῃ' => 'ῌ',
        'ῳ' => 'ῼ',
        _ => only(c.to_uppercase()).unwrap_or(c),
    }
}

fn only(mut chars: impl Iterator<Item = char>) -> Option<char> {
    let first = chars.next();
    first.filter(|_| chars.next().is_none())
}
