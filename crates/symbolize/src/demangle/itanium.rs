//! C++ names, in the mangling of the Itanium ABI that GCC and Clang share.
//!
//! ```text
//!  _ZN3foo3barEi ──Parser──▶ Tree ──Printer, by mode──▶ foo::bar
//! ```
//!
//! The output is that of GNU's `c++filt` with the refinements of the Go library that Alloy uses; a test compares with that one.

mod expressions;
mod names;
mod operators;
mod parser;
mod print;
mod tree;
mod types;

use self::parser::Parser;
use self::print::{Options, Printer};
use super::{LONGEST, Mode};

/// The name in a mode, or nothing when it is not understood.
pub(super) fn demangle(name: &str, mode: Mode) -> Option<String> {
    let options = Options { without_arguments: mode == Mode::Simplified, without_enclosing: mode != Mode::Full };
    let parameters = mode == Mode::Full;
    if let Some(rest) = name.strip_prefix("_Z") {
        return text(rest, parameters, options, is_end);
    }
    if let Some(rest) = name.strip_prefix("___Z") {
        let function = text(rest, parameters, options, |rest| rest.starts_with("_block_invoke"))?;
        return Some(format!("invocation function for block in {function}"));
    }
    global(name, options)
}

/// What a compiler added to a name stands behind a dot.
fn is_end(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with('.')
}

fn text(mangled: &str, parameters: bool, options: Options, is_end: impl Fn(&str) -> bool) -> Option<String> {
    let mut parser = Parser::new(mangled);
    let name = parser.mangled_name(parameters)?;
    if parameters && !is_end(parser.rest) {
        return None;
    }
    Printer::new(&parser.tree, options, LONGEST).text_of(name).ok()
}

/// `_GLOBAL__I_name`: what constructs the variables of a file, which is called after one of its names.
fn global(name: &str, options: Options) -> Option<String> {
    let rest = name.strip_prefix("_GLOBAL_")?;
    let mut letters = rest.bytes();
    let what = match (letters.next()?, letters.next()?, letters.next()?) {
        (b'.' | b'_' | b'$', b'I', b'_') => "constructors",
        (b'.' | b'_' | b'$', b'D', b'_') => "destructors",
        _ => return None,
    };
    let rest = rest.get(3..)?;
    let of = match rest.strip_prefix("_Z") {
        Some(mangled) => text(mangled, true, options, is_end)?,
        None => rest.to_owned(),
    };
    Some(format!("global {what} keyed to {of}"))
}
