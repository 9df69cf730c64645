//! C++: `cpp_demangle`, and what differs from GNU's style put right in its text.

use std::fmt;

use cpp_demangle::{BorrowedSymbol, DemangleNodeType, DemangleOptions, DemangleWrite, ParseOptions};

use super::{LONGEST, Mode};

/// Deep enough for what compilers make: no name of libLLVM needs more. At twice this depth a build without optimization
/// overflows a thread's usual 2 MiB of stack.
const DEEPEST: u32 = 96;

/// What may follow the parameters of a member function; the longer of two that begin alike comes first.
const QUALIFIERS: [&str; 5] = [" const", " volatile", " noexcept", " &&", " &"];

/// Classes that have a short name in this mangling, which is not that of their constructors: code, short name, name,
/// arguments.
const SHORT_NAMES: [(&str, &str, &str, &str); 4] = [
    ("Ss", "string", "basic_string", "<char, std::char_traits<char>, std::allocator<char> >"),
    ("Si", "istream", "basic_istream", "<char, std::char_traits<char> >"),
    ("So", "ostream", "basic_ostream", "<char, std::char_traits<char> >"),
    ("Sd", "iostream", "basic_iostream", "<char, std::char_traits<char> >"),
];

/// True for names that this mangling makes; other names are left alone.
pub(super) fn is_mangled(name: &str) -> bool {
    let block = || name.starts_with("___Z") && name.contains("_block_invoke");
    let global = || {
        let mut rest = name.strip_prefix("_GLOBAL_").unwrap_or_default().chars();
        matches!(rest.next(), Some('.' | '_' | '$'))
            && matches!(rest.next(), Some('I' | 'D'))
            && rest.next() == Some('_')
    };
    name.starts_with("_Z") || block() || global()
}

/// The name in a mode, or nothing when it is not understood to its end.
pub(super) fn demangle(name: &str, mode: Mode) -> Option<String> {
    let options = ParseOptions::default().recursion_limit(DEEPEST);
    let (symbol, rest) = BorrowedSymbol::with_tail_and_options(name.as_bytes(), &options).ok()?;
    if !rest.is_empty() && !rest.starts_with(b".") {
        return None;
    }
    // A thunk or transaction clone is named by the whole function that it leads to.
    let special = ["_ZTh", "_ZTv", "_ZTc", "_ZGTt", "_ZGTn"].iter().any(|prefix| name.starts_with(prefix));
    let options = DemangleOptions::default().recursion_limit(DEEPEST);
    let options = if mode == Mode::Full || special { options } else { options.no_params().no_return_type() };
    let mut text = Text { without_arguments: mode == Mode::Simplified, ..Text::default() };
    symbol.structured_demangle(&mut text, &options).ok()?;

    let mut text = text.out;
    while text.ends_with(']')
        && let Some(clone) = text.rfind(" [clone ")
    {
        text.truncate(clone);
    }
    let text = gnu_literals(&gnu_special_name(&text).replace(", >", ",>"));
    let text = gnu_function_types(&gnu_packs(&text));
    let text = gnu_constructors(name, text, mode);
    Some(match mode {
        Mode::Full => text,
        _ if special => without_enclosing_parameters(&text),
        _ => without_qualifiers(&without_enclosing_parameters(&text)).to_owned(),
    })
}

/// Collects the text, and leaves out template arguments with their brackets if asked to.
#[derive(Default)]
struct Text {
    out: String,
    without_arguments: bool,
    /// The open nodes, true for template arguments.
    open: Vec<bool>,
    /// How many of them are template arguments.
    arguments: usize,
    /// The bracket that closes left-out arguments is still to come.
    closing: bool,
}

impl DemangleWrite for Text {
    fn push_demangle_node(&mut self, node: DemangleNodeType) {
        let arguments = node == DemangleNodeType::TemplateArgs;
        self.open.push(arguments);
        if arguments && self.without_arguments {
            if self.arguments == 0 {
                // The opening bracket stands before the node; a space before it keeps `operator<` apart.
                self.out.truncate(self.out.strip_suffix('<').map_or(self.out.len(), str::len));
                self.out.truncate(self.out.strip_suffix("< ").map_or(self.out.len(), |rest| rest.len() + 1));
            }
            self.arguments += 1;
        }
    }

    fn write_string(&mut self, text: &str) -> fmt::Result {
        if self.arguments > 0 {
            return Ok(());
        }
        let text = if std::mem::take(&mut self.closing) { text.strip_prefix('>').unwrap_or(text) } else { text };
        if self.out.len() + text.len() > LONGEST {
            return Err(fmt::Error);
        }
        self.out.push_str(text);
        Ok(())
    }

    fn pop_demangle_node(&mut self) {
        if self.open.pop() == Some(true) && self.without_arguments {
            self.arguments -= 1;
            self.closing = self.arguments == 0;
        }
    }
}

