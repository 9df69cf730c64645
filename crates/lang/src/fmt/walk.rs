//! The tree, node by node, as tokens and wishes for space.

use super::{
    lines,
    printer::{Printer, Space},
};
use crate::{
    golang::quote::quote,
    syntax::{
        ast::{Attribute, Block, Body, Expr, Field, Statement},
        escape::between_quotes,
        kind::Kind,
        tree::Node,
    },
};

pub(super) fn body(printer: &mut Printer, body: &Body) {
    let mut last_line = None;
    for statement in body.statements() {
        let (first, last) = lines(statement.node());
        if let Some(last_line) = last_line {
            let is_block = matches!(statement, Statement::Block(_));
            if is_block || first > last_line + 1 {
                printer.space(Space::Break);
            }
        }
        match &statement {
            Statement::Attribute(attribute) => self::attribute(printer, attribute),
            Statement::Block(block) => self::block(printer, block),
        }
        // Alignment does not go on past what takes several lines.
        printer.space(if last > first { Space::Break } else { Space::Newline });
        last_line = Some(last);
    }
}

fn attribute(printer: &mut Printer, attribute: &Attribute) {
    printer.go_to(&attribute.name_location());
    printer.token(&attribute.name());
    printer.space(Space::SoftTab);
    printer.token("=");
    printer.space(Space::Blank);
    if let Some(value) = attribute.value() {
        expression(printer, &value);
    }
}

fn block(printer: &mut Printer, block: &Block) {
    printer.go_to(&block.name_location());
    printer.token(&block.name());
    if let Some((label, place)) = block.label().zip(block.label_location()) {
        printer.space(Space::Blank);
        printer.go_to(&place);
        printer.token(&quote(label));
    }
    printer.space(Space::Blank);
    at_token(printer, block.node(), Kind::LeftBrace);
    printer.space(Space::Indent);
    match block.body().filter(|body| body.statements().next().is_some()) {
        Some(body) => {
            printer.space(Space::Break);
            self::body(printer, &body);
        }
        None => printer.space(Space::Blank),
    }
    printer.space(Space::Unindent);
    at_token(printer, block.node(), Kind::RightBrace);
}

/// Writes a node's own bracket where it stands.
fn at_token(printer: &mut Printer, node: &Node, kind: Kind) {
    if let Some(token) = node.token(kind) {
        printer.go_to(&node.locate(token.span));
    }
    printer.token(kind.name());
}

fn line_of(node: &Node, kind: Kind) -> u32 {
    let span = node.token(kind).map_or(node.span(), |token| token.span);
    node.source().position(span.start).line
}

pub(super) fn expression(printer: &mut Printer, expr: &Expr) {
    let node = expr.node();
    match expr {
        Expr::Literal(_) => literal(printer, expr),
        Expr::Identifier(_) => {
            printer.go_to(&node.location());
            printer.token(&expr.name().map(|(name, _)| name).unwrap_or_default());
        }
        Expr::Access(_) => {
            operand(printer, expr, 0);
            printer.token(".");
            printer.token(&expr.name().map(|(name, _)| name).unwrap_or_default());
        }
        Expr::Index(_) => {
            operand(printer, expr, 0);
            at_token(printer, node, Kind::LeftBracket);
            operand(printer, expr, 1);
            at_token(printer, node, Kind::RightBracket);
        }
        Expr::Unary(_) => {
            operator(printer, expr);
            operand(printer, expr, 0);
        }
        Expr::Binary(_) => {
            operand(printer, expr, 0);
            printer.space(Space::Blank);
            operator(printer, expr);
            printer.space(Space::Blank);
            operand(printer, expr, 1);
        }
        Expr::Paren(_) => {
            at_token(printer, node, Kind::LeftParen);
            operand(printer, expr, 0);
            at_token(printer, node, Kind::RightParen);
        }
        Expr::Array(_) => array(printer, expr),
        Expr::Object(_) => object(printer, expr),
        Expr::Call(_) => call(printer, expr),
    }
}

fn operand(printer: &mut Printer, expr: &Expr, index: usize) {
    if let Some(operand) = expr.operands().nth(index) {
        expression(printer, &operand);
    }
}

fn operator(printer: &mut Printer, expr: &Expr) {
    if let Some(token) = expr.operator() {
        printer.go_to(&expr.node().locate(token.span));
        printer.token(token.kind.name());
    }
}

