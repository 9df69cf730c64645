//! JSON text to values, with Go's error texts.

use std::{collections::BTreeMap, fmt, sync::Arc};

use crate::{
    golang::{chars::first_char, number::parse_float, quote::quote_with},
    value::{Number, Text, Value},
};

/// How deep arrays and objects may nest. Go allows more; no configuration comes near.
const MAX_DEPTH: usize = 200;

/// What numbers become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Numbers {
    /// Floats, all of them.
    Floats,
    /// Integers where they are written as such and fit.
    Integers,
}

/// Why text is not JSON. Prints as Go says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadError {
    /// What was expected where the text goes wrong.
    pub problem: Problem,
    /// The byte at which it was noticed.
    pub at: usize,
    /// The byte itself; nothing at the end of the text.
    pub found: Option<u8>,
}

/// What was expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// A value.
    Value,
    /// Nothing more.
    End,
    /// A comma or the end of an array.
    Element,
    /// A comma or the end of an object.
    Field,
    /// A key.
    Key,
    /// The colon after a key.
    Colon,
    /// The next letter of a word.
    Word(&'static str, char),
    /// A digit; the part of the number that it belongs to.
    Digit(&'static str),
    /// A character that may stand in a string.
    Character,
    /// A letter that may follow a backslash.
    Escape,
    /// A hexadecimal digit.
    Hexadecimal,
    /// A number that fits.
    Range(String),
    /// Less depth.
    Depth,
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let context = match &self.problem {
            Problem::Depth => return f.write_str("exceeded max depth"),
            Problem::Range(number) => {
                return write!(f, "json: cannot unmarshal number {number} into Go value of type float64");
            }
            Problem::Value => "looking for beginning of value",
            Problem::End => "after top-level value",
            Problem::Element => "after array element",
            Problem::Field => "after object key:value pair",
            Problem::Key => "looking for beginning of object key string",
            Problem::Colon => "after object key",
            Problem::Word(word, letter) => &format!("in literal {word} (expecting '{letter}')"),
            Problem::Digit(part) => part,
            Problem::Character => "in string literal",
            Problem::Escape => "in string escape code",
            Problem::Hexadecimal => r"in \u hexadecimal character escape",
        };
        let shown = match self.found {
            None => return f.write_str("unexpected end of JSON input"),
            Some(b'\'') => r"'\''".to_owned(),
            Some(b'"') => "'\"'".to_owned(),
            // Go shows the byte as if it were a character.
            Some(byte) => quote_with(char::from(byte).to_string().as_bytes(), '\'', false),
        };
        write!(f, "invalid character {shown} {context}")
    }
}

/// Reads one value; anything but blanks behind it is an error.
pub fn read(text: &[u8], numbers: Numbers) -> Result<Value, ReadError> {
    let mut reader = Reader { text, at: 0, numbers, depth: 0 };
    reader.blanks();
    let value = reader.value()?;
    reader.blanks();
    match reader.peek() {
        None => Ok(value),
        Some(_) => Err(reader.unexpected(Problem::End)),
    }
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    numbers: Numbers,
    depth: usize,
}

