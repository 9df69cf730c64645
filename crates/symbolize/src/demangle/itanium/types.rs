//! Types.

use super::parser::Parser;
use super::tree::{Exceptions, Id, Node, Qualifiers};

/// `<builtin-type>` of one letter. Source: the Itanium C++ ABI, 5.1.5.2.
fn builtin(code: u8) -> Option<&'static str> {
    Some(match code {
        b'v' => "void",
        b'w' => "wchar_t",
        b'b' => "bool",
        b'c' => "char",
        b'a' => "signed char",
        b'h' => "unsigned char",
        b's' => "short",
        b't' => "unsigned short",
        b'i' => "int",
        b'j' => "unsigned int",
        b'l' => "long",
        b'm' => "unsigned long",
        b'x' => "long long",
        b'y' => "unsigned long long",
        b'n' => "__int128",
        b'o' => "unsigned __int128",
        b'f' => "float",
        b'd' => "double",
        b'e' => "long double",
        b'g' => "__float128",
        b'z' => "...",
        _ => return None,
    })
}

/// The builtin types whose code is a `D` and another letter.
fn long_builtin(code: u8) -> Option<&'static str> {
    Some(match code {
        b'd' => "decimal64",
        b'e' => "decimal128",
        b'f' => "decimal32",
        b'h' => "half",
        b'i' => "char32_t",
        b's' => "char16_t",
        b'u' => "char8_t",
        b'a' => "auto",
        b'c' => "decltype(auto)",
        b'n' => "decltype(nullptr)",
        _ => return None,
    })
}

