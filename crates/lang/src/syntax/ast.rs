//! A typed view of the tree.
//!
//! Accessors return `Option` where a file with errors may lack the part; a file without diagnostics has them all.

use std::sync::Arc;

use crate::{
    source::{Location, Span},
    syntax::{
        escape::between_quotes,
        kind::Kind,
        lexer::Token,
        tree::{Node, Tree},
    },
};

macro_rules! view {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name(Node);

        impl $name {
            /// The node, if it is of this kind.
            pub fn cast(node: Node) -> Option<Self> {
                (node.kind() == Kind::$name).then(|| Self(node))
            }

            /// The node below the view.
            pub fn node(&self) -> &Node {
                &self.0
            }

            /// Its place, for diagnostics.
            pub fn location(&self) -> Location {
                self.0.location()
            }
        }
    };
}

view!(
    /// A whole file.
    File
);
view!(
    /// Statements, of a file or of a block.
    Body
);
view!(
    /// `name = value`
    Attribute
);
view!(
    /// `name.name "label" { … }`
    Block
);
view!(
    /// `key = value` in an object.
    Field
);

impl File {
    pub(super) fn new(tree: Arc<Tree>) -> Self {
        Self(tree.root())
    }

    /// Its statements.
    pub fn body(&self) -> Option<Body> {
        self.0.children().find_map(Body::cast)
    }
}

/// An attribute or a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Statement {
    /// `name = value`
    Attribute(Attribute),
    /// `name { … }`
    Block(Block),
}

impl Statement {
    fn cast(node: Node) -> Option<Self> {
        match node.kind() {
            Kind::Attribute => Attribute::cast(node).map(Self::Attribute),
            Kind::Block => Block::cast(node).map(Self::Block),
            _ => None,
        }
    }

    /// The node below the view.
    pub fn node(&self) -> &Node {
        match self {
            Self::Attribute(attribute) => &attribute.0,
            Self::Block(block) => &block.0,
        }
    }
}

impl Body {
    /// Its statements in source order.
    pub fn statements(&self) -> impl Iterator<Item = Statement> + '_ {
        self.0.children().filter_map(Statement::cast)
    }

    /// Only its blocks.
    pub fn blocks(&self) -> impl Iterator<Item = Block> + '_ {
        self.0.children().filter_map(Block::cast)
    }

    /// Only its attributes.
    pub fn attributes(&self) -> impl Iterator<Item = Attribute> + '_ {
        self.0.children().filter_map(Attribute::cast)
    }
}

impl Attribute {
    /// Its name.
    pub fn name(&self) -> String {
        self.name_token().map(|token| text(&self.0, token)).unwrap_or_default()
    }

    /// Where its name stands.
    pub fn name_location(&self) -> Location {
        self.name_token().map_or_else(|| self.0.location(), |token| self.0.locate(token.span))
    }

    /// Its value.
    pub fn value(&self) -> Option<Expr> {
        self.0.children().find_map(Expr::cast)
    }

    fn name_token(&self) -> Option<Token> {
        self.0.token(Kind::Ident)
    }
}

impl Block {
    /// Its name with all fragments, such as `discovery.process`.
    pub fn name(&self) -> String {
        self.fragments().collect::<Vec<_>>().join(".")
    }

    /// The fragments of its name.
    pub fn fragments(&self) -> impl Iterator<Item = String> + '_ {
        self.header().into_iter().flat_map(|header| {
            let names: Vec<_> = header.tokens().filter(|token| token.kind == Kind::Ident).collect();
            names.into_iter().map(move |token| text(&header, token))
        })
    }

    /// Its label as written between the quotes; an empty one is none.
    pub fn label(&self) -> Option<String> {
        let header = self.header()?;
        let token = header.token(Kind::String)?;
        let label = between_quotes(header.token_text(token));
        (token.span.end - token.span.start > 2).then(|| String::from_utf8_lossy(label).into_owned())
    }

    /// Where its label stands, with its quotes.
    pub fn label_location(&self) -> Option<Location> {
        let header = self.header()?;
        header.token(Kind::String).map(|token| header.locate(token.span))
    }

    /// Where its name begins and its last fragment ends.
    pub fn name_location(&self) -> Location {
        let Some(header) = self.header() else { return self.0.location() };
        let span = header.tokens().filter(|token| token.kind == Kind::Ident).map(|token| token.span);
        let span = span.reduce(Span::cover).unwrap_or_else(|| header.span());
        self.0.locate(span)
    }

    /// From its name through its opening brace.
    pub fn header_location(&self) -> Location {
        let brace = self.0.token(Kind::LeftBrace).map_or(self.0.span(), |token| token.span);
        self.0.locate(Span::new(self.0.span().start, brace.end))
    }

    /// Its statements.
    pub fn body(&self) -> Option<Body> {
        self.0.children().find_map(Body::cast)
    }

    fn header(&self) -> Option<Node> {
        self.0.children().find(|node| node.kind() == Kind::BlockHeader)
    }
}

