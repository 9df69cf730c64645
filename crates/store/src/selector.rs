//! Which series a query means: label matchers in PromQL's braces.

use profile::Labels;
use regex::Regex;

use crate::pattern;

/// The matchers that the selectors of a request may have together.
pub const MAX_MATCHERS: usize = 64;
/// Bytes that they may take as text: to read a regular expression takes up to some thousand times its length.
pub const MAX_BYTES: usize = 16 << 10;
/// Bytes that one regular expression may take.
const REGEX_ROOM: usize = 1 << 20;
/// Bytes that all of a request may take; many share them.
const REGEXES_ROOM: usize = 8 << 20;

/// Matchers that must all hold; `{}` matches everything. A label that is absent has the value `""`.
#[derive(Clone, Debug, Default)]
pub struct Selector {
    matchers: Vec<Matcher>,
}

#[derive(Clone, Debug)]
struct Matcher {
    name: String,
    test: Test,
}

#[derive(Clone, Debug)]
enum Test {
    Equal(String),
    NotEqual(String),
    Match(Regex),
    NotMatch(Regex),
}

/// A selector that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SelectorError {
    /// There is a mistake in it.
    #[error("invalid selector {text:?}: {problem} at character {at}")]
    Mistake {
        /// The selector.
        text: String,
        /// What is wrong.
        problem: String,
        /// Where, in characters from 0.
        at: usize,
    },
    /// There is too much of it.
    #[error("the label selectors have {len} bytes together; they may have {MAX_BYTES}")]
    TooLong {
        /// What there is, in bytes.
        len: usize,
    },
}

impl Selector {
    /// The selector that matches everything.
    pub fn all() -> Self {
        Self::default()
    }

    /// Reads `{name="value", other!="x", third=~"re", "dotted.name"!~"re"}`; an identifier before the brace, or alone,
    /// asks for that `__name__`.
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        Self::parse_all(&[text])
    }

    /// Reads several selectors that must all match; none matches everything. What they take together is limited.
    pub fn parse_all(texts: &[impl AsRef<str>]) -> Result<Self, SelectorError> {
        let texts = || texts.iter().map(AsRef::as_ref);
        let len: usize = texts().map(str::len).sum();
        if len > MAX_BYTES {
            return Err(SelectorError::TooLong { len });
        }
        let regexes: usize = texts().map(most_regexes).sum();
        let room = REGEX_ROOM.min(REGEXES_ROOM / regexes.max(1));
        let mut selector = Self::all();
        for text in texts() {
            let mut parser = Parser { text, at: 0, room };
            parser.selector(&mut selector).map_err(|problem| SelectorError::Mistake {
                text: text.to_owned(),
                problem,
                at: text[..parser.at.min(text.len())].chars().count(),
            })?;
        }
        Ok(selector)
    }

    /// Whether all matchers hold.
    pub fn matches(&self, labels: &Labels) -> bool {
        self.matchers.iter().all(|matcher| {
            let value = labels.get(&matcher.name).unwrap_or("");
            match &matcher.test {
                Test::Equal(want) => value == want,
                Test::NotEqual(want) => value != want,
                Test::Match(regex) => regex.is_match(value),
                Test::NotMatch(regex) => !regex.is_match(value),
            }
        })
    }
}

/// How many regular expressions a selector has at most.
fn most_regexes(text: &str) -> usize {
    text.matches("=~").count() + text.matches("!~").count()
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    /// Bytes that a regular expression may take.
    room: usize,
}

