//! Rules of where we differ on purpose, from `docs/language/differences.md`.
//!
//! A rule is a section: its heading is its name, and one line of it starts with `rule:` and holds a JSON object:
//!
//! | field | meaning |
//! |---|---|
//! | `ops` | the operations it is about |
//! | `field` | the field that differs; for `errors`, one diagnostic of them |
//! | `upstream` | a pattern for the whole line that upstream gives; absent when it gives none |
//! | `ours` | a pattern for the whole line that we give, in which `$1` stands for upstream's group; absent when we give none |
//! | `when` | a pattern that the case's input has to contain |
//! | `modulo` | instead of `upstream` and `ours`: a pattern; without what it matches both lines are the same |

use anyhow::{Context as _, Result};
use lang::golang::regex::compile;
use regex::Regex;
use serde::Deserialize;

use super::case::Line;

/// One rule.
pub(super) struct Rule {
    pub(super) name: String,
    ops: Vec<String>,
    field: String,
    upstream: Option<Regex>,
    ours: Option<String>,
    when: Option<Regex>,
    modulo: Option<Regex>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    ops: Vec<String>,
    field: String,
    upstream: Option<String>,
    ours: Option<String>,
    when: Option<String>,
    modulo: Option<String>,
}

/// Reads every rule of the page.
pub(super) fn parse(page: &str) -> Result<Vec<Rule>> {
    let mut rules = Vec::new();
    let mut name = "";
    for line in page.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            name = heading.trim();
        }
        if let Some(json) = line.strip_prefix("rule:") {
            let rule = rule(name, json).with_context(|| format!("the rule {name:?} of the differences"))?;
            rules.push(rule);
        }
    }
    Ok(rules)
}

fn rule(name: &str, json: &str) -> Result<Rule> {
    let written: Written = serde_json::from_str(json)?;
    let sides = written.upstream.is_some() || written.ours.is_some();
    anyhow::ensure!(sides != written.modulo.is_some(), "it needs either upstream and ours, or modulo");
    let pattern = |pattern: Option<String>| pattern.map(|it| compile(&it).map_err(anyhow::Error::msg)).transpose();
    Ok(Rule {
        name: name.to_owned(),
        ops: written.ops,
        field: written.field,
        upstream: written.upstream.map(|pattern| whole(&pattern)).transpose()?,
        ours: written.ours,
        when: pattern(written.when)?,
        modulo: pattern(written.modulo)?,
    })
}

fn whole(pattern: &str) -> Result<Regex> {
    compile(&format!("^(?s:{pattern})$")).map_err(anyhow::Error::msg)
}

impl Rule {
    /// Whether the answers differ in nothing but one line as the rule says.
    pub(super) fn explains(&self, op: &str, input: &str, upstream: &[Line], ours: &[Line]) -> bool {
        let applies = self.when.as_ref().is_none_or(|when| when.is_match(input));
        if !applies || !self.ops.iter().any(|known| known == op) {
            return false;
        }
        let (theirs, mine) = (without(upstream, ours), without(ours, upstream));
        let lines = [&theirs, &mine].into_iter().flatten();
        if lines.clone().any(|line| line.field != self.field) {
            return false;
        }
        match (theirs.as_slice(), mine.as_slice()) {
            ([theirs], [mine]) => self.fits(Some(&theirs.text), Some(&mine.text)),
            ([theirs], []) => self.fits(Some(&theirs.text), None),
            ([], [mine]) => self.fits(None, Some(&mine.text)),
            _ => false,
        }
    }

    fn fits(&self, theirs: Option<&str>, mine: Option<&str>) -> bool {
        if let Some(modulo) = &self.modulo {
            let rest = |text: &str| modulo.replace_all(text, "").into_owned();
            return theirs.is_some() && mine.is_some() && theirs.map(rest) == mine.map(rest);
        }
        let groups = match (&self.upstream, theirs) {
            (Some(pattern), Some(theirs)) => match pattern.captures(theirs) {
                Some(groups) => Some(groups),
                None => return false,
            },
            (None, None) => None,
            _ => return false,
        };
        match (&self.ours, mine) {
            (Some(pattern), Some(mine)) => {
                let mut pattern = pattern.clone();
                for (at, group) in groups.iter().flat_map(|groups| groups.iter().enumerate().skip(1)) {
                    let text = group.map_or("", |group| group.as_str());
                    pattern = pattern.replace(&format!("${at}"), &regex::escape(text));
                }
                whole(&pattern).is_ok_and(|pattern| pattern.is_match(mine))
            }
            (None, None) => true,
            _ => false,
        }
    }
}

/// The lines of one list that the other does not have, each as often as it is missing.
fn without<'a>(lines: &'a [Line], others: &[Line]) -> Vec<&'a Line> {
    let mut rest: Vec<&Line> = others.iter().collect();
    let mut out = Vec::new();
    for line in lines {
        match rest.iter().position(|other| *other == line) {
            Some(at) => {
                rest.swap_remove(at);
            }
            None => out.push(line),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> Vec<Rule> {
        let page = r#"
# Differences
## place
Because.
rule: {"ops": ["eval"], "field": "errors", "upstream": "-:  (.+)", "ours": "\\d+: $1"}
## squeezed
rule: {"ops": ["eval"], "field": "errors", "when": "^in", "modulo": "-+"}
## elsewhere
rule: {"ops": ["eval"], "field": "errors", "when": "^out", "modulo": "."}
## more
rule: {"ops": ["eval"], "field": "errors", "ours": "too much: .*"}
"#;
        parse(page).expect("the page is fine")
    }

    #[track_caller]
    fn check(upstream: &[&str], ours: &[&str], expect: Option<&str>) {
        let lines = |texts: &[&str]| texts.iter().map(|text| Line::new("errors", *text)).collect::<Vec<_>>();
        let rules = rules();
        let found = rules.iter().find(|rule| rule.explains("eval", "input", &lines(upstream), &lines(ours)));
        assert_eq!(found.map(|rule| rule.name.as_str()), expect);
    }

    #[test]
    fn one_line_may_differ_as_the_rule_says() {
        check(&["-:  should be (a)"], &["3: should be (a)"], Some("place"));
        check(&["a", "-:  b"], &["a", "7: b"], Some("place"));
        check(&["a"], &["a", "too much: x"], Some("more"));
        check(&["a--b"], &["-ab"], Some("squeezed"));
    }

    #[test]
    fn anything_else_is_a_failure() {
        check(&["-:  a"], &["3: b"], None);
        check(&["-:  a", "-:  b"], &["1: a", "2: b"], None);
        check(&["-:  a"], &[], None);
        check(&["a", "a"], &["a"], None);
    }

    #[test]
    fn a_bad_rule_is_named() {
        let error = parse("## x\nrule: {\"ops\": []}").err().expect("it lacks a field");
        assert_eq!(error.to_string(), "the rule \"x\" of the differences");
    }
}
