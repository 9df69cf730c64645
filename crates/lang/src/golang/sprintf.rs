//! `fmt.Sprintf` for the values of the language.
//!
//! Like the original it never fails: what does not fit shows in the text, as `%!d(string=x)` or `%!s(MISSING)`.

mod spec;
mod verbs;

use self::{
    spec::{Spec, Width},
    verbs::Argument,
};
use crate::value::Value;

/// How wide a field may be asked to be. Beyond it, as in Go, the width counts as bad.
const MAX_WIDTH: i64 = 1_000_000;

/// Formats arguments after a template.
pub fn sprintf(format: &[u8], arguments: &[Value]) -> Vec<u8> {
    let arguments: Vec<Argument> = arguments.iter().map(Argument::of).collect();
    let mut printer = Printer { out: Vec::new(), arguments: &arguments, next: 0, reordered: false };
    let mut rest = format;
    while let Some(at) = rest.iter().position(|byte| *byte == b'%') {
        printer.out.extend_from_slice(&rest[..at]);
        let (spec, after) = Spec::parse(&rest[at + 1..]);
        printer.directive(spec);
        rest = after;
    }
    printer.out.extend_from_slice(rest);
    printer.extra();
    printer.out
}

struct Printer<'a> {
    out: Vec<u8>,
    arguments: &'a [Argument],
    next: usize,
    /// Whether any directive chose its argument; then nobody counts them.
    reordered: bool,
}

