//! From exports to arguments, and only to those that changed.

use std::{sync::Arc, time::Duration};

use lang::value::{Array, Number, Value, array::HostArray};

use crate::stage::Stage;

/// The numbers from one up.
struct Numbers(usize);

impl HostArray for Numbers {
    fn len(&self) -> usize {
        self.0
    }

    fn get(&self, index: usize) -> Option<Value> {
        (index < self.0).then(|| Value::Number(Number::Uint(index as u64 + 1)))
    }
}

fn numbers(count: usize) -> Value {
    Value::Array(Array::from_host(Arc::new(Numbers(count))))
}

#[tokio::test(start_paused = true)]
async fn a_change_travels_down_and_not_sideways() {
    let stage = Stage::new();
    let text = r#"
        test.source "a" { first = "x" }
        test.source "b" { first = "y" }
        test.pass "c" { input = test.source.a.output }
        test.sink "d" { text = string.to_upper(test.pass.c.output) }
        test.sink "e" { text = test.source.b.output }
    "#;
    stage.apply(text).await;
    stage.happened();
    stage.hands.export("test.source.a", "z");
    stage.settle().await;
    assert_eq!(stage.happened(), ["test.sink.d got Z"]);
}

#[tokio::test(start_paused = true)]
async fn equal_exports_disturb_nobody() {
    let stage = Stage::new();
    stage.apply("test.source \"a\" { first = \"x\" }\ntest.sink \"b\" { text = test.source.a.output }").await;
    stage.happened();
    stage.hands.export("test.source.a", "x");
    stage.settle().await;
    assert_eq!(stage.happened(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_change_of_another_export_disturbs_nobody() {
    let stage = Stage::new();
    let text = r#"
        test.source "a" { first = "x" }
        test.sink "b" { text = test.source.a.output }
        test.sink "c" { any = test.source.a.other }
    "#;
    stage.apply(text).await;
    stage.happened();
    stage.hands.export_other("test.source.a", "x", "new");
    stage.settle().await;
    assert_eq!(stage.happened(), ["test.sink.c got \"new\""]);
}

#[tokio::test(start_paused = true)]
async fn a_burst_is_seen_as_its_last_value() {
    let stage = Stage::new();
    stage.apply("test.source \"a\" { first = 0 }\ntest.sink \"b\" { number = test.source.a.output }").await;
    stage.happened();
    for number in 1..=1000 {
        stage.hands.export("test.source.a", Number::Int(number));
    }
    stage.settle().await;
    assert_eq!(stage.happened(), ["test.sink.b got 1000"]);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_evaluated_any_more_keeps_its_last_good_arguments() {
    let stage = Stage::new();
    let text = r#"
        test.source "a" { first = 1 }
        test.sink "b" { number = test.source.a.output }
        test.sink "c" { any = test.source.a.output }
    "#;
    stage.apply(text).await;
    stage.happened();
    stage.hands.export("test.source.a", "many");
    stage.settle().await;
    assert_eq!(stage.happened(), ["test.sink.c got \"many\""]);
    let sick = "unhealthy: component evaluation failed: decoding configuration: main.alloy:3:34: \
                test.source.a.output should be number, got string";
    assert_eq!(stage.health("test.sink.b"), sick);
    assert_eq!(stage.health("test.source.a"), "healthy: started component");
    assert_eq!(stage.controller.snapshot().unhealthy(), ["test.sink"]);

    stage.hands.export("test.source.a", Number::Int(2));
    stage.settle().await;
    assert_eq!(stage.happened(), ["test.sink.b got 2", "test.sink.c got 2"]);
    assert_eq!(stage.health("test.sink.b"), "healthy: component evaluated");
}

#[tokio::test(start_paused = true)]
async fn a_new_component_that_failed_at_a_reload_starts_once_its_inputs_are_right() {
    let stage = Stage::new();
    stage.apply("").await;
    // What the source exports is not known before it runs.
    let outcome =
        stage.load("test.source \"a\" { first = \"many\" }\ntest.sink \"b\" { number = test.source.a.output }").await;
    assert_eq!(outcome.applied, pyrope_graph::Applied::Partly);
    stage.hands.export("test.source.a", Number::Int(2));
    stage.settle().await;
    assert_eq!(stage.happened(), ["test.sink.b got 2"]);
    assert_eq!(stage.health("test.sink.b"), "healthy: started component");
}

#[tokio::test(start_paused = true)]
async fn a_large_list_is_handed_on_without_a_look_at_its_elements() {
    /// Panics when it is looked into.
    struct Opaque(usize);

    impl HostArray for Opaque {
        fn len(&self) -> usize {
            self.0
        }

        fn get(&self, _: usize) -> Option<Value> {
            panic!("nobody needs the elements")
        }
    }

    let stage = Stage::new();
    let text = r#"
        test.source "a" { }
        test.pass "b" { input = test.source.a.output }
        test.sink "c" { any = test.pass.b.output }
        test.sink "d" { text = "bystander" }
    "#;
    stage.apply(text).await;
    stage.happened();
    for count in [10_000, 10_001] {
        stage.hands.export("test.source.a", Value::Array(Array::from_host(Arc::new(Opaque(count)))));
        stage.settle().await;
        assert_eq!(stage.happened(), [format!("test.sink.c got {count} elements")]);
    }
    // A reload compares them again, and finds the same list by its address.
    assert_eq!(stage.apply(text).await, "");
    assert_eq!(stage.happened(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn elements_are_there_for_functions_that_want_them() {
    let stage = Stage::new();
    let text = r#"
        test.source "a" { }
        test.sink "b" { any = array.concat(test.source.a.output, [0]) }
        test.sink "c" { any = test.source.a.output[1] }
    "#;
    let text = text.replace("{ }", "{ first = [1, 2] }");
    stage.apply(&text).await;
    stage.hands.export("test.source.a", numbers(9));
    stage.settle().await;
    let expect = ["test.sink.b got 3 elements", "test.sink.c got 2", "test.sink.b got 10 elements"];
    let mut happened = stage.happened();
    happened.sort();
    let mut expect: Vec<_> = expect.iter().map(ToString::to_string).chain(["test.sink.c got 2".to_owned()]).collect();
    expect.sort();
    // The second element is the same number, of another kind: that is a new value.
    assert_eq!(happened, expect);
}

#[tokio::test(start_paused = true)]
async fn a_late_export_is_waited_for() {
    let stage = Stage::new();
    let text = "test.late \"a\" { after = \"3s\" }\ntest.sink \"b\" { text = test.late.a.output }";
    stage.apply(text).await;
    assert_eq!(stage.happened(), ["test.sink.b got late"]);
}

#[tokio::test(start_paused = true)]
async fn but_not_for_ever() {
    let stage = Stage::with(|settings| settings.build_wait = Duration::from_secs(2));
    let text = "test.late \"a\" { after = \"3s\" }\ntest.sink \"b\" { text = test.late.a.output }";
    stage.apply(text).await;
    assert_eq!(stage.happened(), ["test.sink.b got "]);
    tokio::time::sleep(Duration::from_secs(2)).await;
    stage.settle().await;
    assert_eq!(stage.happened(), ["test.sink.b got late"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn evaluation_leaves_time_for_others() {
    let stage = Stage::new();
    stage.apply("test.source \"a\" { first = 0 }\ntest.thorough \"b\" { number = test.source.a.output }").await;
    let begin = std::time::Instant::now();
    let hands = Arc::clone(&stage.hands);
    let exporting = tokio::task::spawn_blocking(move || {
        for number in 1..=300 {
            hands.export("test.source.a", Number::Int(number));
            std::thread::sleep(Duration::from_millis(1));
        }
    });
    exporting.await.expect("it exports");
    while !stage.journal.has("test.thorough.b got 300") {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    // One evaluation of 5 ms in 50 ms; without rests it would be ten.
    let most = begin.elapsed().as_millis() / 40 + 4;
    let happened = stage.happened();
    assert!((happened.len() as u128) < most, "more than {most}: {happened:?}");
}
