//! Reads a mangled name from left to right into a tree.
//!
//! The grammar is that of the Itanium C++ ABI, chapter 5; functions here are called as its productions.

use std::collections::HashMap;

use super::tree::{Id, Node, Tree};

/// Productions within productions; real names stay under forty.
const DEEPEST: u32 = 128;

/// Nodes of one name; real ones have a few thousand.
const MOST_NODES: usize = 1 << 16;
/// Parts of an argument that are looked at.
const MOST_PARTS: usize = 4096;

pub(super) struct Parser<'a> {
    pub(super) rest: &'a str,
    pub(super) tree: Tree<'a>,
    /// What `S_` and its like refer to.
    pub(super) substitutions: Vec<Id>,
    /// What `T_` and its like refer to: the arguments of the template that was named last.
    pub(super) arguments: Vec<Id>,
    /// Parameters that were named before their arguments, in the type of a conversion.
    pub(super) forwards: Vec<Id>,
    /// The type of a conversion is being read whose arguments come later, and what comes next may be these.
    pub(super) in_conversion: bool,
    pub(super) arguments_may_follow: bool,
    /// Parameters of a lambda are being read, and what it named its own template parameters.
    pub(super) in_lambda: bool,
    pub(super) declared: Vec<Id>,
    depth: u32,
}

