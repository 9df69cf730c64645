//! Rust's two manglings.

use std::fmt::Write as _;

use super::{Limited, Mode};

/// True for `_ZN…17h<hash>E`, with or without a suffix. The hash of real names has at least five different digits, which
/// tells it from a C++ name of that shape.
pub(super) fn is_legacy(name: &str) -> bool {
    let stem = without_suffix(name);
    let Some(hash) = stem.strip_prefix("_ZN").and_then(|rest| rest.strip_suffix('E')) else { return false };
    let Some((_, hash)) = hash.rsplit_once("17h") else { return false };
    let mut digits = [false; 16];
    for digit in hash.chars() {
        match digit.to_digit(16) {
            Some(value) if !digit.is_ascii_uppercase() => digits[value as usize] = true,
            _ => return false,
        }
    }
    hash.len() == 16 && digits.iter().filter(|&&seen| seen).count() >= 5
}

/// The name without its hash and without what the compiler put behind it.
pub(super) fn legacy(name: &str) -> Option<String> {
    print(without_suffix(name))
}

/// The newer mangling. Simplified, the arguments of generics become `<>`.
pub(super) fn version_0(name: &str, mode: Mode) -> Option<String> {
    let text = print(name.split('.').next().unwrap_or(name))?;
    Some(if mode == Mode::Simplified { without_generic_arguments(&text) } else { text })
}

fn print(name: &str) -> Option<String> {
    let demangled = rustc_demangle::try_demangle(name).ok()?;
    let mut text = Limited::default();
    write!(text, "{demangled:#}").ok()?;
    Some(text.0)
}

/// Legacy names have dots of their own (`core..fmt`), so a suffix is what follows the last `E.`.
fn without_suffix(name: &str) -> &str {
    name.find("E.").map_or(name, |at| &name[..=at])
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

    #[test]
    fn a_hash_has_sixteen_digits_of_which_five_differ() {
        for (name, expect) in [
            ("_ZN3std2rt10lang_start17h0123456789abcdefE", true),
            ("_ZN3std2rt10lang_start17h0123456789abcdefE.llvm.77", true),
            ("_ZN4core3fmt9a..b.E.d17h0123456789abcdefE", false),
            ("_ZN3std17h0000000000000000E", false),
            ("_ZN3std17h0123456789ABCDEFE", false),
            ("_ZN3std2rt10lang_startE", false),
            ("_Z3foov", false),
        ] {
            assert_eq!(is_legacy(name), expect, "{name}");
        }
    }
}
