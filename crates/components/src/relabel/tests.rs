use lang::{decode::FromBlock, decode::decode_body, eval::Scope, source::Source, stdlib::Host, stdlib::Stdlib, syntax};
use profile::Labels;

use super::*;

#[derive(Debug, FromBlock)]
struct Arguments {
    #[block]
    rule: Vec<Rule>,
}

fn rules(text: &str) -> Result<Vec<Rule>, String> {
    let source = Source::new("t.alloy", text);
    let parsed = syntax::parse_file(&source);
    assert!(parsed.diagnostics.is_empty(), "{:?}", parsed.diagnostics);
    let scope = Scope::new(Stdlib::new(Host::default()), [("", lang::value::Value::Null)]);
    let body = parsed.file.body().expect("a file has a body");
    decode_body::<Arguments>(&body, &scope).map(|arguments| arguments.rule).map_err(|errors| errors[0].message.clone())
}

fn labels(text: &str) -> Labels {
    text.split_whitespace().filter_map(|pair| pair.split_once('=')).collect()
}

fn block(rule: &str) -> String {
    format!("rule {{\n{}\n}}", rule.replace("; ", "\n"))
}

/// Rules are written as `name = value` pairs with `; ` between them and ` | ` between rules.
#[track_caller]
fn check_with(names: LabelNames, before: &str, steps: &str, expect: &str) {
    let blocks: Vec<_> = steps.split(" | ").map(block).collect();
    let rules = rules(&blocks.join("\n")).expect("the rules are valid");
    let after = apply::apply_with(&rules, &labels(before), names, &mut |_| {});
    assert_eq!(after.map_or("dropped".to_owned(), |labels| labels.to_string()), expect, "{steps}");
}

#[track_caller]
fn check(before: &str, steps: &str, expect: &str) {
    check_with(LabelNames::Any, before, steps, expect);
}

