//! Statements and blocks.

use super::{Parser, Start};
use crate::{
    golang::{chars::is_identifier, quote::quote},
    source::Span,
    syntax::{escape::between_quotes, kind::Kind},
};

/// What a statement's header was found to be.
struct Header {
    start: Span,
    fragments: u32,
    label: Option<Span>,
    /// Length of the names joined by dots, without blanks.
    width: u32,
}

impl Parser<'_> {
    /// Statements up to and without `until`.
    pub(super) fn body(&mut self, until: Kind) {
        let body = self.start();
        while self.current() != until && self.current() != Kind::Eof {
            self.statement();
            if self.current() == until {
                break;
            }
            if self.current() != Kind::Terminator {
                self.error(format!("expected {}, got {}", Kind::Terminator, self.current()));
                self.skip_statement();
            }
            self.bump();
        }
        self.finish(body, Kind::Body);
    }

    fn statement(&mut self) {
        let statement = self.start();
        let header_start = self.start();
        let Some(header) = self.header() else {
            self.drop_start(header_start);
            self.abandon(statement);
            return;
        };
        match self.current() {
            Kind::Assign => {
                self.drop_start(header_start);
                self.bump();
                self.check_attribute_name(&header);
                self.expression();
                self.finish(statement, Kind::Attribute);
            }
            Kind::LeftBrace => {
                self.finish(header_start, Kind::BlockHeader);
                self.bump();
                if self.enter() {
                    self.body(Kind::RightBrace);
                }
                self.leave();
                self.expect(Kind::RightBrace);
                self.finish(statement, Kind::Block);
            }
            other => {
                self.drop_start(header_start);
                if header.fragments == 1 && header.label.is_none_or(|label| label.end - label.start <= 2) {
                    self.error(format!("expected attribute assignment or block body, got {other}"));
                } else {
                    self.error(format!("expected block body, got {other}"));
                }
                self.abandon(statement);
            }
        }
    }

    /// Gives up on a statement and goes on at the next name.
    fn abandon(&mut self, statement: Start) {
        self.skip_to(&[Kind::Ident]);
        self.finish(statement, Kind::Error);
    }

    /// `name { "." name } [ label ]`
    fn header(&mut self) -> Option<Header> {
        if self.current() != Kind::Ident {
            self.error(format!("expected identifier, got {}", self.current()));
            return None;
        }
        let span = self.token().span;
        let mut header = Header { start: span, fragments: 1, label: None, width: span.end - span.start };
        self.bump();
        while self.current() == Kind::Dot {
            self.bump();
            if self.current() != Kind::Ident {
                self.error(format!("expected identifier, got {}", self.current()));
            }
            let span = self.token().span;
            header.fragments += 1;
            header.width += 1 + span.end - span.start;
            self.bump();
        }
        match self.current() {
            Kind::Assign | Kind::LeftBrace => {}
            Kind::String => {
                header.label = Some(self.token().span);
                self.check_label(self.token().span);
                self.bump();
            }
            other => {
                self.error(format!("expected block label, got {other}"));
                self.bump();
            }
        }
        Some(header)
    }

    fn check_label(&mut self, span: Span) {
        let token = self.source.slice(span).to_vec();
        if token.first() != Some(&b'"') {
            self.error(format!("expected block label to be a double quoted string, but got {}", quote(&token)));
        }
        let label = between_quotes(&token);
        if token.len() > 2 && !std::str::from_utf8(label).is_ok_and(is_identifier) {
            self.error(format!("expected block label to be a valid identifier, but got {}", quote(label)));
        }
    }

    fn check_attribute_name(&mut self, header: &Header) {
        if header.fragments != 1 {
            let span = Span::new(header.start.start, header.start.start + header.width);
            self.error_over(span, r#"attribute names may only consist of a single identifier with no ".""#);
        } else if let Some(label) = header.label {
            self.error_over(label, "attribute names may not have labels");
        }
    }
}
