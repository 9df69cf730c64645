use super::*;
use crate::{source::Source, syntax};

#[track_caller]
fn check(input: &str, expect: &str) {
    let format = |text: &str| {
        let parsed = syntax::parse_file(&Source::new("", text));
        assert_eq!(parsed.diagnostics, [], "{text}");
        String::from_utf8(format_file(&parsed.file)).unwrap()
    };
    let once = format(input);
    assert_eq!(once, expect);
    assert_eq!(format(&once), once, "formatting twice changed it");
}

#[test]
fn equals_signs_of_adjacent_lines_align() {
    check("a=1\nbbb=2\n\nc=3\nd=[\n1]\nee=4", "a   = 1\nbbb = 2\n\nc = 3\nd = [\n\t1]\nee = 4\n");
}

#[test]
fn blocks_stand_apart() {
    check("a{}\nb \"x\" {c=1}\nd=2", "a { }\n\nb \"x\" {\n\tc = 1\n}\nd = 2\n");
}

#[test]
fn text_between_quotes_is_left_alone() {
    check("a = `x  \n\tb\tc  \n`\nb = \"x\ty\"", "a = `x  \n\tb\tc  \n`\nb = \"x\ty\"\n");
}

#[test]
fn keys_keep_their_spelling() {
    check(r#"a = {"x\"y" = 1}"#, "a = {\"x\\\"y\" = 1}\n");
    check("a = {`x y` = 1}", "a = {\"x y\" = 1}\n");
    check(r"a = {`x\y` = 1}", "a = {`x\\y` = 1}\n");
}

#[test]
fn an_empty_call_stays_one() {
    check("a = f(\n)", "a = f()\n");
}

#[test]
fn comments_stay_where_they_are() {
    check(
        "// top\n\na = 1 // one\nbb = 22 // two\n\n/* last */",
        "// top\n\na  = 1  // one\nbb = 22 // two\n\n/* last */\n",
    );
}

#[test]
fn expressions_in_messages_are_formatted() {
    let (expr, _) = syntax::parse_expression(&Source::new("", "f( {a=1,b=[ 1,2 ]} )[ -x ]"));
    assert_eq!(expression_text(&expr.unwrap()), "f({a = 1, b = [1, 2]})[-x]");
}
