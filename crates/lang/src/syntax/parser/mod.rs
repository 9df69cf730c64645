//! Tokens to events: recursive descent with recovery.
//!
//! Two errors of the parser on the same line are one mistake most of the time, so only the first is reported; errors
//! of the lexer are always reported. Both come in the order in which a reader meets them.

mod body;
mod expression;

use std::sync::Arc;

use crate::{
    diagnostic::Diagnostic,
    source::{Location, Source, Span},
    syntax::{
        kind::Kind,
        lexer::{self, LexError, Token},
        tree::{self, Event, Tree},
    },
};

/// How deep blocks, brackets and operators may nest. Beyond it the rest of the statement is skipped with an error,
/// so that neither reading nor evaluating runs out of stack.
const MAX_DEPTH: u32 = 200;

/// What a text is.
#[derive(Clone, Copy)]
pub(super) enum Entry {
    /// Statements.
    File,
    /// One value.
    Expression,
}

/// Parses a text. Always gives a tree that holds every byte.
pub(super) fn parse(source: &Arc<Source>, entry: Entry) -> (Arc<Tree>, Vec<Diagnostic>) {
    let (tokens, errors) = lexer::lex(source.text());
    let significant = tokens.iter().copied().filter(|token| !token.kind.is_trivia()).collect();
    let mut parser = Parser {
        source,
        read_at: read_at(&tokens),
        tokens: significant,
        at: 0,
        lex_errors: errors,
        reported: 0,
        events: Vec::new(),
        diagnostics: Vec::new(),
        last_error_line: None,
        depth: 0,
    };
    parser.report_lex_errors();
    let root = parser.start();
    match entry {
        Entry::File => parser.body(Kind::Eof),
        Entry::Expression => {
            parser.expression();
            if parser.expect(Kind::Terminator) && parser.current() != Kind::Eof {
                parser.error(format!("expected {}, got {}", Kind::Eof, parser.current()));
            }
        }
    }
    while parser.current() != Kind::Eof {
        parser.bump();
    }
    parser.events.push(Event::Token);
    parser.finish(root, Kind::File);
    let Parser { events, diagnostics, .. } = parser;
    (tree::build(source, tokens, events), diagnostics)
}

/// For each token that is not trivia, how many tokens and comments the lexer had read when it came.
fn read_at(tokens: &[Token]) -> Vec<usize> {
    let read = tokens.iter().filter(|token| token.kind != Kind::Whitespace).enumerate();
    read.filter(|(_, token)| !token.kind.is_trivia()).map(|(read, _)| read).collect()
}

struct Parser<'a> {
    source: &'a Arc<Source>,
    /// Without trivia; the last one is `Eof`.
    tokens: Vec<Token>,
    read_at: Vec<usize>,
    at: usize,
    lex_errors: Vec<LexError>,
    reported: usize,
    events: Vec<Event>,
    diagnostics: Vec<Diagnostic>,
    last_error_line: Option<u32>,
    depth: u32,
}

/// Where a node begins; has to be finished or dropped.
#[derive(Clone, Copy)]
struct Start(usize);

/// A finished node, which a larger one may still take in.
#[derive(Clone, Copy)]
struct Done {
    start: usize,
    /// Nodes from here down to the deepest.
    height: u32,
}

impl Parser<'_> {
    fn token(&self) -> Token {
        self.tokens[self.at.min(self.tokens.len() - 1)]
    }

    fn current(&self) -> Kind {
        self.token().kind
    }

    /// Takes the current token, whatever it is; the end stays.
    fn bump(&mut self) {
        if self.current() != Kind::Eof {
            self.events.push(Event::Token);
            self.at += 1;
            self.report_lex_errors();
        }
    }

    /// Takes the current token and complains when it is not the wanted one.
    fn expect(&mut self, kind: Kind) -> bool {
        let found = self.current() == kind;
        if !found {
            self.error(format!("expected {kind}, got {}", self.current()));
        }
        self.bump();
        found
    }

    /// Skips up to a token of the given kinds, or to the end.
    fn skip_to(&mut self, kinds: &[Kind]) {
        if self.current() == Kind::Eof || kinds.contains(&self.current()) {
            return;
        }
        let start = self.start();
        while self.current() != Kind::Eof && !kinds.contains(&self.current()) {
            self.bump();
        }
        self.finish(start, Kind::Error);
    }

    /// Skips the rest of a statement: to the next terminator outside the brackets that open on the way.
    fn skip_statement(&mut self) {
        let start = self.start();
        let (mut braces, mut brackets, mut parens) = (0_i64, 0_i64, 0_i64);
        while self.current() != Kind::Eof {
            match self.current() {
                Kind::LeftBrace => braces += 1,
                Kind::RightBrace => braces -= 1,
                Kind::LeftBracket => brackets += 1,
                Kind::RightBracket => brackets -= 1,
                Kind::LeftParen => parens += 1,
                Kind::RightParen => parens -= 1,
                Kind::Terminator if braces <= 0 && brackets <= 0 && parens <= 0 => break,
                _ => {}
            }
            self.bump();
        }
        self.finish(start, Kind::Error);
    }

    fn start(&mut self) -> Start {
        self.events.push(Event::Start { kind: Kind::Error, before: None });
        Start(self.events.len() - 1)
    }

    fn drop_start(&mut self, start: Start) {
        self.events[start.0] = Event::Nothing;
    }

    fn finish(&mut self, start: Start, kind: Kind) -> Done {
        self.finish_over(start, kind, 0)
    }

    /// Finishes a node whose deepest child has the given height.
    fn finish_over(&mut self, start: Start, kind: Kind, height: u32) -> Done {
        if let Event::Start { kind: slot, .. } = &mut self.events[start.0] {
            *slot = kind;
        }
        self.events.push(Event::Finish);
        Done { start: start.0, height: height + 1 }
    }

    /// Begins a node that takes in one that is already finished.
    fn start_around(&mut self, done: Done) -> Start {
        let start = self.start();
        if let Event::Start { before, .. } = &mut self.events[done.start] {
            *before = Some((start.0 - done.start) as u32);
        }
        start
    }

    /// Reports an error at the current token unless the last one was on the same line.
    fn error(&mut self, message: String) {
        let span = Span::point(self.token().span.start);
        let line = self.source.position(span.start).line;
        if self.last_error_line != Some(line) {
            self.last_error_line = Some(line);
            self.error_over(span, message);
        }
    }

    /// Reports an error whatever came before.
    fn error_over(&mut self, span: Span, message: impl Into<String>) {
        self.diagnostics.push(Diagnostic::error(Location::new(self.source, span), message));
    }

    /// Enters one level of nesting; when that is too deep, says so and skips the rest of the statement.
    fn enter(&mut self) -> bool {
        self.depth += 1;
        let fits = self.depth <= MAX_DEPTH;
        if !fits {
            self.too_deep();
        }
        fits
    }

    fn leave(&mut self) {
        self.depth -= 1;
    }

    fn too_deep(&mut self) {
        self.error(format!("nested more than {MAX_DEPTH} levels deep"));
        self.skip_statement();
    }

    /// Reports what the lexer found up to the current token.
    fn report_lex_errors(&mut self) {
        let read = self.read_at.get(self.at).copied().unwrap_or(usize::MAX);
        while let Some(error) = self.lex_errors.get(self.reported).filter(|error| error.token <= read) {
            let (at, message) = (error.at, error.message.clone());
            self.reported += 1;
            self.error_over(Span::point(at), message);
        }
    }
}