type Read<T> = Result<T, ReadError>;

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    /// The error for the byte that comes next, or for the end.
    fn unexpected(&self, problem: Problem) -> ReadError {
        ReadError { problem, at: self.at, found: self.peek() }
    }

    fn value(&mut self) -> Read<Value> {
        match self.peek() {
            Some(b'{') => self.nested(Self::object),
            Some(b'[') => self.nested(Self::array),
            Some(b'"') => self.string().map(Value::String),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'n') => self.word("null", Value::Null),
            _ => Err(self.unexpected(Problem::Value)),
        }
    }

    fn nested(&mut self, read: fn(&mut Self) -> Read<Value>) -> Read<Value> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.unexpected(Problem::Depth));
        }
        self.at += 1;
        self.blanks();
        let value = read(self);
        self.depth -= 1;
        value
    }

    fn array(&mut self) -> Read<Value> {
        let mut values = Vec::new();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Value::array(values));
        }
        loop {
            values.push(self.value()?);
            self.blanks();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => break self.at += 1,
                _ => return Err(self.unexpected(Problem::Element)),
            }
            self.blanks();
        }
        Ok(Value::array(values))
    }

    fn object(&mut self) -> Read<Value> {
        let mut fields = BTreeMap::new();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Value::Object(Arc::new(fields)));
        }
        loop {
            if self.peek() != Some(b'"') {
                return Err(self.unexpected(Problem::Key));
            }
            let key = self.string()?;
            self.blanks();
            if self.peek() != Some(b':') {
                return Err(self.unexpected(Problem::Colon));
            }
            self.at += 1;
            self.blanks();
            let value = self.value()?;
            fields.insert(key, value);
            self.blanks();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => break self.at += 1,
                _ => return Err(self.unexpected(Problem::Field)),
            }
            self.blanks();
        }
        Ok(Value::Object(Arc::new(fields)))
    }

    fn word(&mut self, word: &'static str, value: Value) -> Read<Value> {
        for letter in word.chars() {
            if self.peek().map(char::from) != Some(letter) {
                return Err(self.unexpected(Problem::Word(word, letter)));
            }
            self.at += 1;
        }
        Ok(value)
    }

    fn digits(&mut self, part: &'static str) -> Read<()> {
        if !self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            return Err(self.unexpected(Problem::Digit(part)));
        }
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        Ok(())
    }

    fn number(&mut self) -> Read<Value> {
        let start = self.at;
        let mut is_integer = true;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1
        } else {
            self.digits("in numeric literal")?
        }
        if self.peek() == Some(b'.') {
            is_integer = false;
            self.at += 1;
            self.digits("after decimal point in numeric literal")?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            is_integer = false;
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits("in exponent of numeric literal")?;
        }
        let text = String::from_utf8_lossy(&self.text[start..self.at]);
        if is_integer
            && self.numbers == Numbers::Integers
            && let Ok(int) = text.parse()
        {
            return Ok(Value::Number(Number::Int(int)));
        }
        parse_float(&text).map(|float| Value::Number(Number::Float(float))).map_err(|_| {
            let problem = Problem::Range(text.into_owned());
            ReadError { problem, at: start, found: self.text.get(start).copied() }
        })
    }

    fn string(&mut self) -> Read<Text> {
        self.at += 1;
        let mut out = String::new();
        loop {
            match self.peek() {
                Some(b'"') => break self.at += 1,
                Some(b'\\') => {
                    self.at += 1;
                    self.escape(&mut out)?;
                }
                None | Some(0..0x20) => return Err(self.unexpected(Problem::Character)),
                Some(_) => {
                    let (c, width) = first_char(&self.text[self.at..]).unwrap_or((None, 1));
                    out.push(c.unwrap_or(char::REPLACEMENT_CHARACTER));
                    self.at += width;
                }
            }
        }
        Ok(out.into())
    }

    fn escape(&mut self, out: &mut String) -> Read<()> {
        let c = match self.peek() {
            Some(b'b') => '\x08',
            Some(b'f') => '\x0c',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(c @ (b'"' | b'\\' | b'/')) => char::from(c),
            Some(b'u') => {
                self.at += 1;
                out.push(self.code()?);
                return Ok(());
            }
            _ => return Err(self.unexpected(Problem::Escape)),
        };
        self.at += 1;
        out.push(c);
        Ok(())
    }

    fn hex(&mut self) -> Read<u32> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|byte| char::from(byte).to_digit(16));
            let Some(digit) = digit else { return Err(self.unexpected(Problem::Hexadecimal)) };
            code = code * 16 + digit;
            self.at += 1;
        }
        Ok(code)
    }

    /// The character of `XXXX`, or of a pair `XXXX\uXXXX`; a lone half becomes U+FFFD.
    fn code(&mut self) -> Read<char> {
        let high = self.hex()?;
        if (0xd800..0xdc00).contains(&high) && self.text[self.at..].starts_with(b"\\u") {
            let back = self.at;
            self.at += 2;
            let low = self.hex()?;
            if (0xdc00..0xe000).contains(&low) {
                let code = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
                return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            self.at = back;
        }
        Ok(char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER))
    }
}

#[cfg(test)]
mod tests {
    use super::{super::write, *};

    #[track_caller]
    fn check(text: &str, expect: &str) {
        let shown = read(text.as_bytes(), Numbers::Floats).map(|value| write(&value).unwrap());
        assert_eq!(shown.unwrap_or_else(|error| error.to_string()), expect);
    }

    #[test]
    fn good_text_is_read() {
        check(r#" {"a": [1, 2.5, null, true], "b": {}} "#, r#"{"a":[1,2.5,null,true],"b":{}}"#);
        check(r#""\u00e9\ud83d\ude00\ud83d\n""#, "\"é😀\u{fffd}\\n\"");
        check("-0.5e-3", "-0.0005");
        check("[]", "[]");
    }

    #[test]
    fn bad_text_is_named() {
        check("", "unexpected end of JSON input");
        check("x", "invalid character 'x' looking for beginning of value");
        check("1 2", "invalid character '2' after top-level value");
        check("[1,]", "invalid character ']' looking for beginning of value");
        check("[1 2]", "invalid character '2' after array element");
        check("{a", "invalid character 'a' looking for beginning of object key string");
        check("{\"a\" 1}", "invalid character '1' after object key");
        check("{\"a\":1 2}", "invalid character '2' after object key:value pair");
        check("trux", "invalid character 'x' in literal true (expecting 'e')");
        check("01", "invalid character '1' after top-level value");
        check("1.x", "invalid character 'x' after decimal point in numeric literal");
        check("\"\n\"", r"invalid character '\n' in string literal");
        check(r#""\x""#, "invalid character 'x' in string escape code");
        check("1e400", "json: cannot unmarshal number 1e400 into Go value of type float64");
        check(&"[".repeat(100_000), "exceeded max depth");
    }
}
