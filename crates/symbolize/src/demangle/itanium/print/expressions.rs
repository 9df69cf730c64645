//! Expressions.

use super::super::tree::{Id, Node};
use super::{Printer, TooMuch, Written};

impl Printer<'_, '_> {
    /// An expression, in brackets unless it is a mere name.
    fn operand(&mut self, id: Id) -> Written {
        let plain = matches!(
            self.tree.get(id),
            Node::Text(_)
                | Node::Nested { .. }
                | Node::Braces { .. }
                | Node::FunctionParameter(_)
                | Node::Short { .. }
                | Node::Function { .. }
        );
        if plain {
            return self.whole(id);
        }
        self.write("(")?;
        self.whole(id)?;
        self.write(")")
    }

    pub(super) fn expression(&mut self, id: Id) -> Written {
        match self.tree.get(id) {
            Node::Prefix { operator, operand } => {
                self.write(operator)?;
                match self.tree.get(operand) {
                    // The address of a function is that of its name.
                    Node::Function { name, .. } if operator == "&" => self.operand(name),
                    _ => self.operand(operand),
                }
            }
            Node::Postfix { operator, operand } => {
                self.operand(operand)?;
                self.write(operator)
            }
            Node::Binary { operator, left, right } => self.binary(operator, left, right),
            Node::Conditional { condition, yes, no } => {
                self.operand(condition)?;
                self.write("?")?;
                self.operand(yes)?;
                self.write(" : ")?;
                self.operand(no)
            }
            Node::Word { word, of } => {
                self.write(word)?;
                self.write(" (")?;
                self.whole(of)?;
                self.write(")")
            }
            Node::Cast { word, to, of } => {
                self.write(word)?;
                self.write("<")?;
                self.whole(to)?;
                self.write(">(")?;
                self.whole(of)?;
                self.write(")")
            }
            Node::OldCast { to, of } => {
                self.write("(")?;
                self.whole(to)?;
                self.write(")(")?;
                self.items(of)?;
                self.write(")")
            }
            Node::Call { of, arguments } => {
                self.operand(of)?;
                self.parameters(arguments)
            }
            Node::Braces { of, items } => {
                if let Some(of) = of {
                    self.whole(of)?;
                }
                self.write("{")?;
                self.items(items)?;
                self.write("}")
            }
            Node::New { word, place, of, arguments } => {
                self.write(word)?;
                self.write(" ")?;
                if !place.is_empty() {
                    self.parameters(place)?;
                    self.write(" ")?;
                }
                self.whole(of)?;
                arguments.map_or(Ok(()), |arguments| self.parameters(arguments))
            }
            Node::Fold { operator, pack, pack_first, other } => self.fold(operator, pack, pack_first, other),
            Node::Count(of) => {
                let length = match self.tree.get(of) {
                    Node::Pack(items) => Some(items.len()),
                    _ => self.pack_length(of, 0)?,
                };
                match length {
                    Some(length) => self.write(&length.to_string()),
                    None => {
                        self.write("sizeof...(")?;
                        self.whole(of)?;
                        self.write(")")
                    }
                }
            }
            Node::FunctionParameter(0) => self.write("this"),
            Node::FunctionParameter(number) => self.write(&format!("{{parm#{number}}}")),
            Node::Value { of, text, negative } => self.value(of, text, negative),
            Node::Global(of) => {
                self.write("::")?;
                self.whole(of)
            }
            Node::Joined(items) => {
                for at in 0..items.len() {
                    self.whole(self.tree.items(items)[at])?;
                }
                Ok(())
            }
            // All others are names and types.
            _ => Err(TooMuch),
        }
    }

    fn binary(&mut self, operator: &'static str, left: Id, right: Id) -> Written {
        match operator {
            "." | "->" => {
                self.operand(left)?;
                self.write(operator)?;
                self.whole(right)
            }
            "[]" => {
                self.operand(left)?;
                self.write("[")?;
                self.whole(right)?;
                self.write("]")
            }
            _ => {
                // The end of a template's arguments would be seen in it.
                let bracket = operator == ">";
                if bracket {
                    self.write("(")?;
                }
                self.operand(left)?;
                self.write(operator)?;
                self.operand(right)?;
                if bracket { self.write(")") } else { Ok(()) }
            }
        }
    }

    fn fold(&mut self, operator: &str, pack: Id, pack_first: bool, other: Option<Id>) -> Written {
        self.write("(")?;
        let parts = if pack_first { [Some(pack), None, other] } else { [other, None, Some(pack)] };
        let mut first = true;
        for (at, part) in parts.into_iter().enumerate() {
            let dots = at == 1;
            if part.is_none() && !dots {
                continue;
            }
            if !std::mem::take(&mut first) {
                self.write(operator)?;
            }
            match part {
                Some(part) => self.operand(part)?,
                None => self.write("...")?,
            }
        }
        self.write(")")
    }

    fn value(&mut self, of: Id, text: &str, negative: bool) -> Written {
        let sign = if negative { "-" } else { "" };
        let suffix = match self.tree.get(of) {
            Node::Text("bool") if !negative && text == "0" => return self.write("false"),
            Node::Text("bool") if !negative && text == "1" => return self.write("true"),
            Node::Text("decltype(nullptr)") => return self.whole(of),
            Node::Text("int") => Some(""),
            Node::Text("unsigned int") => Some("u"),
            Node::Text("long") => Some("l"),
            Node::Text("unsigned long") => Some("ul"),
            Node::Text("long long") => Some("ll"),
            Node::Text("unsigned long long") => Some("ull"),
            _ => None,
        };
        if suffix.is_none() {
            self.write("(")?;
            self.whole(of)?;
            self.write(")")?;
        }
        let float = matches!(self.tree.get(of), Node::Text("float" | "double" | "long double" | "__float128"));
        self.write(sign)?;
        if float {
            self.write("[")?;
        }
        self.write(text)?;
        if float {
            self.write("]")?;
        }
        self.write(suffix.unwrap_or(""))
    }
}
