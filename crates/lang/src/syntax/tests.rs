use super::*;
use crate::syntax::lexer::lex;

/// Tokens by kind and text, without whitespace.
#[track_caller]
fn tokens(text: &str, expect: &str) {
    let (tokens, errors) = lex(text.as_bytes());
    let shown = tokens.iter().filter(|token| token.kind != kind::Kind::Whitespace).map(|token| {
        let text = &text[token.span.range()];
        if text.is_empty() || text == token.kind.name() {
            token.kind.to_string()
        } else {
            format!("{}:{text}", token.kind)
        }
    });
    let errors = errors.iter().map(|error| format!("!{} {}", error.at, error.message));
    assert_eq!(shown.chain(errors).collect::<Vec<_>>().join(" "), expect);
}

#[track_caller]
fn errors(text: &str, expect: &[&str]) {
    let parsed = parse_file(&Source::new("", text));
    let shown: Vec<_> = parsed.diagnostics.iter().map(ToString::to_string).collect();
    assert_eq!(shown, expect);
}

#[test]
fn terminators_come_where_a_statement_can_end() {
    tokens("a\nb", "IDENT:a TERMINATOR IDENT:b TERMINATOR EOF");
    tokens("a =\n\n1", "IDENT:a = NUMBER:1 TERMINATOR EOF");
    tokens("a // c\n", "IDENT:a TERMINATOR COMMENT:// c EOF");
    tokens("a /* c */ = 1", "IDENT:a COMMENT:/* c */ = NUMBER:1 TERMINATOR EOF");
    tokens("a /* c */ /* d\n */ b", "IDENT:a TERMINATOR COMMENT:/* c */ COMMENT:/* d\n */ IDENT:b TERMINATOR EOF");
    tokens("[\n1,\n]", "[ NUMBER:1 , ] TERMINATOR EOF");
}

#[test]
fn numbers_have_no_sign_and_no_letters() {
    tokens("1.2.3", "FLOAT:1.2 FLOAT:.3 TERMINATOR EOF");
    tokens("-0x1", "- NUMBER:0 IDENT:x1 TERMINATOR EOF");
    tokens("1e+", "FLOAT:1e+ TERMINATOR EOF !0 exponent has no digits");
}

#[test]
fn illegal_bytes_are_tokens_too() {
    tokens("a ; b", "IDENT:a ILLEGAL:; IDENT:b TERMINATOR EOF !2 illegal character U+003B ';'");
    tokens("a | b", "IDENT:a ||:| IDENT:b TERMINATOR EOF !3 missing second | in ||");
    tokens("'x'", "ILLEGAL:'x' TERMINATOR EOF !0 illegal single-quoted string; use double quotes");
}

#[test]
fn trees_hold_values_by_precedence() {
    let (expr, _) = parse_expression(&Source::new("", "-a.b ^ 2 + f(1)[0]"));
    insta::assert_snapshot!(format!("{:?}", expr.expect("it parses").node()), @r#"
    binary expression 0..18
      binary expression 0..8
        unary expression 0..4
          - "-"
          access 1..4
            identifier 1..2
              IDENT "a"
            . "."
            IDENT "b"
        ^ "^"
        literal 7..8
          NUMBER "2"
      + "+"
      index 11..18
        call 11..15
          identifier 11..12
            IDENT "f"
          ( "("
          literal 13..14
            NUMBER "1"
          ) ")"
        [ "["
        literal 16..17
          NUMBER "0"
        ] "]"
    "#);
}

#[test]
fn recovery_goes_on_at_the_next_statement() {
    errors("a = = 1\nb = 2\nc d\n", &["1:5: expected expression, got =", "3:3: expected block label, got IDENT"]);
    errors("a {\n\tb = (\n}\nc = 1\n", &["3:1: expected expression, got }", "5:1: expected }, got EOF"]);
    errors("a = b \"c\" { d = 1 }", &["1:5: cannot use a block as an expression"]);
    errors("a.b = 1", &["1:1: attribute names may only consist of a single identifier with no \".\""]);
    errors("a \"x-y\" {}", &["1:3: expected block label to be a valid identifier, but got \"x-y\""]);
    errors("a `x` {}", &["1:3: expected block label to be a double quoted string, but got \"`x`\""]);
}

#[test]
fn views_name_the_parts() {
    let parsed = parse_file(&Source::new("f", "a . b \"l\" {\n\tc = {x = 1, \"y z\" = 2}\n}\nd = 1"));
    assert_eq!(parsed.diagnostics, []);
    let body = parsed.file.body().expect("a file has a body");
    let block = body.blocks().next().expect("there is a block");
    assert_eq!((block.name().as_str(), block.label().as_deref()), ("a.b", Some("l")));
    assert_eq!(block.header_location().span, crate::source::Span::new(0, 11));
    let value = block.body().and_then(|body| body.attributes().next()?.value()).expect("it has a value");
    let keys: Vec<_> = value.fields().map(|field| String::from_utf8_lossy(&field.key()).into_owned()).collect();
    assert_eq!(keys, ["x", "y z"]);
    assert_eq!(body.attributes().map(|attribute| attribute.name()).collect::<Vec<_>>(), ["d"]);
}