impl Printer<'_> {
    fn directive(&mut self, mut spec: Spec) {
        let mut good = true;
        self.reordered |= spec.bad_index;
        if let Some(width) = self.star(spec.width, spec.width_index, &mut good) {
            match width {
                Some(width) => {
                    spec.minus |= width < 0;
                    spec.zero &= width >= 0;
                    spec.resolved_width = width.unsigned_abs() as usize;
                }
                None => self.out.extend_from_slice(b"%!(BADWIDTH)"),
            }
        }
        if let Some(precision) = self.star(spec.precision, spec.precision_index, &mut good) {
            match precision {
                Some(precision) => spec.resolved_precision = usize::try_from(precision).ok(),
                None => self.out.extend_from_slice(b"%!(BADPREC)"),
            }
            if precision.is_some_and(|precision| precision < 0) {
                self.out.extend_from_slice(b"%!(BADPREC)");
            }
        }
        good &= self.choose(spec.index);
        let Some(verb) = spec.verb else {
            self.out.extend_from_slice(b"%!(NOVERB)");
            return;
        };
        if verb == '%' {
            self.out.push(b'%');
        } else if !good || spec.bad_index {
            self.note(verb, "(BADINDEX)");
        } else if let Some(argument) = self.arguments.get(self.next) {
            self.next += 1;
            verbs::print(&mut self.out, argument, verb, &spec);
        } else {
            self.note(verb, "(MISSING)");
        }
    }

    fn note(&mut self, verb: char, what: &str) {
        self.out.extend_from_slice(format!("%!{verb}{what}").as_bytes());
    }

    /// Makes an explicit index the next argument; false when there is no such argument.
    fn choose(&mut self, index: Option<usize>) -> bool {
        let Some(index) = index else { return true };
        self.reordered = true;
        let exists = (1..=self.arguments.len()).contains(&index);
        if exists {
            self.next = index - 1;
        }
        exists
    }

    /// The number for a width or precision: written, or taken from an argument for `*`.
    fn star(&mut self, width: Width, index: Option<usize>, good: &mut bool) -> Option<Option<i64>> {
        match width {
            Width::None => None,
            Width::Fixed(number) => Some(Some(number as i64)),
            Width::Star => {
                *good &= self.choose(index);
                let number = match self.arguments.get(self.next) {
                    Some(Argument::Int(int)) if int.abs() <= MAX_WIDTH => Some(*int),
                    _ => None,
                };
                self.next += usize::from(self.next < self.arguments.len());
                Some(number)
            }
        }
    }

    /// Lists the arguments that no directive asked for.
    fn extra(&mut self) {
        if self.reordered || self.next >= self.arguments.len() {
            return;
        }
        self.out.extend_from_slice(b"%!(EXTRA ");
        let spec = Spec::plain('v');
        for (at, argument) in self.arguments[self.next..].iter().enumerate() {
            if at > 0 {
                self.out.extend_from_slice(b", ");
            }
            if let Argument::Nil = argument {
                self.out.extend_from_slice(b"<nil>");
            } else {
                self.out.extend_from_slice(argument.go_type().as_bytes());
                self.out.push(b'=');
                verbs::print(&mut self.out, argument, 'v', &spec);
            }
        }
        self.out.push(b')');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Number;

    #[track_caller]
    fn check(format: &str, arguments: &[Value], expect: &str) {
        assert_eq!(String::from_utf8_lossy(&sprintf(format.as_bytes(), arguments)), expect);
    }

    fn int(int: i64) -> Value {
        Value::Number(Number::Int(int))
    }

    fn float(float: f64) -> Value {
        Value::Number(Number::Float(float))
    }

    #[test]
    fn verbs_print_their_kind() {
        check("%d|%5d|%-5d|%05d|%+d|% d", &[1, 2, 3, 4, 5, 6].map(int), "1|    2|3    |00004|+5| 6");
        check(
            "%x|%X|%#x|%o|%b|%c|%q|%U",
            &[255, 255, 255, 8, 5, 65, 65, 65].map(int),
            "ff|FF|0xff|10|101|A|'A'|U+0041",
        );
        check(
            "%f|%.2f|%e|%g|%8.3f|%v",
            &[1.5, 2.345, 1500.0, 1e21, 3.25, 0.1].map(float),
            "1.500000|2.35|1.500000e+03|1e+21|   3.250|0.1",
        );
        check(
            "%s|%q|%10s|%-4s|%.2s|%x|%v",
            &["a", "b\"", "c", "d", "efg", "hi", "v"].map(Value::from),
            "a|\"b\\\"\"|         c|d   |ef|6869|v",
        );
        check("%t|%v|%5t", &[Value::Bool(true), Value::Bool(false), Value::Bool(true)], "true|false| true");
        check("%v %v", &[Value::Null, Value::array([int(1), "a".into(), Value::Null])], "<nil> [1 a <nil>]");
        check("%v", &[Value::object([("b", int(2)), ("a", int(1))])], "map[a:1 b:2]");
        check("100%%", &[], "100%");
        check("%v %v", &[float(1e6), float(100_000.0)], "1e+06 100000");
        check("%+v %+d", &[int(1), int(1)], "1 +1");
        check("%#v", &[Value::array([int(1), "a".into(), Value::Null])], "[]interface {}{1, \"a\", interface {}(nil)}");
        check("%#v", &[Value::object([("a", int(1))])], "map[string]interface {}{\"a\":1}");
    }

    #[test]
    fn what_does_not_fit_shows() {
        check("%d", &["5".into()], "%!d(string=5)");
        check("%d", &[float(1.5)], "%!d(float64=1.5)");
        check("%s", &[int(5)], "%!s(int=5)");
        check("%s", &[Value::Null], "%!s(<nil>)");
        check("%s %s", &["a".into()], "a %!s(MISSING)");
        check("%s", &["a".into(), "b".into(), Value::Null], "a%!(EXTRA string=b, <nil>)");
        check("%z", &[int(1)], "%!z(int=1)");
        check("%", &[], "%!(NOVERB)");
        check("%[2]s %[1]s", &["a".into(), "b".into()], "b a");
        check("%[3]s", &["a".into()], "%!s(BADINDEX)");
        check("%[x]s", &["a".into()], "%!s(BADINDEX)");
        check("%*d|%-*d", &[int(4), int(1), int(3), int(2)], "   1|2  ");
        check("%*d", &["x".into(), int(1)], "%!(BADWIDTH)1");
        check("%d", &[Value::array(["a".into()])], "[%!d(string=a)]");
    }
}
