//! Formatted text: one way to lay out a file.
//!
//! ```text
//! tree ──walk──▶ tokens and wishes for space ──printer──▶ cells and line ends ──layout──▶ bytes
//!                                                 ▲
//!                                              comments
//! ```
//!
//! The layout is Alloy's byte for byte, with three exceptions where that would change what a file says: text inside
//! quotes is left alone, a call without arguments stays one, and an object's keys keep their spelling.

mod layout;
mod printer;
mod walk;

use crate::{
    fmt::{layout::align, printer::Printer},
    syntax::{
        ast::{Expr, File},
        tree::Node,
    },
};

/// A file, formatted, with one line feed at its end. The file has to be free of diagnostics: what an error node holds
/// is left out.
pub fn format_file(file: &File) -> Vec<u8> {
    let mut printer = Printer::with_comments(file.node());
    if let Some(body) = file.body() {
        walk::body(&mut printer, &body);
    }
    let mut out = align(printer.finish());
    out.push(b'\n');
    out
}

/// An expression as messages show it: formatted, without comments.
pub fn expression_text(expr: &Expr) -> String {
    let mut printer = Printer::without_comments(expr.node());
    walk::expression(&mut printer, expr);
    String::from_utf8_lossy(&align(printer.finish())).into_owned()
}

/// The lines on which a node begins and ends.
fn lines(node: &Node) -> (u32, u32) {
    let location = node.location();
    (location.start().line, location.last().line)
}

#[cfg(test)]
mod tests;
