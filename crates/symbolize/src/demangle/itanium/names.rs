//! Names of functions and of what belongs to them.

use super::parser::Parser;
use super::tree::{Id, Node, Qualifiers, Reference};
use super::{operators, tree::List};

/// What a name tells about the type of its function.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Kind {
    /// It ends with the arguments of a template: the type begins with what the function gives.
    pub(super) is_template: bool,
    /// A constructor, destructor or conversion, which says that by itself.
    pub(super) gives_by_name: bool,
}

impl<'a> Parser<'a> {
    /// `<mangled-name>` behind its `_Z`. Without `parameters` they are not read, nor is what follows.
    pub(super) fn mangled_name(&mut self, parameters: bool) -> Option<Id> {
        self.encoding(false, parameters)
    }

    /// `<encoding>`; `local` if it is that of a function around another name.
    pub(super) fn encoding(&mut self, local: bool, parameters: bool) -> Option<Id> {
        self.deeper(|this| {
            if matches!(this.peek(0), b'T' | b'G') {
                return this.special_name();
            }
            let before = std::mem::take(&mut this.arguments);
            let (name, kind) = this.name(true)?;
            this.resolve_forwards()?;
            let (plain, qualifiers) = match this.tree.get(name) {
                Node::Method { name, qualifiers } => (name, qualifiers),
                _ => (name, Qualifiers::default()),
            };
            if !parameters {
                return Some(plain);
            }
            let encoded = if this.ends() {
                name
            } else {
                let has_result = kind.is_template && !kind.gives_by_name;
                let result = if has_result { Some(this.type_()?) } else { None };
                let parameters = this.parameters()?;
                if this.take("Q") {
                    _ = this.expression()?;
                }
                let function = this.tree.add(Node::Function { name: plain, result, parameters, local });
                this.with_qualifiers(function, qualifiers)
            };
            this.arguments = before;
            Some(encoded)
        })
    }

    /// Whether there are no parameters here.
    fn ends(&self) -> bool {
        matches!(self.peek(0), 0 | b'E' | b'.')
    }

    pub(super) fn with_qualifiers(&mut self, name: Id, qualifiers: Qualifiers) -> Id {
        if qualifiers == Qualifiers::default() { name } else { self.tree.add(Node::Method { name, qualifiers }) }
    }

    /// The types of parameters, at least one; `v` stands for none.
    pub(super) fn parameters(&mut self) -> Option<List> {
        let mut types = Vec::new();
        if self.peek(0) == b'v' && matches!(self.peek(1), 0 | b'E' | b'.' | b'Q' | b'R' | b'O') {
            self.skip(1)?;
            return Some(self.tree.list(&types));
        }
        loop {
            types.push(self.type_()?);
            // `R` and `O` before the end qualify the function.
            let reference = matches!(self.peek(0), b'R' | b'O') && self.peek(1) == b'E';
            if self.ends() || self.peek(0) == b'Q' || reference {
                return Some(self.tree.list(&types));
            }
        }
    }

    /// `<special-name>`.
    fn special_name(&mut self) -> Option<Id> {
        let code = self.skip(2)?;
        let of_type = match code {
            "TV" => Some("vtable for "),
            "TT" => Some("VTT for "),
            "TI" => Some("typeinfo for "),
            "TS" => Some("typeinfo name for "),
            "TF" => Some("typeinfo fn for "),
            "TJ" => Some("java Class for "),
            _ => None,
        };
        if let Some(prefix) = of_type {
            let name = self.type_()?;
            return Some(self.tree.add(Node::Special { prefix, name }));
        }
        let of_name = match code {
            "TH" => Some("TLS init function for "),
            "TW" => Some("TLS wrapper function for "),
            "GV" => Some("guard variable for "),
            _ => None,
        };
        if let Some(prefix) = of_name {
            let (name, _) = self.name(false)?;
            return Some(self.tree.add(Node::Special { prefix, name }));
        }
        let prefix = match code {
            "Th" => {
                self.offset()?;
                "non-virtual thunk to "
            }
            "Tv" => {
                self.offset()?;
                self.offset()?;
                "virtual thunk to "
            }
            "Tc" => {
                self.call_offset()?;
                self.call_offset()?;
                "covariant return thunk to "
            }
            "TC" => {
                let other = self.type_()?;
                self.number()?;
                self.expect("_")?;
                let name = self.type_()?;
                return Some(self.tree.add(Node::ConstructionTable { name, other }));
            }
            "TA" => {
                let name = if self.peek(0) == b'L' { self.expr_primary()? } else { self.type_()? };
                return Some(self.tree.add(Node::Special { prefix: "template parameter object for ", name }));
            }
            "GR" => {
                let (name, _) = self.name(false)?;
                // Several of one variable read alike.
                _ = self.base_36();
                return Some(self.tree.add(Node::Special { prefix: "reference temporary for ", name }));
            }
            "GA" => "hidden alias for ",
            "GT" => match self.skip(1)? {
                "t" => "transaction clone for ",
                "n" => "non-transaction clone for ",
                _ => return None,
            },
            _ => return None,
        };
        let name = self.encoding(false, true)?;
        Some(self.tree.add(Node::Special { prefix, name }))
    }

