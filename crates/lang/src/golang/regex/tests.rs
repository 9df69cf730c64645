use super::*;

#[track_caller]
fn matches(pattern: &str, yes: &[&str], no: &[&str]) {
    let regex = compile(&format!("^(?s:{pattern})$")).expect("the pattern compiles");
    for text in yes {
        assert!(regex.is_match(text), "{pattern} should match {text:?} (as {regex})");
    }
    for text in no {
        assert!(!regex.is_match(text), "{pattern} should not match {text:?} (as {regex})");
    }
}

#[track_caller]
fn refused(pattern: &str, expect: &str) {
    assert_eq!(compile(pattern).map(|regex| regex.to_string()), Err(expect.to_owned()));
}

#[test]
fn classes_are_ascii() {
    matches(r"\d+", &["12"], &["٣"]);
    matches(r"\w+", &["a_1"], &["é"]);
    matches(r"\s", &[" ", "\t"], &["\u{a0}", "\x0b"]);
    matches(r"\D\W\S", &["éé\u{a0}"], &["1é\u{a0}"]);
    matches(r"(?i)\w", &["k"], &["\u{212a}"]);
    matches(r"a\b.*", &["aé", "a b"], &["ab"]);
    matches(r"a\B.", &["ab"], &["aé"]);
}

#[test]
fn what_go_reads_as_text_is_text() {
    matches("{", &["{"], &[]);
    matches("a{", &["a{"], &[]);
    matches("x{,3}", &["x{,3}"], &["xxx"]);
    matches("a{01}", &["a{01}"], &[]);
    matches("[[a]", &["[", "a"], &["]"]);
    matches(r"[\d-z]", &["5", "-", "z"], &["y"]);
    matches("[a&&b]", &["a", "&", "b"], &["c"]);
    matches("[~~]", &["~"], &["a"]);
    matches(r"\Qa.b\E.", &["a.bc"], &["axbc"]);
    matches(r"\<a\>", &["<a>"], &["a"]);
    assert_eq!(translate(r"\Qa.b"), Ok(r"a\.b".to_owned()));
    matches("a}]", &["a}]"], &[]);
    matches("[]a]", &["]", "a"], &["b"]);
    matches("[^]a]", &["b"], &["]", "a"]);
    matches("[-a]", &["-", "a"], &["b"]);
    matches("[a-]", &["-", "a"], &["b"]);
    matches("[ #]", &[" ", "#"], &["\\"]);
}

#[test]
fn the_rest_means_the_same() {
    matches(r"(?P<n>a+?)(?i:B){2,3}", &["aabb", "aBBB"], &["ab"]);
    matches(r"[[:alpha:]]\pL\p{^Greek}\x41\x{1F600}\101\.", &["aéaA😀A."], &["aéαA😀A."]);
    matches("a.b", &["a\nb"], &[]);
    let replaced = compile("(a)(?P<x>b)").map(|regex| regex.replace("ab", "${2}$1$x").into_owned());
    assert_eq!(replaced, Ok("bab".to_owned()));
}

#[test]
fn what_go_refuses_is_refused() {
    refused("a**", "error parsing regexp: invalid nested repetition operator: `**`");
    refused("a{2}{3}", "error parsing regexp: invalid nested repetition operator: `{2}{3}`");
    refused("a{1001}", "error parsing regexp: invalid repeat count: `{1001}`");
    refused("a{3,2}", "error parsing regexp: invalid repeat count: `{3,2}`");
    refused("[a--b]", "error parsing regexp: invalid character class range: `a--`");
    refused("[b-a]", "error parsing regexp: invalid character class range: `b-a`");
    refused("[a", "error parsing regexp: missing closing ]: `[a`");
    refused("(?x)a", "error parsing regexp: invalid or unsupported Perl syntax: `(?x`");
    refused("(?=a)", "error parsing regexp: invalid or unsupported Perl syntax: `(?=`");
    refused(r"\C", r"error parsing regexp: invalid escape sequence: `\C`");
    refused(r"\Z", r"error parsing regexp: invalid escape sequence: `\Z`");
    refused(r"(a)\1", r"error parsing regexp: invalid escape sequence: `\1`");
    refused(r"\e", r"error parsing regexp: invalid escape sequence: `\e`");
    refused("a\\", "error parsing regexp: trailing backslash at end of expression: ``");
    assert!(compile("(").is_err());
    assert!(compile("(a{1000}){1000}").is_err());
}
