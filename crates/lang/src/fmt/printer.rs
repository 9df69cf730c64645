//! Tokens and wishes for space to items, with the comments put in where they belong.
//!
//! Space is not written when it is asked for but held until the next token, since a comment in between takes the place
//! of some of it. The printer follows the source's lines, so that comments and blank lines end up where they were.

use std::mem;

use super::layout::Item;
use crate::{
    source::{Location, Span},
    syntax::{kind::Kind, lexer::comment_text, tree::Node},
};

/// A wish for space before the next token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Space {
    /// One blank.
    Blank,
    /// The end of a cell.
    SoftTab,
    /// The end of a line.
    Newline,
    /// The end of a line and of its columns.
    Break,
    /// One level deeper from the next line on.
    Indent,
    /// One level less.
    Unindent,
}

/// Comments that follow each other on adjacent lines.
struct Group {
    offset: u32,
    comments: Vec<Comment>,
}

struct Comment {
    text: Vec<u8>,
    line: u32,
    last_line: u32,
}

pub(super) struct Printer {
    items: Vec<Item>,
    pending: Vec<Space>,
    indent: usize,
    /// Whether nothing has been written on the current line of the output.
    at_line_start: bool,
    /// About where in the source the output is: exact where the walk says so, else counted on.
    offset: u32,
    line: u32,
    /// The source's line of what was written last.
    last_line: u32,
    /// The comments to come, the next one last.
    groups: Vec<Group>,
    /// Whether the last token would swallow a dot.
    after_number: bool,
}

impl Printer {
    pub(super) fn without_comments(root: &Node) -> Self {
        let start = root.location().start();
        Self {
            items: Vec::new(),
            pending: Vec::new(),
            indent: 0,
            at_line_start: true,
            offset: 0,
            line: start.line,
            last_line: 0,
            groups: Vec::new(),
            after_number: false,
        }
    }

    pub(super) fn with_comments(root: &Node) -> Self {
        Self { groups: comments(root), ..Self::without_comments(root) }
    }

    /// Asks for space before the next token.
    pub(super) fn space(&mut self, space: Space) {
        self.pending.push(space);
        self.after_number = false;
    }

    /// Says where the next token stands.
    pub(super) fn go_to(&mut self, location: &Location) {
        self.offset = location.span.start;
        self.line = location.start().line;
    }

    /// Writes a token of one line.
    pub(super) fn token(&mut self, text: &str) {
        if self.after_number && text.starts_with('.') {
            self.pending.push(Space::Blank);
        }
        self.flush();
        self.write(text.as_bytes(), false);
        self.after_number = false;
    }

    /// Writes a number, which must not run into a dot.
    pub(super) fn number(&mut self, text: &[u8]) {
        self.flush();
        self.write(text, false);
        self.after_number = true;
    }

    /// Writes text between quotes as it is, on however many lines.
    pub(super) fn quoted(&mut self, text: &[u8]) {
        self.flush();
        for (at, line) in text.split(|byte| *byte == b'\n').enumerate() {
            if at > 0 {
                self.items.push(Item::Newline);
                self.offset += 1;
                self.line += 1;
                self.at_line_start = false;
            }
            self.write(line, true);
        }
        self.after_number = false;
    }

    /// Writes the comments that are left and returns everything.
    pub(super) fn finish(mut self) -> Vec<Item> {
        let groups = mem::take(&mut self.groups);
        for comment in groups.into_iter().rev().flat_map(|group| group.comments) {
            self.comment(&comment, None);
        }
        self.items
    }

    /// Before a token: comments that stand before it, or the space that was asked for.
    fn flush(&mut self) {
        let (offset, line) = (self.offset, self.line);
        let mut last = None;
        while self.groups.last().is_some_and(|group| group.offset <= offset) {
            for comment in self.groups.pop().into_iter().flat_map(|group| group.comments) {
                self.comment(&comment, Some(line));
                last = Some((comment.text.starts_with(b"/*"), comment.last_line));
            }
        }
        match last {
            Some((is_block, last_line)) => self.after_comment(is_block && last_line == line, line),
            None => {
                let pending = mem::take(&mut self.pending);
                self.write_spaces(&pending);
            }
        }
        // Space moves the count on; the token stands where it was said to stand.
        (self.offset, self.line) = (offset, line);
    }