impl Parser<'_> {
    fn selector(&mut self, selector: &mut Selector) -> Result<(), String> {
        self.space();
        if let Some(name) = self.identifier(true) {
            add(selector, Matcher { name: "__name__".to_owned(), test: Test::Equal(name) })?;
            self.space();
            if self.rest().is_empty() {
                return Ok(());
            }
        }
        if !self.take("{") {
            return Err(self.expected("'{'"));
        }
        loop {
            self.space();
            if self.take("}") {
                break;
            }
            add(selector, self.matcher()?)?;
            self.space();
            if !self.take(",") {
                if !self.take("}") {
                    return Err(self.expected("',' or '}'"));
                }
                break;
            }
        }
        self.space();
        if self.rest().is_empty() { Ok(()) } else { Err(self.expected("the end")) }
    }

    fn matcher(&mut self) -> Result<Matcher, String> {
        let quoted = self.rest().starts_with(['"', '\'', '`']);
        let name = if quoted {
            self.string()?
        } else {
            self.identifier(false).ok_or_else(|| self.expected("a label name"))?
        };
        self.space();
        if quoted && self.rest().starts_with([',', '}']) {
            return Ok(Matcher { name: "__name__".to_owned(), test: Test::Equal(name) });
        }
        let operator = ["=~", "!~", "!=", "="].into_iter().find(|operator| self.take(operator));
        let operator = operator.ok_or_else(|| self.expected("one of = != =~ !~"))?;
        self.space();
        let start = self.at;
        let value = self.string()?;
        let regex = |value: &str| {
            pattern::anchored(value, self.room).map_err(|error| format!("invalid regular expression: {error}"))
        };
        let test = match operator {
            "=" => Ok(Test::Equal(value)),
            "!=" => Ok(Test::NotEqual(value)),
            "=~" => regex(&value).map(Test::Match),
            _ => regex(&value).map(Test::NotMatch),
        };
        let test = test.inspect_err(|_| self.at = start)?;
        Ok(Matcher { name, test })
    }

    fn identifier(&mut self, colons: bool) -> Option<String> {
        let rest = self.rest();
        let good = |c: char, first: bool| {
            c.is_ascii_alphabetic() || c == '_' || (colons && c == ':') || (!first && (c.is_ascii_digit() || c == '.'))
        };
        if !rest.chars().next().is_some_and(|first| good(first, true)) {
            return None;
        }
        let end = rest.find(|c| !good(c, false)).unwrap_or(rest.len());
        let name = rest[..end].to_owned();
        self.at += end;
        Some(name)
    }

    fn string(&mut self) -> Result<String, String> {
        let rest = self.rest();
        let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\'' | '`'));
        let quote = quote.ok_or_else(|| self.expected("a quoted string"))?;
        let mut out = String::new();
        let mut characters = rest.char_indices().skip(1);
        while let Some((at, character)) = characters.next() {
            match character {
                _ if character == quote => {
                    self.at += at + 1;
                    return Ok(out);
                }
                '\n' if quote != '`' => break,
                '\\' if quote != '`' => out.push(unescape(&mut characters, quote)?),
                other => out.push(other),
            }
        }
        Err("the string is not closed".to_owned())
    }

    fn space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    fn take(&mut self, token: &str) -> bool {
        let taken = self.rest().starts_with(token);
        if taken {
            self.at += token.len();
        }
        taken
    }

    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn expected(&self, what: &str) -> String {
        match self.rest().chars().next() {
            Some(found) => format!("expected {what}, found {found:?}"),
            None => format!("expected {what}, found the end"),
        }
    }
}

fn add(selector: &mut Selector, matcher: Matcher) -> Result<(), String> {
    if selector.matchers.len() >= MAX_MATCHERS {
        return Err(format!("the limit of {MAX_MATCHERS} label matchers in a request is exceeded"));
    }
    selector.matchers.push(matcher);
    Ok(())
}