    fn call_offset(&mut self) -> Option<()> {
        match self.skip(1)? {
            "h" => self.offset(),
            "v" => self.offset().and_then(|()| self.offset()),
            _ => None,
        }
    }

    /// `<name>`; `tag` if it is that of a function, whose type refers to its arguments.
    pub(super) fn name(&mut self, tag: bool) -> Option<(Id, Kind)> {
        self.deeper(|this| match this.peek(0) {
            b'N' => this.nested_name(tag),
            b'Z' => this.local_name(tag),
            b'S' if this.peek(1) != b't' => {
                let name = this.substitution()?;
                let arguments = this.template_args(tag)?;
                let name = this.tree.add(Node::Template { name, arguments });
                Some((name, Kind { is_template: true, gives_by_name: false }))
            }
            _ => {
                let scope = this.take("St").then(|| this.tree.text("std"));
                let (name, mut kind) = this.unqualified_name(scope, tag)?;
                let mut name = this.within(scope, name);
                if this.peek(0) == b'I' {
                    this.remember(name);
                    let arguments = this.template_args(tag)?;
                    name = this.tree.add(Node::Template { name, arguments });
                    kind.is_template = true;
                }
                Some((name, kind))
            }
        })
    }

    fn within(&mut self, scope: Option<Id>, name: Id) -> Id {
        match scope {
            Some(scope) => self.tree.add(Node::Nested { scope, name }),
            None => name,
        }
    }

    /// `<CV-qualifiers>`.
    pub(super) fn cv_qualifiers(&mut self) -> Qualifiers {
        let is_restrict = self.take("r");
        let is_volatile = self.take("V");
        let is_const = self.take("K");
        Qualifiers { is_const, is_volatile, is_restrict, reference: Reference::None }
    }

    /// `<ref-qualifier>`.
    pub(super) fn ref_qualifier(&mut self) -> Reference {
        if self.take("R") {
            Reference::Left
        } else if self.take("O") {
            Reference::Right
        } else {
            Reference::None
        }
    }

    /// `<nested-name>`.
    fn nested_name(&mut self, tag: bool) -> Option<(Id, Kind)> {
        self.expect("N")?;
        let mut qualifiers = Qualifiers::default();
        if !self.take("H") {
            qualifiers = self.cv_qualifiers();
            qualifiers.reference = self.ref_qualifier();
        }
        let mut kind = Kind::default();
        let mut scope: Option<Id> = None;
        while !self.take("E") {
            let known = self.substitutions.len();
            let next = match (self.peek(0), self.peek(1)) {
                (b'S', b't') if scope.is_none() => {
                    self.skip(2)?;
                    scope = Some(self.tree.text("std"));
                    continue;
                }
                (b'S', _) if scope.is_none() => {
                    scope = Some(self.substitution()?);
                    continue;
                }
                (b'T', _) if scope.is_none() => self.template_param()?,
                (b'D', b't' | b'T') if scope.is_none() => self.decltype()?,
                (b'M', _) => {
                    self.skip(1)?;
                    continue;
                }
                (b'I', _) => {
                    let arguments = self.template_args(tag)?;
                    kind.is_template = true;
                    self.tree.add(Node::Template { name: scope?, arguments })
                }
                _ => {
                    let (name, its) = self.unqualified_name(scope, tag)?;
                    kind = its;
                    self.within(scope, name)
                }
            };
            scope = Some(next);
            // Parts of the name added what they are made of already.
            let _ = known;
            if self.peek(0) != b'E' {
                self.remember(next);
            }
        }
        Some((self.with_qualifiers(scope?, qualifiers), kind))
    }

    /// `<local-name>`.
    fn local_name(&mut self, tag: bool) -> Option<(Id, Kind)> {
        self.expect("Z")?;
        let function = self.encoding(true, true)?;
        self.expect("E")?;
        if self.take("s") {
            self.discriminator();
            let name = self.tree.text("string literal");
            return Some((self.tree.add(Node::Local { function, name }), Kind::default()));
        }
        let default = if self.take("d") { Some(self.sequence()? + 1) } else { None };
        let (name, kind) = self.name(tag)?;
        self.discriminator();
        let (name, qualifiers) = match self.tree.get(name) {
            Node::Method { name, qualifiers } => (name, qualifiers),
            _ => (name, Qualifiers::default()),
        };
        let name = match default {
            Some(number) => self.tree.add(Node::DefaultArgument { number, name }),
            None => name,
        };
        let local = self.tree.add(Node::Local { function, name });
        Some((self.with_qualifiers(local, qualifiers), kind))
    }

