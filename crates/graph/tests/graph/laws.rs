//! Random configurations, one after the other, against a model.

use std::{collections::BTreeMap, fmt::Write as _, sync::Arc, time::Duration};

use lang::{source::Source, value::Number};
use proptest::prelude::*;
use pyrope_graph::{Applied, validate};

use crate::stage::{Stage, vocabulary};

/// Component `n` says either a number or what an earlier one exports.
#[derive(Clone, Debug, PartialEq)]
enum Says {
    Number(u8),
    Earlier(usize),
}

type Configuration = BTreeMap<usize, Says>;

fn configuration() -> impl Strategy<Value = Configuration> {
    let says = prop_oneof![(0..3u8).prop_map(Says::Number), (0..8usize).prop_map(Says::Earlier)];
    prop::collection::btree_map(0..8usize, says, 0..8).prop_map(|mut all: Configuration| {
        let ids: Vec<_> = all.keys().copied().collect();
        for (id, says) in &mut all {
            // A reference leads to an earlier one that is there, or becomes a number.
            if let Says::Earlier(to) = says
                && !(*to < *id && ids.contains(to))
            {
                *says = Says::Number(9);
            }
        }
        all
    })
}

fn text(configuration: &Configuration) -> String {
    let mut text = String::new();
    for (id, says) in configuration {
        let _ = match says {
            Says::Number(number) => writeln!(text, "test.pass \"c{id}\" {{ input = {number} }}"),
            Says::Earlier(to) => writeln!(text, "test.pass \"c{id}\" {{ input = test.pass.c{to}.output }}"),
        };
    }
    text
}

fn value(configuration: &Configuration, id: usize) -> u8 {
    match configuration[&id] {
        Says::Number(number) => number,
        Says::Earlier(to) => value(configuration, to),
    }
}

/// After each load exactly the configured components run and export what the model says; those whose block is new
/// started, those that are gone stopped, and those whose block and input stayed were left alone.
async fn loads_follow_the_model(configurations: &[Configuration]) {
    let stage = Stage::new();
    let mut before = Configuration::new();
    for now in configurations {
        let outcome = stage.load(&text(now)).await;
        assert_eq!((outcome.applied, outcome.diagnostics), (Applied::Fully, vec![]));
        stage.settle().await;

        let snapshot = stage.controller.snapshot();
        let exports: BTreeMap<_, _> = snapshot
            .components()
            .map(|component| (component.id().as_str().to_owned(), format!("{:?}", component.exports())))
            .collect();
        let model: BTreeMap<_, _> = now
            .keys()
            .map(|id| (format!("test.pass.c{id}"), format!("{{\"other\": null, \"output\": {}}}", value(now, *id))))
            .collect();
        assert_eq!(exports, model);

        let ids = |ids: Vec<usize>| ids.iter().map(|id| format!("test.pass.c{id}")).collect::<Vec<_>>();
        let sorted = |ids: &[pyrope_graph::ComponentId]| {
            let mut ids: Vec<_> = ids.iter().map(ToString::to_string).collect();
            ids.sort();
            ids
        };
        let new = now.keys().filter(|id| !before.contains_key(id)).copied().collect();
        let gone = before.keys().filter(|id| !now.contains_key(id)).copied().collect();
        assert_eq!(sorted(&outcome.changes.started), ids(new));
        assert_eq!(sorted(&outcome.changes.stopped), ids(gone));
        for id in &outcome.changes.updated {
            let id: usize = id.label().and_then(|label| label[1..].parse().ok()).expect("as written");
            assert!(now[&id] != before[&id] || value(now, id) != value(&before, id), "c{id} was disturbed");
        }
        before = now.clone();
    }
    stage.happened();
    stage.controller.shutdown().await;
    assert_eq!(stage.happened().len(), before.len(), "each stopped once");
}

/// How an argument is given: not at all, written out, by a function, or by another component.
fn given() -> impl Strategy<Value = Option<String>> {
    prop_oneof![
        Just(None),
        (0..3u8).prop_map(|number| Some(number.to_string())),
        (0..3u8).prop_map(|number| Some(format!("array.concat([{number}])[0]"))),
        Just(Some("test.source.a.output".to_owned())),
    ]
}

