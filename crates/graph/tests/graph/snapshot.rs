//! What the outside sees.

use std::fmt::Write as _;

use pyrope_graph::Shown;

use crate::stage::Stage;

fn outline(statements: &[Shown], depth: usize, out: &mut String) {
    for statement in statements {
        let indent = "  ".repeat(depth);
        let _ = match statement {
            Shown::Attribute { name, value: Some(value) } => writeln!(out, "{indent}{name} = {value:?}"),
            Shown::Attribute { name, value: None } => writeln!(out, "{indent}{name} = ?"),
            Shown::Block { name, label, body } => {
                let _ = writeln!(out, "{indent}{name} {label:?}");
                outline(body, depth + 1, out);
                Ok(())
            }
        };
    }
}

#[tokio::test(start_paused = true)]
async fn components_show_everything_but_secrets() {
    let stage = Stage::new();
    let text = r#"
        test.source "a" { first = "x" }
        test.only { }
        test.sink "b" {
            text     = string.to_upper(test.source.a.output) + test.only.output
            password = "hush"
            headers  = { "X-Scope" = ["hush", test.source.a.output] }
            part "one" { key = "hush" }
        }
    "#;
    stage.apply(text).await;
    let snapshot = stage.controller.snapshot();
    let mut out = String::new();
    for component in snapshot.components() {
        let id = component.id();
        let health = component.health();
        let references: Vec<_> = component.references().map(|id| id.as_str()).collect();
        let dependants: Vec<_> = component.dependants().map(|id| id.as_str()).collect();
        let _ = writeln!(out, "{id} ({}, {:?}) {}: {}", id.name(), id.label(), health.state, health.message);
        let _ = writeln!(out, "  refers to {references:?}, is referred to by {dependants:?}");
        let _ = writeln!(out, "  exports {:?}", component.exports());
        outline(&component.arguments(), 1, &mut out);
    }
    insta::assert_snapshot!(out, @r#"
    test.only (test.only, None) healthy: started component
      refers to [], is referred to by ["test.sink.b"]
      exports {"other": null, "output": "only"}
    test.sink.b (test.sink, Some("b")) healthy: started component
      refers to ["test.only", "test.source.a"], is referred to by []
      exports {}
      text = "Xonly"
      password = (secret)
      headers = {"X-Scope": [(secret), (secret)]}
      part Some("one")
        key = (secret)
    test.source.a (test.source, Some("a")) healthy: started component
      refers to [], is referred to by ["test.sink.b"]
      exports {"other": null, "output": "x"}
      first = "x"
    "#);
    assert!(snapshot.component("test.sink.nope").is_none());
    let counts: Vec<_> =
        snapshot.count_by_health().into_iter().map(|(state, count)| format!("{state} {count}")).collect();
    assert_eq!(counts, ["healthy 3", "unknown 0", "unhealthy 0", "exited 0"]);
}
