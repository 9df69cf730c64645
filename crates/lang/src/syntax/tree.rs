//! The lossless tree: nodes over tokens, cheap to hold on to.
//!
//! A [`Tree`] is immutable and shared; a [`Node`] is a handle to one of its nodes that keeps the whole tree alive,
//! so that a block can be kept for as long as its component runs.

use std::{fmt, sync::Arc};

use crate::{
    source::{Location, Source, Span},
    syntax::{kind::Kind, lexer::Token},
};

/// A whole parsed text.
pub struct Tree {
    source: Arc<Source>,
    tokens: Vec<Token>,
    nodes: Vec<Record>,
}

struct Record {
    kind: Kind,
    span: Span,
    parent: Option<u32>,
    children: Vec<Child>,
}

#[derive(Clone, Copy)]
enum Child {
    Node(u32),
    Token(u32),
}

/// A node or a token below a node.
#[derive(Clone, Debug)]
pub enum Element {
    /// A node.
    Node(Node),
    /// A token, trivia included.
    Token(Token),
}

/// A handle to a node.
#[derive(Clone)]
pub struct Node {
    tree: Arc<Tree>,
    index: u32,
}

impl Tree {
    /// The node that holds everything.
    pub fn root(self: &Arc<Self>) -> Node {
        Node { tree: Arc::clone(self), index: 0 }
    }

    /// The text.
    pub fn source(&self) -> &Arc<Source> {
        &self.source
    }

    /// Every token in order, trivia included; their bytes joined are the text.
    pub fn tokens(&self) -> &[Token] {
        &self.tokens
    }
}

impl Node {
    /// What it is.
    pub fn kind(&self) -> Kind {
        self.record().kind
    }

    /// From its first to its last token that is not trivia.
    pub fn span(&self) -> Span {
        self.record().span
    }

    /// The text it is part of.
    pub fn source(&self) -> &Arc<Source> {
        &self.tree.source
    }

    /// Its place, for diagnostics.
    pub fn location(&self) -> Location {
        Location::new(&self.tree.source, self.span())
    }

    /// A place in the same text.
    pub fn locate(&self, span: Span) -> Location {
        Location::new(&self.tree.source, span)
    }

    /// Its bytes, with the trivia inside.
    pub fn text(&self) -> &[u8] {
        self.tree.source.slice(self.span())
    }

    /// The bytes of a token of the same text.
    pub fn token_text(&self, token: Token) -> &[u8] {
        self.tree.source.slice(token.span)
    }

    /// The node around it.
    pub fn parent(&self) -> Option<Node> {
        self.record().parent.map(|index| self.at(index))
    }

    /// Its child nodes in order.
    pub fn children(&self) -> impl Iterator<Item = Node> + '_ {
        self.record().children.iter().filter_map(|child| match child {
            Child::Node(index) => Some(self.at(*index)),
            Child::Token(_) => None,
        })
    }

    /// Its own tokens in order, without those of its child nodes, without trivia.
    pub fn tokens(&self) -> impl Iterator<Item = Token> + '_ {
        self.record().children.iter().filter_map(|child| match child {
            Child::Token(index) => Some(self.tree.tokens[*index as usize]).filter(|token| !token.kind.is_trivia()),
            Child::Node(_) => None,
        })
    }

    /// Its first own token of a kind.
    pub fn token(&self, kind: Kind) -> Option<Token> {
        self.tokens().find(|token| token.kind == kind)
    }

    /// Everything directly below it, trivia included.
    pub fn elements(&self) -> impl Iterator<Item = Element> + '_ {
        self.record().children.iter().map(|child| match child {
            Child::Node(index) => Element::Node(self.at(*index)),
            Child::Token(index) => Element::Token(self.tree.tokens[*index as usize]),
        })
    }

    /// The whole tree it belongs to.
    pub fn tree(&self) -> &Arc<Tree> {
        &self.tree
    }

    fn record(&self) -> &Record {
        &self.tree.nodes[self.index as usize]
    }

    fn at(&self, index: u32) -> Node {
        Node { tree: Arc::clone(&self.tree), index }
    }
}

/// The same node of the same tree.
impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.tree, &other.tree) && self.index == other.index
    }
}

impl Eq for Node {}

/// An indented outline, for tests and for looking at trees.
impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        outline(self, 0, f)
    }
}