/// A component with some of the arguments that have to go together.
fn strict() -> impl Strategy<Value = String> {
    let label = prop_oneof![
        Just("label = \"\""),
        Just("label = string.trim(\"x\", \"x\")"),
        Just("label = test.source.a.output"),
        Just("label = \"x\""),
    ];
    let names = ["rate", "low", "high", "name"];
    let action = prop_oneof![Just("keep"), Just("replace")];
    (0..3u8, prop::collection::vec(given(), names.len()), action, label).prop_map(
        move |(first, given, action, label)| {
            let mut text = format!("test.source \"a\" {{ first = {first} }}\ntest.strict \"s\" {{\n");
            for (name, given) in names.iter().zip(given) {
                text.extend(given.map(|given| format!(" {name} = {given}\n")));
            }
            text + &format!(" rule {{\n  action = \"{action}\"\n  {label}\n }}\n}}")
        },
    )
}

/// What a run accepts is not refused before one, neither by `validate` nor by a reload.
async fn nothing_good_is_refused(text: &str) {
    if Stage::new().load(text).await.applied != Applied::Fully {
        return;
    }
    assert_eq!(validate(&[Source::new("", text)], &vocabulary()), [], "{text}");
    let stage = Stage::new();
    stage.apply("").await;
    assert_eq!(stage.load(text).await.applied, Applied::Fully, "{text}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn loads_do_what_the_model_says(configurations in prop::collection::vec(configuration(), 1..6)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
        runtime.expect("a runtime").block_on(loads_follow_the_model(&configurations));
    }

    #[test]
    fn good_files_are_good_before_they_run(text in strict()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
        runtime.expect("a runtime").block_on(nothing_good_is_refused(&text));
    }

    /// Bad text never panics and never changes what runs.
    #[test]
    fn any_text_has_an_answer(text in "(test|\\.|sink|source|pass|\"a\"|\"b\"|\\{|\\}|=|output|input|any|\\[|\\]|1|\n| ){0,40}") {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
        runtime.expect("a runtime").block_on(async {
            let stage = Stage::new();
            stage.apply("test.source \"s\" { first = 1 }").await;
            let outcome = stage.load(&text).await;
            let errors = outcome.diagnostics.iter().any(|diagnostic| diagnostic.is_error());
            assert_eq!(errors, outcome.applied != Applied::Fully);
            if outcome.applied == Applied::Not {
                assert_eq!(stage.health("test.source.s"), "healthy: started component");
            }
        });
    }
}

/// Exports from other threads while the graph reloads: in the end everybody has the last value.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_lost_between_threads() {
    let stage = Arc::new(Stage::new());
    let text = |number: i64| {
        let mut text = String::new();
        for id in 0..4 {
            let _ = writeln!(text, "test.source \"s{id}\" {{ first = 0 }}");
            let _ = writeln!(text, "test.pass \"p{id}\" {{ input = test.source.s{id}.output }}");
            let _ = writeln!(text, "test.sink \"k{id}\" {{\n any = test.pass.p{id}.output\n number = {number}\n}}");
        }
        text
    };
    assert_eq!(stage.load(&text(0)).await.applied, Applied::Fully);
    let threads: Vec<_> = (0..4)
        .map(|id| {
            let hands = Arc::clone(&stage.hands);
            tokio::task::spawn_blocking(move || {
                for number in 1..=500 {
                    hands.export(&format!("test.source.s{id}"), Number::Int(number));
                }
            })
        })
        .collect();
    for number in 1..=20 {
        assert_eq!(stage.load(&text(number)).await.applied, Applied::Fully);
    }
    for thread in threads {
        thread.await.expect("it exports");
    }
    let expect: Vec<_> = (0..4).map(|id| format!("test.pass.p{id}: 500")).collect();
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    loop {
        let snapshot = stage.controller.snapshot();
        let passes = snapshot.components().filter(|component| component.id().name() == "test.pass");
        let values: Vec<_> = passes
            .map(|pass| {
                let exports = pass.exports().as_object().expect("exports are an object");
                format!("{}: {:?}", pass.id(), exports[b"output".as_slice()])
            })
            .collect();
        if values == expect {
            break;
        }
        assert!(std::time::Instant::now() < deadline, "{values:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // Within the same deadline each sink has seen the end of it.
    for id in 0..4 {
        let last = format!("test.sink.k{id} got 20 500");
        while !stage.journal.has(&last) {
            assert!(std::time::Instant::now() < deadline, "{last}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    stage.controller.shutdown().await;
}
