//! Where text comes from and how a place in it is named.

use std::{fmt, ops::Range, sync::Arc};

/// A piece of configuration text with the name that messages use for it.
///
/// The text is bytes: a file that is not UTF-8 can still be lexed, and says so in its diagnostics.
pub struct Source {
    name: String,
    text: Vec<u8>,
    /// Offset of the first byte of every line; the first is 0.
    lines: Vec<u32>,
}

impl Source {
    /// Takes a file's name (may be empty) and text.
    ///
    /// Offsets are 32 bits wide: text past 4 GiB is cut, which no configuration reaches.
    pub fn new(name: impl Into<String>, text: impl Into<Vec<u8>>) -> Arc<Self> {
        let mut text = text.into();
        text.truncate(u32::MAX as usize - 1);
        let starts = text.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at as u32 + 1);
        let lines = std::iter::once(0).chain(starts).collect();
        Arc::new(Self { name: name.into(), text, lines })
    }

    /// The name as given, usually a path as the user typed it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The whole text.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// The bytes of a span; empty when the span is not inside this text.
    pub fn slice(&self, span: Span) -> &[u8] {
        self.text.get(span.range()).unwrap_or_default()
    }

    /// Line and column of an offset.
    pub fn position(&self, offset: u32) -> Position {
        let line = self.lines.partition_point(|start| *start <= offset).max(1);
        Position { line: line as u32, column: offset - self.lines[line - 1] + 1 }
    }

    /// How many lines there are, counting the empty one after a final line feed.
    pub fn line_count(&self) -> u32 {
        self.lines.len() as u32
    }

    /// The offset of a line's first byte (lines from 1).
    pub(crate) fn line_start(&self, line: u32) -> u32 {
        (line as usize).checked_sub(1).and_then(|at| self.lines.get(at)).copied().unwrap_or_default()
    }

    /// The bytes of a line (from 1), without its line feed; empty for a line that does not exist.
    pub fn line(&self, line: u32) -> &[u8] {
        let Some(start) = (line as usize).checked_sub(1).and_then(|at| self.lines.get(at)) else { return &[] };
        let end = self.lines.get(line as usize).map_or(self.text.len(), |next| *next as usize - 1);
        &self.text[*start as usize..end]
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Source({:?}, {} bytes)", self.name, self.text.len())
    }
}

/// Line and column, both from 1; columns count bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line, from 1.
    pub line: u32,
    /// The byte in its line, from 1.
    pub column: u32,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// A half-open range of byte offsets. An empty one is a point: messages put one caret there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// From `start` up to and without `end`.
    pub fn new(start: u32, end: u32) -> Self {
        Self { start, end: end.max(start) }
    }

    /// The point in front of a byte.
    pub fn point(at: u32) -> Self {
        Self { start: at, end: at }
    }

    /// The smallest span that holds both.
    pub fn cover(self, other: Self) -> Self {
        Self { start: self.start.min(other.start), end: self.end.max(other.end) }
    }

    /// As a range that slices the source's bytes.
    pub fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    /// Whether it is a point.
    pub fn is_point(self) -> bool {
        self.start == self.end
    }
}

/// A span together with its source: enough to print an excerpt.
#[derive(Clone)]
pub struct Location {
    /// The text.
    pub source: Arc<Source>,
    /// The bytes in it.
    pub span: Span,
}

impl Location {
    /// Names a span of a source.
    pub fn new(source: &Arc<Source>, span: Span) -> Self {
        Self { source: Arc::clone(source), span }
    }

    /// Line and column of the first byte.
    pub fn start(&self) -> Position {
        self.source.position(self.span.start)
    }

    /// Line and column of the last byte (the same as `start` for a point).
    pub fn last(&self) -> Position {
        self.source.position(self.span.end.saturating_sub(1).max(self.span.start))
    }
}

impl PartialEq for Location {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.source, &other.source) && self.span == other.span
    }
}

impl Eq for Location {}

/// `file:line:column`, or `line:column` where the source has no name.
impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.source.name.is_empty() {
            write!(f, "{}:", self.source.name)?;
        }
        write!(f, "{}", self.start())
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_bytes_from_one() {
        let source = Source::new("a.alloy", "é = 1\n\nx");
        assert_eq!(source.position(0).to_string(), "1:1");
        assert_eq!(source.position(2).to_string(), "1:3");
        assert_eq!(source.position(7).to_string(), "2:1");
        assert_eq!(source.position(9).to_string(), "3:2");
        assert_eq!(source.line(3), b"x");
        assert_eq!(source.line(9), b"");
        assert_eq!(Location::new(&source, Span::point(8)).to_string(), "a.alloy:3:1");
    }
}
