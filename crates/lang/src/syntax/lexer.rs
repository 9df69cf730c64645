//! Bytes to tokens.
//!
//! Every byte ends up in exactly one token. `Terminator` and `Eof` are empty tokens at the place where they take
//! effect; the line feed itself is whitespace.

use crate::{
    golang::chars::{code_point, first_char, is_digit, is_letter},
    source::Span,
    syntax::kind::Kind,
};

/// A token: what it is and its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: Kind,
    /// Its bytes.
    pub span: Span,
}

/// Something that is no token, or a bad one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LexError {
    /// The token that was being read when it was noticed: an index into the tokens without whitespace.
    pub token: usize,
    /// The byte.
    pub at: u32,
    /// What is wrong there.
    pub message: String,
}

/// Splits text into tokens. The last one is `Eof`.
pub fn lex(text: &[u8]) -> (Vec<Token>, Vec<LexError>) {
    let mut lexer =
        Lexer { text, head: None, at: 0, next: 0, may_end: false, tokens: Vec::new(), read: 0, errors: Vec::new() };
    lexer.bump();
    if lexer.head == Some(BOM) {
        lexer.bump();
    }
    while lexer.token() != Kind::Eof {}
    (lexer.tokens, lexer.errors)
}

/// The text of a comment as it is meant: no carriage returns.
pub fn comment_text(raw: &[u8]) -> Vec<u8> {
    let block = raw.starts_with(b"/*");
    let raw = raw.strip_suffix(b"\r").unwrap_or(raw);
    let mut out = Vec::with_capacity(raw.len());
    for (at, byte) in raw.iter().enumerate() {
        // Dropping the carriage return of `*\r/` would close the comment early.
        let closes = block && out.len() > 2 && out.last() == Some(&b'*') && raw.get(at + 1) == Some(&b'/');
        if *byte != b'\r' || closes {
            out.push(*byte);
        }
    }
    out
}

const BOM: char = '\u{feff}';

struct Lexer<'a> {
    text: &'a [u8],
    /// The character at `at`; a bad byte reads as U+FFFD; nothing at the end.
    head: Option<char>,
    at: usize,
    /// Where the character after `head` begins.
    next: usize,
    /// Whether a line feed here would end a statement.
    may_end: bool,
    tokens: Vec<Token>,
    /// Tokens so far without whitespace.
    read: usize,
    errors: Vec<LexError>,
}

