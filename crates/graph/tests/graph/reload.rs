//! A load is a diff between what runs and what should.

use std::time::Duration;

use lang::value::Number;
use pyrope_graph::Applied;

use crate::stage::{Stage, changes, shown};

const CHAIN: &str = r#"
    test.source "a" { first = 1 }
    test.pass "b" { input = test.source.a.output }
    test.sink "c" { number = test.pass.b.output }
"#;

#[tokio::test(start_paused = true)]
async fn the_first_load_starts_everything_dependencies_first() {
    let stage = Stage::new();
    assert!(!stage.controller.ready());
    assert_eq!(stage.apply(CHAIN).await, "+test.source.a +test.pass.b +test.sink.c");
    assert_eq!(stage.happened(), ["test.pass.b started", "test.sink.c got 1"]);
    assert!(stage.controller.ready());
    assert_eq!(stage.health("test.sink.c"), "healthy: started component");
}

#[tokio::test(start_paused = true)]
async fn the_same_configuration_disturbs_nobody() {
    let stage = Stage::new();
    stage.apply(CHAIN).await;
    stage.happened();
    assert_eq!(stage.apply(CHAIN).await, "");
    let moved = format!("// More words.\n\n{CHAIN}").replace("{ first = 1 }", "{\n\tfirst = 1 // one\n}");
    assert_eq!(stage.apply(&moved).await, "");
    assert_eq!(stage.happened(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_changed_argument_reaches_the_running_component_and_nobody_else() {
    let stage = Stage::new();
    let text = r#"
        test.pass "b" { input = 1 }
        test.sink "c" { number = test.pass.b.output }
        test.sink "d" { number = 7 }
    "#;
    stage.apply(text).await;
    stage.happened();
    assert_eq!(stage.apply(&text.replace("input = 1", "input = 2")).await, "~test.pass.b");
    assert_eq!(stage.happened(), ["test.sink.c got 2"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_gone_stops_and_what_is_new_starts() {
    let stage = Stage::new();
    stage.apply(CHAIN).await;
    stage.happened();
    let text = r#"
        test.source "a" { first = 1 }
        test.sink "d" { number = test.source.a.output }
    "#;
    assert_eq!(stage.apply(text).await, "+test.sink.d -test.sink.c -test.pass.b");
    assert_eq!(stage.happened(), ["test.sink.c flushed", "test.pass.b stopped", "test.sink.d got 1"]);
}

#[tokio::test]
async fn a_renamed_component_finds_its_port_free() {
    let stage = Stage::new();
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = free.local_addr().expect("it has one");
    drop(free);
    let text = format!("test.port \"old\" {{ address = \"{address}\" }}");
    assert_eq!(stage.apply(&text).await, "+test.port.old");
    assert!(std::net::TcpListener::bind(address).is_err(), "the port is taken");
    assert_eq!(stage.apply(&text.replace("old", "new")).await, "+test.port.new -test.port.old");
    assert!(std::net::TcpListener::bind(address).is_err(), "the port is taken again");
    stage.controller.shutdown().await;
    assert!(std::net::TcpListener::bind(address).is_ok(), "the port is free");
}

#[tokio::test(start_paused = true)]
async fn a_bad_file_leaves_the_old_graph_running() {
    let stage = Stage::new();
    stage.apply(CHAIN).await;
    stage.happened();
    for bad in [
        "test.pass \"b\" {",
        "test.pass \"b\" { input = test.nowhere.x.y }",
        "test.pass \"b\" { input = test.pass.b.output }",
        "nobody \"has\" { }",
    ] {
        let outcome = stage.load(bad).await;
        assert_eq!((outcome.applied, changes(&outcome)), (Applied::Not, String::new()), "{bad}");
        assert!(!outcome.diagnostics.is_empty(), "{bad}");
    }
    stage.settle().await;
    assert_eq!(stage.happened(), [""; 0]);
    stage.hands.export("test.source.a", "5");
    stage.settle().await;
    assert_eq!(stage.happened(), ["test.sink.c got 5"]);
    assert!(stage.controller.ready());
}

#[tokio::test(start_paused = true)]
async fn a_bad_argument_changes_nothing() {
    let stage = Stage::new();
    let text = "test.sink \"c\" { number = 1 }\ntest.sink \"d\" { number = 1 }\n";
    stage.apply(text).await;
    stage.happened();

    let bad = "test.sink \"c\" { number = true }\ntest.sink \"d\" { number = 2 }\ntest.sink \"e\" { numbr = 3 }\n";
    let outcome = stage.load(bad).await;
    stage.settle().await;
    assert_eq!((outcome.applied, changes(&outcome)), (Applied::Not, String::new()));
    insta::assert_snapshot!(shown(&outcome), @r#"
    Error: main.alloy:1:26: true should be number, got bool

    1 | test.sink "c" { number = true }
      |                          ^^^^
    2 | test.sink "d" { number = 2 }

    Error: main.alloy:3:17: unrecognized attribute name "numbr"

    2 | test.sink "d" { number = 2 }
    3 | test.sink "e" { numbr = 3 }
      |                 ^^^^^^^^^
    4 | 
    "#);
    assert_eq!(stage.happened(), [""; 0]);
    assert_eq!(stage.health("test.sink.c"), "healthy: started component");

    // The same mistake is said again, and without it all is applied.
    assert_eq!(stage.load(bad).await.applied, Applied::Not);
    let good = bad.replace("true", "4").replace("numbr", "number");
    assert_eq!(stage.apply(&good).await, "+test.sink.e ~test.sink.c ~test.sink.d");
    assert_eq!(stage.happened(), ["test.sink.c got 4", "test.sink.d got 2", "test.sink.e got 3"]);
}

#[tokio::test(start_paused = true)]
async fn a_mistake_is_found_before_anything_changes_also_behind_a_component_that_is_new() {
    let stage = Stage::new();
    stage.apply("test.sink \"c\" { number = 1 }").await;
    stage.happened();
    for bad in [
        "test.source \"a\" { first = 1 }\ntest.sink \"c\" { numbr = test.source.a.output }",
        "test.source \"a\" { first = 1 }\ntest.sink \"c\" {\n number = test.source.a.output\n numbers = true\n}",
        "test.source \"a\" { }\ntest.strict \"s\" {\n any = test.source.a.output\n rate = 0\n}",
        "test.source \"a\" { }\ntest.strict \"s\" {\n any = test.source.a.output\n rate = array.concat([0])[0]\n}",
        "test.source \"a\" { }\ntest.strict \"s\" {\n low = 10\n name = test.source.a.output\n}",
        "test.source \"a\" { }\ntest.sink \"c\" {\n rule {\n  action = \"nope\"\n  label = test.source.a.output\n }\n}",
    ] {
        let outcome = stage.load(bad).await;
        assert_eq!((outcome.applied, changes(&outcome)), (Applied::Not, String::new()), "{bad}");
    }
    assert_eq!(stage.happened(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn what_a_new_component_will_say_is_not_guessed() {
    let stage = Stage::new();
    stage.apply("").await;
    let text = r#"
        test.source "a" { first = "1" }
        test.strict "s" {
            rate = test.source.a.output
            low  = test.source.a.output
            high = 1
            name = test.source.a.output
            rule {
                action = "replace"
                label  = test.source.a.output
            }
        }
    "#;
    assert_eq!(stage.apply(text).await, "+test.source.a +test.strict.s");
}

#[tokio::test(start_paused = true)]
async fn what_a_reload_puts_right_further_up_is_not_refused() {
    let stage = Stage::new();
    let text = "test.pass \"a\" { input = \"many\" }\ntest.pass \"b\" { input = test.pass.a.output }\n";
    stage.apply(text).await;
    stage.happened();
    let sink = "test.sink \"c\" { number = test.pass.b.output }";
    let outcome = stage.load(&(text.replace("\"many\"", "7") + sink)).await;
    assert_ne!(outcome.applied, Applied::Not, "{}", shown(&outcome));
    stage.settle().await;
    assert_eq!(stage.happened(), ["test.sink.c got 7"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_replaced_stops_after_its_user_has_the_new_one() {
    let stage = Stage::new();
    let with =
        |id: &str| format!("test.pass \"{id}\" {{ input = 1 }}\ntest.sink \"c\" {{ any = test.pass.{id}.output }}");
    stage.apply(&with("a")).await;
    stage.happened();
    assert_eq!(stage.apply(&with("b")).await, "+test.pass.b ~test.sink.c -test.pass.a");
    stage.settle().await;
    let happened = stage.happened();
    let at =
        |what: &str| happened.iter().position(|line| line == what).unwrap_or_else(|| panic!("{what}: {happened:?}"));
    assert!(at("test.pass.b started") < at("test.pass.a stopped"), "{happened:?}");
    assert_eq!(stage.controller.snapshot().components().count(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_is_replaced_knows_it_before_what_takes_its_place_starts() {
    let stage = Stage::new();
    let with =
        |id: &str| format!("test.source \"{id}\" {{ first = 1 }}\ntest.sink \"c\" {{ any = test.source.{id}.output }}");
    stage.apply(&with("a")).await;
    stage.happened();
    assert_eq!(stage.apply(&with("b")).await, "+test.source.b ~test.sink.c -test.source.a");
    let happened = stage.happened();
    assert_eq!(happened[0], "test.source.b found test.source.a leaving", "{happened:?}");
}

/// A sink that uses a pass which takes an hour to stop.
fn lingering(id: &str) -> String {
    format!(
        "test.source \"s\" {{ first = 1 }}\n\
         test.pass \"{id}\" {{\n input = 1\n linger = \"1h\"\n}}\n\
         test.sink \"c\" {{\n any = test.pass.{id}.output\n number = test.source.s.output\n}}"
    )
}

#[tokio::test(start_paused = true)]
async fn nothing_waits_for_what_is_replaced_and_takes_long_to_stop() {
    let stage = Stage::with(|settings| settings.grace = Duration::from_secs(86_400));
    stage.apply(&lingering("a")).await;
    assert_eq!(stage.apply(&lingering("b")).await, "+test.pass.b ~test.sink.c -test.pass.a");
    stage.happened();
    stage.hands.export("test.source.s", Number::Int(2));
    stage.settle().await;
    assert_eq!(stage.happened(), ["test.sink.c got 2 1"]);
    assert_eq!(stage.controller.snapshot().components().count(), 3);
    stage.controller.shutdown().await;
    let happened = stage.happened();
    assert!(happened.contains(&"test.pass.a stopped".to_owned()), "{happened:?}");
}

#[tokio::test(start_paused = true)]
async fn what_comes_back_waits_for_its_end() {
    let stage = Stage::with(|settings| settings.grace = Duration::from_secs(86_400));
    stage.apply(&lingering("a")).await;
    stage.apply(&lingering("b")).await;
    stage.happened();
    assert_eq!(stage.apply(&lingering("a")).await, "+test.pass.a ~test.sink.c -test.pass.b");
    assert_eq!(stage.happened(), ["test.pass.a stopped", "test.pass.a started", "test.sink.c got 1 1"]);
}

#[tokio::test(start_paused = true)]
async fn changes_are_handed_on_while_something_takes_long_to_stop() {
    let stage = Stage::with(|settings| settings.grace = Duration::from_secs(86_400));
    let text = "test.source \"a\" { first = 1 }\ntest.sink \"c\" { number = test.source.a.output }\n";
    stage.apply(&format!("{text}test.sink \"slow\" {{ flush = \"1h\" }}")).await;
    stage.happened();
    let changing = async {
        stage.settle().await;
        stage.hands.export("test.source.a", Number::Int(2));
        stage.settle().await;
        assert_eq!(stage.happened(), ["test.sink.c got 2"]);
    };
    let (difference, ()) = tokio::join!(stage.apply(text), changing);
    assert_eq!(difference, "-test.sink.slow");
    assert_eq!(stage.happened(), ["test.sink.slow flushed"]);
}

#[tokio::test(start_paused = true)]
async fn log_settings_are_applied_and_fall_back_when_the_block_goes() {
    let stage = Stage::new();
    stage.apply("logging {\n level = \"debug\"\n format = \"json\"\n}").await;
    stage.apply("logging { level = \"\" }").await;
    stage.apply("logging \"x\" { level = sys.env(\"NONE\") }").await;
    stage.apply("").await;
    let lines = stage.journal.take();
    assert_eq!(lines, ["logging Debug Json", "logging Info Logfmt", "logging Info Logfmt", "logging Info Logfmt"]);

    let outcome = stage.load("logging {\n  level = \"trace\"\n}\ntest.sink \"a\" { }").await;
    assert_eq!((outcome.applied, changes(&outcome)), (Applied::Not, String::new()));
    insta::assert_snapshot!(shown(&outcome), @r#"
    Error: main.alloy:1:1: Failed to evaluate node for config block: decoding configuration: main.alloy:2:11: "trace" unrecognized log level "trace"

    1 |   logging {
      |  _^^^^^^^^^
    2 | |   level = "trace"
    3 | | }
      | |_^
    4 |   test.sink "a" { }
    "#);
}

#[tokio::test(start_paused = true)]
async fn a_component_that_quit_starts_again_with_the_next_load() {
    let stage = Stage::new();
    let text = "test.quits \"q\" { }\ntest.quits \"e\" { error = \"enough\" }";
    stage.apply(text).await;
    assert_eq!(stage.happened(), ["test.quits.e started", "test.quits.q started"]);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(stage.health("test.quits.q"), "exited: component shut down cleanly");
    assert_eq!(stage.health("test.quits.e"), "exited: component shut down with error: enough");
    assert_eq!(stage.controller.snapshot().unhealthy(), [""; 0]);
    assert_eq!(stage.apply(text).await, "+test.quits.e +test.quits.q");
    assert_eq!(stage.health("test.quits.q"), "healthy: started component");
}
