//! Our answers to conformance cases, for the crate's tests and for `cargo xtask conformance`.

use std::sync::Arc;

use crate::{
    diagnostic::Diagnostic,
    eval::{self, Scope},
    fmt,
    golang::{json, quote::quote},
    source::Source,
    stdlib::{Host, Stdlib},
    syntax::{
        self,
        kind::Kind,
        lexer::{self, comment_text},
    },
    value::{
        Number, Value,
        secret::{OptionalSecret, Secret},
    },
};

/// What came of one case. Fields that its operation does not have are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// Whether it succeeded.
    pub ok: bool,
    /// The value, the formatted text or the tokens.
    pub output: Option<String>,
    /// The type of a value.
    pub ty: Option<&'static str>,
    /// The kind of a number.
    pub kind: Option<&'static str>,
    /// The diagnostics, each with its place.
    pub errors: Vec<String>,
}

/// The name that files of cases have in messages.
const FILE: &str = "in.alloy";

/// Evaluates one expression in the scope of the cases.
pub fn eval(input: &str) -> Answer {
    let (expr, diagnostics) = syntax::parse_expression(&Source::new("", input));
    let Some(expr) = expr.filter(|_| diagnostics.is_empty()) else { return failed(&diagnostics) };
    match eval::evaluate(&expr, &scope()) {
        Ok(value) => Answer {
            ok: true,
            output: Some(shown(&value)),
            ty: Some(value.ty().name()),
            kind: match &value {
                Value::Number(number) => Some(number.kind()),
                _ => None,
            },
            errors: Vec::new(),
        },
        Err(diagnostic) => failed(&[diagnostic]),
    }
}

/// Lists the tokens of a file.
pub fn tokens(input: &str) -> Answer {
    let source = Source::new(FILE, input);
    let (tokens, errors) = lexer::lex(source.text());
    let mut output = String::new();
    for token in tokens.iter().filter(|token| token.kind != Kind::Whitespace) {
        let bytes = source.slice(token.span);
        let text = match token.kind {
            Kind::Terminator => b"\n".to_vec(),
            Kind::Comment => comment_text(bytes),
            Kind::Ident | Kind::Number | Kind::Float | Kind::String | Kind::Bool | Kind::Null => bytes.to_vec(),
            Kind::Illegal => bytes.to_vec(),
            _ => Vec::new(),
        };
        output.push_str(&format!("{FILE}:{} {} {}\n", source.position(token.span.start), token.kind, quote(text)));
    }
    let errors: Vec<_> =
        errors.iter().map(|error| format!("{FILE}:{}: {}", source.position(error.at), error.message)).collect();
    Answer { ok: errors.is_empty(), output: Some(output), errors, ..Answer::default() }
}

/// Formats a file.
pub fn format(input: &str) -> Answer {
    let parsed = syntax::parse_file(&Source::new(FILE, input));
    if !parsed.diagnostics.is_empty() {
        return failed(&parsed.diagnostics);
    }
    let output = String::from_utf8_lossy(&fmt::format_file(&parsed.file)).into_owned();
    Answer { ok: true, output: Some(output), ..Answer::default() }
}

fn failed(diagnostics: &[Diagnostic]) -> Answer {
    Answer { errors: diagnostics.iter().map(ToString::to_string).collect(), ..Answer::default() }
}

/// The variables and the environment that every case sees.
fn scope() -> Scope {
    let env = |name: &[u8]| (name == b"TEST_VAR").then(|| b"Hello!".to_vec());
    let int = |int| Value::Number(Number::Int(int));
    let nested = Value::object([("b", Value::from("x"))]);
    Scope::new(
        Stdlib::new(Host { env: Arc::new(env), ..Host::default() }),
        [
            ("obj", Value::object([("a", int(1)), ("nested", nested)])),
            ("list", Value::array([int(1), "two".into(), Value::Null])),
            ("secret", Secret::new("s3cr3t").into()),
            ("osecret", OptionalSecret::new(true, "os").into()),
            ("notsecret", OptionalSecret::new(false, "op").into()),
        ],
    )
}

fn shown(value: &Value) -> String {
    if let Some(secret) = value.downcast::<Secret>() {
        return format!("Secret({})", quote(secret.reveal()));
    }
    if let Some(secret) = value.downcast::<OptionalSecret>() {
        return format!("OptionalSecret({},{})", secret.is_secret(), quote(secret.reveal()));
    }
    json::write(value).unwrap_or_else(|error| format!("unprintable: {error}"))
}
