//! A name taken apart: nodes that refer to each other by number, so that what a name repeats is there once.

/// A node's number.
pub(super) type Id = u32;

/// Nodes that stand one after the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct List {
    start: u32,
    len: u32,
}

/// What qualifies a type, or `this` of a member function.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Qualifiers {
    pub(super) is_const: bool,
    pub(super) is_volatile: bool,
    pub(super) is_restrict: bool,
    pub(super) reference: Reference,
}

/// Whether a member function is for values that have a name, or for those that have none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Reference {
    #[default]
    None,
    Left,
    Right,
}

/// How an exception specification reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exceptions {
    None,
    Noexcept,
    NoexceptIf(Id),
    Throw(List),
}

/// A part of a name, a type, or an expression.
#[derive(Clone, Copy, Debug)]
pub(super) enum Node<'a> {
    /// Text as it is.
    Text(&'a str),
    /// `scope::name`.
    Nested {
        scope: Id,
        name: Id,
    },
    /// `name<arguments>`.
    Template {
        name: Id,
        arguments: List,
    },
    /// A name of the standard library that is short here; its class is called otherwise.
    Short {
        text: &'static str,
        class: &'static str,
        arguments: &'static str,
    },
    /// A constructor; of a base class where it inherits one.
    Constructor {
        class: Id,
    },
    Destructor {
        class: Id,
    },
    Operator(&'static str),
    Conversion(Id),
    /// `operator"" name`.
    Literal(Id),
    /// `name[abi:tag]`.
    Tagged {
        name: Id,
        tag: &'a str,
    },
    /// The class of a lambda: the template parameters that it names, its parameters, its number.
    Lambda {
        declared: List,
        parameters: List,
        number: u32,
    },
    /// A type without a name, by its number.
    Unnamed(u32),
    /// `[a, b]`.
    Binding(List),
    /// `module:name` is written behind what belongs to a module.
    InModule {
        name: Id,
        module: &'a str,
    },
    /// What is declared in a function.
    Local {
        function: Id,
        name: Id,
    },
    /// The default argument of a function, counted from the last one on.
    DefaultArgument {
        number: u32,
        name: Id,
    },
    /// A member function with what qualifies `this`.
    Method {
        name: Id,
        qualifiers: Qualifiers,
    },
    /// A function with what it takes and gives. In a local name less of it is shown.
    Function {
        name: Id,
        result: Option<Id>,
        parameters: List,
        local: bool,
    },
    /// Something about a name: `vtable for name`.
    Special {
        prefix: &'static str,
        name: Id,
    },
    /// `construction vtable for name-in-other`.
    ConstructionTable {
        name: Id,
        other: Id,
    },

    /// A type that qualifies another.
    Qualified {
        of: Id,
        qualifiers: Qualifiers,
    },
    Pointer(Id),
    LeftReference(Id),
    RightReference(Id),
    /// `of` with a word behind it.
    Suffixed {
        of: Id,
        suffix: &'static str,
    },
    /// With a vendor's qualifier behind it, which may have arguments.
    Vendor {
        of: Id,
        name: Id,
    },
    FunctionType {
        result: Id,
        parameters: List,
        qualifiers: Qualifiers,
        exceptions: Exceptions,
        suffix: &'static str,
    },
    Array {
        of: Id,
        size: Option<Id>,
    },
    Member {
        class: Id,
        of: Id,
    },
    Vector {
        of: Id,
        size: Id,
    },
    /// `decltype (expression)`.
    Decltype(Id),
    /// What a template was given for its parameter of this number.
    Parameter {
        number: u32,
        argument: Id,
    },
    /// A template's parameter whose argument comes later in the name.
    Forward(u32),
    /// What was given for a parameter that takes any number.
    Pack(List),
    /// A pattern, once for each of the pack in it.
    Expansion(Id),
    /// `auto:1`, a parameter of a generic lambda.
    Auto(u32),
    /// `_BitInt(8)`.
    BitInt {
        word: &'static str,
        size: Id,
    },

    /// `name`, then `(operand)`.
    Prefix {
        operator: &'static str,
        operand: Id,
    },
    /// `(operand)`, then `operator`.
    Postfix {
        operator: &'static str,
        operand: Id,
    },
    Binary {
        operator: &'static str,
        left: Id,
        right: Id,
    },
    Conditional {
        condition: Id,
        yes: Id,
        no: Id,
    },
    /// `word (of)`, where `of` is a type or an expression.
    Word {
        word: &'static str,
        of: Id,
    },
    /// `word<type>(expression)`.
    Cast {
        word: &'static str,
        to: Id,
        of: Id,
    },
    /// `(type)(expressions)`.
    OldCast {
        to: Id,
        of: List,
    },
    Call {
        of: Id,
        arguments: List,
    },
    /// `type{items}`.
    Braces {
        of: Option<Id>,
        items: List,
    },
    New {
        word: &'static str,
        place: List,
        of: Id,
        arguments: Option<List>,
    },
    /// `(... + pack)`, `(pack + ...)`, with a first or last operand in place of nothing.
    Fold {
        operator: &'static str,
        pack: Id,
        pack_first: bool,
        other: Option<Id>,
    },
    /// The number of elements of a pack.
    Count(Id),
    /// A parameter of the function, from 1 on; 0 is `this`.
    FunctionParameter(u32),
    /// A value of a type.
    Value {
        of: Id,
        text: &'a str,
        negative: bool,
    },
    /// `::expression`.
    Global(Id),
    /// Items, with nothing between them.
    Joined(List),
}

/// All nodes of a name.
#[derive(Debug, Default)]
pub(super) struct Tree<'a> {
    nodes: Vec<Node<'a>>,
    lists: Vec<Id>,
}

