//! What goes wrong in one component stays there.

use std::time::Duration;

use pyrope_graph::Applied;

use crate::stage::{Stage, changes, shown};

#[tokio::test(start_paused = true)]
async fn a_first_load_with_an_error_leaves_nothing_running() {
    let stage = Stage::new();
    let text = r#"test.pass "a" { input = 1 }
test.broken "b" { }
test.late "c" {
  after = "1s"
  fail  = true
}
test.sink "d" { number = test.pass.a.output }
test.sink "e" { number = false }
"#;
    let outcome = stage.load(text).await;
    assert_eq!((outcome.applied, changes(&outcome)), (Applied::Not, String::new()));
    insta::assert_snapshot!(shown(&outcome), @r#"
    Error: main.alloy:8:26: false should be number, got bool

    7 | test.sink "d" { number = test.pass.a.output }
    8 | test.sink "e" { number = false }
      |                          ^^^^^
    9 | 

    Error: main.alloy:2:1: Failed to build component: building component: no such device

    1 | test.pass "a" { input = 1 }
    2 | test.broken "b" { }
      | ^^^^^^^^^^^^^^^^^^^
    3 | test.late "c" {

    help: plug it in

    Error: main.alloy:3:1: Failed to build component: building component: gave up

    2 |   test.broken "b" { }
    3 |   test.late "c" {
      |  _^^^^^^^^^^^^^^^
    4 | |   after = "1s"
    5 | |   fail  = true
    6 | | }
      | |_^
    7 |   test.sink "d" { number = test.pass.a.output }
    "#);
    stage.settle().await;
    // What was started before the error came up has ended again.
    assert_eq!(stage.happened(), ["test.pass.a started", "test.pass.a stopped"]);
    assert_eq!(stage.controller.snapshot().components().count(), 0);
    assert!(!stage.controller.ready());

    // And the next load is a first load again.
    stage.apply("test.sink \"d\" { number = 1 }").await;
    assert!(stage.controller.ready());
}

#[tokio::test(start_paused = true)]
async fn a_component_that_cannot_be_built_at_a_reload_is_unhealthy_alone() {
    let stage = Stage::new();
    stage.apply("test.sink \"a\" { }").await;
    let outcome = stage.load("test.sink \"a\" { }\ntest.broken \"b\" { }").await;
    assert_eq!(outcome.applied, Applied::Partly);
    insta::assert_snapshot!(shown(&outcome), @r#"
    Error: main.alloy:2:1: Failed to build component: building component: no such device

    1 | test.sink "a" { }
    2 | test.broken "b" { }
      | ^^^^^^^^^^^^^^^^^^^

    help: plug it in
    "#);
    let sick = "unhealthy: component evaluation failed: building component: no such device";
    assert_eq!(stage.health("test.broken.b"), sick);
    assert_eq!(stage.health("test.sink.a"), "healthy: started component");
    // Each load tries again.
    assert_eq!(stage.load("test.broken \"b\" { }").await.applied, Applied::Partly);
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_the_components_own() {
    let stage = Stage::new();
    stage.apply("test.panics \"a\" { at = \"running\" }\ntest.sink \"b\" { }").await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let health = stage.health("test.panics.a");
    assert!(health.starts_with("unhealthy: component panicked: "), "{health}");
    assert!(health.contains("told to"), "{health}");
    assert_eq!(stage.health("test.sink.b"), "healthy: started component");

    let outcome = stage.load("test.panics \"a\" { at = \"building\" }").await;
    assert_eq!(outcome.applied, Applied::Partly);
    let text = shown(&outcome);
    assert!(
        text.starts_with("Error: main.alloy:1:1: Failed to build component: building component: component panicked: "),
        "{text}"
    );

    let outcome = stage.load("test.panics \"a\" { at = \"decoding\" }").await;
    assert_eq!(outcome.applied, Applied::Not);
    let text = shown(&outcome);
    assert!(text.contains("Failed to build component: decoding configuration: decoding panicked: "), "{text}");
    stage.apply("test.sink \"b\" { }").await;
}

#[tokio::test(start_paused = true)]
async fn what_a_component_reports_counts_when_it_is_worse() {
    let stage = Stage::new();
    stage.apply("test.source \"a\" { }").await;
    stage.hands.health("test.source.a", pyrope_graph::State::Unhealthy, "no route to host");
    assert_eq!(stage.health("test.source.a"), "unhealthy: no route to host");
    stage.hands.health("test.source.a", pyrope_graph::State::Healthy, "back again");
    assert_eq!(stage.health("test.source.a"), "healthy: back again");
}

#[tokio::test(start_paused = true)]
async fn an_error_while_running_ends_only_the_one() {
    let stage = Stage::new();
    stage.apply("test.quits \"a\" { error = \"gone\" }\ntest.source \"s\" { first = 1 }\ntest.sink \"b\" { number = test.source.s.output }").await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    stage.happened();
    stage.hands.export("test.source.s", lang::value::Number::Int(3));
    stage.settle().await;
    assert_eq!(stage.happened(), ["test.sink.b got 3"]);
    assert_eq!(stage.health("test.quits.a"), "exited: component shut down with error: gone");
}
