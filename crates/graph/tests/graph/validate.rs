//! What is said without running.

use lang::{render::render, source::Source};
use pyrope_graph::validate;

use crate::stage::vocabulary;

fn checked(text: &str) -> String {
    render(&validate(&[Source::new("main.alloy", text)], &vocabulary()), false)
}

/// The headlines.
#[track_caller]
fn check(text: &str, expect: &[&str]) {
    let found = validate(&[Source::new("", text)], &vocabulary());
    let lines: Vec<_> = found.iter().map(|diagnostic| format!("{}: {diagnostic}", diagnostic.severity)).collect();
    assert_eq!(lines, expect);
}

#[test]
fn good_files_need_no_words() {
    check("", &[]);
    check(
        "test.sink \"a\" {\n number = \"12\"\n text = 5\n flush = \"1m\"\n any = nothing_known()\n}",
        &["Error: 5:8: component \"nothing_known\" does not exist or is out of scope"],
    );
    check("test.sink \"a\" {\n number = null\n text = \"a\" + \"b\"\n password = sys.env(\"P\")\n}", &[]);
    check("test.source \"s\" { first = {a = [1]} }\ntest.sink \"a\" { number = test.source.s.output }", &[]);
}

#[test]
fn values_that_are_written_out_are_checked() {
    check("test.sink \"a\" { number = true }", &["Error: 1:26: expected number, got bool"]);
    check("test.sink \"a\" { number = \"x\" }", &["Error: 1:26: expected number, got string"]);
    check("test.sink \"a\" { text = [true] }", &["Error: 1:24: expected string, got array"]);
    check("test.sink \"a\" { text = ({a = 1}) }", &["Error: 1:25: expected string, got object"]);
    check("test.sink \"a\" { text = !true }", &["Error: 1:24: expected string, got bool"]);
    check("test.sink \"a\" { password = 1 }", &["Error: 1:28: expected capsule, got number"]);
    check("test.sink \"a\" { flush = \"15\" }", &["Error: 1:25: time: missing unit in duration \"15\""]);
    check(
        "test.sink \"a\" { number = 1e30 }",
        &[
            "Error: 1:26: must be between -9223372036854775808 and 9223372036854775807, got 1000000000000000000000000000000",
        ],
    );
    check("test.sink \"a\" { number = 1 + \"a\" }", &["Error: 1:30: \"a\" should be number, got string"]);
}

#[test]
fn statements_are_checked_against_the_schema() {
    check(
        "test.sink \"a\" {\n numbr = 1\n number = 1\n number = 2\n}",
        &[
            "Error: 2:2: unrecognized attribute name \"numbr\"",
            "Error: 4:2: attribute \"number\" may only be provided once",
        ],
    );
    check(
        "test.sink \"a\" {\n part = 1\n number { }\n parts { }\n}",
        &[
            "Error: 2:2: \"part\" must be a block, but is used as an attribute",
            "Error: 3:2: \"number\" must be an attribute, but is used as a block",
            "Error: 4:2: unrecognized block name \"parts\"",
        ],
    );
    check(
        "test.sink \"a\" {\n part \"x\" { }\n part { key = 1 }\n}",
        &[
            "Error: 2:2: missing required attribute \"key\"",
            "Error: 3:2: block \"part\" requires non-empty label",
            "Error: 3:15: expected capsule, got number",
        ],
    );
    check("test.pass \"a\" { }", &["Error: 1:1: missing required attribute \"input\""]);
}

#[test]
fn types_judge_what_shapes_cannot() {
    check("test.sink \"a\" { bytes = [1, (300)] }", &["Error: 1:30: must be between 0 and 255, got 300"]);
    check("test.sink \"a\" { rule { action = \"nope\" } }", &["Error: 1:33: unrecognized action type \"nope\""]);
    check("test.sink \"a\" {\n rule { action = \"replace\" }\n}", &["Error: 2:2: action replace requires a label"]);
    check("test.sink \"a\" {\n rule {\n  action = \"replace\"\n  label = sys.env(\"L\")\n }\n}", &[]);
}

