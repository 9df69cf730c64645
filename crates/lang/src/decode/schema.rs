//! What a block accepts, as data.

use std::fmt;

use super::Judge;

/// What may stand in a block.
#[derive(Clone, Copy, Debug)]
pub struct Schema {
    /// In the order of the struct's fields, which is the order in which missing ones are reported.
    pub fields: &'static [Field],
    /// What the block is for, from the struct's doc comment.
    pub doc: &'static str,
    /// Begins to judge what the data does not tell: values, and what has to go together.
    pub judge: fn() -> Box<dyn Judge>,
}

/// One attribute, block, label or squashed struct.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// The name in the file; dotted for blocks such as `stage.json`. Empty for labels and squashed structs.
    pub name: &'static str,
    /// What it is.
    pub kind: FieldKind,
    /// Whether it has to be there.
    pub required: bool,
    /// The default as it would be written, where it is simple enough to write.
    pub default: Option<&'static str>,
    /// What it is for, from the field's doc comment.
    pub doc: &'static str,
}

/// What a field is in the file.
#[derive(Clone, Copy, Debug)]
pub enum FieldKind {
    /// `name = value`
    Attribute(Shape),
    /// `name { … }`
    Block {
        /// What stands inside. A function, since blocks may nest in themselves; `None` takes any attribute.
        schema: Option<fn() -> &'static Schema>,
        /// How often it may stand there.
        repeat: Repeat,
    },
    /// The block's own label.
    Label,
    /// The fields of another struct, at this level.
    Squash(fn() -> &'static Schema),
}

/// How often a block may stand in its parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// At most once.
    Once,
    /// Any number of times.
    Many,
}

/// What values an attribute takes, as far as it can be told without evaluating.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Anything.
    Any,
    /// A number, or a string that reads as one.
    Number,
    /// A string, or a number.
    String,
    /// A string, a number, or true or false, as text.
    Label,
    /// A string of a form of its own: a duration, a pattern.
    Text(&'static str),
    /// One of a few strings.
    OneOf(&'static [&'static str]),
    /// True or false.
    Bool,
    /// A list.
    Array(&'static Shape),
    /// Named values of one shape.
    Map(&'static Shape),
    /// An object.
    Object,
    /// A function.
    Function,
    /// A value of the host, by type name.
    Capsule(&'static str),
    /// A secret, or a string.
    Secret,
}

impl Shape {
    /// The word that type errors use.
    pub fn type_name(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Number => "number",
            Self::String | Self::Label | Self::Text(_) | Self::OneOf(_) => "string",
            Self::Bool => "bool",
            Self::Array(_) => "array",
            Self::Map(_) | Self::Object => "object",
            Self::Function => "function",
            Self::Capsule(_) | Self::Secret => "capsule",
        }
    }

    /// Whether it is a secret, or holds some.
    pub fn is_secret(self) -> bool {
        match self {
            Self::Secret => true,
            Self::Array(inner) | Self::Map(inner) => inner.is_secret(),
            _ => false,
        }
    }
}

/// As documentation names it: `list(map(string))`.
impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Array(element) => write!(f, "list({element})"),
            Self::Map(value) => write!(f, "map({value})"),
            Self::Text(form) => f.write_str(form),
            Self::Secret => f.write_str("secret"),
            Self::Capsule(name) => write!(f, "capsule({name:?})"),
            other => f.write_str(other.type_name()),
        }
    }
}

impl Schema {
    /// The field of an attribute or block by its name, looking into squashed structs too.
    pub fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find_map(|field| match field.kind {
            FieldKind::Squash(inner) => inner().field(name),
            FieldKind::Label => None,
            _ => (field.name == name).then_some(field),
        })
    }

    /// Whether the block has a label.
    pub fn has_label(&self) -> bool {
        self.fields.iter().any(|field| match field.kind {
            FieldKind::Label => true,
            FieldKind::Squash(inner) => inner().has_label(),
            _ => false,
        })
    }

    /// Attributes and blocks in order, those of squashed structs among them.
    pub fn flat(&self) -> Vec<&'static Field> {
        let mut out = Vec::new();
        for field in self.fields {
            match field.kind {
                FieldKind::Squash(inner) => out.extend(inner().flat()),
                FieldKind::Label => {}
                _ => out.push(field),
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_that_holds_secrets_is_one() {
        const LIST: Shape = Shape::Array(&Shape::Secret);
        assert!(Shape::Secret.is_secret() && LIST.is_secret() && Shape::Map(&LIST).is_secret());
        assert!(!Shape::String.is_secret() && !Shape::Map(&Shape::Array(&Shape::String)).is_secret());
    }
}