impl fmt::Debug for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tree({:?}, {} nodes)", self.source, self.nodes.len())
    }
}

fn outline(node: &Node, depth: usize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    writeln!(f, "{:depth$}{} {}..{}", "", node.kind(), node.span().start, node.span().end, depth = depth * 2)?;
    for element in node.elements() {
        match element {
            Element::Node(child) => outline(&child, depth + 1, f)?,
            Element::Token(token) if token.kind.is_trivia() => {}
            Element::Token(token) => {
                let text = String::from_utf8_lossy(node.token_text(token)).into_owned();
                writeln!(f, "{:depth$}{} {text:?}", "", token.kind, depth = depth * 2 + 2)?;
            }
        }
    }
    Ok(())
}

/// What the parser reports while it reads; [`build`] turns it into a tree.
#[derive(Clone, Copy, Debug)]
pub(super) enum Event {
    /// A node begins. `before` names a later `Start` that has to enclose this one, as a distance in events.
    Start { kind: Kind, before: Option<u32> },
    /// The next token that is not trivia.
    Token,
    /// The node that began last ends.
    Finish,
    /// A node that came to nothing.
    Nothing,
}

/// Builds the tree. Trivia goes to the node that is open when the next token comes, so that nodes begin and end at
/// tokens; the root holds what is left.
pub(super) fn build(source: &Arc<Source>, tokens: Vec<Token>, mut events: Vec<Event>) -> Arc<Tree> {
    let mut builder = Builder { tokens: &tokens, next: 0, nodes: Vec::new(), open: Vec::new() };
    let mut kinds = Vec::new();
    for at in 0..events.len() {
        match std::mem::replace(&mut events[at], Event::Nothing) {
            Event::Start { kind, before } => {
                kinds.push(kind);
                let (mut from, mut next) = (at, before);
                while let Some(distance) = next {
                    from += distance as usize;
                    let Event::Start { kind, before } = std::mem::replace(&mut events[from], Event::Nothing) else {
                        break;
                    };
                    kinds.push(kind);
                    next = before;
                }
                while let Some(kind) = kinds.pop() {
                    builder.start(kind);
                }
            }
            Event::Token => builder.token(),
            Event::Finish => builder.finish(),
            Event::Nothing => {}
        }
    }
    let nodes = builder.nodes;
    Arc::new(Tree { source: Arc::clone(source), tokens, nodes })
}

struct Builder<'a> {
    tokens: &'a [Token],
    next: usize,
    nodes: Vec<Record>,
    open: Vec<u32>,
}

impl Builder<'_> {
    fn start(&mut self, kind: Kind) {
        if !self.open.is_empty() {
            self.trivia();
        }
        let index = self.nodes.len() as u32;
        let at = self.tokens.get(self.next).map_or(0, |token| token.span.start);
        let parent = self.open.last().copied();
        self.nodes.push(Record { kind, span: Span::point(at), parent, children: Vec::new() });
        if let Some(parent) = parent {
            self.nodes[parent as usize].children.push(Child::Node(index));
        }
        self.open.push(index);
    }

    fn trivia(&mut self) {
        while self.tokens.get(self.next).is_some_and(|token| token.kind.is_trivia()) {
            self.attach();
        }
    }

    fn token(&mut self) {
        self.trivia();
        self.attach();
    }

    fn attach(&mut self) {
        let (Some(open), Some(token)) = (self.open.last(), self.tokens.get(self.next)) else { return };
        let record = &mut self.nodes[*open as usize];
        if !token.kind.is_trivia() {
            record.span = if record.children.is_empty() { token.span } else { record.span.cover(token.span) };
        }
        record.children.push(Child::Token(self.next as u32));
        self.next += 1;
    }

    fn finish(&mut self) {
        if self.open.len() == 1 {
            while self.next < self.tokens.len() {
                self.attach();
            }
        }
        let Some(index) = self.open.pop() else { return };
        let span = self.nodes[index as usize].span;
        if let Some(parent) = self.open.last() {
            let record = &mut self.nodes[*parent as usize];
            let first = record.children.len() == 1;
            record.span = if first { span } else { record.span.cover(span) };
        } else {
            let end = self.tokens.last().map_or(0, |token| token.span.end);
            self.nodes[index as usize].span = Span::new(0, end);
        }
    }
}
