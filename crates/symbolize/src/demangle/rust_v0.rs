//! Rust's newer mangling, version 0 (RFC 2603): the name is read once from left to right and printed on the way.

use std::fmt::Write as _;

use super::{Limited, Mode};
use reader::Reader;

mod punycode;
mod reader;
mod types;

/// A path or type may hold others this deep.
const DEEPEST: usize = 256;

/// The name; simplified, the arguments of generics become `<>`.
pub(super) fn demangle(name: &str, mode: Mode) -> Option<String> {
    let name = name.split('.').next()?.strip_prefix("_R")?;
    let mut printer = Printer {
        reader: Reader::new(name),
        out: Limited::default(),
        hidden: 0,
        depth: 0,
        bound: 0,
        arguments: mode != Mode::Simplified,
    };
    printer.path(Place::Value)?;
    if !printer.reader.is_empty() {
        // The crate that the code was made for.
        printer.hide(|printer| printer.path(Place::Value))?;
    }
    printer.reader.is_empty().then_some(printer.out.0)
}

/// Where a path stands, which decides how its arguments are written: `a::<b>` or `a<b>`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Value,
    Type,
}

struct Printer<'a> {
    reader: Reader<'a>,
    out: Limited,
    /// What is read inside so many parts that are not shown.
    hidden: usize,
    depth: usize,
    /// Lifetimes that `for<…>` names around what is read.
    bound: u64,
    arguments: bool,
}

impl Printer<'_> {
    fn print(&mut self, text: &str) -> Option<()> {
        if self.hidden > 0 { Some(()) } else { self.out.write_str(text).ok() }
    }

    fn hide(&mut self, read: impl FnOnce(&mut Self) -> Option<()>) -> Option<()> {
        self.hidden += 1;
        let read = read(self);
        self.hidden -= 1;
        read
    }

    fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        if self.depth == DEEPEST {
            return None;
        }
        self.depth += 1;
        let read = read(self);
        self.depth -= 1;
        read
    }

    /// Reads at an earlier place what is not repeated here. What is hidden need not be read again, so that each of these
    /// costs something shown.
    fn back<T: Default>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        let earlier = self.reader.earlier()?;
        if self.hidden > 0 {
            return Some(T::default());
        }
        let here = std::mem::replace(&mut self.reader, earlier);
        let read = self.deeper(read);
        self.reader = here;
        read
    }

    fn path(&mut self, place: Place) -> Option<()> {
        self.deeper(|printer| printer.path_here(place))
    }

    fn path_here(&mut self, place: Place) -> Option<()> {
        match self.reader.next()? {
            b'C' => {
                self.reader.disambiguator()?;
                let name = self.reader.identifier()?;
                self.print(&name)
            }
            b'N' => self.nested(place),
            b'M' => {
                self.implementation()?;
                self.print("<")?;
                self.ty()?;
                self.print(">")
            }
            b'X' => {
                self.implementation()?;
                self.as_trait()
            }
            b'Y' => self.as_trait(),
            b'I' => {
                self.path(place)?;
                self.print(if place == Place::Value { "::<" } else { "<" })?;
                self.generic_arguments()?;
                self.print(">")
            }
            b'B' => self.back(|printer| printer.path(place)),
            _ => None,
        }
    }

    /// Where an `impl` is written is not shown.
    fn implementation(&mut self) -> Option<()> {
        self.reader.disambiguator()?;
        self.hide(|printer| printer.path(Place::Value))
    }

    fn as_trait(&mut self) -> Option<()> {
        self.print("<")?;
        self.ty()?;
        self.print(" as ")?;
        self.path(Place::Type)?;
        self.print(">")
    }

    /// A name in another; those in spaces with a capital letter are the compiler's own.
    fn nested(&mut self, place: Place) -> Option<()> {
        let space = self.reader.next().filter(u8::is_ascii_alphabetic)?;
        self.path(place)?;
        let number = self.reader.disambiguator()?;
        let name = self.reader.identifier()?;
        self.print("::")?;
        if space.is_ascii_lowercase() {
            return self.print(&name);
        }
        let colon = if name.is_empty() { "" } else { ":" };
        match space {
            b'C' => self.print(&format!("{{closure{colon}{name}#{number}}}")),
            b'S' => self.print(&format!("{{shim{colon}{name}#{number}}}")),
            _ => self.print(&format!("{{{}{colon}{name}#{number}}}", char::from(space))),
        }
    }

    fn generic_arguments(&mut self) -> Option<()> {
        if self.arguments { self.generics() } else { self.hide(Self::generics) }
    }

    fn generics(&mut self) -> Option<()> {
        self.list(", ", |printer| {
            if printer.reader.eat(b'L') {
                printer.lifetime()
            } else if printer.reader.eat(b'K') {
                printer.constant()
            } else {
                printer.ty()
            }
        })?;
        Some(())
    }

    /// Parts up to the closing `E`: how many.
    fn list(&mut self, between: &str, mut part: impl FnMut(&mut Self) -> Option<()>) -> Option<usize> {
        let mut count = 0;
        while !self.reader.eat(b'E') {
            if count > 0 {
                self.print(between)?;
            }
            part(self)?;
            count += 1;
        }
        Some(count)
    }
}