#[test]
fn what_has_to_go_together_is_checked_as_far_as_it_is_known() {
    check("test.strict \"a\" { rate = 0 }", &["Error: 1:1: rate must not be 0"]);
    check("test.strict \"a\" { low = 10 }", &["Error: 1:1: low is above high"]);
    check("test.strict \"a\" { name = 2 }", &["Error: 1:1: 2 is no name"]);
    check(
        "test.source \"s\" { }\ntest.strict \"a\" {\n any = test.source.s.output\n rate = 0\n low = 10\n name = 2\n}",
        &["Error: 2:1: rate must not be 0", "Error: 2:1: low is above high"],
    );
    check(
        "test.strict \"a\" {\n rate = 0\n low = true\n}",
        &["Error: 3:8: expected number, got bool", "Error: 1:1: rate must not be 0"],
    );
    check("test.strict \"a\" {\n rate = sys.env(\"R\")\n low = 10\n high = sys.env(\"H\")\n name = 2\n}", &[]);
    let inside = "test.sink \"a\" {\n rule {\n  action = \"nope\"\n  label = sys.env(\"L\")\n }\n}";
    check(inside, &["Error: 3:12: unrecognized action type \"nope\""]);
    check("test.sink \"a\" { any = [1 + \"a\"] }", &["Error: 1:28: \"a\" should be number, got string"]);
}

#[test]
fn a_panic_while_checking_is_an_error() {
    let found = validate(&[Source::new("", "test.panics \"a\" { at = \"decoding\" }")], &vocabulary());
    let said: Vec<_> = found.iter().map(ToString::to_string).collect();
    assert!(
        said.len() == 1 && said[0].starts_with("1:1: decoding panicked: ") && said[0].contains("told to"),
        "{said:?}"
    );
}

#[test]
fn the_graph_is_checked_and_everything_is_said() {
    insta::assert_snapshot!(checked(r#"logging { level = "loud" }
test.pass "a" { input = test.pass.b.output }
test.pass "b" { input = test.pass.a.output }
test.pass "c" { input = test.pass.c.output }
test.sink "d" {
  number = true
  any    = test.pass.x.output
  text   = to_upper("x")
}
"#), @r#"
    Error: main.alloy:1:19: unrecognized log level "loud"

    1 | logging { level = "loud" }
      |                   ^^^^^^
    2 | test.pass "a" { input = test.pass.b.output }

    Error: main.alloy:6:12: expected number, got bool

    5 | test.sink "d" {
    6 |   number = true
      |            ^^^^
    7 |   any    = test.pass.x.output

    Error: main.alloy:7:12: component "test.pass.x.output" does not exist or is out of scope

    6 |   number = true
    7 |   any    = test.pass.x.output
      |            ^^^^^^^^^^^^^^^^^^
    8 |   text   = to_upper("x")

    help: did you mean test.pass.a?

    Warning: main.alloy:8:12: this stdlib function is deprecated; please refer to the documentation for updated usage and alternatives

    7 |   any    = test.pass.x.output
    8 |   text   = to_upper("x")
      |            ^^^^^^^^
    9 | }

    Error: main.alloy:2:1: cycle detected: test.pass.a, test.pass.b

    1 | logging { level = "loud" }
    2 | test.pass "a" { input = test.pass.b.output }
      | ^^^^^^^^^^^^^^^
    3 | test.pass "b" { input = test.pass.a.output }

    Error: main.alloy:3:1: cycle detected: test.pass.a, test.pass.b

    2 | test.pass "a" { input = test.pass.b.output }
    3 | test.pass "b" { input = test.pass.a.output }
      | ^^^^^^^^^^^^^^^
    4 | test.pass "c" { input = test.pass.c.output }

    Error: main.alloy:4:1: cannot reference self

    3 | test.pass "b" { input = test.pass.a.output }
    4 | test.pass "c" { input = test.pass.c.output }
      | ^^^^^^^^^^^^^^^
    5 | test.sink "d" {
    "#);
}

#[test]
fn with_a_syntax_error_only_syntax_is_checked() {
    check("test.sink \"a\" { number = }\nnobody \"b\" { }", &["Error: 1:26: expected expression, got }"]);
}
