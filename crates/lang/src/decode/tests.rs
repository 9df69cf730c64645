use std::{collections::BTreeMap, time::Duration};

use super::*;
use crate::{
    diagnostic::Diagnostic,
    eval::Scope,
    source::Source,
    stdlib::{Host, Stdlib},
    syntax,
    value::{Value, secret::Secret},
};

/// How to reach it.
#[derive(Debug, Default, FromBlock)]
struct Client {
    /// Sent as it is.
    #[attr(optional)]
    bearer_token: Secret,
    #[block]
    basic_auth: Option<BasicAuth>,
}

#[derive(Debug, FromBlock)]
#[block(validate = BasicAuth::check)]
struct BasicAuth {
    #[attr]
    username: String,
    #[attr(optional)]
    password: Secret,
}

impl BasicAuth {
    fn check(&mut self) -> Result<(), String> {
        if self.username.is_empty() { Err("username must not be empty".to_owned()) } else { Ok(()) }
    }
}

#[derive(Debug, FromBlock)]
struct Stage {
    #[label]
    label: String,
    #[attr(default = 3)]
    times: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, FromText)]
#[text(error = "unknown mode {text}")]
enum Mode {
    #[default]
    Off,
    #[text("half-on")]
    HalfOn,
}

/// Everything at once.
#[derive(Debug, FromBlock)]
struct Everything {
    /// What to profile.
    #[attr]
    targets: Vec<BTreeMap<String, String>>,
    #[attr(default = "60s")]
    refresh_interval: Duration,
    #[attr(name = "type", default = "off")]
    mode: Mode,
    #[attr(optional)]
    ratio: Option<f64>,
    #[squash]
    client: Client,
    #[block]
    stage: Vec<Stage>,
    #[block]
    labels: BTreeMap<String, Value>,
    #[block(name = "retry.policy", default_with = Stage { label: "none".to_owned(), times: 0 })]
    retry: Stage,
}

fn scope() -> Scope {
    Scope::new(Stdlib::new(Host::default()), [("secret", Secret::new("s3cr3t").into())])
}

fn decode<T: FromBlock>(text: &str) -> Result<T, Vec<Diagnostic>> {
    let parsed = syntax::parse_file(&Source::new("", text));
    assert_eq!(parsed.diagnostics, []);
    decode_body(&parsed.file.body().expect("a file has a body"), &scope())
}

#[track_caller]
fn fails<T: FromBlock + std::fmt::Debug>(text: &str, expect: &str) {
    let errors = decode::<T>(text).expect_err("it does not decode");
    let shown: Vec<_> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(shown.join("\n"), expect);
}

#[test]
fn a_body_fills_a_struct() {
    let text = r#"
        targets = [{a = 1, b = "x"}]
        type    = "half-on"
        ratio   = "0.5"
        bearer_token = secret
        basic_auth { username = "me" }
        stage "one" { }
        stage "two" { times = 9.9 }
        labels { x = [1] }
    "#;
    let all: Everything = decode(text).expect("it decodes");
    assert_eq!(all.targets[0]["a"], "1");
    assert_eq!(all.refresh_interval, Duration::from_secs(60));
    assert_eq!((all.mode, all.ratio), (Mode::HalfOn, Some(0.5)));
    assert_eq!(&**all.client.bearer_token.reveal(), b"s3cr3t");
    let auth = all.client.basic_auth.expect("there is one");
    assert_eq!((auth.username.as_str(), auth.password), ("me", Secret::new("")));
    let stages: Vec<_> = all.stage.iter().map(|stage| (stage.label.as_str(), stage.times)).collect();
    assert_eq!(stages, [("one", 3), ("two", 9)]);
    assert_eq!(all.labels.keys().collect::<Vec<_>>(), ["x"]);
    assert_eq!(all.retry.label, "none");
}

#[test]
fn null_is_the_zero_value_and_not_the_default() {
    let all: Everything = decode("targets = null\nrefresh_interval = null\ntype = null").expect("it decodes");
    assert_eq!((all.targets.len(), all.refresh_interval, all.mode), (0, Duration::ZERO, Mode::Off));
}

#[test]
fn secrets_do_not_show() {
    let client: Client = decode("bearer_token = \"hush\"").expect("it decodes");
    assert_eq!(format!("{client:?}"), "Client { bearer_token: (secret), basic_auth: None }");
}

