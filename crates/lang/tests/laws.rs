//! What holds for every text.

use std::{panic::catch_unwind, sync::Arc, thread};

use lang::{
    conformance,
    eval::{Scope, evaluate, references, references_in},
    fmt::{expression_text, format_file},
    golang::{json, regex, sprintf::sprintf},
    render::render,
    source::Source,
    stdlib::{Host, Stdlib},
    syntax::{
        kind::Kind,
        lexer::lex,
        parse_expression, parse_file,
        tree::{Element, Node},
    },
    value::Value,
};
use proptest::{collection::vec, prelude::*, sample::select};

/// Pieces that make up files, good and bad ones.
const PIECES: &[&str] = &[
    "a",
    "b.c",
    "x",
    "null",
    "true",
    "1",
    "0.5",
    "1e",
    "08",
    "\"s\"",
    "\"\\q\"",
    "`r\nr`",
    "'",
    "\"",
    "`",
    "||",
    "&",
    "!",
    "=",
    "==",
    "!=",
    "<",
    "<=",
    "+",
    "-",
    "*",
    "/",
    "%",
    "^",
    "{",
    "}",
    "(",
    ")",
    "[",
    "]",
    ",",
    ".",
    "\n",
    "\r\n",
    " ",
    "\t",
    "// c\n",
    "/* c */",
    "/* c\nc */",
    "/*",
    "\u{feff}",
    "\0",
    "é",
    "#",
    "string.format",
    "array",
    "sys.env",
    "list[0]",
    "obj",
    "secret",
];

fn soup() -> impl Strategy<Value = String> {
    vec(select(PIECES), 0..40).prop_map(|pieces| pieces.concat())
}

/// Text of an expression that parses, with line breaks where they may be.
fn expression() -> impl Strategy<Value = String> {
    let leaf =
        select(vec!["a", "1", "0.5", "\"x\\ty\"", "`raw  \n\ttext`", "null", "true", "a.b.c"]).prop_map(str::to_owned);
    leaf.prop_recursive(4, 40, 4, |inner| {
        let line = || select(vec!["", " ", "\n", "\n\n", " // c\n"]);
        let list = (vec((line(), inner.clone()), 0..4), any::<bool>(), line()).prop_map(|(items, trailing, end)| {
            let mut text: Vec<_> = items.iter().map(|(line, item)| format!("{line}{item}")).collect();
            if (trailing || end.contains('\n')) && !text.is_empty() {
                text.push(end.to_owned());
            }
            text.join(",")
        });
        let fields = vec((line(), select(vec!["a", "long_name", "\"q k\"", "`r`"]), inner.clone()), 0..4);
        prop_oneof![
            (inner.clone(), select(vec!["+", "*", "^", "==", "&&"]), inner.clone())
                .prop_map(|(a, op, b)| format!("{a} {op} {b}")),
            inner.clone().prop_map(|value| format!("(-{value})")),
            list.prop_map(|list| format!("[{list}]")),
            (fields, any::<bool>()).prop_map(|(fields, newline)| {
                let text: Vec<_> = fields.iter().map(|(line, key, value)| format!("{line}{key} = {value}")).collect();
                let end = if newline && !text.is_empty() { ",\n" } else { "" };
                format!("{{{}{end}}}", text.join(","))
            }),
            (inner.clone(), vec(inner.clone(), 0..3)).prop_map(|(f, arguments)| format!(
                "a({f}, {})[0]",
                arguments.join(", ")
            )
            .replace(", )", ")")),
        ]
    })
}

fn file() -> impl Strategy<Value = String> {
    let attribute =
        (select(vec!["a", "bbb", "c_c"]), expression()).prop_map(|(name, value)| format!("{name} = {value}\n"));
    let gap = select(vec!["", "\n", "\n\n\n", "// note\n"]);
    let body = vec((gap.clone(), attribute), 0..5)
        .prop_map(|lines| lines.into_iter().map(|(gap, line)| format!("{gap}{line}")).collect::<String>());
    vec((gap, select(vec!["x.y \"label\"", "z", "w \"\""]), body), 0..4).prop_map(|blocks| {
        blocks.into_iter().map(|(gap, header, body)| format!("{gap}{header} {{\n{body}}}\n")).collect()
    })
}

fn scope() -> Scope {
    let variables =
        [("a", Value::object([("b", Value::from("x"))])), ("obj", Value::Null), ("list", Value::array([true.into()]))];
    Scope::new(Stdlib::new(Host::default()), variables)
}

/// The bytes below a node, in order.
fn bytes(node: &Node) -> Vec<u8> {
    node.elements()
        .flat_map(|element| match element {
            Element::Node(child) => bytes(&child),
            Element::Token(token) => node.token_text(token).to_vec(),
        })
        .collect()
}