impl Lexer<'_> {
    /// Moves to the next character, complaining about those that may be nowhere.
    fn bump(&mut self) {
        self.at = self.next;
        let Some((c, width)) = first_char(&self.text[self.at..]) else {
            self.head = None;
            return;
        };
        match c {
            Some('\0') => self.error(self.at, "illegal character NUL"),
            Some(BOM) if self.at > 0 => self.error(self.at, "illegal byte order mark"),
            None => self.error(self.at, "illegal UTF-8 encoding"),
            Some(_) => {}
        }
        self.head = Some(c.unwrap_or(char::REPLACEMENT_CHARACTER));
        self.next += width;
    }

    fn bump_if(&mut self, c: char) -> bool {
        let found = self.head == Some(c);
        if found {
            self.bump();
        }
        found
    }

    fn error(&mut self, at: usize, message: impl Into<String>) {
        self.errors.push(LexError { token: self.read, at: at as u32, message: message.into() });
    }

    fn push(&mut self, kind: Kind, start: usize, end: usize) {
        let before = self.tokens.last().map_or(0, |token| token.span.end as usize);
        if before < start {
            self.tokens.push(Token { kind: Kind::Whitespace, span: Span::new(before as u32, start as u32) });
        }
        self.tokens.push(Token { kind, span: Span::new(start as u32, end as u32) });
        self.read += 1;
    }

    /// Reads one token.
    fn token(&mut self) -> Kind {
        while matches!(self.head, Some(' ' | '\t' | '\r')) || (self.head == Some('\n') && !self.may_end) {
            self.bump();
        }
        let start = self.at;
        let was_pending = self.may_end;
        let kind = match self.head {
            Some(c) if is_letter(c) => self.word(),
            Some(c) if c.is_ascii_digit() => self.number(),
            Some('.') if self.text.get(self.next).is_some_and(u8::is_ascii_digit) => self.number(),
            Some('/') if matches!(self.text.get(self.next), Some(b'/' | b'*')) => {
                if was_pending && ends_line(&self.text[start..]) {
                    return self.terminator(start);
                }
                self.comment(start);
                Kind::Comment
            }
            Some('\n') => {
                self.bump();
                return self.terminator(start);
            }
            None if was_pending => return self.terminator(start),
            None => Kind::Eof,
            Some(c) => {
                self.bump();
                self.symbol(c, start)
            }
        };
        self.push(kind, start, self.at);
        self.may_end = match kind {
            Kind::Ident | Kind::Number | Kind::Float | Kind::String | Kind::Bool | Kind::Null => true,
            Kind::RightParen | Kind::RightBracket | Kind::RightBrace => true,
            Kind::Illegal => was_pending || self.text[start] == b'\'',
            _ => false,
        };
        kind
    }

    fn terminator(&mut self, at: usize) -> Kind {
        self.push(Kind::Terminator, at, at);
        self.may_end = false;
        Kind::Terminator
    }

    fn word(&mut self) -> Kind {
        let start = self.at;
        while self.head.is_some_and(|c| is_letter(c) || is_digit(c)) {
            self.bump();
        }
        match &self.text[start..self.at] {
            b"true" | b"false" => Kind::Bool,
            b"null" => Kind::Null,
            _ => Kind::Ident,
        }
    }

    fn number(&mut self) -> Kind {
        let start = self.at;
        let mut kind = Kind::Number;
        self.digits();
        if self.bump_if('.') {
            kind = Kind::Float;
            self.digits();
        }
        if matches!(self.head, Some('e' | 'E')) {
            kind = Kind::Float;
            self.bump();
            if matches!(self.head, Some('+' | '-')) {
                self.bump();
            }
            if !self.digits() {
                self.error(start, "exponent has no digits");
            }
        }
        kind
    }

    fn digits(&mut self) -> bool {
        let start = self.at;
        while self.head.is_some_and(|c| c.is_ascii_digit()) {
            self.bump();
        }
        self.at > start
    }

    /// Everything that is known by its first character, which has been read.
    fn symbol(&mut self, c: char, start: usize) -> Kind {
        let or_equal = |lexer: &mut Self, alone, with| if lexer.bump_if('=') { with } else { alone };
        match c {
            '"' => self.string('"', start),
            '`' => self.string('`', start),
            '\'' => {
                self.error(start, "illegal single-quoted string; use double quotes");
                self.string('\'', start);
                Kind::Illegal
            }
            '|' => self.twice('|', "missing second | in ||", Kind::Or),
            '&' => self.twice('&', "missing second & in &&", Kind::And),
            '!' => or_equal(self, Kind::Not, Kind::Ne),
            '=' => or_equal(self, Kind::Assign, Kind::Eq),
            '<' => or_equal(self, Kind::Lt, Kind::Le),
            '>' => or_equal(self, Kind::Gt, Kind::Ge),
            '+' => Kind::Plus,
            '-' => Kind::Minus,
            '*' => Kind::Star,
            '/' => Kind::Slash,
            '%' => Kind::Percent,
            '^' => Kind::Caret,
            '{' => Kind::LeftBrace,
            '}' => Kind::RightBrace,
            '(' => Kind::LeftParen,
            ')' => Kind::RightParen,
            '[' => Kind::LeftBracket,
            ']' => Kind::RightBracket,
            ',' => Kind::Comma,
            '.' => Kind::Dot,
            BOM => Kind::Illegal,
            c => {
                self.error(start, format!("illegal character {}", code_point(c)));
                Kind::Illegal
            }
        }
    }

    fn twice(&mut self, c: char, message: &str, kind: Kind) -> Kind {
        if !self.bump_if(c) {
            self.error(self.at, message);
        }
        kind
    }

    /// The rest of a string after its opening quote. A raw string has no escapes and may span lines.
    fn string(&mut self, quote: char, start: usize) -> Kind {
        let raw = quote == '`';
        loop {
            match self.head {
                Some('\n') if !raw => break self.error(start, "string literal not terminated"),
                None => break self.error(start, "string literal not terminated"),
                Some(c) => {
                    self.bump();
                    if c == quote {
                        break;
                    }
                    if c == '\\' && !raw {
                        self.escape();
                    }
                }
            }
        }
        Kind::String
    }

    /// The rest of an escape after its backslash; stops at the character that does not fit.
    fn escape(&mut self) {
        let start = self.at;
        let (digits, radix, limit) = match self.head {
            Some('a' | 'b' | 'f' | 'n' | 'r' | 't' | 'v' | '\\' | '"') => return self.bump(),
            Some('0'..='7') => (3, 8, 255),
            Some('x') => (2, 16, 255),
            Some('u') => (4, 16, char::MAX as u32),
            Some('U') => (8, 16, char::MAX as u32),
            Some(_) => return self.error(start, "unknown escape sequence"),
            None => return self.error(start, "escape sequence not terminated"),
        };
        if radix == 16 {
            self.bump();
        }
        let mut code = 0_u32;
        for _ in 0..digits {
            let Some(c) = self.head else { return self.error(start, "escape sequence not terminated") };
            let Some(digit) = c.to_digit(radix) else {
                return self.error(start, format!("illegal character {} in escape sequence", code_point(c)));
            };
            code = code.wrapping_mul(radix) + digit;
            self.bump();
        }
        if code > limit || (0xd800..0xe000).contains(&code) {
            self.error(start, "escape sequence is invalid Unicode code point");
        }
    }

    fn comment(&mut self, start: usize) {
        self.bump();
        let block = self.head == Some('*');
        self.bump();
        while let Some(c) = self.head {
            if !block && c == '\n' {
                return;
            }
            self.bump();
            if block && c == '*' && self.bump_if('/') {
                return;
            }
        }
        if block {
            self.error(start, "block comment not terminated");
        }
    }
}

/// Whether the run of comments that begins here reaches the end of the line.
fn ends_line(mut text: &[u8]) -> bool {
    loop {
        if text.starts_with(b"//") {
            return true;
        }
        let Some(inside) = text.strip_prefix(b"/*") else { return matches!(text, [] | [b'\n', ..]) };
        let Some(close) = inside.windows(2).position(|pair| pair == b"*/") else { return true };
        if inside[..close].contains(&b'\n') {
            return true;
        }
        text = skip_blanks(&inside[close + 2..]);
    }
}

fn skip_blanks(text: &[u8]) -> &[u8] {
    let blanks = text.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r')).count();
    &text[blanks..]
}