impl Parser<'_> {
    /// `<type>`.
    pub(super) fn type_(&mut self) -> Option<Id> {
        self.deeper(Self::type_here)
    }

    fn type_here(&mut self) -> Option<Id> {
        if let Some(text) = builtin(self.peek(0)) {
            self.skip(1)?;
            return Some(self.tree.text(text));
        }
        let id = match self.peek(0) {
            b'r' | b'V' | b'K' => {
                let qualifiers = self.cv_qualifiers();
                if self.at_function() {
                    self.function_type(qualifiers)?
                } else {
                    let of = self.type_()?;
                    self.tree.add(Node::Qualified { of, qualifiers })
                }
            }
            b'U' => {
                self.skip(1)?;
                let mut name = self.source_name()?;
                if self.peek(0) == b'I' {
                    let arguments = self.template_args(false)?;
                    name = self.tree.add(Node::Template { name, arguments });
                }
                let of = self.type_()?;
                self.tree.add(Node::Vendor { of, name })
            }
            b'P' => {
                self.skip(1)?;
                let of = self.type_()?;
                self.tree.add(Node::Pointer(of))
            }
            b'R' => {
                self.skip(1)?;
                let of = self.type_()?;
                self.tree.add(Node::LeftReference(of))
            }
            b'O' => {
                self.skip(1)?;
                let of = self.type_()?;
                self.tree.add(Node::RightReference(of))
            }
            b'C' => {
                self.skip(1)?;
                let of = self.type_()?;
                self.tree.add(Node::Suffixed { of, suffix: " _Complex" })
            }
            b'G' => {
                self.skip(1)?;
                let of = self.type_()?;
                self.tree.add(Node::Suffixed { of, suffix: " _Imaginary" })
            }
            b'F' => self.function_type(Qualifiers::default())?,
            b'A' => self.array_type()?,
            b'M' => {
                self.skip(1)?;
                let class = self.type_()?;
                let of = self.type_()?;
                self.tree.add(Node::Member { class, of })
            }
            b'T' if matches!(self.peek(1), b's' | b'u' | b'e') => {
                self.skip(2)?;
                self.name(false)?.0
            }
            b'T' => {
                let parameter = self.template_param()?;
                if self.peek(0) != b'I' || self.arguments_may_follow {
                    return Some(self.remember(parameter));
                }
                self.remember(parameter);
                let arguments = self.template_args(false)?;
                self.tree.add(Node::Template { name: parameter, arguments })
            }
            b'S' if self.peek(1) != b't' => {
                let known = self.substitution()?;
                if self.peek(0) != b'I' || self.arguments_may_follow && matches!(self.tree.get(known), Node::Forward(_))
                {
                    return Some(known);
                }
                let arguments = self.template_args(false)?;
                self.tree.add(Node::Template { name: known, arguments })
            }
            b'D' => match self.d_type()? {
                (id, true) => id,
                (id, false) => return Some(id),
            },
            b'u' => {
                self.skip(1)?;
                let name = self.source_name()?;
                if self.peek(0) == b'I' {
                    let arguments = self.template_args(false)?;
                    self.tree.add(Node::Template { name, arguments })
                } else {
                    name
                }
            }
            _ => {
                let (name, _) = self.name(false)?;
                // What qualifies `this` of a function has no place here.
                name
            }
        };
        Some(self.remember(id))
    }

    /// A type that begins with `D`, and whether it can be referred to later.
    fn d_type(&mut self) -> Option<(Id, bool)> {
        if self.at_function() {
            return Some((self.function_type(Qualifiers::default())?, true));
        }
        match self.peek(1) {
            b't' | b'T' => Some((self.decltype()?, true)),
            b'p' => {
                self.skip(2)?;
                let pattern = self.type_()?;
                Some((self.tree.add(Node::Expansion(pattern)), true))
            }
            b'v' => {
                self.skip(2)?;
                let size = if self.take("_") { self.expression()? } else { self.digits()? };
                self.expect("_")?;
                let of = if self.take("p") { self.tree.text("pixel") } else { self.type_()? };
                Some((self.tree.add(Node::Vector { of, size }), true))
            }
            b'F' => {
                self.skip(2)?;
                if self.take("16b") {
                    return Some((self.tree.text("std::bfloat16_t"), false));
                }
                let bits = self.number()?;
                let text = match (bits, self.peek(0)) {
                    (16, b'_') => "_Float16",
                    (32, b'_') => "_Float32",
                    (64, b'_') => "_Float64",
                    (128, b'_') => "_Float128",
                    (32, b'x') => "_Float32x",
                    (64, b'x') => "_Float64x",
                    _ => return None,
                };
                self.skip(1)?;
                Some((self.tree.text(text), false))
            }
            letter @ (b'B' | b'U') => {
                self.skip(2)?;
                let size = if self.peek(0).is_ascii_digit() { self.digits()? } else { self.expression()? };
                self.expect("_")?;
                let word = if letter == b'B' { "_BitInt" } else { "unsigned _BitInt" };
                Some((self.tree.add(Node::BitInt { word, size }), false))
            }
            b'k' | b'K' => {
                let text = if self.peek(1) == b'k' { "auto" } else { "decltype(auto)" };
                self.skip(2)?;
                let (concept, _) = self.name(false)?;
                let space = self.tree.text(" ");
                let text = self.tree.text(text);
                let parts = self.tree.list(&[concept, space, text]);
                Some((self.tree.add(Node::Joined(parts)), true))
            }
            letter => {
                let text = long_builtin(letter)?;
                self.skip(2)?;
                Some((self.tree.text(text), false))
            }
        }
    }

    /// Digits, as an expression.
    pub(super) fn digits(&mut self) -> Option<Id> {
        let digits = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        let text = self.skip(digits).filter(|text| !text.is_empty())?;
        Some(self.tree.text(text))
    }

    /// `<decltype>`.
    pub(super) fn decltype(&mut self) -> Option<Id> {
        self.skip(2)?;
        let expression = self.expression()?;
        self.expect("E")?;
        Some(self.tree.add(Node::Decltype(expression)))
    }

    /// Whether the type of a function comes next, with what may stand before its `F`.
    fn at_function(&self) -> bool {
        self.peek(0) == b'F' || self.peek(0) == b'D' && matches!(self.peek(1), b'o' | b'O' | b'w' | b'x')
    }

    /// `<function-type>`.
    fn function_type(&mut self, mut qualifiers: Qualifiers) -> Option<Id> {
        let mut exceptions = Exceptions::None;
        if self.take("Do") {
            exceptions = Exceptions::Noexcept;
        } else if self.take("DO") {
            exceptions = Exceptions::NoexceptIf(self.expression()?);
            self.expect("E")?;
        } else if self.take("Dw") {
            let mut types = Vec::new();
            while !self.take("E") {
                types.push(self.type_()?);
            }
            exceptions = Exceptions::Throw(self.tree.list(&types));
        }
        let suffix = if self.take("Dx") { " transaction_safe" } else { "" };
        self.expect("F")?;
        _ = self.take("Y");
        let result = self.type_()?;
        let parameters = if matches!(self.peek(0), b'E' | b'R' | b'O') && self.peek(1) == b'E' || self.peek(0) == b'E' {
            self.tree.list(&[])
        } else {
            self.parameters()?
        };
        if matches!(self.peek(0), b'R' | b'O') && self.peek(1) == b'E' {
            qualifiers.reference = self.ref_qualifier();
        }
        self.expect("E")?;
        Some(self.tree.add(Node::FunctionType { result, parameters, qualifiers, exceptions, suffix }))
    }

    /// `<array-type>`.
    fn array_type(&mut self) -> Option<Id> {
        self.expect("A")?;
        let size = match self.peek(0) {
            b'_' => None,
            b'0'..=b'9' => Some(self.digits()?),
            _ => Some(self.expression()?),
        };
        self.expect("_")?;
        let of = self.type_()?;
        Some(self.tree.add(Node::Array { of, size }))
    }
}
