//! Writes a tree as people write names, in GNU's style.
//!
//! A type may stand on both sides of what it is the type of (`int (*name)[3]`): it is written in two halves.

mod expressions;
mod names;

use super::tree::{Exceptions, Id, List, Node, Qualifiers, Reference, Tree};

/// Halves within halves.
const DEEPEST: u32 = 192;
/// Nodes that are looked at for one name: a name that takes more is not worth it.
const MOST_STEPS: u32 = 1 << 18;

/// What is left out.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Options {
    /// The arguments of templates.
    pub(super) without_arguments: bool,
    /// The parameters of functions around what is named.
    pub(super) without_enclosing: bool,
}

/// There is too much of it.
#[derive(Debug)]
pub(super) struct TooMuch;

type Written = Result<(), TooMuch>;

pub(super) struct Printer<'t, 'a> {
    tree: &'t Tree<'a>,
    options: Options,
    out: String,
    longest: usize,
    /// Which of a pack is written, while an expansion is.
    of_pack: Option<usize>,
    depth: u32,
    steps: u32,
}

impl<'t, 'a> Printer<'t, 'a> {
    pub(super) fn new(tree: &'t Tree<'a>, options: Options, longest: usize) -> Self {
        Self { tree, options, out: String::new(), longest, of_pack: None, depth: 0, steps: 0 }
    }

    /// The text of a node.
    pub(super) fn text_of(mut self, id: Id) -> Result<String, TooMuch> {
        self.whole(id)?;
        Ok(self.out)
    }

    fn write(&mut self, text: &str) -> Written {
        if self.out.len() + text.len() > self.longest {
            return Err(TooMuch);
        }
        self.out.push_str(text);
        Ok(())
    }

    /// A space, unless there is one.
    fn space(&mut self) -> Written {
        if self.out.ends_with(' ') { Ok(()) } else { self.write(" ") }
    }

    fn step(&mut self) -> Written {
        self.steps += 1;
        if self.steps > MOST_STEPS { Err(TooMuch) } else { Ok(()) }
    }

    fn deeper(&mut self, write: impl FnOnce(&mut Self) -> Written) -> Written {
        self.step()?;
        if self.depth == DEEPEST {
            return Err(TooMuch);
        }
        self.depth += 1;
        let written = write(self);
        self.depth -= 1;
        written
    }

    pub(super) fn whole(&mut self, id: Id) -> Written {
        self.left(id)?;
        self.right(id)
    }

    /// What a node stands for here: the argument of a parameter, one of a pack.
    fn resolved(&self, id: Id) -> Id {
        if !matches!(self.tree.get(id), Node::Parameter { .. }) {
            return id;
        }
        let argument = self.tree.resolved(id);
        match (self.tree.get(argument), self.of_pack) {
            (Node::Pack(items), Some(at)) => self.tree.items(items).get(at).map_or(argument, |item| *item),
            _ => argument,
        }
    }

    /// Whether a type has a right half, behind a declarator: functions, arrays, and what leads to them.
    fn has_right(&mut self, id: Id) -> Result<bool, TooMuch> {
        let mut id = id;
        loop {
            self.step()?;
            id = self.resolved(id);
            match self.tree.get(id) {
                Node::FunctionType { .. } | Node::Array { .. } => return Ok(true),
                Node::Pointer(of)
                | Node::LeftReference(of)
                | Node::RightReference(of)
                | Node::Member { of, .. }
                | Node::Qualified { of, .. }
                | Node::Suffixed { of, .. }
                | Node::Vendor { of, .. } => id = of,
                _ => return Ok(false),
            }
        }
    }

    /// Whether a declarator needs brackets before this type: a function or an array, with qualifiers or without.
    fn is_function_or_array(&self, id: Id) -> bool {
        match self.tree.get(self.resolved(id)) {
            Node::FunctionType { .. } | Node::Array { .. } => true,
            Node::Qualified { of, .. } => matches!(self.tree.get(self.resolved(of)), Node::Array { .. }),
            _ => false,
        }
    }

    fn left(&mut self, id: Id) -> Written {
        self.deeper(|this| this.left_here(id))
    }

    fn left_here(&mut self, id: Id) -> Written {
        let id = self.resolved(id);
        match self.tree.get(id) {
            Node::Pointer(of) => self.declarator(of, "*"),
            Node::LeftReference(of) => match self.tree.get(self.resolved(of)) {
                Node::LeftReference(_) => self.left(of),
                Node::RightReference(of) => self.declarator(of, "&"),
                _ => self.declarator(of, "&"),
            },
            Node::RightReference(of) => match self.tree.get(self.resolved(of)) {
                Node::LeftReference(_) | Node::RightReference(_) => self.left(of),
                _ => self.declarator(of, "&&"),
            },
            Node::Member { class, of } => {
                self.left(of)?;
                if self.is_function_or_array(of) {
                    self.space()?;
                    self.write("(")?;
                } else {
                    self.space()?;
                }
                self.whole(class)?;
                self.write("::*")
            }
            Node::Qualified { of, mut qualifiers } => {
                if let Node::Qualified { qualifiers: inner, .. } = self.tree.get(self.resolved(of)) {
                    // Said once, where an argument has it already.
                    qualifiers.is_const &= !inner.is_const;
                    qualifiers.is_volatile &= !inner.is_volatile;
                    qualifiers.is_restrict &= !inner.is_restrict;
                }
                self.left(of)?;
                self.qualifiers(qualifiers)
            }
            Node::Suffixed { of, suffix } => {
                self.left(of)?;
                self.write(suffix)
            }
            Node::Vendor { of, name } => {
                self.left(of)?;
                self.write(" ")?;
                self.whole(name)
            }
            Node::FunctionType { result, .. } => {
                self.left(result)?;
                if self.has_right(result)? { Ok(()) } else { self.space() }
            }
            Node::Array { of, .. } => self.left(of),
            _ => self.name(id),
        }
    }

