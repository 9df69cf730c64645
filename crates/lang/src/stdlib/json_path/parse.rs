//! Paths from text.

use super::{
    Step,
    filter::{Expression, Operator},
};
use crate::{
    golang::{number::parse_float, regex},
    value::{Number, Value},
};

/// How deep filters may nest.
const MAX_DEPTH: usize = 100;

/// Parses a whole path.
pub(super) fn path(text: &str) -> Result<Vec<Step>, String> {
    let mut parser = Parser { text, at: 0, depth: 0 };
    let steps = parser.steps()?;
    if parser.at < text.len() {
        return Err(parser.error("parse error"));
    }
    Ok(steps)
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

type Parse<T> = Result<T, String>;

impl Parser<'_> {
    /// Counts the place from 1, as the byte that comes next.
    fn error(&self, what: &str) -> String {
        format!("{what} at {} in {}", self.at + 1, self.text)
    }

    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn take(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn take_if(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    fn blanks(&mut self) {
        while self.take_if(" ") {}
    }

    fn steps(&mut self) -> Parse<Vec<Step>> {
        let mut steps = Vec::new();
        loop {
            let step = match self.peek() {
                Some('$') if steps.is_empty() => {
                    self.at += 1;
                    Step::Root
                }
                Some('@') if steps.is_empty() => {
                    self.at += 1;
                    Step::Current
                }
                Some('.') => {
                    self.at += 1;
                    self.after_dot()?
                }
                Some('*') => {
                    self.at += 1;
                    Step::All
                }
                Some('[') => {
                    self.at += 1;
                    self.bracket()?
                }
                Some(c) if is_name(c) && (steps.is_empty() || steps.last() == Some(&Step::Descend)) => self.name(),
                _ => return Ok(steps),
            };
            steps.push(step);
        }
    }

    fn after_dot(&mut self) -> Parse<Step> {
        match self.peek() {
            None => Err(self.error("not terminated")),
            Some('*') => {
                self.at += 1;
                Ok(Step::All)
            }
            Some('.') => {
                self.at += 1;
                Ok(Step::Descend)
            }
            Some(c) if is_name(c) => Ok(self.name()),
            Some(c) => {
                self.take();
                Err(self.error(&format!("an expression fragment can not start with a '{c}'")))
            }
        }
    }

    fn name(&mut self) -> Step {
        let width = self.rest().find(|c| !is_name(c)).unwrap_or(self.rest().len());
        let name = self.rest()[..width].to_owned();
        self.at += width;
        Step::Name(name)
    }

    fn bracket(&mut self) -> Parse<Step> {
        self.blanks();
        match self.peek() {
            None => Err(self.error("not terminated")),
            Some('*') => {
                self.at += 1;
                self.close()?;
                Ok(Step::All)
            }
            Some('?') => {
                self.at += 1;
                let expression = self.expression(0)?;
                self.close()?;
                Ok(Step::Filter(expression))
            }
            Some('(') => {
                self.at += 1;
                Err(self.error("scripts not implemented yet"))
            }
            Some('\'' | '"' | '-' | ':' | '0'..='9') => self.keys(),
            Some(_) => Err(self.error("parse error")),
        }
    }

    fn close(&mut self) -> Parse<()> {
        self.blanks();
        if self.take_if("]") { Ok(()) } else { Err(self.error("not terminated")) }
    }

    /// Names, indexes and slices inside brackets.
    fn keys(&mut self) -> Parse<Step> {
        let mut steps = Vec::new();
        loop {
            self.blanks();
            steps.push(match self.peek() {
                Some(quote @ ('\'' | '"')) => Step::Name(self.string(quote)?),
                Some(':') if steps.is_empty() => return self.slice(0),
                Some('-' | '0'..='9') => Step::Nth(self.integer()?),
                _ => return Err(self.error("invalid union syntax")),
            });
            self.blanks();
            match (self.take(), steps.as_slice()) {
                (Some(']'), _) if steps.len() > 1 => return Ok(Step::Union(steps)),
                (Some(']'), _) => return steps.pop().ok_or_else(|| self.error("parse error")),
                (Some(','), _) => {}
                (Some(':'), [Step::Nth(start)]) => {
                    self.at -= 1;
                    return self.slice(*start);
                }
                (_, [_]) => return Err(self.error("invalid bracket fragment")),
                _ => return Err(self.error("invalid union syntax")),
            }
        }
    }

    /// `:end:step]` after the start.
    fn slice(&mut self, start: i64) -> Parse<Step> {
        let mut parts = [None, None];
        for part in &mut parts {
            self.blanks();
            if !self.take_if(":") {
                break;
            }
            self.blanks();
            if matches!(self.peek(), Some('-' | '0'..='9')) {
                *part = Some(self.integer()?);
            }
        }
        self.blanks();
        match self.take() {
            Some(']') => Ok(Step::Slice { start, end: parts[0], step: parts[1].unwrap_or(1) }),
            None => Err(self.error("not terminated")),
            Some(_) => Err(self.error("invalid slice syntax")),
        }
    }

    fn integer(&mut self) -> Parse<i64> {
        let start = self.at;
        self.take_if("-");
        while self.peek().is_some_and(|c| c.is_ascii_digit()) {
            self.at += 1;
        }
        self.text[start..self.at].parse().map_err(|_| self.error("expected a number"))
    }

    fn string(&mut self, quote: char) -> Parse<String> {
        self.at += 1;
        let mut out = String::new();
        while let Some(c) = self.take() {
            match c {
                c if c == quote => return Ok(out),
                '\\' => match self.take() {
                    Some('n') => out.push('\n'),
                    Some('t') => out.push('\t'),
                    Some('r') => out.push('\r'),
                    Some('b') => out.push('\x08'),
                    Some('f') => out.push('\x0c'),
                    Some('u' | 'U') => out.push(self.code(4)?),
                    Some('x') => out.push(self.code(2)?),
                    Some(c @ ('"' | '\'' | '\\')) => out.push(c),
                    _ => return Err(self.error("not a valid escaped character")),
                },
                c => out.push(c),
            }
        }
        Err(self.error("not terminated"))
    }

    fn code(&mut self, width: usize) -> Parse<char> {
        let digits = self.rest().get(..width).unwrap_or_default();
        let code = u32::from_str_radix(digits, 16).map_err(|_| self.error("not a valid hexadecimal character"))?;
        self.at += width;
        Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    /// Operators that bind at least as tightly as `least`.
    fn expression(&mut self, least: u8) -> Parse<Expression> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err("nested too deeply".to_owned());
        }
        let mut left = self.operand()?;
        loop {
            self.blanks();
            if matches!(self.peek(), None | Some(']' | ')' | ',')) {
                break;
            }
            let Some((operator, token)) = Operator::starting(self.rest()) else {
                let word: String = self.rest().chars().take_while(|c| !c.is_whitespace()).collect();
                return Err(self.error(&format!("'{word}' is not a valid operation")));
            };
            if operator.precedence() < least {
                break;
            }
            self.at += token.len();
            let right = self.expression(operator.precedence() + 1)?;
            left = Expression::Binary(Box::new(left), operator, Box::new(right));
        }
        self.depth -= 1;
        Ok(left)
    }

    fn operand(&mut self) -> Parse<Expression> {
        self.blanks();
        match self.peek() {
            Some('!') => {
                self.at += 1;
                self.expression(u8::MAX - 1).map(|value| Expression::Not(Box::new(value)))
            }
            Some('(') => {
                self.at += 1;
                let inner = self.expression(0)?;
                self.blanks();
                if self.take_if(")") { Ok(inner) } else { Err(self.error("not terminated")) }
            }
            Some('@' | '$') => self.steps().map(Expression::Path),
            Some(quote @ ('\'' | '"')) => self.string(quote).map(|text| Expression::Constant(text.into())),
            Some('-' | '0'..='9') => self.number().map(|number| Expression::Constant(Value::Number(number))),
            Some('/') => self.pattern(),
            Some('[') => self.list(),
            _ => self.word(),
        }
    }

    fn word(&mut self) -> Parse<Expression> {
        for (word, value) in [("null", Value::Null), ("true", true.into()), ("false", false.into())] {
            if self.take_if(word) {
                return Ok(Expression::Constant(value));
            }
        }
        if self.take_if("Nothing") {
            return Ok(Expression::Path(vec![Step::Union(Vec::new())]));
        }
        for name in ["length", "count"] {
            if self.take_if(&format!("{name}(")) {
                let inner = self.arguments(1)?.remove(0);
                return Ok(Expression::Length(Box::new(inner)));
            }
        }
        for (name, whole) in [("match", true), ("search", false)] {
            if self.take_if(&format!("{name}(")) {
                let mut arguments = self.arguments(2)?;
                let (pattern, value) = (arguments.remove(1), arguments.remove(0));
                let Expression::Constant(Value::String(pattern)) = pattern else {
                    return Err(self.error("expected a pattern"));
                };
                let pattern = pattern.to_string_lossy();
                let pattern = if whole { format!("^(?:{pattern})$") } else { pattern.into_owned() };
                let pattern = Expression::Pattern(regex::compile(&pattern).map_err(|error| self.error(&error))?);
                return Ok(Expression::Binary(Box::new(value), Operator::Matches, Box::new(pattern)));
            }
        }
        Err(self.error("expected a value"))
    }

    fn arguments(&mut self, count: usize) -> Parse<Vec<Expression>> {
        let mut out = Vec::new();
        for at in 0..count {
            self.blanks();
            if at > 0 && !self.take_if(",") {
                return Err(self.error("expected a comma"));
            }
            out.push(self.expression(0)?);
        }
        self.blanks();
        if self.take_if(")") { Ok(out) } else { Err(self.error("not terminated")) }
    }

    fn list(&mut self) -> Parse<Expression> {
        self.at += 1;
        let mut values = Vec::new();
        loop {
            let Expression::Constant(value) = self.operand()? else { return Err(self.error("expected a value")) };
            values.push(value);
            self.blanks();
            match self.take() {
                Some(',') => {}
                Some(']') => return Ok(Expression::Constant(Value::array(values))),
                _ => return Err(self.error("expected a comma or an array close")),
            }
        }
    }

    fn number(&mut self) -> Parse<Number> {
        let width = self.rest().find(|c: char| !matches!(c, '0'..='9' | '.' | 'e' | 'E' | '+' | '-'));
        let text = &self.rest()[..width.unwrap_or(self.rest().len())];
        let number = match text.parse() {
            Ok(int) => Ok(Number::Int(int)),
            Err(_) => parse_float(text).map(Number::Float),
        };
        let number = number.map_err(|_| self.error("expected a number"))?;
        self.at += text.len();
        Ok(number)
    }

    fn pattern(&mut self) -> Parse<Expression> {
        self.at += 1;
        let start = self.at;
        while let Some(c) = self.take() {
            match c {
                '\\' => {
                    self.take();
                }
                '/' => {
                    let pattern = &self.text[start..self.at - 1];
                    return regex::compile(pattern).map(Expression::Pattern).map_err(|error| self.error(&error));
                }
                _ => {}
            }
        }
        Err(self.error("not terminated"))
    }
}

/// What a name without quotes may hold.
fn is_name(c: char) -> bool {
    !c.is_ascii() || c.is_ascii_alphanumeric() || "#%:;?^_{|}~".contains(c)
}
