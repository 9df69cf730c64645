use std::sync::Arc;

use super::{
    array::HostArray,
    capsule::{CapsuleType, downcast_ref},
    secret::{OptionalSecret, Secret},
    *,
};
use crate::{
    decode::{FromValue, IntoValue},
    eval::{Scope, evaluate},
    source::Source,
    stdlib::{Host, Stdlib},
    syntax::parse_expression,
};

/// A target that can be used as an object.
#[derive(Debug, PartialEq)]
struct Target(&'static str);

impl CapsuleType for Target {
    const NAME: &'static str = "discovery.Target";
}

impl Capsule for Target {
    fn type_name(&self) -> &'static str {
        Self::NAME
    }

    fn equals(&self, other: &dyn Capsule) -> bool {
        downcast_ref::<Self>(other) == Some(self)
    }

    fn to_object(&self) -> Option<Object> {
        Value::object([("name", Value::from(self.0))]).as_object()
    }
}

/// A list that makes its elements when asked.
struct Many(usize);

impl HostArray for Many {
    fn len(&self) -> usize {
        self.0
    }

    fn get(&self, index: usize) -> Option<Value> {
        (index < self.0).then(|| Value::Number(Number::Int(index as i64)))
    }
}

fn scope() -> Scope {
    let many = Array::from_host(Arc::new(Many(10_000)));
    let variables =
        [("target", Value::capsule(Target("a"))), ("many", Value::Array(many)), ("secret", Secret::new("hush").into())];
    Scope::new(Stdlib::new(Host::default()), variables)
}

#[track_caller]
fn eval(text: &str) -> Result<Value, String> {
    let (expr, errors) = parse_expression(&Source::new("", text));
    assert_eq!(errors, []);
    evaluate(&expr.expect("it parses"), &scope()).map_err(|error| error.to_string())
}

#[test]
fn a_list_of_the_host_travels_unchanged() {
    let value = eval("array.concat(many)").expect("it evaluates");
    let array = Array::from_value(&value).expect("it is a list");
    assert_eq!(array.host::<Many>().map(|many| many.0), Some(10_000));
    assert_eq!(eval("many[9999]"), Ok(Value::Number(Number::Int(9999))));
    assert_eq!(eval("array.concat(many, [1])").map(|value| Array::from_value(&value).unwrap().len()), Ok(10_001));
}

#[test]
fn values_are_the_same_only_if_they_are_shared() {
    let array = Value::array([Value::Null]);
    assert!(array.is_same(&array.clone()));
    assert!(!array.is_same(&Value::array([Value::Null])));
    assert!(Value::from("a").is_same(&Value::from("a")));
    assert!(!Value::Number(Number::Int(1)).is_same(&Value::Number(Number::Float(1.0))));
}

#[test]
fn a_capsule_can_be_used_as_an_object() {
    assert_eq!(eval("target.name"), Ok("a".into()));
    assert_eq!(eval("target[\"name\"]"), Ok("a".into()));
    assert_eq!(eval("target[\"none\"]"), Ok(Value::Null));
    assert_eq!(eval("target.none"), Err("1:8: field \"none\" does not exist".to_owned()));
    assert_eq!(eval("target == target"), Ok(true.into()));
    assert_eq!(eval("encoding.to_json(target)"), Ok(r#"{"name":"a"}"#.into()));
}

#[test]
fn capsules_decode_by_type() {
    let value = Arc::new(Target("a")).into_value();
    assert_eq!(Arc::<Target>::from_value(&value).map(|target| target.0).ok(), Some("a"));
    let error = |value: &Value| Arc::<Target>::from_value(value).unwrap_err().to_string();
    assert_eq!(error(&"x".into()), "should be capsule, got string");
    assert_eq!(
        error(&Secret::new("x").into()),
        r#"expected capsule("discovery.Target"), got capsule("alloytypes.Secret")"#
    );
}

#[test]
fn secrets_convert_as_the_language_says() {
    let optional = |is_secret| Value::from(OptionalSecret::new(is_secret, "t"));
    assert_eq!(Secret::from_value(&optional(true)).map(|secret| secret.reveal().to_string()).ok(), Some("t".into()));
    assert_eq!(String::from_value(&optional(false)).ok().as_deref(), Some("t"));
    assert!(String::from_value(&optional(true)).is_err());
    assert!(OptionalSecret::from_value(&Secret::new("t").into()).is_ok_and(|secret| secret.is_secret()));
    assert!(Secret::from_value(&Value::Number(Number::Int(5))).is_err());
    assert_eq!(format!("{:?} {:?}", eval("secret"), eval("[{a = secret}]")), "Ok((secret)) Ok([{\"a\": (secret)}])");
}

#[test]
fn numbers_and_strings_convert_both_ways() {
    assert_eq!(String::from_value(&Value::Number(Number::Float(1e21))).ok().as_deref(), Some("1000000000000000000000"));
    assert_eq!(u16::from_value(&"80".into()).ok(), Some(80));
    assert_eq!(i64::from_value(&Value::Number(Number::Float(-1.9))).ok(), Some(-1));
    assert_eq!(u8::from_value(&"x".into()).unwrap_err().to_string(), "should be number, got string");
    assert_eq!(
        u8::from_value(&Value::Number(Number::Int(-1))).unwrap_err().to_string(),
        "must be between 0 and 255, got -1"
    );
    assert_eq!(bool::from_value(&"true".into()).unwrap_err().to_string(), "should be bool, got string");
    assert_eq!(String::from_value(&Value::Array(Array::bytes("hi"))).ok().as_deref(), Some("hi"));
    let mixed = Value::array(["a".into(), Value::Bool(true)]);
    assert_eq!(Vec::<String>::from_value(&mixed).unwrap_err().to_string(), "[1] should be string, got bool");
}
