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
pub fn apply(rules: &[Rule], labels: &Labels) -> Option<Labels> {
    apply_with(rules, labels, LabelNames::Any, &mut |_| {})
}

/// The same where `replace` may only set some names; it tells `ignored` which others it was to set.
pub fn apply_with(rules: &[Rule], labels: &Labels, names: LabelNames, ignored: &mut dyn FnMut(&str)) -> Option<Labels> {
    rules.iter().try_fold(labels.clone(), |labels, rule| step(rule, labels, names, ignored))
}

fn step(rule: &Rule, labels: Labels, names: LabelNames, ignored: &mut dyn FnMut(&str)) -> Option<Labels> {
    let value = value(rule, &labels);
    let target = &rule.target_label;
    let equal = || labels.get(target).unwrap_or_default() == value;
    let (keep, changed) = match rule.action? {
        Action::Keep => (rule.regex.matches(&value), None),
        Action::Drop => (!rule.regex.matches(&value), None),
        Action::Keepequal => (equal(), None),
        Action::Dropequal => (!equal(), None),
        Action::Replace => (true, replace(rule, &value, &labels, names, ignored)),
        Action::Hashmod => (true, Some(labels.with(target, &hash(rule, &value)))),
        Action::Lowercase => (true, Some(labels.with(target, &map_case(&value, lower)))),
        Action::Uppercase => (true, Some(labels.with(target, &map_case(&value, upper)))),
        Action::Labelmap => (true, Some(map_names(rule, &labels))),
        Action::Labeldrop => (true, filter(&labels, |name| !rule.regex.matches(name))),
        Action::Labelkeep => (true, filter(&labels, |name| rule.regex.matches(name))),
    };
    drop(value);
    keep.then(|| changed.unwrap_or(labels))
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

/// The labels with what a `replace` rule sets or, with an empty value, removes. `None` when it does nothing.
fn replace(
    rule: &Rule,
    value: &str,
    labels: &Labels,
    names: LabelNames,
    ignored: &mut dyn FnMut(&str),
) -> Option<Labels> {
    let found = rule.regex.find(value)?;
    let name = expand(&rule.target_label, &found);
    if names.allow(&name) {
        return Some(labels.with(&name, &expand(&rule.replacement, &found)));
    }
    if !name.is_empty() {
        ignored(&name);
    }
    None
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

/// The labels whose name passes; `None` when that is all of them.
fn filter(labels: &Labels, keep: impl Fn(&str) -> bool) -> Option<Labels> {
    (!labels.iter().all(|(name, _)| keep(name))).then(|| labels.filter(keep))
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
