//! Stopping is a drain, in order.

use std::time::Duration;

use pyrope_graph::Applied;
use tokio::time::Instant;

use crate::stage::Stage;

const CHAIN: &str = r#"
    test.source "a" { first = 1 }
    test.pass "b" { input = test.source.a.output }
    test.sink "c" {
        number = test.pass.b.output
        flush  = "5s"
    }
    test.sink "d" { flush = "1s" }
"#;

#[tokio::test(start_paused = true)]
async fn dependants_drain_before_what_they_depend_on() {
    let stage = Stage::new();
    stage.apply(CHAIN).await;
    stage.happened();
    let begin = Instant::now();
    stage.controller.shutdown().await;
    let expect = ["test.sink.d flushed", "test.sink.c flushed", "test.pass.b stopped", "test.source.a stopped"];
    assert_eq!(stage.happened(), expect);
    assert_eq!(begin.elapsed().as_secs(), 5);
    assert_eq!(stage.controller.snapshot().components().count(), 0);
}

#[tokio::test(start_paused = true)]
async fn one_that_does_not_end_is_cut_off_after_the_grace_period() {
    let stage = Stage::with(|settings| settings.grace = Duration::from_secs(2));
    stage.apply(CHAIN).await;
    stage.happened();
    let begin = Instant::now();
    stage.controller.shutdown().await;
    assert_eq!(stage.happened(), ["test.sink.d flushed", "test.pass.b stopped", "test.source.a stopped"]);
    assert_eq!(begin.elapsed().as_secs(), 2);
}

#[tokio::test(start_paused = true)]
async fn nothing_loads_after_the_end() {
    let stage = Stage::new();
    stage.controller.shutdown().await;
    stage.controller.shutdown().await;
    let outcome = stage.load("test.sink \"d\" { }").await;
    assert_eq!(outcome.applied, Applied::Not);
    assert_eq!(outcome.diagnostics[0].to_string(), "the graph has been shut down");
}

#[tokio::test(start_paused = true)]
async fn a_load_that_waits_is_cut_short() {
    let stage = Stage::new();
    let controller = stage.controller.clone();
    let begin = Instant::now();
    let load = async {
        let outcome =
            stage.load("test.late \"a\" { after = \"9s\" }\ntest.pass \"b\" { input = test.late.a.output }").await;
        assert_eq!(outcome.applied, Applied::Not);
    };
    let stop = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        controller.shutdown().await;
    };
    tokio::join!(load, stop);
    // The late one does not listen before it is built.
    assert_eq!(begin.elapsed().as_secs(), 9);
    assert_eq!(stage.happened(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn dropping_the_last_handle_stops_everything() {
    let stage = Stage::new();
    stage.apply(CHAIN).await;
    let journal = stage.journal.clone();
    drop(stage);
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert!(journal.has("test.source.a stopped"));
}
