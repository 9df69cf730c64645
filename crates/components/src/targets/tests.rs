use std::sync::Arc;

use lang::{
    decode::{FromBlock, FromValue as _, IntoValue as _, decode_body},
    eval::Scope,
    source::Source,
    stdlib::{Host, Stdlib},
    syntax,
    value::{Value, secret::Secret},
};
use proptest::prelude::*;

use super::*;

#[derive(Debug, FromBlock)]
struct Arguments {
    #[attr]
    targets: TargetsArg,
}

fn labels(text: &str) -> Labels {
    text.split_whitespace().filter_map(|pair| pair.split_once('=')).collect()
}

fn decode(expression: &str, variables: &[(&str, Value)]) -> Result<TargetsArg, String> {
    let source = Source::new("t.alloy", format!("targets = {expression}"));
    let parsed = syntax::parse_file(&source);
    let body = parsed.file.body().expect("a file has a body");
    let scope = Scope::new(Stdlib::new(Host::default()), variables.iter().map(|(name, value)| (*name, value.clone())));
    match decode_body::<Arguments>(&body, &scope) {
        Ok(arguments) => Ok(arguments.targets),
        Err(errors) => Err(errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")),
    }
}

fn all() -> Vec<(&'static str, Value)> {
    let list = TargetList::from_iter([labels("a=1 b=2"), labels("a=3")]);
    vec![("list", Targets(Arc::new(list)).into_value()), ("secret", Value::capsule(Secret::new("hush")))]
}

#[track_caller]
fn check(expression: &str, expect: &str) {
    let shown = match decode(expression, &all()) {
        Ok(argument) => format!("{:?}", argument.list),
        Err(error) => error.trim_start_matches("t.alloy:").to_owned(),
    };
    assert_eq!(shown, expect, "{expression}");
}

#[test]
fn objects_maps_and_exported_targets_are_targets() {
    check("[]", "[]");
    check("null", "[]");
    check("[{}]", "[{}]");
    check(r#"[{a = "1", b = ""}, {"x.y" = "ü"}]"#, r#"[{a="1"}, {x.y="ü"}]"#);
    check(r#"[{a = 1, b = true, c = 0.5, d = null}]"#, r#"[{a="1", b="true", c="0.5"}]"#);
    check("list", r#"[{a="1", b="2"}, {a="3"}]"#);
    check(r#"array.concat(list, [{z = "9"}])"#, r#"[{a="1", b="2"}, {a="3"}, {z="9"}]"#);
    check("[list[1], list[0]]", r#"[{a="3"}, {a="1", b="2"}]"#);
    check(r#"[{a = list[0].b, c = list[1]["nope"]}]"#, r#"[{a="2"}]"#);
}

#[test]
fn what_is_no_target_says_so() {
    check("{}", "1:11: {} should be array, got object");
    check(r#"["x"]"#, r#"1:12: "x" target::ConvertFrom: conversion from 'string' is not supported"#);
    check("[1]", "1:12: 1 target::ConvertFrom: conversion from 'int' is not supported");
    check(r#"[{a = "1"}, {b = [1]}]"#, "1:28: [1] should be string, got array");
    check("[{a = secret}]", "1:17: secret secrets may not be converted into strings");
    check("[secret]", "1:12: secret target::ConvertFrom: conversion from 'alloytypes.Secret' is not supported");
    check(r#"[{a = "\xff"}]"#, r#"1:17: "\xff" is not valid UTF-8"#);
}

#[test]
fn a_list_that_is_only_named_stays_the_same_list() {
    let (all, list) = (all(), all()[0].1.clone());
    let Value::Array(array) = &list else { panic!("it is an array") };
    let arguments = [
        TargetsArg::from_value(&list),
        Ok(decode("list", &[("list", list.clone())]).expect("it decodes")),
        Ok(decode("array.concat(list)", &[("list", list.clone())]).expect("it decodes")),
    ];
    for argument in arguments.into_iter().flatten() {
        assert!(!argument.from_array);
        assert!(Arc::ptr_eq(&argument.list, &array.host().expect("a list")));
        assert!(argument.into_value().is_same(&list));
    }
    assert!(decode("array.concat(list, [])", &all).expect("it decodes").from_array);
}

fn show(changes: Option<Vec<Change>>) -> String {
    let Some(changes) = changes else { return "everything".to_owned() };
    let side = |labels: Option<Labels>| labels.map_or("-".to_owned(), |labels| labels.to_string());
    let line = |change: Change| format!("{} {} → {}", change.place.0, side(change.before), side(change.after));
    changes.into_iter().map(line).collect::<Vec<_>>().join("; ")
}

#[test]
fn a_consumer_gets_what_changed_since_it_looked() {
    let mut live = LiveTargets::new();
    let first = live.push(labels("p=1"));
    live.push(labels("p=2"));
    let before = live.snapshot();
    assert!(Arc::ptr_eq(&before, &live.snapshot()), "nothing changed");
    assert_eq!(show(before.changes_since(before.seen())), "");

    live.push(labels("p=3"));
    let middle = live.snapshot();
    live.set(first, Some(labels("p=1 exe=x")));
    let fourth = live.push(labels("p=4"));
    live.set(fourth, None);
    let after = live.snapshot();
    assert_eq!(show(after.changes_since(middle.seen())), r#"0 {p="1"} → {exe="x", p="1"}"#);
    assert_eq!(show(after.changes_since(before.seen())), r#"0 {p="1"} → {exe="x", p="1"}; 2 - → {p="3"}"#);
    assert_eq!(show(before.changes_since(after.seen())), "everything", "it lies in the future");
    assert_eq!(show(after.changes_since(TargetList::from_iter([]).seen())), "everything", "it is another list");
    assert_eq!(format!("{before:?}"), r#"[{p="1"}, {p="2"}]"#, "a state never changes");

    live.set(first, None);
    live.set(first, Some(labels("p=1 exe=x")));
    assert!(Arc::ptr_eq(&after, &live.snapshot()), "back as it was");
}

#[test]
fn a_consumer_that_is_far_behind_takes_everything() {
    let mut live = LiveTargets::new();
    let start = live.snapshot();
    let mut states = Vec::new();
    for pid in 0..100 {
        live.push(labels(&format!("p={pid}")));
        states.push(live.snapshot());
    }
    let last = &states[99];
    assert_eq!(last.changes_since(states[99 - 64].seen()).map(|changes| changes.len()), Some(64));
    assert_eq!(last.changes_since(states[99 - 65].seen()), None);
    assert_eq!(last.changes_since(start.seen()), None);
    for pid in 0..5000 {
        live.push(labels(&format!("q={pid}")));
    }
    assert_eq!(live.snapshot().changes_since(last.seen()), None, "so many changes are not remembered");
}

#[track_caller]
fn check_replace(before: &str, after: &str, expect_changes: usize) {
    let parse = |text: &str| text.chars().map(|c| labels(&format!("x={c}"))).collect::<Vec<_>>();
    let mut live = LiveTargets::new();
    live.replace_all(&parse(before));
    let seen = live.snapshot().seen().clone();
    live.replace_all(&parse(after));
    let now = live.snapshot();
    assert!(now.iter().map(|(_, labels)| labels).eq(&parse(after)), "{before} → {after}: {now:?}");
    assert_eq!(now.changes_since(&seen).map(|changes| changes.len()), Some(expect_changes), "{before} → {after}");
}

#[test]
fn replacing_all_touches_what_differs() {
    check_replace("", "abc", 3);
    check_replace("abc", "abc", 0);
    check_replace("abc", "abcd", 1);
    check_replace("abc", "ac", 1);
    check_replace("abc", "axc", 1);
    check_replace("abcde", "axcdef", 2);
    check_replace("abc", "", 3);
    check_replace("aaa", "aa", 1);
    check_replace("abst", "abxst", 5);
    check_replace("abc", "cab", 4);
}

proptest! {
    #[test]
    fn replacing_all_gives_exactly_these(lists in proptest::collection::vec("[a-e]{0,12}", 1..6)) {
        let mut live = LiveTargets::new();
        let mut mirror = std::collections::BTreeMap::new();
        let mut seen: Option<Seen> = None;
        for list in lists {
            let wanted: Vec<_> = list.chars().map(|c| labels(&format!("x={c}"))).collect();
            live.replace_all(&wanted);
            let state = live.snapshot();
            prop_assert!(state.iter().map(|(_, labels)| labels).eq(&wanted));
            // Whoever applies the changes has the list.
            match seen.as_ref().map(|seen| state.changes_since(seen).expect("it is near")) {
                None => mirror.extend(state.iter().map(|(place, labels)| (place, labels.clone()))),
                Some(changes) => for change in changes {
                    prop_assert_eq!(mirror.get(&change.place), change.before.as_ref());
                    match change.after {
                        Some(labels) => mirror.insert(change.place, labels),
                        None => mirror.remove(&change.place),
                    };
                },
            }
            prop_assert!(mirror.values().eq(&wanted));
            seen = Some(state.seen().clone());
        }
    }
}
