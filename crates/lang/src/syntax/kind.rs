//! The kinds of tokens and nodes.

use std::fmt;

/// What a token or a node of the tree is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    // Tokens.
    /// Blanks, tabs, carriage returns, line feeds and a leading byte order mark.
    Whitespace,
    /// `// …` or `/* … */`.
    Comment,
    /// Bytes that begin no token.
    Illegal,
    /// End of the text; empty.
    Eof,
    /// A name.
    Ident,
    /// An integer.
    Number,
    /// A number with a fraction or an exponent.
    Float,
    /// Double-quoted or raw text, with its quotes.
    String,
    /// `true` or `false`.
    Bool,
    /// `null`.
    Null,
    /// `||`
    Or,
    /// `&&`
    And,
    /// `!`
    Not,
    /// `=`
    Assign,
    /// `==`
    Eq,
    /// `!=`
    Ne,
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
    /// `+`
    Plus,
    /// `-`
    Minus,
    /// `*`
    Star,
    /// `/`
    Slash,
    /// `%`
    Percent,
    /// `^`
    Caret,
    /// `{`
    LeftBrace,
    /// `}`
    RightBrace,
    /// `(`
    LeftParen,
    /// `)`
    RightParen,
    /// `[`
    LeftBracket,
    /// `]`
    RightBracket,
    /// `,`
    Comma,
    /// `.`
    Dot,
    /// The end of a statement, put in by the lexer at a line feed or the end; empty.
    Terminator,

    // Nodes.
    /// The whole text.
    File,
    /// Statements.
    Body,
    /// `name = value`
    Attribute,
    /// `name "label" { … }`
    Block,
    /// The names, dots and label before a block's brace.
    BlockHeader,
    /// A number, string, bool or null.
    Literal,
    /// A name used as a value.
    Identifier,
    /// `left op right`
    Binary,
    /// `op value`
    Unary,
    /// `( value )`
    Paren,
    /// `[ … ]`
    Array,
    /// `{ … }` as a value.
    Object,
    /// `key = value` in an object.
    Field,
    /// `value.name`
    Access,
    /// `value[index]`
    Index,
    /// `value(arguments)`
    Call,
    /// What was skipped to go on after an error.
    Error,
}

impl Kind {
    /// Tokens that carry no meaning for the parser.
    pub fn is_trivia(self) -> bool {
        matches!(self, Self::Whitespace | Self::Comment)
    }

    /// Nodes that are values.
    pub fn is_expression(self) -> bool {
        matches!(
            self,
            Self::Literal
                | Self::Identifier
                | Self::Binary
                | Self::Unary
                | Self::Paren
                | Self::Array
                | Self::Object
                | Self::Access
                | Self::Index
                | Self::Call
        )
    }

    /// How tightly a binary operator binds, from 1; nothing for other tokens.
    pub fn precedence(self) -> Option<u8> {
        Some(match self {
            Self::Or => 1,
            Self::And => 2,
            Self::Eq | Self::Ne | Self::Lt | Self::Le | Self::Gt | Self::Ge => 3,
            Self::Plus | Self::Minus => 4,
            Self::Star | Self::Slash | Self::Percent => 5,
            Self::Caret => 6,
            _ => return None,
        })
    }

    /// The name in messages: the operator itself, or the class in capitals.
    pub fn name(self) -> &'static str {
        match self {
            Self::Whitespace => "WHITESPACE",
            Self::Comment => "COMMENT",
            Self::Illegal => "ILLEGAL",
            Self::Eof => "EOF",
            Self::Ident => "IDENT",
            Self::Number => "NUMBER",
            Self::Float => "FLOAT",
            Self::String => "STRING",
            Self::Bool => "BOOL",
            Self::Null => "NULL",
            Self::Or => "||",
            Self::And => "&&",
            Self::Not => "!",
            Self::Assign => "=",
            Self::Eq => "==",
            Self::Ne => "!=",
            Self::Lt => "<",
            Self::Le => "<=",
            Self::Gt => ">",
            Self::Ge => ">=",
            Self::Plus => "+",
            Self::Minus => "-",
            Self::Star => "*",
            Self::Slash => "/",
            Self::Percent => "%",
            Self::Caret => "^",
            Self::LeftBrace => "{",
            Self::RightBrace => "}",
            Self::LeftParen => "(",
            Self::RightParen => ")",
            Self::LeftBracket => "[",
            Self::RightBracket => "]",
            Self::Comma => ",",
            Self::Dot => ".",
            Self::Terminator => "TERMINATOR",
            Self::File => "file",
            Self::Body => "body",
            Self::Attribute => "attribute",
            Self::Block => "block",
            Self::BlockHeader => "block header",
            Self::Literal => "literal",
            Self::Identifier => "identifier",
            Self::Binary => "binary expression",
            Self::Unary => "unary expression",
            Self::Paren => "parenthesis",
            Self::Array => "array",
            Self::Object => "object",
            Self::Field => "field",
            Self::Access => "access",
            Self::Index => "index",
            Self::Call => "call",
            Self::Error => "error",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