impl Field {
    /// The key as written: the name, or the bytes between the quotes with no escapes decoded.
    pub fn key(&self) -> Vec<u8> {
        self.key_token().map(|token| between_quotes(self.0.token_text(token)).to_vec()).unwrap_or_default()
    }

    /// The token of the key, with its quotes.
    pub fn key_token(&self) -> Option<Token> {
        self.0.tokens().find(|token| matches!(token.kind, Kind::Ident | Kind::String))
    }

    /// Its value.
    pub fn value(&self) -> Option<Expr> {
        self.0.children().find_map(Expr::cast)
    }
}

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expr {
    /// `1`, `"a"`, `true`, `null`
    Literal(Node),
    /// `name`
    Identifier(Node),
    /// `left op right`
    Binary(Node),
    /// `op value`
    Unary(Node),
    /// `(value)`
    Paren(Node),
    /// `[a, b]`
    Array(Node),
    /// `{a = 1}`
    Object(Node),
    /// `value.name`
    Access(Node),
    /// `value[index]`
    Index(Node),
    /// `value(a, b)`
    Call(Node),
}

impl Expr {
    /// The node, if it is a value.
    pub fn cast(node: Node) -> Option<Self> {
        Some(match node.kind() {
            Kind::Literal => Self::Literal(node),
            Kind::Identifier => Self::Identifier(node),
            Kind::Binary => Self::Binary(node),
            Kind::Unary => Self::Unary(node),
            Kind::Paren => Self::Paren(node),
            Kind::Array => Self::Array(node),
            Kind::Object => Self::Object(node),
            Kind::Access => Self::Access(node),
            Kind::Index => Self::Index(node),
            Kind::Call => Self::Call(node),
            _ => return None,
        })
    }

    /// The node below the view.
    pub fn node(&self) -> &Node {
        match self {
            Self::Literal(node)
            | Self::Identifier(node)
            | Self::Binary(node)
            | Self::Unary(node)
            | Self::Paren(node)
            | Self::Array(node)
            | Self::Object(node)
            | Self::Access(node)
            | Self::Index(node)
            | Self::Call(node) => node,
        }
    }

    /// Its place, for diagnostics.
    pub fn location(&self) -> Location {
        self.node().location()
    }

    /// The values directly inside it, in source order: operands, elements, the callee and then its arguments, the
    /// indexed value and then the index. Those of an object are its fields' values.
    pub fn operands(&self) -> impl Iterator<Item = Expr> + '_ {
        self.node().children().filter_map(|node| match node.kind() {
            Kind::Field => Field::cast(node).and_then(|field| field.value()),
            _ => Expr::cast(node),
        })
    }

    /// The fields of an object.
    pub fn fields(&self) -> impl Iterator<Item = Field> + '_ {
        self.node().children().filter_map(Field::cast)
    }

    /// The operator of a binary or unary expression.
    pub fn operator(&self) -> Option<Token> {
        self.node().tokens().find(|token| token.kind.precedence().is_some() || token.kind == Kind::Not)
    }

    /// The token of a literal.
    pub fn literal(&self) -> Option<Token> {
        self.node().tokens().next()
    }

    /// The name of an identifier, or the one after the dot of an access, and where it stands.
    pub fn name(&self) -> Option<(String, Location)> {
        let node = self.node();
        node.token(Kind::Ident).map(|token| (text(node, token), node.locate(token.span)))
    }
}

fn text(node: &Node, token: Token) -> String {
    String::from_utf8_lossy(node.token_text(token)).into_owned()
}