impl<'a> Parser<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            rest: text,
            tree: Tree::default(),
            substitutions: Vec::new(),
            arguments: Vec::new(),
            forwards: Vec::new(),
            in_conversion: false,
            arguments_may_follow: false,
            in_lambda: false,
            declared: Vec::new(),
            depth: 0,
        }
    }

    /// Reads what is one level deeper, unless that is too deep.
    pub(super) fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        if self.depth == DEEPEST {
            return None;
        }
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        result
    }

    /// The byte that is `ahead` of the next one; 0 behind the end.
    pub(super) fn peek(&self, ahead: usize) -> u8 {
        self.rest.as_bytes().get(ahead).copied().unwrap_or(0)
    }

    /// Goes over this text, if it comes next.
    pub(super) fn take(&mut self, text: &str) -> bool {
        match self.rest.strip_prefix(text) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Goes over this text, which must come next.
    pub(super) fn expect(&mut self, text: &str) -> Option<()> {
        self.take(text).then_some(())
    }

    pub(super) fn skip(&mut self, bytes: usize) -> Option<&'a str> {
        let (taken, rest) = self.rest.split_at_checked(bytes)?;
        self.rest = rest;
        Some(taken)
    }

    /// Digits, at least one.
    pub(super) fn number(&mut self) -> Option<u32> {
        let digits = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        self.skip(digits)?.parse().ok()
    }

    /// `_` is 0, `0_` is 1, `1_` is 2, and so on.
    pub(super) fn sequence(&mut self) -> Option<u32> {
        if self.take("_") {
            return Some(0);
        }
        let number = self.number()?.checked_add(1)?;
        self.expect("_").map(|()| number)
    }

    /// `<call-offset>` numbers, which nothing shows.
    pub(super) fn offset(&mut self) -> Option<()> {
        _ = self.take("n");
        self.number()?;
        self.expect("_")
    }

    /// Adds to what `S_` and its like can refer to.
    pub(super) fn remember(&mut self, id: Id) -> Id {
        self.substitutions.push(id);
        id
    }

    /// `<substitution>`, other than `St`.
    pub(super) fn substitution(&mut self) -> Option<Id> {
        const CHARS: &str = "<char, std::char_traits<char> >";
        self.expect("S")?;
        let (text, class, arguments) = match self.peek(0) {
            b'a' => ("std::allocator", "allocator", ""),
            b'b' => ("std::basic_string", "basic_string", ""),
            b's' => ("std::string", "basic_string", "<char, std::char_traits<char>, std::allocator<char> >"),
            b'i' => ("std::istream", "basic_istream", CHARS),
            b'o' => ("std::ostream", "basic_ostream", CHARS),
            b'd' => ("std::iostream", "basic_iostream", CHARS),
            _ => {
                let number = self.base_36()?;
                let known = *self.substitutions.get(number)?;
                return self.renewed(known, &mut HashMap::new());
            }
        };
        self.skip(1)?;
        let short = self.tree.add(Node::Short { text, class, arguments });
        let tagged = self.tags(short)?;
        Some(if tagged == short { short } else { self.remember(tagged) })
    }

    /// As [`sequence`](Self::sequence), in base 36.
    pub(super) fn base_36(&mut self) -> Option<usize> {
        if self.take("_") {
            return Some(0);
        }
        let digits = self.rest.bytes().take_while(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase()).count();
        let number = usize::from_str_radix(self.skip(digits)?, 36).ok()?.checked_add(1)?;
        self.expect("_").map(|()| number)
    }

    /// `<template-param>`.
    pub(super) fn template_param(&mut self) -> Option<Id> {
        self.expect("T")?;
        if self.take("L") {
            self.number()?;
            self.expect("_")?;
        }
        let number = self.sequence()?;
        if self.in_conversion {
            let id = self.tree.add(Node::Forward(number));
            self.forwards.push(id);
            return Some(id);
        }
        self.parameter(number)
    }

    /// What a template parameter of this number is here.
    fn parameter(&mut self, number: u32) -> Option<Id> {
        if self.in_lambda
            && let Some(declared) = self.declared.get(number as usize)
        {
            return Some(*declared);
        }
        match self.arguments.get(number as usize) {
            Some(argument) => Some(self.tree.add(Node::Parameter { number, argument: *argument })),
            None if self.in_lambda => Some(self.tree.add(Node::Auto(number + 1))),
            None => None,
        }
    }

    /// What was named before means the same text: its template parameters are those of here.
    fn renewed(&mut self, id: Id, done: &mut HashMap<Id, Id>) -> Option<Id> {
        if let Some(new) = done.get(&id) {
            return Some(*new);
        }
        let new = match self.tree.get(id) {
            Node::Parameter { number, argument } => match self.arguments.get(number as usize) {
                Some(here) if *here == argument => id,
                _ => self.parameter(number).unwrap_or(id),
            },
            Node::Auto(number) => self.parameter(number - 1).unwrap_or(id),
            mut node => {
                if self.tree.len() > MOST_NODES {
                    return None;
                }
                let mut new = HashMap::new();
                for part in self.tree.parts(id) {
                    let renewed = self.deeper(|this| this.renewed(part, done))?;
                    if renewed != part {
                        new.insert(part, renewed);
                    }
                }
                if new.is_empty() {
                    id
                } else {
                    let of = |part: &Id| *new.get(part).unwrap_or(part);
                    let tree = &mut self.tree;
                    node.parts(&mut |part| *part = of(part), &mut |list| {
                        let items: Vec<Id> = tree.items(*list).iter().map(of).collect();
                        *list = tree.list(&items);
                    });
                    self.tree.add(node)
                }
            }
        };
        done.insert(id, new);
        Some(new)
    }

    /// Gives parameters that were named before their arguments these arguments.
    pub(super) fn resolve_forwards(&mut self) -> Option<()> {
        for id in std::mem::take(&mut self.forwards) {
            let Node::Forward(number) = self.tree.get(id) else { continue };
            let argument = *self.arguments.get(number as usize)?;
            // An argument that contains the parameter itself would have no end.
            if self.reaches(argument, id) {
                return None;
            }
            self.tree.set(id, Node::Parameter { number, argument });
        }
        Some(())
    }

    /// Whether a node is part of another one; so it is said of one with very many parts.
    fn reaches(&self, from: Id, to: Id) -> bool {
        let mut parts = vec![from];
        for _ in 0..MOST_PARTS {
            match parts.pop() {
                None => return false,
                Some(part) if part == to => return true,
                Some(part) => parts.extend(self.tree.parts(part)),
            }
        }
        true
    }

    /// `<template-args>`. `tag` if `T_` refers to them from now on.
    pub(super) fn template_args(&mut self, tag: bool) -> Option<super::tree::List> {
        self.deeper(|this| {
            this.expect("I")?;
            let outer = std::mem::take(&mut this.arguments_may_follow);
            let mut arguments = Vec::new();
            while !this.take("E") {
                if this.take("Q") {
                    _ = this.expression()?;
                    continue;
                }
                if this.at_declaration() {
                    // It may refer to the arguments before it.
                    let outer = std::mem::replace(&mut this.arguments, arguments.clone());
                    _ = this.template_param_decl(0)?;
                    this.arguments = outer;
                }
                arguments.push(this.template_arg()?);
            }
            this.arguments_may_follow = outer;
            let list = this.tree.list(&arguments);
            if tag {
                this.arguments = arguments;
            }
            Some(list)
        })
    }

    fn template_arg(&mut self) -> Option<Id> {
        match self.peek(0) {
            b'J' => self.deeper(|this| {
                this.skip(1)?;
                let mut items = Vec::new();
                while !this.take("E") {
                    items.push(this.template_arg()?);
                }
                let items = this.tree.list(&items);
                Some(this.tree.add(Node::Pack(items)))
            }),
            _ => self.single_template_arg(),
        }
    }

    /// Whether the declaration of a template's parameter comes next.
    pub(super) fn at_declaration(&self) -> bool {
        self.peek(0) == b'T' && matches!(self.peek(1), b'y' | b'n' | b't' | b'p' | b'k')
    }

    /// `<template-param-decl>`; it is the `number`th of its kind.
    pub(super) fn template_param_decl(&mut self, number: usize) -> Option<(Id, Id)> {
        // The declaration as it is written, and the parameter's name.
        const NAMES: [&str; 10] = ["$T0", "$T1", "$T2", "$T3", "$T4", "$T5", "$T6", "$T7", "$T8", "$T9"];
        let name = self.tree.text(NAMES.get(number)?);
        self.deeper(|this| {
            let declared = match this.skip(2)? {
                "Ty" => this.tree.text("typename "),
                "Tn" => {
                    let of = this.type_()?;
                    this.tree.add(Node::Suffixed { of, suffix: " " })
                }
                "Tk" => {
                    let (concept, _) = this.name(false)?;
                    this.tree.add(Node::Suffixed { of: concept, suffix: " " })
                }
                "Tt" => {
                    while !this.take("E") {
                        _ = this.template_param_decl(0)?;
                    }
                    this.tree.text("template<typename> class ")
                }
                "Tp" => {
                    let (declared, _) = this.template_param_decl(number)?;
                    return Some((declared, name));
                }
                _ => return None,
            };
            Some((declared, name))
        })
        .map(|(declared, name)| {
            let both = self.tree.list(&[declared, name]);
            (self.tree.add(Node::Joined(both)), name)
        })
    }
}
