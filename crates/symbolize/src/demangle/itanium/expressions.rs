//! Expressions, which stand in the arguments of templates and in types that are computed.

use super::operators::{self, Arity};
use super::parser::Parser;
use super::tree::{Id, List, Node};

impl Parser<'_> {
    /// `<expression>`.
    pub(super) fn expression(&mut self) -> Option<Id> {
        self.deeper(Self::expression_here)
    }

    fn expression_here(&mut self) -> Option<Id> {
        if self.take("gs") {
            let of = match (self.peek(0), self.peek(1)) {
                (b'n', b'w' | b'a') | (b'd', b'l' | b'a') => self.expression()?,
                _ => self.unresolved_name()?,
            };
            return Some(self.tree.add(Node::Global(of)));
        }
        let code = [self.peek(0), self.peek(1)];
        match &code {
            [b'L', _] => return self.expr_primary(),
            [b'T', _] => return self.template_param(),
            [b'0'..=b'9', _] | b"sr" | b"on" | b"dn" => return self.unresolved_name(),
            [b'f', _] => return self.parameter_or_fold(),
            [b'u', b'0'..=b'9'] => return self.vendor_expression(),
            _ => {}
        }
        self.special_expression(code).unwrap_or_else(|| self.operation(code))
    }

    /// Those that are no operators; nothing if the code is of another one.
    fn special_expression(&mut self, code: [u8; 2]) -> Option<Option<Id>> {
        let read: fn(&mut Self) -> Option<Id> = match &code {
            b"cl" => |this| {
                let of = this.expression()?;
                let arguments = this.expressions(b'E')?;
                Some(this.tree.add(Node::Call { of, arguments }))
            },
            b"cp" => |this| {
                let of = this.unresolved_name()?;
                let arguments = this.expressions(b'E')?;
                Some(this.tree.add(Node::Call { of, arguments }))
            },
            b"cv" => |this| {
                let to = this.type_()?;
                let of = if this.take("_") {
                    this.expressions(b'E')?
                } else {
                    let one = this.expression()?;
                    this.tree.list(&[one])
                };
                Some(this.tree.add(Node::OldCast { to, of }))
            },
            b"tl" => |this| {
                let of = Some(this.type_()?);
                let items = this.expressions(b'E')?;
                Some(this.tree.add(Node::Braces { of, items }))
            },
            b"il" => |this| {
                let items = this.expressions(b'E')?;
                Some(this.tree.add(Node::Braces { of: None, items }))
            },
            b"nw" => |this| this.new_expression("new"),
            b"na" => |this| this.new_expression("new[]"),
            b"dl" => |this| this.prefixed("delete "),
            b"da" => |this| this.prefixed("delete[] "),
            b"dc" => |this| this.cast("dynamic_cast"),
            b"sc" => |this| this.cast("static_cast"),
            b"cc" => |this| this.cast("const_cast"),
            b"rc" => |this| this.cast("reinterpret_cast"),
            b"st" => |this| this.word_of_type("sizeof"),
            b"at" => |this| this.word_of_type("alignof"),
            b"ti" => |this| this.word_of_type("typeid"),
            b"sz" => |this| this.word("sizeof"),
            b"az" => |this| this.word("alignof"),
            b"te" => |this| this.word("typeid"),
            b"nx" => |this| this.word("noexcept"),
            b"sZ" => |this| {
                let of = if this.peek(0) == b'T' { this.template_param()? } else { this.expression()? };
                Some(this.tree.add(Node::Count(of)))
            },
            b"sP" => |this| {
                let mut items = Vec::new();
                while !this.take("E") {
                    items.push(this.single_template_arg()?);
                }
                let items = this.tree.list(&items);
                let pack = this.tree.add(Node::Pack(items));
                Some(this.tree.add(Node::Count(pack)))
            },
            b"sp" => |this| {
                let pattern = this.expression()?;
                Some(this.tree.add(Node::Expansion(pattern)))
            },
            b"tr" => |this| Some(this.tree.text("throw")),
            b"tw" => |this| this.prefixed("throw "),
            b"dt" => |this| this.member("."),
            b"pt" => |this| this.member("->"),
            _ => return None,
        };
        Some(self.skip(2).and_then(|_| read(self)))
    }

    /// A template argument that is not a pack.
    pub(super) fn single_template_arg(&mut self) -> Option<Id> {
        match self.peek(0) {
            b'L' => self.expr_primary(),
            b'X' => {
                self.skip(1)?;
                let expression = self.expression()?;
                self.expect("E")?;
                Some(expression)
            }
            _ => self.type_(),
        }
    }

    /// An operator and its operands.
    fn operation(&mut self, code: [u8; 2]) -> Option<Id> {
        let operator = operators::find(code)?;
        self.skip(2)?;
        match operator.arity {
            Arity::Name => None,
            Arity::One => {
                // `pp_` stands before its operand, `pp` behind it.
                if matches!(operator.text, "++" | "--") && !self.take("_") {
                    let operand = self.expression()?;
                    return Some(self.tree.add(Node::Postfix { operator: operator.text, operand }));
                }
                self.prefixed(operator.text)
            }
            Arity::Two => {
                let left = self.expression()?;
                let right = self.expression()?;
                Some(self.tree.add(Node::Binary { operator: operator.text, left, right }))
            }
            Arity::Three => {
                let condition = self.expression()?;
                let yes = self.expression()?;
                let no = self.expression()?;
                Some(self.tree.add(Node::Conditional { condition, yes, no }))
            }
        }
    }

    fn prefixed(&mut self, operator: &'static str) -> Option<Id> {
        let operand = self.expression()?;
        Some(self.tree.add(Node::Prefix { operator, operand }))
    }

    fn word(&mut self, word: &'static str) -> Option<Id> {
        let of = self.expression()?;
        Some(self.tree.add(Node::Word { word, of }))
    }

    fn word_of_type(&mut self, word: &'static str) -> Option<Id> {
        let of = self.type_()?;
        Some(self.tree.add(Node::Word { word, of }))
    }

    fn cast(&mut self, word: &'static str) -> Option<Id> {
        let to = self.type_()?;
        let of = self.expression()?;
        Some(self.tree.add(Node::Cast { word, to, of }))
    }

    fn member(&mut self, operator: &'static str) -> Option<Id> {
        let left = self.expression()?;
        let right = self.unresolved_name()?;
        Some(self.tree.add(Node::Binary { operator, left, right }))
    }

    /// Expressions up to this letter, which is read as well.
    fn expressions(&mut self, end: u8) -> Option<List> {
        let mut items = Vec::new();
        while self.peek(0) != end {
            items.push(self.expression()?);
        }
        self.skip(1)?;
        Some(self.tree.list(&items))
    }

    fn new_expression(&mut self, word: &'static str) -> Option<Id> {
        let place = self.expressions(b'_')?;
        let of = self.type_()?;
        let arguments = if self.take("pi") {
            Some(self.expressions(b'E')?)
        } else if self.peek(0) == b'i' {
            let braces = self.expression()?;
            Some(self.tree.list(&[braces]))
        } else {
            self.expect("E")?;
            None
        };
        Some(self.tree.add(Node::New { word, place, of, arguments }))
    }

    fn vendor_expression(&mut self) -> Option<Id> {
        self.skip(1)?;
        let of = self.source_name()?;
        let mut items = Vec::new();
        while !self.take("E") {
            items.push(self.single_template_arg()?);
        }
        let arguments = self.tree.list(&items);
        Some(self.tree.add(Node::Call { of, arguments }))
    }

    /// `<function-param>`, or `<fold-expr>`.
    fn parameter_or_fold(&mut self) -> Option<Id> {
        self.skip(1)?;
        if self.take("pT") {
            return Some(self.tree.add(Node::FunctionParameter(0)));
        }
        let level = self.rest.bytes().skip(1).take_while(u8::is_ascii_digit).count();
        let outer = self.peek(0) == b'L' && level > 0 && self.peek(1 + level) == b'p';
        if outer {
            self.skip(1 + level)?;
        }
        if self.take("p") {
            _ = self.cv_qualifiers();
            let number = self.sequence()? + 1;
            return Some(self.tree.add(Node::FunctionParameter(number)));
        }
        let kind = self.skip(1)?;
        let operator = operators::find([self.peek(0), self.peek(1)])?.text;
        self.skip(2)?;
        let first = self.expression()?;
        let (pack, pack_first, other) = match kind {
            "l" => (first, false, None),
            "r" => (first, true, None),
            "L" => (self.expression()?, false, Some(first)),
            "R" => (first, true, Some(self.expression()?)),
            _ => return None,
        };
        let node = Node::Fold { operator, pack, pack_first, other };
        Some(self.tree.add(node))
    }

    /// `<expr-primary>`.
    pub(super) fn expr_primary(&mut self) -> Option<Id> {
        self.expect("L")?;
        if self.take("_Z") || self.take("Z") {
            let name = self.deeper(|this| this.encoding(false, true))?;
            self.expect("E")?;
            return Some(name);
        }
        let of = self.type_()?;
        let negative = self.take("n");
        let length = self.rest.find('E')?;
        let text = self.skip(length)?;
        self.expect("E")?;
        Some(self.tree.add(Node::Value { of, text, negative }))
    }

    /// `<unresolved-name>` without what makes it global.
    pub(super) fn unresolved_name(&mut self) -> Option<Id> {
        self.deeper(|this| {
            if this.take("srN") {
                let mut scope = this.unresolved_type()?;
                while !this.take("E") {
                    let name = this.simple_id()?;
                    scope = this.tree.add(Node::Nested { scope, name });
                }
                let name = this.base_unresolved_name()?;
                return Some(this.tree.add(Node::Nested { scope, name }));
            }
            if !this.take("sr") {
                return this.base_unresolved_name();
            }
            let scope = if this.peek(0).is_ascii_digit() {
                let before = (this.rest, this.substitutions.len());
                match this.levels() {
                    Some(scope) => scope,
                    None => {
                        // Older compilers write a type here.
                        this.rest = before.0;
                        this.substitutions.truncate(before.1);
                        this.type_()?
                    }
                }
            } else {
                this.unresolved_type()?
            };
            let name = this.base_unresolved_name()?;
            Some(this.tree.add(Node::Nested { scope, name }))
        })
    }

    /// `<unresolved-qualifier-level>`s with the `E` behind them. Those with arguments can be referred to.
    fn levels(&mut self) -> Option<Id> {
        let mut scope = self.level()?;
        while !self.take("E") {
            let name = self.level()?;
            scope = self.tree.add(Node::Nested { scope, name });
        }
        matches!(self.peek(0), b'0'..=b'9' | b'o' | b'd').then_some(scope)
    }

    fn level(&mut self) -> Option<Id> {
        let name = self.source_name()?;
        let name = self.tags(name)?;
        if self.peek(0) == b'I' {
            self.remember(name);
        }
        self.with_arguments(name)
    }

    /// `<unresolved-type>`, or any other one, with the arguments behind it.
    fn unresolved_type(&mut self) -> Option<Id> {
        self.type_()
    }

    /// `<base-unresolved-name>`.
    fn base_unresolved_name(&mut self) -> Option<Id> {
        if self.take("dn") {
            let class = if self.peek(0).is_ascii_digit() { self.simple_id()? } else { self.type_()? };
            return Some(self.tree.add(Node::Destructor { class }));
        }
        if self.peek(0).is_ascii_digit() {
            return self.simple_id();
        }
        _ = self.take("on");
        let name = self.operator_name(false)?;
        self.with_arguments(name)
    }

    /// `<simple-id>`.
    fn simple_id(&mut self) -> Option<Id> {
        let name = self.source_name()?;
        let name = self.tags(name)?;
        self.with_arguments(name)
    }

    fn with_arguments(&mut self, name: Id) -> Option<Id> {
        if self.peek(0) != b'I' {
            return Some(name);
        }
        let arguments = self.template_args(false)?;
        Some(self.tree.add(Node::Template { name, arguments }))
    }
}
