//! Which bytes of a configuration are secrets, told by the names that they are given to.
//!
//! The types of arguments keep a secret from being printed once it is a value. What quotes the text of a configuration,
//! an excerpt or an expression in a message, comes here; so does a text with mistakes, of which nothing is a value yet.
//! The user name and the password of a URL are secrets whatever it is given to.

use std::{cmp::Reverse, ops::Range};

use crate::{
    source::Span,
    syntax::{
        kind::Kind,
        lexer::{Token, lex},
    },
};

/// What is printed in the place of a secret.
pub(crate) const SHOWN: &str = "(secret)";

/// Names of attributes and of HTTP headers whose text is nobody's business.
const NAMES: [&str; 21] = [
    "access_key",
    "api_key",
    "authorization",
    "bearer_token",
    "client_secret",
    "cookie",
    "credentials",
    "http_headers",
    "key_pem",
    "passphrase",
    "password",
    "private_key",
    "proxy-authorization",
    "proxy_connect_header",
    "secret",
    "secret_access_key",
    "secret_key",
    "service_key",
    "token",
    "x-api-key",
    "x-auth-token",
];

/// Whether what is given to this name is a secret.
pub fn is_secret_name(name: &str) -> bool {
    NAMES.contains(&name.to_ascii_lowercase().as_str())
}

/// Every piece of text that is a secret, in order: texts with their quotes, and credentials inside of URLs.
pub(crate) fn spans(text: &[u8]) -> Vec<Span> {
    let (tokens, _) = lex(text);
    let tokens: Vec<Token> =
        tokens.into_iter().filter(|token| !matches!(token.kind, Kind::Whitespace | Kind::Comment)).collect();
    let mut found = Vec::new();
    for (at, pair) in tokens.windows(2).enumerate() {
        let [key, assign] = pair else { continue };
        let is_key = matches!(key.kind, Kind::Ident | Kind::String) && assign.kind == Kind::Assign;
        let name = String::from_utf8_lossy(text.get(key.span.range()).unwrap_or_default());
        if is_key && is_secret_name(name.trim_matches(['"', '`'])) {
            value_texts(&tokens[at + 2..], text, &mut found);
        }
    }
    for token in tokens.iter().filter(|token| token.kind == Kind::String) {
        let inside = text.get(token.span.range()).and_then(credentials);
        let at = |offset: usize| token.span.start + offset as u32;
        found.extend(inside.map(|inside| Span::new(at(inside.start), at(inside.end))));
    }
    // A name inside of a secret value finds the same text again.
    found.sort_by_key(|span| (span.start, Reverse(span.end)));
    found.dedup();
    found
}

/// The user name and the password of a URL: all from behind the scheme to the last `@`, for a password that is not
/// escaped may hold anything. An `@` behind what can only be a host is part of a path.
fn credentials(url: &[u8]) -> Option<Range<usize>> {
    let start = url.windows(3).position(|three| three == b"://")? + 3;
    let length = url[start..].iter().rposition(|byte| *byte == b'@')?;
    let inside = &url[start..start + length];
    let host = inside.split(|byte| matches!(byte, b'/' | b'?' | b'#')).next().unwrap_or_default();
    let is_host = host.len() < length && !host.is_empty() && !host.iter().any(|byte| matches!(byte, b':' | b'@'));
    (length > 0 && !is_host).then_some(start..start + length)
}

/// The texts of one value. The name of an environment variable is none, nor is the key of a field.
fn value_texts(tokens: &[Token], text: &[u8], found: &mut Vec<Span>) {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate() {
        match token.kind {
            Kind::LeftParen | Kind::LeftBracket | Kind::LeftBrace => depth += 1,
            Kind::RightParen | Kind::RightBracket | Kind::RightBrace if depth == 0 => return,
            Kind::RightParen | Kind::RightBracket | Kind::RightBrace => depth -= 1,
            Kind::Terminator | Kind::Comma if depth == 0 => return,
            Kind::Eof => return,
            Kind::String => {
                let of = |back: usize| at.checked_sub(back).and_then(|at| text.get(tokens[at].span.range()));
                let is_variable = (of(1), of(2)) == (Some(b"("), Some(b"env"));
                let is_key = depth > 0 && tokens.get(at + 1).is_some_and(|next| next.kind == Kind::Assign);
                if !is_variable && !is_key {
                    found.push(token.span);
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expect: &[&str]) {
        let found: Vec<_> = spans(text.as_bytes()).into_iter().map(|span| &text[span.range()]).collect();
        assert_eq!(found, expect, "{text}");
    }

    #[test]
    fn what_is_given_to_a_secret_name_is_found() {
        check("basic_auth {\n username = \"me\"\n password = \"p\" // no\n}", &["\"p\""]);
        check("password = `a\nb` + \"c\"\nurl = \"u\"", &["`a\nb`", "\"c\""]);
        check("headers = { \"Authorization\" = \"Bearer x\", \"X-Scope\" = \"y\" }", &["\"Bearer x\""]);
        check("bearer_token = [\"a\", \"b\"]\nx = \"y\"", &["\"a\"", "\"b\""]);
        check("password = sys.env(\"NAME\")\ntoken = string.trim(\"t\", \" \")", &["\"t\"", "\" \""]);
        check("password = local.file.x.content\npassword_file = \"/etc/p\"", &[]);
    }

    #[test]
    fn headers_show_their_names_alone() {
        check("http_headers = { \"X-Scope\" = [\"a\", \"b\"], plain = [\"c\"] }", &["\"a\"", "\"b\"", "\"c\""]);
        check("proxy_connect_header = {\n \"Proxy-Authorization\" = [\"a\"],\n}\nx = \"y\"", &["\"a\""]);
        check("password = { \"token\" = {", &[]);
    }

    #[test]
    fn credentials_of_a_url_are_found_wherever_it_stands() {
        check("url = \"https://me:hush@host:1/x\"\nproxy_url = `http://token@host`", &["me:hush", "token"]);
        check("url = \"http://me:pass/wo?rd@x@host/y\"", &["me:pass/wo?rd@x"]);
        check("url = \"http://host/a@b\" + \"mail@host\"\nx = \"http://host?q=a@b\"", &[]);
        check("x = [\"http://@host\", \"://\", \"http://host\"]", &[]);
        check("x = \"http://me:hush@host", &["me:hush"]);
        check("password = \"http://me:hush@host\"", &["\"http://me:hush@host\"", "me:hush"]);
    }

    #[test]
    fn a_text_with_mistakes_keeps_its_secrets() {
        check("password = \"p\"\nusername = = \"x\"", &["\"p\""]);
        check("password = {{{ \"p\"", &["\"p\""]);
        check("password = \"p", &["\"p"]);
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text: String) {
            let _ = spans(text.as_bytes());
        }
    }
}
