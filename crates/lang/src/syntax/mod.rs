//! From bytes to a lossless tree.
//!
//! ```text
//! bytes ──lexer──▶ tokens ──parser──▶ events ──tree──▶ Tree ──ast──▶ File, Body, Block, Attribute, Expr
//! ```
//!
//! Nothing here fails. Bad input becomes [`Error`](kind::Kind::Error) nodes and diagnostics, and every byte of
//! the source is found again by walking the tree.

pub mod ast;
pub mod escape;
pub mod kind;
pub mod lexer;
mod parser;
pub mod tree;

use std::sync::Arc;

use crate::{diagnostic::Diagnostic, source::Source};

/// What parsing a file gives: always a tree, and what was wrong on the way.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// The tree of the whole file.
    pub file: ast::File,
    /// Errors in the order in which they were met. With any of them the tree has holes.
    pub diagnostics: Vec<Diagnostic>,
}

/// Parses a whole file.
pub fn parse_file(source: &Arc<Source>) -> Parsed {
    let (tree, diagnostics) = parser::parse(source, parser::Entry::File);
    Parsed { file: ast::File::new(tree), diagnostics }
}

/// Parses text that is one expression, such as an argument of a command.
///
/// The expression is missing when there is none to speak of; then there are diagnostics.
pub fn parse_expression(source: &Arc<Source>) -> (Option<ast::Expr>, Vec<Diagnostic>) {
    let (tree, diagnostics) = parser::parse(source, parser::Entry::Expression);
    (tree.root().children().find_map(ast::Expr::cast), diagnostics)
}

#[cfg(test)]
mod tests;