#[test]
fn the_first_error_ends_it() {
    fails::<Everything>("", r#"missing required attribute "targets""#);
    fails::<Everything>("targets = 1\nzzz = 2", "1:11: 1 should be array, got number");
    fails::<Everything>("zzz = 2", r#"1:1: unrecognized attribute name "zzz""#);
    fails::<Everything>("zzz {}", r#"1:1: unrecognized block name "zzz""#);
    fails::<Everything>("targets = []\ntargets = []", r#"2:1: attribute "targets" may only be provided once"#);
    fails::<Everything>("targets {}", r#"1:1: "targets" must be an attribute, but is used as a block"#);
    fails::<Everything>("stage = 1", r#"1:1: "stage" must be a block, but is used as an attribute"#);
    fails::<Everything>("basic_auth {}\nbasic_auth {}", r#"1:1: block "basic_auth" may only be specified once"#);
    fails::<Everything>("stage {}", r#"1:1: block "stage" requires non-empty label"#);
    fails::<Client>("basic_auth \"x\" {}", r#"1:1: block "basic_auth" does not support specifying labels"#);
    fails::<Client>("basic_auth {}", r#"missing required attribute "username""#);
    fails::<Client>("basic_auth { username = \"\" }", "username must not be empty");
    fails::<Everything>("labels \"x\" {}", r#"1:1: block "labels" requires empty label"#);
    fails::<Everything>("labels { x {} }", "1:10: nested blocks not supported here");
}

#[test]
fn what_a_nested_block_lacks_is_noted() {
    let errors = decode::<Client>("basic_auth {\n}").expect_err("it does not decode");
    let (place, note) = &errors[0].related[0];
    assert_eq!((place.to_string().as_str(), note.as_str()), ("1:1", "in this block"));
}

#[test]
fn values_are_blamed_with_their_expression() {
    fails::<Everything>("targets = [{a = true}]", "1:17: true should be string, got bool");
    fails::<Everything>("targets = [{a = secret}]", "1:17: secret secrets may not be converted into strings");
    fails::<Everything>("refresh_interval = \"1d\"", r#"1:20: "1d" time: unknown unit "d" in duration "1d""#);
    fails::<Everything>("type = \"on\"", r#"1:8: "on" unknown mode "on""#);
    fails::<Stage>("times = 300", "1:9: 300 must be between 0 and 255, got 300");
    fails::<Everything>("targets = nope", r#"1:11: identifier "nope" does not exist"#);
}

#[test]
fn the_schema_tells_what_there_is() {
    let lines: Vec<_> = Everything::schema()
        .flat()
        .iter()
        .map(|field| {
            let kind = match field.kind {
                FieldKind::Attribute(shape) => shape.to_string(),
                FieldKind::Block { repeat, .. } => format!("block {repeat:?}"),
                FieldKind::Label | FieldKind::Squash(_) => unreachable!("not among the flat fields"),
            };
            let required = if field.required { " required" } else { "" };
            let default = field.default.map(|default| format!(" = {default}")).unwrap_or_default();
            format!("{}: {kind}{required}{default} // {}", field.name, field.doc)
        })
        .collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    targets: list(map(string)) required // What to profile.
    refresh_interval: duration = "60s" // 
    type: string = "off" // 
    ratio: number // 
    bearer_token: secret // Sent as it is.
    basic_auth: block Once // 
    stage: block Many // 
    labels: block Once // 
    retry.policy: block Once //
    "#);
}

/// Two rules, and a word about all.
#[derive(Debug, FromBlock)]
#[block(rule = check_rate(rate), rule = check_order(low, high), validate = Ruled::check)]
struct Ruled {
    #[attr]
    rate: u32,
    #[attr(default = 0)]
    low: i64,
    #[attr(default = 9)]
    high: i64,
    #[attr(optional)]
    name: String,
    #[squash]
    client: Client,
}

fn check_rate(rate: &u32) -> Result<(), String> {
    if *rate == 0 { Err("rate must not be 0".to_owned()) } else { Ok(()) }
}

fn check_order(low: &i64, high: &i64) -> Result<(), &'static str> {
    if low > high { Err("low is above high") } else { Ok(()) }
}

impl Ruled {
    fn check(&mut self) -> Result<(), String> {
        if self.name == "none" { Err("none is no name".to_owned()) } else { Ok(()) }
    }
}

#[test]
fn rules_are_asked_before_the_last_word() {
    let ruled: Ruled = decode("rate = 1").expect("it decodes");
    assert_eq!((ruled.rate, ruled.low, ruled.high, ruled.client.basic_auth.is_none()), (1, 0, 9, true));
    fails::<Ruled>("name = \"none\"", r#"missing required attribute "rate""#);
    fails::<Ruled>("rate = 0\nname = \"none\"", "rate must not be 0");
    fails::<Ruled>("rate = 1\nlow = 10\nname = \"none\"", "low is above high");
    fails::<Ruled>("rate = 1\nname = \"none\"", "none is no name");
}

#[test]
fn what_is_not_known_is_not_judged() {
    #[track_caller]
    fn check(known: &[(&str, Value)], unknown: &[&str], expect: &[&str]) {
        let mut judge = (Ruled::schema().judge)();
        for (name, value) in known {
            assert!(judge.attribute(name, value).expect("it is taken"), "{name}");
        }
        let unknown = unknown.iter().map(ToString::to_string).collect();
        assert_eq!(judge.conclude(unknown), expect);
    }
    let number = |number: i64| Value::from(crate::value::Number::Int(number));
    check(&[], &[], &[r#"missing required attribute "rate""#]);
    check(&[], &["rate"], &[]);
    check(&[("rate", number(0))], &[], &["rate must not be 0"]);
    check(&[("rate", number(0)), ("low", number(10))], &["name"], &["rate must not be 0", "low is above high"]);
    check(&[("low", number(10))], &["rate", "high"], &[]);
    check(&[("low", number(10))], &["rate"], &["low is above high"]);
    // The last word is about everything.
    check(&[("rate", number(1)), ("name", Value::from("none"))], &[], &["none is no name"]);
    check(&[("rate", number(1)), ("name", Value::from("none"))], &["basic_auth"], &[]);
}