impl<'a> Tree<'a> {
    pub(super) fn add(&mut self, node: Node<'a>) -> Id {
        self.nodes.push(node);
        self.nodes.len() as Id - 1
    }

    pub(super) fn get(&self, id: Id) -> Node<'a> {
        self.nodes[id as usize]
    }

    pub(super) fn set(&mut self, id: Id, node: Node<'a>) {
        self.nodes[id as usize] = node;
    }

    pub(super) fn list(&mut self, ids: &[Id]) -> List {
        let start = self.lists.len() as u32;
        self.lists.extend_from_slice(ids);
        List { start, len: ids.len() as u32 }
    }

    pub(super) fn items(&self, list: List) -> &[Id] {
        &self.lists[list.start as usize..(list.start + list.len) as usize]
    }

    /// The nodes that a node is made of.
    pub(super) fn parts(&self, id: Id) -> Vec<Id> {
        let (mut single, mut lists) = (Vec::new(), Vec::new());
        self.get(id).parts(&mut |part| single.push(*part), &mut |list| lists.push(*list));
        for list in lists {
            single.extend_from_slice(self.items(list));
        }
        single
    }

    /// How many nodes there are.
    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(super) fn text(&mut self, text: &'a str) -> Id {
        self.add(Node::Text(text))
    }

    /// What a parameter stands for, as far as it is one.
    pub(super) fn resolved(&self, mut id: Id) -> Id {
        while let Node::Parameter { argument, .. } = self.get(id) {
            id = argument;
        }
        id
    }

    /// The last part of a name: what its constructors are called.
    pub(super) fn base(&self, mut id: Id) -> Id {
        loop {
            id = match self.get(id) {
                Node::Nested { name, .. }
                | Node::Template { name, .. }
                | Node::Tagged { name, .. }
                | Node::InModule { name, .. }
                | Node::Local { name, .. }
                | Node::DefaultArgument { name, .. }
                | Node::Method { name, .. } => name,
                Node::Parameter { argument, .. } => argument,
                _ => return id,
            };
        }
    }
}

impl List {
    pub(super) fn is_empty(self) -> bool {
        self.len == 0
    }

    pub(super) fn len(self) -> usize {
        self.len as usize
    }
}

impl Node<'_> {
    /// Visits what a node is made of: the single ones, and those in lists.
    pub(super) fn parts(&mut self, one: &mut dyn FnMut(&mut Id), many: &mut dyn FnMut(&mut List)) {
        match self {
            Self::Text(_)
            | Self::Short { .. }
            | Self::Operator(_)
            | Self::Unnamed(_)
            | Self::Forward(_)
            | Self::Auto(_)
            | Self::FunctionParameter(_) => {}
            Self::Parameter { argument: of, .. }
            | Self::Conversion(of)
            | Self::Literal(of)
            | Self::Pointer(of)
            | Self::LeftReference(of)
            | Self::RightReference(of)
            | Self::Decltype(of)
            | Self::Expansion(of)
            | Self::Count(of)
            | Self::Global(of)
            | Self::Constructor { class: of }
            | Self::Destructor { class: of }
            | Self::Tagged { name: of, .. }
            | Self::InModule { name: of, .. }
            | Self::DefaultArgument { name: of, .. }
            | Self::Method { name: of, .. }
            | Self::Special { name: of, .. }
            | Self::Qualified { of, .. }
            | Self::Suffixed { of, .. }
            | Self::BitInt { size: of, .. }
            | Self::Prefix { operand: of, .. }
            | Self::Postfix { operand: of, .. }
            | Self::Word { of, .. }
            | Self::Value { of, .. } => one(of),
            Self::Nested { scope: a, name: b }
            | Self::Local { function: a, name: b }
            | Self::ConstructionTable { name: a, other: b }
            | Self::Vendor { of: a, name: b }
            | Self::Member { class: a, of: b }
            | Self::Vector { of: a, size: b }
            | Self::Binary { left: a, right: b, .. }
            | Self::Cast { to: a, of: b, .. } => {
                one(a);
                one(b);
            }
            Self::Conditional { condition, yes, no } => {
                one(condition);
                one(yes);
                one(no);
            }
            Self::Array { of: a, size: b } | Self::Fold { pack: a, other: b, .. } => {
                one(a);
                b.iter_mut().for_each(one);
            }
            Self::Binding(list) | Self::Joined(list) | Self::Pack(list) => many(list),
            Self::Template { name: a, arguments: list }
            | Self::OldCast { to: a, of: list }
            | Self::Call { of: a, arguments: list } => {
                one(a);
                many(list);
            }
            Self::Lambda { declared, parameters, .. } => {
                many(declared);
                many(parameters);
            }
            Self::Function { name, result, parameters, .. } => {
                one(name);
                result.iter_mut().for_each(one);
                many(parameters);
            }
            Self::FunctionType { result, parameters, exceptions, .. } => {
                one(result);
                many(parameters);
                match exceptions {
                    Exceptions::NoexceptIf(of) => one(of),
                    Exceptions::Throw(types) => many(types),
                    Exceptions::None | Exceptions::Noexcept => {}
                }
            }
            Self::Braces { of, items } => {
                of.iter_mut().for_each(one);
                many(items);
            }
            Self::New { place, of, arguments, .. } => {
                many(place);
                one(of);
                arguments.iter_mut().for_each(many);
            }
        }
    }
}
