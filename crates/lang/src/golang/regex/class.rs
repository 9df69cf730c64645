//! Character classes: `[…]`.

use super::{Translator, failed};

/// The members of `\d`, `\w`, `\s` and their opposites, as they stand inside brackets.
pub(super) fn perl(c: char) -> Option<&'static str> {
    Some(match c {
        'd' | 'D' => "0-9",
        'w' | 'W' => "0-9A-Za-z_",
        's' | 'S' => r"\t\n\f\r ",
        _ => return None,
    })
}

impl Translator<'_> {
    /// A whole class, from its opening bracket on.
    pub(super) fn class(&mut self) -> Result<(), String> {
        let text = self.rest;
        self.skip(1);
        self.out.push('[');
        if self.rest.starts_with('^') {
            self.skip(1);
            self.out.push('^');
        }
        let mut first = true;
        loop {
            match self.rest.chars().next() {
                None => return failed("missing closing ]", text),
                Some(']') if !first => {
                    self.skip(1);
                    self.out.push(']');
                    return Ok(());
                }
                Some(_) => self.member(text)?,
            }
            first = false;
        }
    }

    fn member(&mut self, class: &str) -> Result<(), String> {
        let text = self.rest;
        if let Some(inside) = text.strip_prefix("[:")
            && let Some(end) = inside.find(":]")
        {
            let name = &inside[..end];
            const NAMES: &[&str] = &[
                "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space",
                "upper", "word", "xdigit",
            ];
            if !NAMES.contains(&name.trim_start_matches('^')) {
                return failed("invalid character class range", &text[..end + 4]);
            }
            self.skip(end + 4);
            self.out.push_str(&text[..end + 4]);
            return Ok(());
        }
        if let Some(c) = text.strip_prefix('\\').and_then(|after| after.chars().next()) {
            if let Some(set) = perl(c) {
                self.skip(2);
                self.out.push_str(&if c.is_ascii_uppercase() { format!("[^{set}]") } else { set.to_owned() });
                return Ok(());
            }
            if matches!(c, 'p' | 'P') {
                let property = self.property()?;
                self.out.push_str(&property);
                return Ok(());
            }
        }
        let low = self.class_char(class)?;
        self.push_member(low);
        let after = self.rest.strip_prefix('-');
        if after.is_some_and(|after| !after.is_empty() && !after.starts_with(']')) {
            self.skip(1);
            let high = self.class_char(class)?;
            if high < low {
                let width = text.len() - self.rest.len();
                return failed("invalid character class range", &text[..width]);
            }
            self.out.push('-');
            self.push_member(high);
        }
        Ok(())
    }

    fn class_char(&mut self, class: &str) -> Result<char, String> {
        match self.rest.chars().next() {
            None => failed("missing closing ]", class),
            Some('\\') => self.escaped_char(),
            Some(c) => {
                self.skip(c.len_utf8());
                Ok(c)
            }
        }
    }

    /// Writes a member so that it means nothing but itself.
    fn push_member(&mut self, c: char) {
        if c.is_alphanumeric() {
            self.out.push(c);
        } else {
            self.out.push_str(&format!("\\x{{{:x}}}", c as u32));
        }
    }
}
