//! Names: what has one half alone.

use super::super::tree::{Id, Node};
use super::{Printer, TooMuch, Written};

impl Printer<'_, '_> {
    /// Everything that has one half alone.
    pub(super) fn name(&mut self, id: Id) -> Written {
        match self.tree.get(id) {
            Node::Text(text) => self.write(text),
            Node::Short { text, .. } => self.write(text),
            Node::Nested { scope, name } => {
                let long = match (self.tree.get(scope), self.tree.get(self.tree.base(name))) {
                    (Node::Short { class, arguments, .. }, Node::Constructor { .. } | Node::Destructor { .. }) => {
                        Some((class, arguments))
                    }
                    _ => None,
                };
                match long {
                    Some((class, arguments)) => {
                        self.write("std::")?;
                        self.write(class)?;
                        if !self.options.without_arguments {
                            self.write(arguments)?;
                        }
                    }
                    None => self.whole(scope)?,
                }
                self.write("::")?;
                self.whole(name)
            }
            Node::Template { name, arguments } => {
                self.whole(name)?;
                if self.options.without_arguments {
                    return Ok(());
                }
                if self.out.ends_with('<') {
                    self.write(" ")?;
                }
                self.write("<")?;
                self.items(arguments)?;
                if self.out.ends_with('>') {
                    self.write(" ")?;
                }
                self.write(">")
            }
            Node::Constructor { class } => self.class_name(class),
            Node::Destructor { class } => {
                self.write("~")?;
                self.class_name(class)
            }
            Node::Operator(text) => {
                self.write("operator")?;
                if text.starts_with(|letter: char| letter.is_ascii_lowercase()) {
                    self.write(" ")?;
                }
                self.write(text)
            }
            Node::Conversion(to) => {
                self.write("operator ")?;
                self.whole(to)
            }
            Node::Literal(name) => {
                self.write("operator\"\" ")?;
                self.whole(name)
            }
            Node::Tagged { name, tag } => {
                self.whole(name)?;
                self.write("[abi:")?;
                self.write(tag)?;
                self.write("]")
            }
            Node::Lambda { declared, parameters, number } => {
                self.write("{lambda")?;
                if !declared.is_empty() {
                    self.write("<")?;
                    self.items(declared)?;
                    self.write(">")?;
                }
                self.parameters(parameters)?;
                self.write("#")?;
                self.write(&number.to_string())?;
                self.write("}")
            }
            Node::Unnamed(number) => self.write(&format!("{{unnamed type#{number}}}")),
            Node::Binding(names) => {
                self.write("[")?;
                self.items(names)?;
                self.write("]")
            }
            Node::InModule { name, module } => {
                self.whole(name)?;
                self.write("@")?;
                self.write(module)
            }
            Node::Local { function, name } => {
                self.whole(function)?;
                self.write("::")?;
                self.whole(name)
            }
            Node::DefaultArgument { number, name } => {
                self.write(&format!("{{default arg#{number}}}::"))?;
                self.whole(name)
            }
            Node::Method { name, qualifiers } => {
                self.whole(name)?;
                self.qualifiers(qualifiers)
            }
            Node::Function { name, result, parameters, local } => {
                let result = result.filter(|_| !local);
                if let Some(result) = result {
                    self.left(result)?;
                    if !self.has_right(result)? {
                        self.space()?;
                    }
                }
                self.whole(name)?;
                if local && self.options.without_enclosing {
                    self.write("()")?;
                } else {
                    self.parameters(parameters)?;
                }
                result.map_or(Ok(()), |result| self.right(result))
            }
            Node::Special { prefix, name } => {
                self.write(prefix)?;
                self.whole(name)
            }
            Node::ConstructionTable { name, other } => {
                self.write("construction vtable for ")?;
                self.whole(name)?;
                self.write("-in-")?;
                self.whole(other)
            }
            Node::Vector { of, size } => {
                self.whole(of)?;
                self.write(" __vector(")?;
                self.whole(size)?;
                self.write(")")
            }
            Node::Decltype(of) => {
                self.write("decltype (")?;
                self.whole(of)?;
                self.write(")")
            }
            Node::Forward(_) => Err(TooMuch),
            Node::Pack(items) => self.items(items),
            Node::Expansion(pattern) => self.expansion(pattern),
            Node::Auto(number) => self.write(&format!("auto:{number}")),
            Node::BitInt { word, size } => {
                self.write(word)?;
                self.write("(")?;
                self.whole(size)?;
                self.write(")")
            }
            _ => self.expression(id),
        }
    }

    /// What the constructors of a class are called.
    fn class_name(&mut self, class: Id) -> Written {
        match self.tree.get(self.tree.base(class)) {
            Node::Short { class, .. } => self.write(class),
            _ => self.whole(self.tree.base(class)),
        }
    }
}