/// The character that an escape stands for, as in Go.
fn unescape(rest: &mut impl Iterator<Item = (usize, char)>, quote: char) -> Result<char, String> {
    let unfinished = || "the escape is not finished".to_owned();
    let (_, character) = rest.next().ok_or_else(unfinished)?;
    let digits = match character {
        'n' => return Ok('\n'),
        't' => return Ok('\t'),
        'r' => return Ok('\r'),
        'a' => return Ok('\x07'),
        'b' => return Ok('\x08'),
        'f' => return Ok('\x0c'),
        'v' => return Ok('\x0b'),
        '\\' => return Ok('\\'),
        other if other == quote => return Ok(quote),
        'x' => 2,
        'u' => 4,
        'U' => 8,
        other => return Err(format!("unknown escape \\{other}")),
    };
    let mut code = 0;
    for _ in 0..digits {
        let (_, digit) = rest.next().ok_or_else(unfinished)?;
        code = code << 4 | digit.to_digit(16).ok_or_else(unfinished)?;
    }
    char::from_u32(code).ok_or_else(|| format!("{code:#x} is no character"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels() -> Labels {
        [("__name__", "process_cpu"), ("service_name", "cart"), ("otel.scope.name", "pyrope"), ("odd", "a\"b\\é")]
            .into_iter()
            .collect()
    }

    #[track_caller]
    fn check(selector: &str, expect: bool) {
        assert_eq!(Selector::parse(selector).map(|selector| selector.matches(&labels())), Ok(expect));
    }

    #[track_caller]
    fn refused(selector: &str, expect: &str) {
        let Err(SelectorError::Mistake { problem, at, .. }) = Selector::parse(selector) else { panic!("not refused") };
        assert_eq!(format!("{problem} at {at}"), expect);
    }

    #[test]
    fn matchers_are_anded() {
        check("{}", true);
        check("  { }  ", true);
        check(r#"{service_name="cart"}"#, true);
        check(r#"{service_name="cart",}"#, true);
        check(r#"{service_name="cart", __name__!="memory"}"#, true);
        check(r#"{service_name="cart", __name__="memory"}"#, false);
        check(r#"{service_name=~"ca.*|x"}"#, true);
        check(r#"{service_name=~"ar"}"#, false);
        check(r#"{service_name!~"ar"}"#, true);
    }

    #[test]
    fn an_absent_label_is_the_empty_value() {
        check(r#"{missing=""}"#, true);
        check(r#"{missing!=""}"#, false);
        check(r#"{missing=~".+"}"#, false);
        check(r#"{missing=~".*"}"#, true);
    }

    #[test]
    fn names_may_be_quoted_or_come_first() {
        check(r#"{"otel.scope.name"="pyrope"}"#, true);
        check(r#"{otel.scope.name="pyrope"}"#, true);
        check(r#"process_cpu{service_name="cart"}"#, true);
        check("process_cpu", true);
        check(r#"{"process_cpu"}"#, true);
        check("memory{}", false);
    }

    #[test]
    fn strings_are_those_of_go() {
        check(r#"{odd="a\"b\\é"}"#, true);
        check("{odd=`a\"b\\é`}", true);
        check(r#"{odd='a"b\\\u00e9'}"#, true);
    }

    #[test]
    fn mistakes_are_named_with_their_place() {
        refused("", "expected '{', found the end at 0");
        refused("{", "expected a label name, found the end at 1");
        refused(r#"{a="b""#, "expected ',' or '}', found the end at 6");
        refused("{a=b}", "expected a quoted string, found 'b' at 3");
        refused("{a}", "expected one of = != =~ !~, found '}' at 2");
        refused(r#"{a="b"} x"#, "expected the end, found 'x' at 8");
        refused(r#"{a="b}"#, "the string is not closed at 3");
        refused(r#"{a="\q"}"#, "unknown escape \\q at 3");
        let error = Selector::parse(r#"{a=~"("}"#).map(|_| ()).expect_err("refused").to_string();
        assert!(error.contains("invalid regular expression") && error.ends_with("at character 4"), "{error}");
    }

    #[test]
    fn selectors_of_a_request_are_anded_and_share_the_limit_of_matchers() {
        fn all(texts: &[impl AsRef<str>]) -> Result<bool, SelectorError> {
            Selector::parse_all(texts).map(|selector| selector.matches(&labels()))
        }
        assert_eq!(all(&[""; 0]), Ok(true));
        assert_eq!(all(&["process_cpu", r#"{service_name="cart"}"#]), Ok(true));
        assert_eq!(all(&["process_cpu", r#"{service_name="db"}"#]), Ok(false));

        let many = |count: usize| format!("{{{}}}", r#"odd=~".+","#.repeat(count));
        assert_eq!(all(&[&many(63), "process_cpu", "{}"]), Ok(true));
        for texts in [vec![many(65)], vec![many(64), "process_cpu".to_owned()], vec![many(32), many(33)]] {
            let error = all(&texts).expect_err("refused").to_string();
            assert!(error.contains("the limit of 64 label matchers in a request is exceeded at character"), "{error}");
        }
    }

    #[test]
    fn selectors_of_a_request_share_the_limit_of_bytes() {
        let long = format!(r#"{{service_name="{}"}}"#, "x".repeat(MAX_BYTES / 2));
        check(&long, false);
        let error = Selector::parse_all(&[&long, &long]).map(|_| ()).expect_err("refused").to_string();
        assert_eq!(error, "the label selectors have 16418 bytes together; they may have 16384");
    }

    #[test]
    fn regular_expressions_share_what_they_may_take() {
        // One takes more than 128 KiB, and less than 1 MiB.
        let large = r#"odd=~"(?:.{30}){20}|.+","#;
        let with = |count: usize| Selector::parse(&format!("{{{}}}", large.repeat(count))).map(|_| ());
        assert_eq!(with(8), Ok(()));
        let error = with(MAX_MATCHERS).expect_err("refused").to_string();
        assert!(error.contains("exceeds size limit of 131072 bytes"), "{error}");
    }
}
