//! Rust's older mangling: `_ZN` + components, each behind its length + `17h<hash>E`.
//!
//! The format is that of `rustc_codegen_utils`' legacy symbol names, read as the Go library that Alloy uses reads it: an
//! underscore right behind a length only parts the two and is not shown (`9__private` → `_private`).

/// The name without its hash and without what the compiler put behind it; nothing where the name is not one of these.
///
/// The hash of real names has at least five different digits, which tells it from a C++ name of that shape.
pub(super) fn demangle(name: &str) -> Option<String> {
    let name = name.strip_prefix("_ZN")?;
    let name = name.rfind("E.").map_or(name, |at| &name[..=at]);
    let (components, hash) = name.strip_suffix('E')?.split_at_checked(name.len().checked_sub(20)?)?;
    is_hash(hash.strip_prefix("17h")?).then_some(())?;
    let mut rest = components;
    let mut out = String::with_capacity(components.len());
    while !rest.is_empty() {
        let digits = rest.find(|letter: char| !letter.is_ascii_digit())?;
        let length: usize = rest[..digits].parse().ok().filter(|&length| length > 0)?;
        let (component, after) = rest[digits..].split_at_checked(length)?;
        rest = after;
        if !out.is_empty() {
            out.push_str("::");
        }
        let component = component.strip_prefix('_').unwrap_or(component);
        unescape(component, &mut out);
    }
    (!out.is_empty()).then_some(out)
}

fn is_hash(hash: &str) -> bool {
    let mut seen = [false; 16];
    for digit in hash.chars() {
        match digit.to_digit(16) {
            Some(value) if !digit.is_ascii_uppercase() => seen[value as usize] = true,
            _ => return false,
        }
    }
    hash.len() == 16 && seen.iter().filter(|&&seen| seen).count() >= 5
}

/// `$LT$` → `<`, `..` → `::`; from the first escape that is none of ours on, the component stays as it is.
fn unescape(component: &str, out: &mut String) {
    let mut rest = component.strip_prefix('_').filter(|rest| rest.starts_with('$')).unwrap_or(component);
    while let Some(at) = rest.find(['$', '.']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some(after) = rest.strip_prefix("..") {
            out.push_str("::");
            rest = after;
        } else if let Some(after) = rest.strip_prefix('.') {
            out.push('.');
            rest = after;
        } else if let Some((letter, after)) = escape(rest) {
            out.push(letter);
            rest = after;
        } else {
            break;
        }
    }
    out.push_str(rest);
}

/// The letter of an escape in front, and what follows.
fn escape(text: &str) -> Option<(char, &str)> {
    let (code, after) = text.strip_prefix('$')?.split_once('$')?;
    let letter = match code {
        "C" => ',',
        "SP" => '@',
        "BP" => '*',
        "RF" => '&',
        "LT" => '<',
        "GT" => '>',
        "LP" => '(',
        "RP" => ')',
        _ => {
            let digits = code.strip_prefix('u').filter(|digits| digits.len() == 2 && !digits.starts_with('+'))?;
            let lower = !digits.contains(|digit: char| digit.is_ascii_uppercase());
            let letter = u8::from_str_radix(digits, 16).ok().map(char::from);
            letter.filter(|letter| lower && (' '..='\x7f').contains(letter))?
        }
    };
    Some((letter, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(components: &str, expect: &str) {
        let name = format!("_ZN{components}17h0123456789abcdefE");
        assert_eq!(demangle(&name).as_deref(), Some(expect));
        assert_eq!(demangle(&format!("{name}.llvm.A5310EB9")).as_deref(), Some(expect));
    }

    #[test]
    fn components_and_escapes() {
        check("3std2rt10lang_start", "std::rt::lang_start");
        check(
            "71_$LT$Test$u20$$u2b$$u20$$u27$static$u20$as$u20$foo..Bar$LT$Test$GT$$GT$3bar",
            "<Test + 'static as foo::Bar<Test>>::bar",
        );
        check("1a10$C$$SP$$x$", "a::,@$x$");
        check("1a9..$u6d$.b", "a::::m.b");
        check("1a5$u7F$", "a::$u7F$");
        check("1a5$u1f$", "a::$u1f$");
    }

    #[test]
    fn an_underscore_behind_a_length_is_not_shown() {
        check("1a9__private1_1b", "a::_private::::b");
        check("1a7_$LT$_b", "a::<_b");
        check("1a8__$LT$_b", "a::<_b");
    }

    #[test]
    fn other_names_are_none_of_these() {
        for name in [
            "_ZN3std17h0000000000000000E",
            "_ZN3std17h0123456789ABCDEFE",
            "_ZN3std2rt10lang_startE",
            "_ZN9std17h0123456789abcdefE",
            "_ZN0std17h0123456789abcdefE",
            "_ZN3\u{e4}\u{e4}17h0123456789abcdefE",
            "_ZN17h0123456789abcdefE",
            "_Z3foov",
            "_ZNE",
        ] {
            assert_eq!(demangle(name), None, "{name}");
        }
    }
}
