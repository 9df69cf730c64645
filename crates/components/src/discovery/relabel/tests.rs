use std::{path::PathBuf, time::Duration};

use graph::{ComponentId, Services};
use lang::{eval::Scope, source::Source as Text, stdlib::Host, stdlib::Stdlib, syntax};
use proptest::prelude::*;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::targets::{Place, TargetsArg};

fn arguments(text: &str) -> Arguments {
    let source = Text::new("t.alloy", text);
    let parsed = syntax::parse_file(&source);
    let scope = Scope::new(Stdlib::new(Host::default()), [("", Value::Null)]);
    let body = parsed.file.body().expect("a file has a body");
    lang::decode::decode_body(&body, &scope).expect("the arguments are right")
}

/// Drops `drop=…`, names the rest after `pid`, and forgets `noise`.
fn rules() -> Vec<Rule> {
    let text = r#"
        targets = []
        rule {
          source_labels = ["drop"]
          regex         = ".+"
          action        = "drop"
        }
        rule {
          source_labels = ["pid"]
          regex         = "(.)(.*)"
          replacement   = "$2-$1"
          target_label  = "name"
        }
        rule {
          regex  = "noise"
          action = "labeldrop"
        }
    "#;
    arguments(text).rule
}

fn labels(text: &str) -> Labels {
    text.split_whitespace().filter_map(|pair| pair.split_once('=')).collect()
}

fn of_list(live: &mut LiveTargets) -> TargetsArg {
    TargetsArg { list: live.snapshot(), from_array: false }
}

fn of_array(targets: &[Labels]) -> TargetsArg {
    TargetsArg { list: Arc::new(targets.iter().cloned().collect()), from_array: true }
}

#[test]
fn without_rules_the_very_same_list_goes_on() {
    let mut live = LiveTargets::new();
    live.push(labels("pid=1"));
    let input = of_list(&mut live);
    assert!(Arc::ptr_eq(&Relabeler::default().update(&[], &input), &input.list));
}

