//! Mangled names → names as people write them.
//!
//! The modes and their output are those of Alloy's `demangle` argument; C++ comes out in the style of GNU's `c++filt`.

use std::borrow::Cow;
use std::fmt;

mod itanium;
mod rust_legacy;
mod rust_v0;

/// How much of a name is shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// The name as the file has it.
    None,
    /// No parameters and no template arguments.
    Simplified,
    /// Template arguments, no parameters.
    Templates,
    /// Everything but the compiler's marks of clones.
    Full,
}

/// No name is made longer than this. Short names can stand for huge ones.
const LONGEST: usize = 64 << 10;

/// The name as people write it; the same name where it is not mangled, or cannot be understood.
///
/// ```
/// use pyrope_symbolize::demangle::{Mode, demangle};
///
/// let name = "_ZNSt6vectorIiSaIiEE9push_backEOi";
/// assert_eq!(demangle(name, Mode::Simplified), "std::vector::push_back");
/// assert_eq!(demangle(name, Mode::Templates), "std::vector<int, std::allocator<int> >::push_back");
/// assert_eq!(demangle("main.main", Mode::Full), "main.main");
/// ```
pub fn demangle(name: &str, mode: Mode) -> Cow<'_, str> {
    if mode == Mode::None || name.len() > LONGEST {
        return Cow::Borrowed(name);
    }
    let demangled = if name.starts_with("_R") {
        rust_v0::demangle(name, mode)
    } else {
        rust_legacy::demangle(name).or_else(|| itanium::demangle(name, mode))
    };
    demangled.filter(|text| !text.is_empty()).map_or(Cow::Borrowed(name), Cow::Owned)
}

/// Text that refuses to grow past [`LONGEST`].
#[derive(Default)]
struct Limited(String);

impl fmt::Write for Limited {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.0.len() + text.len() > LONGEST {
            return Err(fmt::Error);
        }
        self.0.push_str(text);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
