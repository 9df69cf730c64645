//! Rust's newer mangling, version 0.

use std::fmt::Write as _;

use super::{Limited, Mode};

/// The name; simplified, the arguments of generics become `<>`.
pub(super) fn demangle(name: &str, mode: Mode) -> Option<String> {
    let text = print(name.split('.').next().unwrap_or(name))?;
    Some(if mode == Mode::Simplified { without_generic_arguments(&text) } else { text })
}

fn print(name: &str) -> Option<String> {
    let demangled = rustc_demangle::try_demangle(name).ok()?;
    let mut text = Limited::default();
    write!(text, "{demangled:#}").ok()?;
    Some(text.0)
}

/// `<alloc::vec::Vec<u8>>::push` → `<alloc::vec::Vec<>>::push`: a `<` behind a name or `::` opens arguments, any other one a
/// path of its own.
fn without_generic_arguments(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut depth = 0_usize;
    let mut previous = ' ';
    for letter in text.chars() {
        let opens = letter == '<';
        let closes = letter == '>' && previous != '-';
        if depth > 0 {
            depth = if opens { depth + 1 } else { depth - usize::from(closes) };
            if depth == 0 {
                out.push('>');
            }
        } else {
            out.push(letter);
            if opens && (previous.is_alphanumeric() || matches!(previous, '_' | ':' | '}')) {
                depth = 1;
            }
        }
        previous = letter;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_go_and_paths_stay() {
        for (text, expect) in [
            ("a::b", "a::b"),
            ("a::<b::C<d>, 3>::e", "a::<>::e"),
            ("<a::B<c> as d::E<f>>::g::<h>", "<a::B<> as d::E<>>::g::<>"),
            ("<&a::B<c>>::d", "<&a::B<>>::d"),
            ("<fn(a::B<c>) -> d>::e::<fn() -> f>::g", "<fn(a::B<>) -> d>::e::<>::g"),
            ("<[a::B<c>]>::d", "<[a::B<>]>::d"),
        ] {
            assert_eq!(without_generic_arguments(text), expect);
        }
    }
}