#[test]
fn one_new_target_is_one_change() {
    let (mut live, mut relabeler) = (LiveTargets::new(), Relabeler::default());
    for pid in 0..1000 {
        live.push(labels(&format!("pid={pid}")));
    }
    let before = relabeler.update(&rules(), &of_list(&mut live));
    let dropped = live.push(labels("pid=x drop=1"));
    let unchanged = relabeler.update(&rules(), &of_list(&mut live));
    assert!(Arc::ptr_eq(&before, &unchanged), "a target that is dropped changes nothing");

    live.push(labels("pid=1000"));
    live.set(dropped, Some(labels("pid=x noise=2")));
    let after = relabeler.update(&rules(), &of_list(&mut live));
    let changes = after.changes_since(before.seen()).expect("it has a history");
    let added: Vec<_> = changes.iter().map(|change| change.after.as_ref().map(Labels::to_string)).collect();
    assert_eq!(added, [Some(r#"{name="-x", pid="x"}"#.to_owned()), Some(r#"{name="000-1", pid="1000"}"#.to_owned())]);
    assert_eq!(after.iter().nth(1000).map(|(place, _)| place), Some(Place(1000)), "it stands where it stood");
}

#[test]
fn other_rules_change_what_differs() {
    let (mut live, mut relabeler) = (LiveTargets::new(), Relabeler::default());
    live.push(labels("pid=1 noise=1"));
    live.push(labels("pid=2"));
    let before = relabeler.update(&rules(), &of_list(&mut live));
    let after = relabeler.update(&rules()[..2], &of_list(&mut live));
    assert_eq!(after.changes_since(before.seen()).map(|changes| changes.len()), Some(1));
}

#[test]
fn arrays_are_compared_with_the_array_before() {
    let mut relabeler = Relabeler::default();
    let before = relabeler.update(&rules(), &of_array(&[labels("pid=1"), labels("pid=2"), labels("pid=3")]));
    let after = relabeler.update(&rules(), &of_array(&[labels("pid=1"), labels("pid=3"), labels("pid=4")]));
    assert_eq!(after.changes_since(before.seen()).map(|changes| changes.len()), Some(2));
    assert_eq!(format!("{after:?}"), r#"[{name="-1", pid="1"}, {name="-3", pid="3"}, {name="-4", pid="4"}]"#);
}

/// Answers of Grafana Alloy: targets and rules in, the exported targets out.
#[test]
fn recorded_cases() {
    let cases = include_str!("../../../testdata/relabel.jsonl");
    for line in cases.lines() {
        let case: serde_json::Value = serde_json::from_str(line).expect("a case a line");
        let text = |name: &str| case[name].as_str().expect("a text").to_owned();
        let given = arguments(&format!("targets = {}\n{}", text("targets"), text("rules")));
        let output = Relabeler::default().update(&given.rule, &given.targets);
        let output: Vec<std::collections::BTreeMap<_, _>> =
            output.iter().map(|(_, labels)| labels.iter().collect()).collect();
        assert_eq!(serde_json::json!(output), case["output"], "{}", text("id"));
    }
    assert!(cases.lines().count() >= 40);
}

/// What may happen to the input.
#[derive(Clone, Debug)]
enum Step {
    Push(u8),
    Set(u64, u8),
    Remove(u64),
    OtherList,
    Array(Vec<u8>),
    FewerRules(bool),
    /// So many changes that the history does not reach.
    Flood,
    Look,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => any::<u8>().prop_map(Step::Push),
        3 => (0_u64..20, any::<u8>()).prop_map(|(place, number)| Step::Set(place, number)),
        3 => (0_u64..20).prop_map(Step::Remove),
        1 => Just(Step::OtherList),
        1 => proptest::collection::vec(0_u8..9, 0..6).prop_map(Step::Array),
        1 => any::<bool>().prop_map(Step::FewerRules),
        1 => Just(Step::Flood),
        4 => Just(Step::Look),
    ]
}

fn target(number: u8) -> Labels {
    let drop = if number.is_multiple_of(3) { "drop=1" } else { "" };
    labels(&format!("pid={} noise={number} {drop}", number / 2))
}

proptest! {
    #[test]
    fn step_by_step_gives_what_all_at_once_gives(steps in proptest::collection::vec(step(), 1..60)) {
        let (mut live, mut relabeler) = (LiveTargets::new(), Relabeler::default());
        let mut rules = rules();
        for step in steps {
            let input = match step {
                Step::Push(number) => {
                    live.push(target(number));
                    continue;
                }
                Step::Set(place, number) => {
                    live.set(Place(place), Some(target(number)));
                    continue;
                }
                Step::Remove(place) => {
                    live.set(Place(place), None);
                    continue;
                }
                Step::OtherList => {
                    live = LiveTargets::new();
                    continue;
                }
                Step::FewerRules(fewer) => {
                    rules = self::rules();
                    rules.truncate(if fewer { 1 } else { 3 });
                    continue;
                }
                Step::Flood => {
                    for number in 0..70 {
                        live.push(target(number));
                        live.snapshot();
                    }
                    continue;
                }
                Step::Array(numbers) => of_array(&numbers.into_iter().map(target).collect::<Vec<_>>()),
                Step::Look => of_list(&mut live),
            };
            let expected: Vec<Labels> =
                input.list.iter().filter_map(|(_, labels)| apply(&rules, labels)).collect();
            let output = relabeler.update(&rules, &input);
            prop_assert!(output.iter().map(|(_, labels)| labels).eq(&expected), "{output:?} is not {expected:?}");
        }
    }
}

#[tokio::test]
async fn the_component_exports_at_once_and_again_for_each_new_version() {
    let (sender, updates) = Updates::channel(arguments(r#"targets = [{a = "1"}]"#));
    let cancel = CancellationToken::new();
    let id = ComponentId::new(DiscoveryRelabel::NAME, Some("x"));
    let cx = Context::detached(id, PathBuf::new(), Services::default(), cancel.clone());
    let running = tokio::spawn(DiscoveryRelabel::run(updates, cx.clone()));
    let wait_for = async |expect: &str| {
        let shown = || {
            let object = cx.exports().as_object()?;
            Some(format!("{:?} {:?}", object.get(&b"output"[..])?, object.get(&b"rules"[..])?))
        };
        let deadline = std::time::Instant::now() + Duration::from_secs(5);
        while shown().as_deref() != Some(expect) {
            assert!(std::time::Instant::now() < deadline, "{:?} is not {expect}", shown());
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    wait_for(r#"[{a="1"}] capsule("relabel.Rules", 0 rules)"#).await;
    let rule = "rule {\ntarget_label = \"b\"\nreplacement = \"2\"\n}";
    sender.send_replace(Arc::new(arguments(&format!("targets = [{{a = \"1\"}}]\n{rule}"))));
    wait_for(r#"[{a="1", b="2"}] capsule("relabel.Rules", 1 rules)"#).await;
    cancel.cancel();
    running.await.expect("no panic").expect("a clean end");
}
