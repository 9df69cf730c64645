//! `encoding.*`: JSON, YAML, base64 and URL queries.

use super::{Names, arguments::unary};
use crate::{
    golang::{
        base64::{self, Alphabet},
        json::{self, Numbers},
        url,
    },
    value::{Array, Text, Value},
};

pub(super) fn add(names: &mut Names) {
    let from_json = unary("func(string) (interface {}, error)", |text: Text| {
        json::read(&text, Numbers::Floats).map_err(|error| error.to_string())
    });
    let from_yaml = unary("func(string) (interface {}, error)", |text: Text| super::yaml::read(&text));
    let from_base64 = unary("func(string) ([]uint8, error)", |text: Text| decode(&text, Alphabet::Standard));
    let to_json = unary("func(interface {}) (string, error)", |value: Value| {
        let plain = match &value {
            Value::Capsule(capsule) => capsule.to_object().map(Value::Object),
            Value::Object(_) => Some(value.clone()),
            _ => None,
        };
        match plain {
            Some(object) => json::write(&object).map(Value::from),
            None => Err("jsonEncode only supports map".to_owned()),
        }
    });
    names.insert("json_decode", from_json.clone());
    names.insert("yaml_decode", from_yaml.clone());
    names.insert("base64_decode", from_base64.clone());
    let from_url_base64 = |text: Text| decode(&text, Alphabet::Url);
    let url_decode = |text: Text| url::query_unescape(&text).map(|bytes| Value::String(bytes.into()));
    let functions = [
        ("from_URLbase64", unary("func(string) ([]uint8, error)", from_url_base64)),
        ("from_base64", from_base64),
        ("from_json", from_json),
        ("from_yaml", from_yaml),
        (
            "to_URLbase64",
            unary("func(string) (string, error)", |text: Text| Ok(base64::encode(&text, Alphabet::Url).into())),
        ),
        (
            "to_base64",
            unary("func(string) (string, error)", |text: Text| Ok(base64::encode(&text, Alphabet::Standard).into())),
        ),
        ("to_json", to_json),
        ("url_decode", unary("func(string) (string, error)", url_decode)),
        ("url_encode", unary("func(string) (string, error)", |text: Text| Ok(url::query_escape(&text).into()))),
    ];
    names.insert("encoding", Value::object(functions));
}

fn decode(text: &[u8], alphabet: Alphabet) -> Result<Value, String> {
    base64::decode(text, alphabet).map(|bytes| Value::Array(Array::bytes(bytes)))
}