#[test]
fn replace() {
    let to_d = r#"source_labels = ["a"]; regex = "f(.*)"; target_label = "d"; replacement = "ch${1}-ch${1}""#;
    check("a=foo b=bar", to_d, r#"{a="foo", b="bar", d="choo-choo"}"#);
    check("a=boo b=bar", to_d, r#"{a="boo", b="bar"}"#);
    check(
        "a=foo f=baz",
        r#"source_labels = ["a"]; regex = "(f).*"; target_label = "$1"; replacement = "$2""#,
        r#"{a="foo"}"#,
    );
    check(
        "a=x-0",
        r#"source_labels = ["a"]; regex = "x-(.)"; target_label = "${3}"; replacement = "y""#,
        r#"{a="x-0"}"#,
    );
    check("a=x", r#"source_labels = ["a"]; regex = "X"; target_label = "b""#, r#"{a="x"}"#);
    check("a=1 b=2", r#"source_labels = ["a", "nope", "b"]; target_label = "c""#, r#"{a="1", b="2", c="1;;2"}"#);
    check("a=1", r#"target_label = "a"; replacement = """#, "{}");
    check("a=1", r#"target_label = "b""#, r#"{a="1"}"#);
    check("a=1", r#"target_label = "b"; regex = ".+"; replacement = "x""#, r#"{a="1"}"#);
    check(
        "t=path:/secret,job:some,label:foo=bar",
        r#"source_labels = ["t"]; regex = "(?:.+,|^)label:([^=]+)=([^,]+).*"; target_label = "${1}"; replacement = "$2""#,
        r#"{foo="bar", t="path:/secret,job:some,label:foo=bar"}"#,
    );
}

#[test]
fn steps_see_what_steps_before_did() {
    check(
        "a=1",
        r#"source_labels = ["a"]; target_label = "b" | source_labels = ["b"]; target_label = "c"; replacement = "<$1>""#,
        r#"{a="1", b="1", c="<1>"}"#,
    );
    check(
        "a=1",
        r#"regex = "a"; action = "labeldrop" | source_labels = ["a"]; regex = "1"; action = "keep""#,
        "dropped",
    );
}

#[test]
fn keep_and_drop() {
    check("a=foo", r#"source_labels = ["a"]; regex = "f.*"; action = "keep""#, r#"{a="foo"}"#);
    check("a=foo", r#"source_labels = ["a"]; regex = "f"; action = "keep""#, "dropped");
    check("a=foo", r#"source_labels = ["a"]; regex = "f|o"; action = "drop""#, r#"{a="foo"}"#);
    check("a=foo", r#"source_labels = ["a"]; regex = ".*o.*"; action = "drop""#, "dropped");
    check("p=1 q=1", r#"source_labels = ["p"]; target_label = "q"; action = "keepequal""#, r#"{p="1", q="1"}"#);
    check("p=1 q=2", r#"source_labels = ["p"]; target_label = "q"; action = "keepequal""#, "dropped");
    check("p=1 q=1", r#"source_labels = ["p"]; target_label = "q"; action = "dropequal""#, "dropped");
    check("p=1 q=2", r#"source_labels = ["p"]; target_label = "q"; action = "dropequal""#, r#"{p="1", q="2"}"#);
    check("p=1", r#"source_labels = ["nope"]; target_label = "none"; action = "dropequal""#, "dropped");
}

#[test]
fn hashmod() {
    check(
        "c=baz",
        r#"source_labels = ["c"]; target_label = "d"; action = "hashmod"; modulus = 1000"#,
        r#"{c="baz", d="976"}"#,
    );
    check("c=1", r#"target_label = "d"; action = "hashmod"; modulus = 1"#, r#"{c="1", d="0"}"#);
}

#[test]
fn names() {
    let map = r#"regex = "(b.*)"; replacement = "bar_${1}"; action = "labelmap""#;
    check("a=foo b1=bar b2=baz", map, r#"{a="foo", b1="bar", b2="baz", bar_b1="bar", bar_b2="baz"}"#);
    check("m_my=1 my=2", r#"regex = "m_(.*)"; action = "labelmap""#, r#"{m_my="1", my="1"}"#);
    check("a=1 b=2", r#"regex = ".*"; replacement = "same"; action = "labelmap""#, r#"{a="1", b="2", same="2"}"#);
    check("a=1 b1=2 b2=3", r#"regex = "b.*"; action = "labeldrop""#, r#"{a="1"}"#);
    check("a=1 b1=2 b2=3", r#"regex = "b.*"; action = "labelkeep""#, r#"{b1="2", b2="3"}"#);
    check("a=1", r#"regex = "a"; action = "labeldrop""#, "{}");
}

#[test]
fn case() {
    check("a=bAr123Foo", r#"source_labels = ["a"]; target_label = "a"; action = "uppercase""#, r#"{a="BAR123FOO"}"#);
    check("a=bAr123Foo", r#"source_labels = ["a"]; target_label = "a"; action = "lowercase""#, r#"{a="bar123foo"}"#);
    check("a=straßeǆᾳΐ", r#"source_labels = ["a"]; target_label = "a"; action = "uppercase""#, r#"{a="STRAßEǄᾼΐ"}"#);
    check("a=ÄİΣ", r#"source_labels = ["a"]; target_label = "a"; action = "lowercase""#, r#"{a="äiσ"}"#);
    check("a=1", r#"source_labels = ["b"]; target_label = "a"; action = "lowercase""#, "{}");
}

#[test]
fn only_replace_heeds_legacy_names() {
    let legacy = |steps: &str, expect: &str| check_with(LabelNames::Legacy, "a=x", steps, expect);
    legacy(r#"target_label = "otel.scope"; replacement = "y""#, r#"{a="x"}"#);
    legacy(r#"source_labels = ["a"]; target_label = "${1}_b""#, r#"{a="x", x_b="x"}"#);
    legacy(r#"source_labels = ["a"]; target_label = "b.c"; action = "uppercase""#, r#"{a="x", b.c="X"}"#);
    check("a=x", r#"target_label = "otel.scope"; replacement = "y""#, r#"{a="x", otel.scope="y"}"#);

    let rules =
        rules(&block(r#"source_labels = ["a"]; target_label = "${1}${2}"; regex = "(-?)(.*)""#)).expect("valid");
    let mut ignored = Vec::new();
    for value in ["a=ok", "a=-no", "b=1"] {
        apply::apply_with(&rules, &labels(value), LabelNames::Legacy, &mut |name| ignored.push(name.to_owned()));
    }
    assert_eq!(ignored, ["-no"]);
}

#[track_caller]
fn fails(rule: &str, expect: &str) {
    let error = rules(&block(rule)).expect_err("it is refused");
    assert_eq!(error, expect);
}

#[test]
fn what_is_wrong_with_a_rule() {
    fails("action = null", "relabel action cannot be empty");
    fails(r#"action = "nope""#, r#""nope" unrecognized action type "nope""#);
    fails(r#"action = "Replace""#, r#""Replace" unrecognized action type "Replace""#);
    fails("", "relabel configuration for replace action requires 'target_label' value");
    fails(r#"action = "lowercase""#, "relabel configuration for lowercase action requires 'target_label' value");
    fails(r#"action = "hashmod"; target_label = "x""#, "relabel configuration for hashmod requires non-zero modulus");
    fails(r#"target_label = "0${3}""#, r#""0${3}" is invalid 'target_label' for replace action"#);
    fails(r#"target_label = "-${3}""#, r#""-${3}" is invalid 'target_label' for replace action"#);
    fails(
        r#"action = "uppercase"; target_label = "x"; replacement = "y""#,
        "'replacement' can not be set for uppercase action",
    );
    fails(r#"action = "labelmap"; replacement = "a.$1""#, r#""a.$1" is invalid 'replacement' for labelmap action"#);
    let only_regex = "labeldrop action requires only 'regex', and no other fields";
    fails(r#"action = "labeldrop"; source_labels = []"#, only_regex);
    fails(r#"action = "labeldrop"; target_label = "x""#, only_regex);
    fails(r#"action = "labeldrop"; separator = ",""#, only_regex);
    fails(
        r#"action = "keepequal"; target_label = "x"; regex = "y""#,
        "keepequal action requires only 'source_labels' and 'target_label', and no other fields",
    );
    fails(r#"regex = "a{2000}""#, r#""a{2000}" error parsing regexp: invalid repeat count: `{2000}`"#);
}

#[test]
fn what_is_right_with_a_rule() {
    for rule in [
        r#"target_label = "$1""#,
        r#"target_label = "dots.in-name""#,
        r#"action = "lowercase"; target_label = "${3}""#,
        r#"action = "labeldrop"; source_labels = null"#,
        r#"action = "keepequal"; target_label = "x"; regex = "(.*)""#,
        r#"action = "keep"; target_label = "ignored"; modulus = 3"#,
    ] {
        rules(&block(rule)).expect("it is accepted");
    }
}

#[test]
fn an_untouched_set_stays_the_same_allocation() {
    let before = labels("a=1 b=2");
    let rules = rules("rule {\naction = \"labeldrop\"\nregex = \"c\"\n}").expect("valid");
    let after = apply::apply(&rules, &before).expect("kept");
    assert!(std::ptr::eq(before.get("a").expect("there"), after.get("a").expect("there")));
}