    /// The left half of a type, then `*` or the like.
    fn declarator(&mut self, of: Id, sign: &str) -> Written {
        self.left(of)?;
        if self.is_function_or_array(of) {
            if !self.out.ends_with(['(', '*', '&']) {
                self.space()?;
            }
            self.write("(")?;
        }
        self.write(sign)
    }

    fn right(&mut self, id: Id) -> Written {
        self.deeper(|this| this.right_here(id))
    }

    fn right_here(&mut self, id: Id) -> Written {
        let id = self.resolved(id);
        match self.tree.get(id) {
            Node::LeftReference(of) | Node::RightReference(of)
                if matches!(self.tree.get(self.resolved(of)), Node::LeftReference(_) | Node::RightReference(_)) =>
            {
                self.right(of)
            }
            Node::Pointer(of) | Node::LeftReference(of) | Node::RightReference(of) | Node::Member { of, .. } => {
                if self.is_function_or_array(of) {
                    self.write(")")?;
                }
                self.right(of)
            }
            Node::Qualified { of, .. } | Node::Suffixed { of, .. } | Node::Vendor { of, .. } => self.right(of),
            Node::FunctionType { result, parameters, qualifiers, exceptions, suffix } => {
                self.parameters(parameters)?;
                self.qualifiers(qualifiers)?;
                self.write(suffix)?;
                self.exceptions(exceptions)?;
                self.right(result)
            }
            Node::Array { of, size } => {
                if !self.out.ends_with(']') {
                    self.space()?;
                }
                self.write("[")?;
                if let Some(size) = size {
                    self.whole(size)?;
                }
                self.write("]")?;
                self.right(of)
            }
            _ => Ok(()),
        }
    }

    pub(super) fn parameters(&mut self, parameters: List) -> Written {
        self.write("(")?;
        self.items(parameters)?;
        self.write(")")
    }

    pub(super) fn qualifiers(&mut self, qualifiers: Qualifiers) -> Written {
        let Qualifiers { is_const, is_volatile, is_restrict, reference } = qualifiers;
        for (is, text) in [(is_const, " const"), (is_volatile, " volatile"), (is_restrict, " restrict")] {
            if is {
                self.write(text)?;
            }
        }
        match reference {
            Reference::None => Ok(()),
            Reference::Left => self.write(" &"),
            Reference::Right => self.write(" &&"),
        }
    }

    fn exceptions(&mut self, exceptions: Exceptions) -> Written {
        match exceptions {
            Exceptions::None => Ok(()),
            Exceptions::Noexcept => self.write(" noexcept"),
            Exceptions::NoexceptIf(of) => {
                self.write(" noexcept(")?;
                self.whole(of)?;
                self.write(")")
            }
            Exceptions::Throw(types) => {
                self.write(" throw(")?;
                self.items(types)?;
                self.write(")")
            }
        }
    }

    /// Items with commas between them; what stands for nothing leaves nothing.
    pub(super) fn items(&mut self, list: List) -> Written {
        let mut first = true;
        for at in 0..list.len() {
            let item = self.tree.items(list)[at];
            let before = self.out.len();
            if !first {
                self.write(", ")?;
            }
            let between = self.out.len();
            self.whole(item)?;
            if self.out.len() == between {
                self.out.truncate(before);
            } else {
                first = false;
            }
        }
        Ok(())
    }

    /// A pattern, for each of the pack in it.
    fn expansion(&mut self, pattern: Id) -> Written {
        let Some(length) = self.pack_length(pattern, 0)? else {
            self.whole(pattern)?;
            return self.write("...");
        };
        let outer = self.of_pack;
        for at in 0..length {
            if at > 0 {
                self.write(", ")?;
            }
            self.of_pack = Some(at);
            self.whole(pattern)?;
        }
        self.of_pack = outer;
        Ok(())
    }

    /// How many the first pack in a pattern holds.
    fn pack_length(&mut self, id: Id, depth: u32) -> Result<Option<usize>, TooMuch> {
        self.step()?;
        if depth == DEEPEST {
            return Err(TooMuch);
        }
        match self.tree.get(id) {
            Node::Parameter { argument, .. } => {
                return Ok(match self.tree.get(self.tree.resolved(argument)) {
                    Node::Pack(items) => Some(items.len()),
                    _ => None,
                });
            }
            // Those have packs of their own.
            Node::Expansion(_) | Node::Pack(_) => return Ok(None),
            _ => {}
        }
        for part in self.tree.parts(id) {
            if let Some(length) = self.pack_length(part, depth + 1)? {
                return Ok(Some(length));
            }
        }
        Ok(None)
    }
}
