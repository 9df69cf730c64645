//! Answers of Alloy itself, one case a line in `testdata`.

use lang::conformance::{Answer, eval, format, tokens};

/// The ids of the cases whose answer differs from ours, with what came instead.
fn failures(cases: &str, answer: fn(&str) -> Answer) -> Vec<String> {
    let mut out = Vec::new();
    for line in cases.lines() {
        let case: serde_json::Value = serde_json::from_str(line).expect("a case is JSON");
        let text = |field: &str| case[field].as_str().map(str::to_owned);
        let errors = case["errors"].as_array().into_iter().flatten();
        let ours = answer(&text("input").expect("a case has input"));
        let same = ours.ok == (case["ok"] == true)
            && ours.errors == errors.map(|error| error.as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
            && (!ours.ok || ours.output == text("output"))
            && ours.ty.map(str::to_owned) == text("type")
            && ours.kind.map(str::to_owned) == text("kind");
        if !same {
            out.push(format!("{}: {ours:?}", text("id").expect("a case has an id")));
        }
    }
    out
}

#[test]
fn expressions_have_the_values_of_alloy() {
    // The rule a-wrong-value-has-a-place of docs/language/differences.md.
    let deliberate = [
        ("eval-103", r#"1:1: obj["zzz"] expected object or array, got null"#),
        ("eval-115", "1:5: null should be string, got null"),
        ("eval-119", "1:1: null expected object or array, got null"),
        ("eval-219", "1:18: null should be array, got null"),
    ];
    let failures = failures(include_str!("../testdata/eval.jsonl"), eval);
    assert_eq!(failures.len(), deliberate.len(), "{failures:#?}");
    for (failure, (id, error)) in failures.iter().zip(deliberate) {
        assert!(failure.starts_with(id) && failure.contains(&format!("{error:?}")), "{failure}");
    }
}

#[test]
fn tokens_are_those_of_alloy() {
    assert_eq!(failures(include_str!("../testdata/tokens.jsonl"), tokens), [""; 0]);
}

#[test]
fn formatted_text_is_that_of_alloy() {
    let failures = failures(include_str!("../testdata/fmt.jsonl"), format);
    // The rules keys-keep-their-spelling and text-between-quotes-is-left-alone.
    let ids: Vec<_> = failures.iter().map(|failure| failure.split(':').next().unwrap_or_default()).collect();
    assert_eq!(ids, ["fmt-409", "fmt-443"]);
}