/// What a file says: its tokens without space, comments and the commas that formatting puts in and takes out.
fn meaning(text: &[u8]) -> Vec<(Kind, Vec<u8>)> {
    let (tokens, _) = lex(text);
    let mut out: Vec<(Kind, Vec<u8>)> = Vec::new();
    for token in tokens.iter().filter(|token| !token.kind.is_trivia() && token.kind != Kind::Terminator) {
        let closes = matches!(token.kind, Kind::RightParen | Kind::RightBracket | Kind::RightBrace);
        if closes && out.last().is_some_and(|(kind, _)| *kind == Kind::Comma) {
            out.pop();
        }
        let bytes = text[token.span.range()].to_vec();
        // An empty label is none, and a raw key is written in double quotes.
        if bytes != b"\"\"" {
            out.push((token.kind, bytes.strip_prefix(b"`r").map_or(bytes.clone(), |_| b"r".to_vec())));
        }
    }
    out.into_iter().map(|(kind, bytes)| (kind, if bytes == b"\"r\"" { b"r".to_vec() } else { bytes })).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn every_byte_is_in_the_tree(text in vec(any::<u8>(), 0..200)) {
        let parsed = parse_file(&Source::new("f", text.clone()));
        prop_assert_eq!(bytes(parsed.file.node()), text);
        render(&parsed.diagnostics, true);
    }

    #[test]
    fn every_piece_is_in_the_tree(text in soup()) {
        let parsed = parse_file(&Source::new("f", text.clone()));
        prop_assert_eq!(bytes(parsed.file.node()), text.as_bytes());
        render(&parsed.diagnostics, false);
        parsed.file.body().map(|body| references(&body));
        format_file(&parsed.file);
    }

    #[test]
    fn evaluation_gives_a_value_or_an_error(text in prop_oneof![soup(), expression()]) {
        let (expr, _) = parse_expression(&Source::new("", text));
        if let Some(expr) = expr {
            references_in(&expr);
            expression_text(&expr);
            if let Ok(value) = evaluate(&expr, &scope()) {
                let shown = format!("{value:?}");
                prop_assert!(!shown.contains("s3cr3t"));
            }
        }
    }

    #[test]
    fn formatting_keeps_what_a_file_says_and_twice_is_once(text in file()) {
        let format = |text: &[u8]| {
            let parsed = parse_file(&Source::new("", text));
            assert_eq!(parsed.diagnostics, [], "{}", String::from_utf8_lossy(text));
            format_file(&parsed.file)
        };
        let once = format(text.as_bytes());
        prop_assert_eq!(meaning(&once), meaning(text.as_bytes()));
        let twice = format(&once);
        prop_assert_eq!(String::from_utf8_lossy(&twice), String::from_utf8_lossy(&once));
    }

    #[test]
    fn readers_survive_anything(text in vec(any::<u8>(), 0..100), other in soup()) {
        let lossy = String::from_utf8_lossy(&text).into_owned();
        let call = |name: &str, text: &str| conformance::eval(&format!("{name}({text:?})"));
        for name in ["encoding.from_yaml", "encoding.from_json", "encoding.from_base64", "encoding.url_decode"] {
            call(name, &lossy);
            call(name, &other);
        }
        conformance::eval(&format!("json_path(\"{{}}\", {other:?})"));
        let _ = json::read(&text, json::Numbers::Integers);
        let _ = regex::compile(&lossy);
        let _ = regex::compile(&other);
        sprintf(&text, &[Value::Null, "x".into(), true.into()]);
    }

    #[test]
    fn json_reads_what_it_wrote(text in ".*", int in any::<i64>(), float in any::<f64>()) {
        prop_assume!(float.is_finite());
        let value = Value::object([
            ("text", Value::from(text)),
            ("numbers", Value::array([lang::value::Number::Int(int).into(), lang::value::Number::Float(float).into()])),
        ]);
        let written = json::write(&value).unwrap();
        prop_assert_eq!(json::read(written.as_bytes(), json::Numbers::Integers).unwrap(), value);
    }
}

/// Deep and long texts on a stack much smaller than that of any thread of ours.
#[test]
fn depth_is_bounded() {
    let many = 50_000;
    let texts = [
        "[".repeat(many),
        "(".repeat(many),
        "{a=".repeat(many),
        "f(".repeat(many),
        "-".repeat(many),
        "2^".repeat(many),
        "1+".repeat(many) + "1",
        "a".to_owned() + &".a".repeat(many),
        "a".to_owned() + &"[0]".repeat(many),
        "1".to_owned() + &"\"\" {".repeat(many),
        "-".repeat(150) + "1",
        "(".repeat(150) + "1" + &")".repeat(150),
    ];
    let work = move || {
        for text in &texts {
            let (expr, _) = parse_expression(&Source::new("", text.as_str()));
            if let Some(expr) = expr {
                let _ = evaluate(&expr, &scope());
                references_in(&expr);
                expression_text(&expr);
            }
            let file = parse_file(&Source::new("", format!("a = {text}")));
            format_file(&file.file);
        }
        let blocks = parse_file(&Source::new("", "a {\n".repeat(many)));
        assert!(!blocks.diagnostics.is_empty());
        format_file(&blocks.file);
    };
    let thread = thread::Builder::new().stack_size(1 << 20).spawn(work).unwrap();
    thread.join().unwrap();
}

/// Text of a mebibyte is read in time that grows with its length only.
#[test]
fn long_texts_are_fine() {
    let line = "a = [1, \"two\", {b = c.d}] // note\n";
    let source: Arc<Source> = Source::new("", line.repeat(20_000));
    let parsed = parse_file(&source);
    assert_eq!(parsed.diagnostics, []);
    assert_eq!(parsed.file.body().unwrap().attributes().count(), 20_000);
    let result = catch_unwind(|| format_file(&parsed.file).len());
    assert!(result.is_ok_and(|length| length > line.len() * 20_000 - 1));
}