/// Names that stand for something about a function or type.
fn gnu_special_name(text: &str) -> String {
    let inner = |open: &str, close: &str| text.strip_prefix(open)?.strip_suffix(close);
    if let Some(thunk) = inner("{virtual override thunk(", ")}") {
        // One offset, of `this`; or two, where the result is adjusted as well.
        let is_virtual = thunk.starts_with("{virtual offset(");
        if let Some((_, rest)) = thunk.split_once(")}, ") {
            return match rest.starts_with('{').then(|| rest.split_once(")}, ")).flatten() {
                Some((_, function)) => format!("covariant return thunk to {function}"),
                None if is_virtual => format!("virtual thunk to {rest}"),
                None => format!("non-virtual thunk to {rest}"),
            };
        }
    }
    match (inner("{vtable(", ")}"), inner("{vtt(", ")}")) {
        (Some(class), _) => format!("vtable for {class}"),
        (None, Some(class)) => format!("VTT for {class}"),
        (None, None) => text.to_owned(),
    }
}

/// `std::string::string()` → `std::basic_string<char, …>::basic_string()`.
fn gnu_constructors(name: &str, text: String, mode: Mode) -> String {
    for (code, short, long, arguments) in SHORT_NAMES {
        let rest = name.strip_prefix("_ZN").and_then(|rest| rest.strip_prefix(code));
        if rest.is_some_and(|rest| rest.starts_with(['C', 'D'])) {
            let arguments = if mode == Mode::Simplified { "" } else { arguments };
            for tilde in ["", "~"] {
                let wrong = format!("std::{short}::{tilde}{short}");
                if let Some(rest) = text.strip_prefix(&wrong) {
                    return format!("std::{long}{arguments}::{tilde}{long}{rest}");
                }
            }
        }
    }
    text
}

/// `(unsigned int)25` → `25u`, and so on for the types that have a suffix.
fn gnu_literals(text: &str) -> String {
    const SUFFIXES: [(&str, &str); 6] = [
        ("(int)", ""),
        ("(unsigned int)", "u"),
        ("(long)", "l"),
        ("(unsigned long)", "ul"),
        ("(long long)", "ll"),
        ("(unsigned long long)", "ull"),
    ];
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(open) = rest.find('(') {
        let (before, from) = rest.split_at(open);
        out.push_str(before);
        let literal = SUFFIXES.iter().find_map(|(name, suffix)| {
            let tail = from.strip_prefix(name)?;
            let sign = usize::from(tail.starts_with('-'));
            let digits = tail[sign..].bytes().take_while(u8::is_ascii_digit).count();
            (digits > 0).then(|| (&tail[..sign + digits], *suffix, &tail[sign + digits..]))
        });
        match literal {
            // A parameter list may look the same: `f(int)3` never occurs, a literal stands behind `<`, `,` or a bracket.
            Some((digits, suffix, tail)) if !before.ends_with(|c: char| c.is_alphanumeric() || c == '_') => {
                out.push_str(digits);
                out.push_str(suffix);
                rest = tail;
            }
            _ => {
                out.push('(');
                rest = &from[1..];
            }
        }
    }
    out.push_str(rest);
    out
}

/// An empty pack leaves nothing: `f<int,>` → `f<int>`, `f<g<int>,>` → `f<g<int> >`.
fn gnu_packs(text: &str) -> String {
    text.replace(">,>", "> >").replace(",>", ">").replace("<, ", "<")
}

/// `std::function<void(int)>` → `std::function<void (int)>`: in arguments, a bracket right behind a name that nothing but the
/// next argument follows is the type of a function.
fn gnu_function_types(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut depth = 0_usize;
    for (at, letter) in text.char_indices() {
        match letter {
            '<' => depth += 1,
            '>' => depth = depth.saturating_sub(1),
            '(' if depth > 0 && out.ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '>' | '*' | '&')) => {
                let after = closing(&text[at..]).map_or("", |close| &text[at + close + 1..]);
                let word = out.rsplit(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
                if behind_qualifiers(after).starts_with(['>', ','])
                    && !matches!(word, "decltype" | "noexcept" | "lambda")
                {
                    out.push(' ');
                }
            }
            _ => {}
        }
        out.push(letter);
    }
    out
}

/// `foo::bar(int) const::{lambda()#1}` → `foo::bar()::{lambda()#1}`: a parameter list that a `::` follows is of a function
/// around the one that is named.
fn without_enclosing_parameters(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(open) = rest.find('(') {
        let (before, from) = rest.split_at(open);
        out.push_str(before);
        let length = closing(from).map_or(from.len(), |close| close + 1);
        let (group, after) = from.split_at(length);
        let after = behind_qualifiers(after);
        if after.starts_with("::") && group != "(anonymous namespace)" {
            out.push_str("()");
            rest = after;
        } else {
            // Parameters of lambdas and types of functions may hold such names again.
            out.push('(');
            rest = &from[1..];
        }
    }
    out.push_str(rest);
    out
}

/// The text behind what may follow a list of parameters: ` const`, ` &`, and so on.
fn behind_qualifiers(text: &str) -> &str {
    let mut text = text;
    while let Some(rest) = QUALIFIERS.iter().find_map(|qualifier| text.strip_prefix(qualifier)) {
        text = rest;
    }
    text
}

/// Where the bracket at the start of the text is closed.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    text.bytes().position(|byte| {
        match byte {
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0
    })
}

/// Without parameters the qualifiers of `this` have no place either.
fn without_qualifiers(text: &str) -> &str {
    let mut text = text;
    while let Some(shorter) = QUALIFIERS.iter().find_map(|end| text.strip_suffix(end)) {
        // `operator T const` and `operator T &` are conversions to that type.
        if text.contains("::operator ") || text.starts_with("operator ") {
            break;
        }
        text = shorter;
    }
    text
}
