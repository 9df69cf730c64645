//! What is said about a graph that cannot be.

use lang::{render::render, source::Source};

use crate::stage::{Stage, shown, vocabulary};

async fn refused(text: &str) -> String {
    let stage = Stage::new();
    let outcome = stage.load(text).await;
    assert_eq!(outcome.applied, pyrope_graph::Applied::Not);
    shown(&outcome)
}

#[tokio::test]
async fn names_labels_and_duplicates() {
    let text = r#"x = 1
y = 2
test.snik "a" { }
nobody.has.this "a" { }
test.sink { }
test.sink "a" { }
test.sink "a" { }
test.preview "a" { }
logging { }
logging "again" { }
argument "x" { }
cluster { }
"#;
    insta::assert_snapshot!(refused(text).await, @r#"
    Error: main.alloy:1:1: unrecognized attribute x

    1 | x = 1
      | ^
    2 | y = 2

    Error: main.alloy:11:1: argument blocks only allowed inside a module

    10 | logging "again" { }
    11 | argument "x" { }
       | ^^^^^^^^
    12 | cluster { }

    Error: main.alloy:12:1: service "cluster" does not support being configured

    11 | argument "x" { }
    12 | cluster { }
       | ^^^^^^^
    13 | 

    Error: main.alloy:10:1: block logging already declared at main.alloy:9:1

     9 | logging { }
    10 | logging "again" { }
       | ^^^^^^^
    11 | argument "x" { }

    note: main.alloy:9:1: the first one

     8 | test.preview "a" { }
     9 | logging { }
       | ^^^^^^^
    10 | logging "again" { }

    Error: main.alloy:3:1: cannot find the definition of component name "test.snik"

    2 | y = 2
    3 | test.snik "a" { }
      | ^^^^^^^^^
    4 | nobody.has.this "a" { }

    help: did you mean "test.sink"?

    Error: main.alloy:4:1: cannot find the definition of component name "nobody.has.this"

    3 | test.snik "a" { }
    4 | nobody.has.this "a" { }
      | ^^^^^^^^^^^^^^^
    5 | test.sink { }

    Error: main.alloy:5:1: component "test.sink" must have a label

    4 | nobody.has.this "a" { }
    5 | test.sink { }
      | ^^^^^^^^^
    6 | test.sink "a" { }

    Error: main.alloy:7:1: block test.sink.a already declared at main.alloy:6:1

    6 | test.sink "a" { }
    7 | test.sink "a" { }
      | ^^^^^^^^^^^
    8 | test.preview "a" { }

    note: main.alloy:6:1: the first one

    5 | test.sink { }
    6 | test.sink "a" { }
      | ^^^^^^^^^^^
    7 | test.sink "a" { }

    Error: main.alloy:8:1: component "test.preview" is at stability level "public-preview", which is below the minimum allowed stability level "generally-available". Use --stability.level command-line flag to enable "public-preview" features

    7 | test.sink "a" { }
    8 | test.preview "a" { }
      | ^^^^^^^^^^^^
    9 | logging { }
    "#);
}

#[tokio::test]
async fn references_that_lead_nowhere() {
    let text = r#"test.source "a" { }
test.sink "b" { any = test.source.a.outptu }
test.sink "c" { any = test.source.b.output }
test.sink "d" { any = [test.sink.b.x, {y = sys.env("HOME")}] }
test.sink "e" { any = nothing }
"#;
    insta::assert_snapshot!(refused(text).await, @r#"
    Error: main.alloy:2:37: field "outptu" does not exist

    1 | test.source "a" { }
    2 | test.sink "b" { any = test.source.a.outptu }
      |                                     ^^^^^^
    3 | test.sink "c" { any = test.source.b.output }

    help: test.source.a exports other, output

    Error: main.alloy:3:23: component "test.source.b.output" does not exist or is out of scope

    2 | test.sink "b" { any = test.source.a.outptu }
    3 | test.sink "c" { any = test.source.b.output }
      |                       ^^^^^^^^^^^^^^^^^^^^
    4 | test.sink "d" { any = [test.sink.b.x, {y = sys.env("HOME")}] }

    help: did you mean test.source.a?

    Error: main.alloy:4:36: field "x" does not exist

    3 | test.sink "c" { any = test.source.b.output }
    4 | test.sink "d" { any = [test.sink.b.x, {y = sys.env("HOME")}] }
      |                                    ^
    5 | test.sink "e" { any = nothing }

    help: test.sink.b exports nothing

    Error: main.alloy:5:23: component "nothing" does not exist or is out of scope

    4 | test.sink "d" { any = [test.sink.b.x, {y = sys.env("HOME")}] }
    5 | test.sink "e" { any = nothing }
      |                       ^^^^^^^
    6 |
    "#);
}

#[tokio::test]
async fn cycles_are_shown_whole() {
    let text = r#"test.pass "a" { input = test.pass.b.output }
test.pass "b" { input = test.pass.c.output }
test.pass "c" { input = [test.pass.a.output, test.pass.s.output] }
test.pass "s" { input = test.pass.s.output }
test.sink "behind" { any = test.pass.c.output }
"#;
    insta::assert_snapshot!(refused(text).await, @r#"
    Error: -: cycle: test.pass.a, test.pass.b, test.pass.c

    note: main.alloy:1:1: test.pass.a refers to test.pass.b

    1 | test.pass "a" { input = test.pass.b.output }
      | ^^^^^^^^^^^^^^^
    2 | test.pass "b" { input = test.pass.c.output }

    note: main.alloy:2:1: test.pass.b refers to test.pass.c

    1 | test.pass "a" { input = test.pass.b.output }
    2 | test.pass "b" { input = test.pass.c.output }
      | ^^^^^^^^^^^^^^^
    3 | test.pass "c" { input = [test.pass.a.output, test.pass.s.output] }

    note: main.alloy:3:1: test.pass.c refers to test.pass.a

    2 | test.pass "b" { input = test.pass.c.output }
    3 | test.pass "c" { input = [test.pass.a.output, test.pass.s.output] }
      | ^^^^^^^^^^^^^^^
    4 | test.pass "s" { input = test.pass.s.output }

    Error: -: self reference: test.pass.s

    note: main.alloy:4:1: test.pass.s refers to test.pass.s

    3 | test.pass "c" { input = [test.pass.a.output, test.pass.s.output] }
    4 | test.pass "s" { input = test.pass.s.output }
      | ^^^^^^^^^^^^^^^
    5 | test.sink "behind" { any = test.pass.c.output }
    "#);
}

#[tokio::test]
async fn components_that_only_alloy_has_are_one_diagnostic() {
    let text = r#"prometheus.scrape "a" {
  targets    = []
  forward_to = [prometheus.remote_write.b.receiver]
}
prometheus.remote_write "b" { }
prometheus.scrape "c" { }
test.sink "d" { any = prometheus.scrape.a.x }
"#;
    insta::assert_snapshot!(refused(text).await, @r#"
    Error: main.alloy:1:1: components of Grafana Alloy that pyrope does not have: prometheus.remote_write, prometheus.scrape (2 times)

    1 | prometheus.scrape "a" {
      | ^^^^^^^^^^^^^^^^^
    2 |   targets    = []

    note: main.alloy:5:1: prometheus.remote_write

    4 | }
    5 | prometheus.remote_write "b" { }
      | ^^^^^^^^^^^^^^^^^^^^^^^
    6 | prometheus.scrape "c" { }

    note: main.alloy:6:1: prometheus.scrape

    5 | prometheus.remote_write "b" { }
    6 | prometheus.scrape "c" { }
      | ^^^^^^^^^^^^^^^^^
    7 | test.sink "d" { any = prometheus.scrape.a.x }

    help: keep these blocks in a file for Alloy, and give pyrope one without them
    "#);
}

#[tokio::test]
async fn modules_are_one_diagnostic() {
    let text = r#"declare "mine" { }
import.file "theirs" { filename = "x" }
mine "a" { }
theirs.one "b" { any = mine.a.output }
test.sink "c" { any = theirs.one.b.output }
"#;
    insta::assert_snapshot!(refused(text).await, @r#"
    Error: main.alloy:1:1: modules are not supported by this version: declare, import.file

    1 | declare "mine" { }
      | ^^^^^^^
    2 | import.file "theirs" { filename = "x" }

    note: main.alloy:2:1: import.file

    1 | declare "mine" { }
    2 | import.file "theirs" { filename = "x" }
      | ^^^^^^^^^^^
    3 | mine "a" { }

    help: write the components that they make at the top level
    "#);
}

#[tokio::test(start_paused = true)]
async fn blocks_without_effect_are_warnings() {
    let stage = Stage::new();
    let text = r#"http { tls { windows_certificate_filter { } } }
tracing { sampling_fraction = 1 }
livedebugging { enabled = true }
remotecfg { url = "http://x" }
logging {
  level    = "warn"
  write_to = []
}
test.sink "a" { text = env("X") }
"#;
    let outcome = stage.load(text).await;
    assert_eq!(outcome.applied, pyrope_graph::Applied::Fully);
    insta::assert_snapshot!(shown(&outcome), @r#"
    Warning: main.alloy:1:8: tls and its windows_certificate_filter in http has no effect: the listener speaks plain HTTP

    1 | http { tls { windows_certificate_filter { } } }
      |        ^^^^^
    2 | tracing { sampling_fraction = 1 }

    Warning: main.alloy:2:1: the tracing block has no effect: pyrope sends no traces of itself

    1 | http { tls { windows_certificate_filter { } } }
    2 | tracing { sampling_fraction = 1 }
      | ^^^^^^^^^
    3 | livedebugging { enabled = true }

    Warning: main.alloy:3:1: the livedebugging block has no effect: there is no live debugging

    2 | tracing { sampling_fraction = 1 }
    3 | livedebugging { enabled = true }
      | ^^^^^^^^^^^^^^^
    4 | remotecfg { url = "http://x" }

    Warning: main.alloy:4:1: the remotecfg block has no effect: no configuration is fetched from a server

    3 | livedebugging { enabled = true }
    4 | remotecfg { url = "http://x" }
      | ^^^^^^^^^^^
    5 | logging {

    Warning: main.alloy:7:3: write_to in logging has no effect: log lines go to stderr only

    6 |   level    = "warn"
    7 |   write_to = []
      |   ^^^^^^^^^^^^^
    8 | }

    Warning: main.alloy:9:24: this stdlib function is deprecated; please refer to the documentation for updated usage and alternatives

     8 | }
     9 | test.sink "a" { text = env("X") }
       |                        ^^^
    10 |
    "#);
    assert!(stage.journal.has("logging Warn Logfmt"));
    // Of these two, some of what they say has an effect; empty they say nothing.
    stage.apply("http { }\nlogging { }\ntest.sink \"a\" { }").await;
}

/// The diagnostics without their source.
fn lines(outcome: &pyrope_graph::Outcome) -> Vec<String> {
    outcome.diagnostics.iter().map(ToString::to_string).collect()
}

#[tokio::test(start_paused = true)]
async fn blocks_without_effect_are_warnings_when_they_are_empty_too() {
    let text = "tracing { }\nlivedebugging { }\nremotecfg { }\ntest.sink \"a\" { }\n";
    let outcome = Stage::new().load(text).await;
    assert_eq!(outcome.applied, pyrope_graph::Applied::Fully);
    assert_eq!(
        lines(&outcome),
        [
            "main.alloy:1:1: the tracing block has no effect: pyrope sends no traces of itself",
            "main.alloy:2:1: the livedebugging block has no effect: there is no live debugging",
            "main.alloy:3:1: the remotecfg block has no effect: no configuration is fetched from a server",
        ]
    );
}

#[tokio::test]
async fn blocks_without_effect_take_only_what_upstream_takes() {
    let sampler = "sampler {\njaeger_remote {\nurl = \"http://x\"\nmax_operations = 2\nrefresh_interval = \"1m\"\n}\n}";
    let right = format!(
        "tracing {{\nsend_traceparent = true\nwrite_to = []\n{sampler}\n}}\nlivedebugging {{ enabled = false }}"
    );
    let outcome = Stage::new().load(&right).await;
    assert_eq!((outcome.applied, outcome.diagnostics.len()), (pyrope_graph::Applied::Fully, 2));
    let outcome = Stage::new().load("tracing { foo = 1 }\nlivedebugging { enabled = 1 }\n").await;
    assert_eq!(outcome.applied, pyrope_graph::Applied::Not);
    let errors = lines(&outcome).into_iter().filter(|line| !line.contains("has no effect"));
    assert_eq!(
        errors.collect::<Vec<_>>(),
        ["main.alloy:1:11: unrecognized attribute name \"foo\"", "main.alloy:2:27: expected bool, got number"]
    );
}

#[tokio::test(start_paused = true)]
async fn the_http_block_says_who_is_asked_for_a_password_at_each_load() {
    let stage = Stage::new();
    let http = |auth: &str| {
        // A semicolon stands for a new line, which a list of attributes wants.
        let auth = auth.replace(';', "\n");
        format!("http {{ auth {{\n{auth}\n}} }}\ntest.sink \"a\" {{ }}\n")
    };
    stage.apply(&http(r#"basic {; username = "ada"; password = string.format("%d", 7); }"#)).await;
    assert!(stage.journal.has("http asks \"ada\" for (secret)"));
    stage.apply(&http(r#"basic {; username = "bob"; password = "x"; }; filter {; paths = ["/a"]; }"#)).await;
    assert!(stage.journal.has("http asks \"bob\" for (secret)"));
    for (wrong, says) in [
        (r#"basic {; username = "ada"; }"#, "missing required attribute \"password\""),
        (r#"basic {; username = "ada"; password = ""; }"#, "password must not be empty"),
        (r#"basic {; username = "ada"; password = string.format(""); }"#, "password must not be empty"),
        (r#"filter {; path = ["/a"]; }"#, "unrecognized attribute name \"path\""),
    ] {
        let outcome = stage.load(&http(wrong)).await;
        assert_eq!(outcome.applied, pyrope_graph::Applied::Not, "{wrong}");
        assert!(shown(&outcome).contains(says), "{wrong}: {}", shown(&outcome));
    }
}

#[tokio::test]
async fn experimental_functions_need_the_level() {
    let text = "test.sink \"a\" { any = array.group_by([], \"x\", true) }";
    insta::assert_snapshot!(refused(text).await, @r#"
    Error: main.alloy:1:23: array.group_by is at stability level "experimental", which is below the minimum allowed stability level "generally-available". Use --stability.level command-line flag to enable "experimental" features

    1 | test.sink "a" { any = array.group_by([], "x", true) }
      |                       ^^^^^^^^^^^^^^
    "#);
    let mut vocabulary = vocabulary();
    vocabulary.minimum_stability = pyrope_graph::Stability::Experimental;
    assert_eq!(pyrope_graph::validate(&[Source::new("main.alloy", text)], &vocabulary), []);
}

#[tokio::test]
async fn files_are_one_configuration() {
    let stage = Stage::new();
    let sources = vec![
        Source::new("a.alloy", "test.sink \"x\" { any = test.source.y.output }"),
        Source::new("b.alloy", "test.source \"y\" { }\ntest.sink \"x\" { }"),
        Source::new("c.alloy", ""),
    ];
    let outcome = stage.controller.load(sources).await;
    insta::assert_snapshot!(render(&outcome.diagnostics, false), @r#"
    Error: b.alloy:2:1: block test.sink.x already declared at a.alloy:1:1

    1 | test.source "y" { }
    2 | test.sink "x" { }
      | ^^^^^^^^^^^

    note: a.alloy:1:1: the first one

    1 | test.sink "x" { any = test.source.y.output }
      | ^^^^^^^^^^^
    "#);
}