    /// Tells names from others that are alike; nothing shows it.
    fn discriminator(&mut self) {
        let before = self.rest;
        let read = if self.take("__") {
            self.number().and_then(|_| self.expect("_"))
        } else if self.take("_") && self.peek(0).is_ascii_digit() {
            self.skip(1).map(|_| ())
        } else {
            None
        };
        if read.is_none() {
            self.rest = before;
        }
    }

    /// `<unqualified-name>`, in this scope.
    pub(super) fn unqualified_name(&mut self, scope: Option<Id>, tag: bool) -> Option<(Id, Kind)> {
        let mut kind = Kind::default();
        let mut module = None;
        while self.take("W") {
            _ = self.take("P");
            module = Some(self.source_text()?);
        }
        _ = self.take("F");
        _ = self.take("L");
        let name = match (self.peek(0), self.peek(1)) {
            (b'0'..=b'9', _) => self.source_name()?,
            (b'C', b'1'..=b'9') => {
                kind.gives_by_name = true;
                self.skip(2)?;
                let class = self.tree.base(scope?);
                self.tree.add(Node::Constructor { class })
            }
            (b'C', b'I') => {
                kind.gives_by_name = true;
                self.skip(3)?;
                // The class whose constructor is inherited.
                _ = self.type_()?;
                let class = self.tree.base(scope?);
                self.tree.add(Node::Constructor { class })
            }
            (b'D', b'0'..=b'9') => {
                kind.gives_by_name = true;
                self.skip(2)?;
                let class = self.tree.base(scope?);
                self.tree.add(Node::Destructor { class })
            }
            (b'D', b'C') => {
                self.skip(2)?;
                let mut names = Vec::new();
                while !self.take("E") {
                    names.push(self.source_name()?);
                }
                let names = self.tree.list(&names);
                self.tree.add(Node::Binding(names))
            }
            (b'U', b't') => {
                self.skip(2)?;
                let number = self.sequence()?;

                self.tree.add(Node::Unnamed(number + 1))
            }
            (b'U', b'l') => self.lambda()?,
            (b'a'..=b'z', _) => {
                kind.gives_by_name = self.peek(0) == b'c' && self.peek(1) == b'v';
                self.operator_name(tag)?
            }
            _ => return None,
        };
        let mut name = self.tags(name)?;
        if let Some(module) = module {
            name = self.tree.add(Node::InModule { name, module });
        }
        Some((name, kind))
    }

    /// `<abi-tags>` behind a name.
    pub(super) fn tags(&mut self, mut name: Id) -> Option<Id> {
        while self.take("B") {
            let tag = self.source_text()?;
            name = self.tree.add(Node::Tagged { name, tag });
        }
        Some(name)
    }

    /// `<source-name>`.
    pub(super) fn source_name(&mut self) -> Option<Id> {
        let text = self.source_text()?;
        let anonymous = text.strip_prefix("_GLOBAL_").map(str::as_bytes);
        let is_anonymous = anonymous.is_some_and(|rest| matches!(rest, [b'.' | b'_' | b'$', b'N', ..]));
        Some(self.tree.text(if is_anonymous { "(anonymous namespace)" } else { text }))
    }

    fn source_text(&mut self) -> Option<&'a str> {
        let length = self.number()?;
        self.skip(length as usize).filter(|text| !text.is_empty())
    }

    /// `<closure-type-name>`.
    fn lambda(&mut self) -> Option<Id> {
        self.deeper(|this| {
            this.expect("Ul")?;
            let outer = (this.in_lambda, std::mem::take(&mut this.declared));
            this.in_lambda = true;
            let mut declared = Vec::new();
            while this.at_declaration() {
                let (declaration, name) = this.template_param_decl(declared.len())?;
                declared.push(declaration);
                this.declared.push(name);
            }
            let parameters = this.parameters()?;
            if this.take("Q") {
                _ = this.expression()?;
            }
            (this.in_lambda, this.declared) = outer;
            this.expect("E")?;
            let number = this.sequence()? + 1;
            let declared = this.tree.list(&declared);
            Some(this.tree.add(Node::Lambda { declared, parameters, number }))
        })
    }

    /// `<operator-name>`.
    pub(super) fn operator_name(&mut self, tag: bool) -> Option<Id> {
        if self.take("cv") {
            let outer = (self.in_conversion, self.arguments_may_follow);
            (self.in_conversion, self.arguments_may_follow) = (tag, tag);
            let to = self.type_()?;
            (self.in_conversion, self.arguments_may_follow) = outer;
            return Some(self.tree.add(Node::Conversion(to)));
        }
        if self.take("li") {
            let name = self.source_name()?;
            return Some(self.tree.add(Node::Literal(name)));
        }
        if self.peek(0) == b'v' && self.peek(1).is_ascii_digit() {
            self.skip(2)?;
            let to = self.source_name()?;
            return Some(self.tree.add(Node::Conversion(to)));
        }
        let code = [self.peek(0), self.peek(1)];
        let operator = operators::find(code)?;
        self.skip(2)?;
        Some(self.tree.add(Node::Operator(operator.text)))
    }
}