    /// Writes a comment; `next` is the line of the token behind it.
    fn comment(&mut self, comment: &Comment, next: Option<u32>) {
        if !self.items.is_empty() {
            if comment.line == self.last_line {
                let same_line = next == Some(comment.line);
                self.put(if same_line { Space::Blank } else { Space::SoftTab }, true);
            } else {
                self.make_way();
                let newlines = comment.line.saturating_sub(self.last_line).min(2);
                (0..newlines).for_each(|_| self.put(Space::Break, false));
            }
        }
        if self.at_line_start {
            self.write_indent();
        }
        self.items.push(Item::Text { bytes: comment.text.clone(), verbatim: true });
        self.at_line_start = false;
        self.line = comment.line + comment.text.iter().filter(|byte| **byte == b'\n').count() as u32;
        self.last_line = self.line;
    }

    /// Before a comment on a line of its own: the first wish that is no indentation gives way, and the indentation
    /// before it is applied.
    fn make_way(&mut self) {
        let is_indent = |space: &Space| matches!(space, Space::Indent | Space::Unindent);
        if let Some(at) = self.pending.iter().position(|space| !is_indent(space)) {
            let before: Vec<_> = self.pending.drain(..=at).take(at).collect();
            self.write_spaces(&before);
        }
    }

    /// After comments: the line breaks of the source take the place of those that were asked for.
    fn after_comment(&mut self, blank: bool, next_line: u32) {
        if blank {
            self.put(Space::Blank, false);
        }
        let newlines = next_line.saturating_sub(self.last_line).min(2);
        let pending = mem::take(&mut self.pending);
        let broke = pending.contains(&Space::Break);
        let indents: Vec<_> =
            pending.into_iter().filter(|space| matches!(space, Space::Indent | Space::Unindent)).collect();
        self.write_spaces(&indents);
        (0..newlines).for_each(|_| self.put(if broke { Space::Break } else { Space::Newline }, false));
    }

    fn write_spaces(&mut self, spaces: &[Space]) {
        for space in spaces {
            match space {
                Space::Indent => self.indent += 1,
                Space::Unindent => self.indent = self.indent.saturating_sub(1),
                space => self.put(*space, false),
            }
        }
    }

    /// Writes one space; `hard` makes a tab one that keeps its column.
    fn put(&mut self, space: Space, hard: bool) {
        if self.at_line_start {
            self.write_indent();
        }
        let item = match space {
            Space::Blank => Item::Text { bytes: vec![b' '], verbatim: false },
            Space::SoftTab if hard => Item::Tab,
            Space::SoftTab => Item::SoftTab,
            Space::Newline => Item::Newline,
            _ => Item::Break,
        };
        self.at_line_start = matches!(item, Item::Newline | Item::Break);
        self.offset += 1;
        self.line += u32::from(self.at_line_start);
        self.items.push(item);
    }

    fn write_indent(&mut self) {
        self.items.extend(std::iter::repeat_n(Item::Tab, self.indent));
        self.offset += self.indent as u32;
        self.at_line_start = self.indent == 0 && self.at_line_start;
    }

    fn write(&mut self, text: &[u8], verbatim: bool) {
        if self.at_line_start {
            let (offset, line) = (self.offset, self.line);
            self.write_indent();
            (self.offset, self.line) = (offset, line);
        }
        self.items.push(Item::Text { bytes: text.to_vec(), verbatim });
        self.at_line_start = false;
        self.offset += text.len() as u32;
        self.last_line = self.line;
    }
}

/// The comments of a text in groups, the first one last.
fn comments(root: &Node) -> Vec<Group> {
    let source = root.source();
    let mut groups: Vec<Group> = Vec::new();
    let mut adjacent = false;
    for token in root.tree().tokens() {
        match token.kind {
            Kind::Whitespace => {}
            Kind::Comment => {
                let text = comment_text(source.slice(token.span));
                let line = source.position(token.span.start).line;
                let last_line = source.position(Span::new(token.span.start, token.span.end - 1).end).line;
                let comment = Comment { text, line, last_line };
                match groups.last_mut() {
                    Some(group)
                        if adjacent && group.comments.last().is_some_and(|before| line <= before.last_line + 1) =>
                    {
                        group.comments.push(comment);
                    }
                    _ => groups.push(Group { offset: token.span.start, comments: vec![comment] }),
                }
                adjacent = true;
            }
            _ => adjacent = false,
        }
    }
    groups.reverse();
    groups
}
