//! Which names an expression or a body mentions.

use crate::{
    source::{Location, Span},
    syntax::{
        ast::{Body, Expr, Statement},
        tree::Node,
    },
};

/// A chain of names such as `discovery.process.all.targets`: as far as dots alone lead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Traversal {
    /// The names in order, at least one.
    pub names: Vec<String>,
    /// Where each of them stands.
    pub places: Vec<Location>,
}

impl Traversal {
    /// From the first to the last name.
    pub fn location(&self) -> Location {
        self.prefix_location(self.places.len())
    }

    /// From the first to the `count`th name.
    pub fn prefix_location(&self, count: usize) -> Location {
        let last = count.clamp(1, self.places.len()) - 1;
        let span = Span::cover(self.places[0].span, self.places[last].span);
        Location { source: self.places[0].source.clone(), span }
    }

    /// The names joined by dots.
    pub fn text(&self) -> String {
        self.names.join(".")
    }
}

/// Every chain of names in a body and in the blocks inside it, in source order.
pub fn references(body: &Body) -> Vec<Traversal> {
    let mut out = Vec::new();
    for statement in body.statements() {
        match statement {
            Statement::Attribute(attribute) => {
                if let Some(value) = attribute.value() {
                    collect(&value, &mut out);
                }
            }
            Statement::Block(block) => {
                if let Some(body) = block.body() {
                    out.extend(references(&body));
                }
            }
        }
    }
    out
}

/// Every chain of names in an expression, in source order.
pub fn references_in(expr: &Expr) -> Vec<Traversal> {
    let mut out = Vec::new();
    collect(expr, &mut out);
    out
}

fn collect(expr: &Expr, out: &mut Vec<Traversal>) {
    if let Some(traversal) = chain(expr) {
        out.push(traversal);
        return;
    }
    for operand in expr.operands() {
        collect(&operand, out);
    }
}

/// The whole expression as one chain, if it is one.
fn chain(expr: &Expr) -> Option<Traversal> {
    let (name, place) = match expr {
        Expr::Identifier(_) | Expr::Access(_) => expr.name()?,
        _ => return None,
    };
    let mut traversal = match expr {
        Expr::Access(node) => chain(&first_operand(node)?)?,
        _ => Traversal { names: Vec::new(), places: Vec::new() },
    };
    traversal.names.push(name);
    traversal.places.push(place);
    Some(traversal)
}

fn first_operand(node: &Node) -> Option<Expr> {
    node.children().find_map(Expr::cast)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{source::Source, syntax};

    #[track_caller]
    fn check(text: &str, expect: &[&str]) {
        let parsed = syntax::parse_file(&Source::new("", text));
        assert_eq!(parsed.diagnostics, []);
        let found = references(&parsed.file.body().expect("a file has a body"));
        let shown: Vec<_> = found.iter().map(|it| format!("{} {}", it.location(), it.text())).collect();
        assert_eq!(shown, expect);
    }

    #[test]
    fn chains_end_where_dots_end() {
        check("a = b.c.d", &["1:5 b.c.d"]);
        check("a = b.c[d.e].f", &["1:5 b.c", "1:9 d.e"]);
        check("a = f.g(x, [y.z, {k = w}])", &["1:5 f.g", "1:9 x", "1:13 y.z", "1:23 w"]);
        check("a = -(p) + q.r", &["1:7 p", "1:12 q.r"]);
        check("a = 1\nb {\n\tc = d\n}", &["3:6 d"]);
    }
}