fn literal(printer: &mut Printer, expr: &Expr) {
    let node = expr.node();
    printer.go_to(&node.location());
    let Some(token) = expr.literal() else { return };
    let text = node.token_text(token);
    match token.kind {
        Kind::String => printer.quoted(text),
        Kind::Number => printer.number(text),
        _ => printer.token(&String::from_utf8_lossy(text)),
    }
}

/// Elements stay on the lines on which they stood. Indentation is asked for before the line break, so that comments in
/// between have it too.
fn array(printer: &mut Printer, expr: &Expr) {
    let node = expr.node();
    at_token(printer, node, Kind::LeftBracket);
    let mut line = line_of(node, Kind::LeftBracket);
    let elements: Vec<_> = expr.operands().collect();
    for (at, element) in elements.iter().enumerate() {
        let (first, last) = lines(element.node());
        let own_line = first != line;
        if own_line {
            printer.space(Space::Indent);
            printer.space(Space::Break);
        } else if at > 0 {
            printer.space(Space::Blank);
        }
        expression(printer, element);
        if at + 1 < elements.len() {
            printer.token(",");
        }
        if own_line {
            printer.space(Space::Unindent);
        }
        line = last;
    }
    if !elements.is_empty() && line != line_of(node, Kind::RightBracket) {
        printer.token(",");
        printer.space(Space::Indent);
        printer.space(Space::Break);
        printer.space(Space::Unindent);
    }
    at_token(printer, node, Kind::RightBracket);
}

/// Fields stay on the lines on which their names stood.
fn object(printer: &mut Printer, expr: &Expr) {
    let node = expr.node();
    at_token(printer, node, Kind::LeftBrace);
    printer.space(Space::Indent);
    let mut line = line_of(node, Kind::LeftBrace);
    let mut aligns = false;
    let fields: Vec<_> = expr.fields().collect();
    for (at, field) in fields.iter().enumerate() {
        let own = lines(field.node()).0;
        if own != line {
            printer.space(if at > 0 && aligns { Space::Newline } else { Space::Break });
        } else if at > 0 {
            printer.space(Space::Blank);
        }
        line = self::field(printer, field);
        aligns = field.value().is_none_or(|value| {
            let (first, last) = lines(value.node());
            first == last
        });
        if at + 1 < fields.len() {
            printer.token(",");
        }
    }
    if !fields.is_empty() && line != line_of(node, Kind::RightBrace) {
        printer.token(",");
        printer.space(Space::Break);
    }
    printer.space(Space::Unindent);
    at_token(printer, node, Kind::RightBrace);
}

/// Returns the line on which the key ends.
fn field(printer: &mut Printer, field: &Field) -> u32 {
    let node = field.node();
    let Some(key) = field.key_token() else { return 0 };
    let place = node.locate(key.span);
    printer.go_to(&place);
    printer.quoted(&spelling(node.token_text(key)));
    printer.space(Space::SoftTab);
    printer.token("=");
    printer.space(Space::Blank);
    if let Some(value) = field.value() {
        expression(printer, &value);
    }
    place.last().line
}

/// A key as written; in double quotes where that means the same, since keys have no escapes.
fn spelling(key: &[u8]) -> Vec<u8> {
    let inside = between_quotes(key);
    let plain = inside.iter().all(|byte| !matches!(byte, b'\\' | b'"' | b'\n' | b'\r'));
    if key.starts_with(b"`") && key.len() > 2 && plain { [b"\"", inside, b"\""].concat() } else { key.to_vec() }
}

fn call(printer: &mut Printer, expr: &Expr) {
    let node = expr.node();
    operand(printer, expr, 0);
    printer.token("(");
    let mut line = line_of(node, Kind::LeftParen);
    let arguments: Vec<_> = expr.operands().skip(1).collect();
    for (at, argument) in arguments.iter().enumerate() {
        let (first, last) = lines(argument.node());
        let own_line = first != line;
        if own_line {
            printer.space(Space::Break);
            printer.space(Space::Indent);
        }
        expression(printer, argument);
        if at + 1 < arguments.len() {
            printer.token(",");
            printer.space(Space::Blank);
        }
        if own_line {
            printer.space(Space::Unindent);
        }
        line = last;
    }
    if !arguments.is_empty() && line != line_of(node, Kind::RightParen) {
        printer.token(",");
        printer.space(Space::Break);
    }
    printer.token(")");
}
