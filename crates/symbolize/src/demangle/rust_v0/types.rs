//! Types, lifetimes and constants, the arguments of generics.

use super::{Place, Printer};

impl Printer<'_> {
    pub(super) fn ty(&mut self) -> Option<()> {
        self.deeper(Self::ty_here)
    }

    fn ty_here(&mut self) -> Option<()> {
        let letter = self.reader.peek()?;
        if let Some(name) = basic(letter) {
            self.reader.next()?;
            return self.print(name);
        }
        if matches!(letter, b'C' | b'M' | b'X' | b'Y' | b'N' | b'I') {
            return self.path(Place::Type);
        }
        self.reader.next()?;
        match letter {
            b'A' => {
                self.print("[")?;
                self.ty()?;
                self.print("; ")?;
                self.constant()?;
                self.print("]")
            }
            b'S' => {
                self.print("[")?;
                self.ty()?;
                self.print("]")
            }
            b'T' => {
                self.print("(")?;
                let count = self.list(", ", Self::ty)?;
                self.print(if count == 1 { ",)" } else { ")" })
            }
            b'R' => self.reference(""),
            b'Q' => self.reference("mut "),
            b'P' => {
                self.print("*const ")?;
                self.ty()
            }
            b'O' => {
                self.print("*mut ")?;
                self.ty()
            }
            b'F' => self.binder(Self::function),
            b'D' => {
                self.print("dyn ")?;
                self.binder(|printer| printer.list(" + ", Self::bound).map(drop))?;
                self.reader.eat(b'L').then_some(())?;
                let lifetime = self.lifetime_name()?;
                if lifetime == "'_" { Some(()) } else { self.print(&format!(" + {lifetime}")) }
            }
            b'B' => self.back(Self::ty),
            _ => None,
        }
    }

    fn reference(&mut self, mutable: &str) -> Option<()> {
        self.print("&")?;
        if self.reader.eat(b'L') {
            let lifetime = self.lifetime_name()?;
            if lifetime != "'_" {
                self.print(&format!("{lifetime} "))?;
            }
        }
        self.print(mutable)?;
        self.ty()
    }

    fn function(&mut self) -> Option<()> {
        if self.reader.eat(b'U') {
            self.print("unsafe ")?;
        }
        if self.reader.eat(b'K') {
            if self.reader.eat(b'C') {
                self.print("extern \"C\" ")?;
            } else {
                let convention = self.reader.identifier()?.replace('_', "-");
                self.print(&format!("extern \"{convention}\" "))?;
            }
        }
        self.print("fn(")?;
        self.list(", ", Self::ty)?;
        self.print(")")?;
        if self.reader.eat(b'u') {
            return Some(());
        }
        self.print(" -> ")?;
        self.ty()
    }

    /// A trait of `dyn`, with its types behind its arguments: `a<b, C = d>`.
    fn bound(&mut self) -> Option<()> {
        let mut open = self.open_path()?;
        while self.reader.eat(b'p') {
            self.print(if open { ", " } else { "<" })?;
            open = true;
            let name = self.reader.identifier()?;
            self.print(&format!("{name} = "))?;
            self.ty()?;
        }
        if open { self.print(">") } else { Some(()) }
    }

    /// A path whose `<` is left open if it has one.
    fn open_path(&mut self) -> Option<bool> {
        if self.reader.eat(b'B') {
            return self.back(|printer| printer.deeper(Self::open_path));
        }
        if self.reader.eat(b'I') {
            self.path(Place::Type)?;
            self.print("<")?;
            self.generic_arguments()?;
            return Some(true);
        }
        self.path(Place::Type)?;
        Some(false)
    }

    fn binder(&mut self, read: impl FnOnce(&mut Self) -> Option<()>) -> Option<()> {
        let count = self.reader.number_behind(b'G')?;
        let before = self.bound;
        // A name can claim more lifetimes than it has letters.
        if count > 256 {
            return None;
        }
        for n in 0..count {
            self.bound += 1;
            let lifetime = self.nth_lifetime(1)?;
            self.print(if n == 0 { "for<" } else { ", " })?;
            self.print(&lifetime)?;
        }
        if count > 0 {
            self.print("> ")?;
        }
        let read = read(self);
        self.bound = before;
        read
    }

    pub(super) fn lifetime(&mut self) -> Option<()> {
        let name = self.lifetime_name()?;
        self.print(&name)
    }

    fn lifetime_name(&mut self) -> Option<String> {
        let number = self.reader.number()?;
        self.nth_lifetime(number)
    }

    /// Lifetimes are counted from the innermost and named from the outermost.
    fn nth_lifetime(&self, number: u64) -> Option<String> {
        if number == 0 {
            return Some("'_".to_owned());
        }
        let depth = self.bound.checked_sub(number)?;
        let letter = u8::try_from(depth).ok().filter(|&depth| depth < 26).map(|depth| char::from(b'a' + depth));
        Some(letter.map_or_else(|| format!("'_{depth}"), |letter| format!("'{letter}")))
    }

    pub(super) fn constant(&mut self) -> Option<()> {
        match self.reader.next()? {
            b'p' => self.print("_"),
            b'B' => self.back(Self::constant),
            b'b' => match self.reader.hexadecimal()? {
                "0" => self.print("false"),
                "1" => self.print("true"),
                _ => None,
            },
            b'c' => {
                let letter = u32::from_str_radix(self.reader.hexadecimal()?, 16).ok().and_then(char::from_u32)?;
                match letter {
                    '\t' | '\r' | '\n' | '\'' | '\\' => self.print(&format!("'{}'", letter.escape_default())),
                    ' '..='~' => self.print(&format!("'{letter}'")),
                    _ => self.print(&format!("'{}'", letter.escape_unicode())),
                }
            }
            b'a' | b's' | b'l' | b'x' | b'n' | b'i' | b'h' | b't' | b'm' | b'y' | b'o' | b'j' => {
                if self.reader.eat(b'n') {
                    self.print("-")?;
                }
                let digits = self.reader.hexadecimal()?;
                let text =
                    u64::from_str_radix(digits, 16).map_or_else(|_| format!("0x{digits}"), |value| value.to_string());
                self.print(&text)
            }
            _ => None,
        }
    }
}

fn basic(letter: u8) -> Option<&'static str> {
    Some(match letter {
        b'a' => "i8",
        b'b' => "bool",
        b'c' => "char",
        b'd' => "f64",
        b'e' => "str",
        b'f' => "f32",
        b'h' => "u8",
        b'i' => "isize",
        b'j' => "usize",
        b'l' => "i32",
        b'm' => "u32",
        b'n' => "i128",
        b'o' => "u128",
        b'p' => "_",
        b's' => "i16",
        b't' => "u16",
        b'u' => "()",
        b'v' => "...",
        b'x' => "i64",
        b'y' => "u64",
        b'z' => "!",
        _ => return None,
    })
}
