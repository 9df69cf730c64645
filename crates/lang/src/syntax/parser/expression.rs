//! Values: operators by precedence, then postfix forms, then the simple ones.

use super::{Done, MAX_DEPTH, Parser};
use crate::{source::Span, syntax::kind::Kind};

impl Parser<'_> {
    /// One value. Without one there is an error, and no node.
    pub(super) fn expression(&mut self) -> Option<Done> {
        self.binary(1)
    }

    /// Operators that bind at least as tightly as `least`, grouped from the left.
    fn binary(&mut self, least: u8) -> Option<Done> {
        let mut left = self.power();
        loop {
            let precedence = self.current().precedence().filter(|found| *found >= least);
            let Some(precedence) = precedence else { return left };
            let node = match left {
                Some(left) => self.start_around(left),
                None => self.start(),
            };
            self.bump();
            let right = self.binary(precedence + 1);
            let done = self.finish_over(node, Kind::Binary, height(left).max(height(right)));
            if self.is_too_high(done) {
                return Some(done);
            }
            left = Some(done);
        }
    }

    /// `^` groups from the right and takes unary operators on both sides.
    fn power(&mut self) -> Option<Done> {
        let left = self.unary();
        if self.current() != Kind::Caret {
            return left;
        }
        let node = match left {
            Some(left) => self.start_around(left),
            None => self.start(),
        };
        self.bump();
        let right = if self.enter() { self.power() } else { None };
        self.leave();
        Some(self.finish_over(node, Kind::Binary, height(left).max(height(right))))
    }

    fn unary(&mut self) -> Option<Done> {
        if !matches!(self.current(), Kind::Not | Kind::Minus) {
            return self.postfix();
        }
        let node = self.start();
        self.bump();
        let value = if self.enter() { self.unary() } else { None };
        self.leave();
        Some(self.finish_over(node, Kind::Unary, height(value)))
    }

    fn postfix(&mut self) -> Option<Done> {
        let begin = self.token().span.start;
        let mut value = self.primary()?;
        loop {
            value = match self.current() {
                Kind::Dot => {
                    let node = self.start_around(value);
                    self.bump();
                    self.expect(Kind::Ident);
                    self.finish_over(node, Kind::Access, value.height)
                }
                Kind::LeftBracket => {
                    let node = self.start_around(value);
                    self.bump();
                    let index = self.nested();
                    self.expect(Kind::RightBracket);
                    self.finish_over(node, Kind::Index, value.height.max(height(index)))
                }
                Kind::LeftParen => {
                    let node = self.start_around(value);
                    self.bump();
                    let deepest = self.list(Kind::RightParen);
                    self.expect(Kind::RightParen);
                    self.finish_over(node, Kind::Call, value.height.max(deepest))
                }
                Kind::String | Kind::LeftBrace => {
                    if !self.block_as_value(begin) {
                        return Some(value);
                    }
                    value
                }
                _ => return Some(value),
            };
            if self.is_too_high(value) {
                return Some(value);
            }
        }
    }

    /// `a = b "label" { … }`: reads on as a block to say one clear thing. False when even that does not fit.
    fn block_as_value(&mut self, begin: u32) -> bool {
        let node = self.start();
        if self.current() == Kind::String {
            self.bump();
        }
        let opened = self.expect(Kind::LeftBrace);
        let closed = opened && {
            if self.enter() {
                self.body(Kind::RightBrace);
            }
            self.leave();
            let end = self.token().span.end;
            let closed = self.expect(Kind::RightBrace);
            if closed {
                self.error_over(Span::new(begin, end), "cannot use a block as an expression");
            }
            closed
        };
        self.finish(node, Kind::Error);
        if !closed {
            self.skip_statement();
        }
        closed
    }

    fn primary(&mut self) -> Option<Done> {
        let node = self.start();
        let (kind, height) = match self.current() {
            Kind::Ident => {
                self.bump();
                (Kind::Identifier, 0)
            }
            Kind::String | Kind::Number | Kind::Float | Kind::Bool | Kind::Null => {
                self.bump();
                (Kind::Literal, 0)
            }
            Kind::LeftParen => {
                self.bump();
                let value = self.nested();
                self.expect(Kind::RightParen);
                (Kind::Paren, height(value))
            }
            Kind::LeftBracket => {
                self.bump();
                let deepest = self.list(Kind::RightBracket);
                self.expect(Kind::RightBracket);
                (Kind::Array, deepest)
            }
            Kind::LeftBrace => {
                self.bump();
                let deepest = self.fields();
                self.expect(Kind::RightBrace);
                (Kind::Object, deepest)
            }
            other => {
                self.error(format!("expected expression, got {other}"));
                self.drop_start(node);
                self.skip_to(&[Kind::Terminator, Kind::RightParen, Kind::RightBrace, Kind::RightBracket, Kind::Comma]);
                return None;
            }
        };
        Some(self.finish_over(node, kind, height))
    }

    fn nested(&mut self) -> Option<Done> {
        let value = if self.enter() { self.expression() } else { None };
        self.leave();
        value
    }

    /// Values with commas up to and without `until`; returns the height of the highest.
    fn list(&mut self, until: Kind) -> u32 {
        let mut deepest = 0;
        while self.current() != until && self.current() != Kind::Eof {
            deepest = deepest.max(height(self.nested()));
            if self.current() == until {
                break;
            }
            if self.current() != Kind::Comma {
                self.error("missing ',' in expression list".to_owned());
            }
            self.bump();
        }
        deepest
    }

    /// `key = value` with commas up to and without `}`; returns the height of the highest value.
    fn fields(&mut self) -> u32 {
        let mut deepest = 0;
        while self.current() != Kind::RightBrace && self.current() != Kind::Eof {
            deepest = deepest.max(self.field());
            if self.current() == Kind::RightBrace {
                break;
            }
            if self.current() != Kind::Comma {
                self.error("missing ',' in field list".to_owned());
            }
            self.bump();
        }
        deepest
    }

    fn field(&mut self) -> u32 {
        let node = self.start();
        if matches!(self.current(), Kind::String | Kind::Ident) {
            self.bump();
        } else {
            self.error(format!("expected field name (string or identifier), got {}", self.current()));
            self.skip_to(&[Kind::Assign]);
        }
        self.expect(Kind::Assign);
        let value = self.nested();
        self.finish(node, Kind::Field);
        height(value)
    }

    /// Long chains nest as deep as brackets do; they are cut at the same depth.
    fn is_too_high(&mut self, done: Done) -> bool {
        let too_high = done.height > MAX_DEPTH;
        if too_high {
            self.too_deep();
        }
        too_high
    }
}

fn height(done: Option<Done>) -> u32 {
    done.map_or(0, |done| done.height)
}
