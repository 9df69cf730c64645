//! `encoding.*`: JSON, YAML, base64 and URL queries.

use base64::{
    DecodeError, Engine as _,
    alphabet::{STANDARD, URL_SAFE},
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

use super::{Names, arguments::unary};
use crate::{
    golang::{
        json::{self, Numbers},
        url,
    },
    value::{Array, Text, Value},
};

/// Padded, and like Go's without a look at the bits that padding leaves over.
const CONFIG: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::RequireCanonical)
    .with_decode_allow_trailing_bits(true);
const BASE64: GeneralPurpose = GeneralPurpose::new(&STANDARD, CONFIG);
const URL_BASE64: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, CONFIG);

pub(super) fn add(names: &mut Names) {
    let from_json = unary("func(string) (interface {}, error)", |text: Text| {
        json::read(&text, Numbers::Floats).map_err(|error| error.message)
    });
    let from_yaml = unary("func(string) (interface {}, error)", |text: Text| super::yaml::read(&text));
    let from_base64 = unary("func(string) (interface {}, error)", |text: Text| decode(&BASE64, &text));
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
    let from_url_base64 = |text: Text| decode(&URL_BASE64, &text);
    let url_decode = |text: Text| url::query_unescape(&text).map(|bytes| Value::String(bytes.into()));
    let functions = [
        ("from_URLbase64", unary("func(string) (interface {}, error)", from_url_base64)),
        ("from_base64", from_base64),
        ("from_json", from_json),
        ("from_yaml", from_yaml),
        ("to_URLbase64", unary("func(string) (string, error)", |text: Text| Ok(URL_BASE64.encode(&text).into()))),
        ("to_base64", unary("func(string) (string, error)", |text: Text| Ok(BASE64.encode(&text).into()))),
        ("to_json", to_json),
        ("url_decode", unary("func(string) (string, error)", url_decode)),
        ("url_encode", unary("func(string) (string, error)", |text: Text| Ok(url::query_escape(&text).into()))),
    ];
    names.insert("encoding", Value::object(functions));
}

/// Line breaks are skipped, as Go does.
fn decode(engine: &GeneralPurpose, text: &[u8]) -> Result<Value, String> {
    let kept: Vec<(usize, u8)> =
        text.iter().copied().enumerate().filter(|(_, byte)| !matches!(byte, b'\r' | b'\n')).collect();
    let bytes: Vec<u8> = kept.iter().map(|(_, byte)| *byte).collect();
    let decoded = engine.decode(&bytes).map_err(|error| {
        let at = match error {
            DecodeError::InvalidByte(at, _) | DecodeError::InvalidLastSymbol(at, _) => at,
            DecodeError::InvalidLength(_) | DecodeError::InvalidPadding => bytes.len() / 4 * 4,
        };
        let at = kept.get(at).map_or(text.len(), |(at, _)| *at);
        format!("illegal base64 data at input byte {at}")
    })?;
    Ok(Value::Array(Array::bytes(decoded)))
}
