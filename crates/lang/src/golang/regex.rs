//! Go's regular expressions, compiled by Rust's `regex`.
//!
//! Both come from RE2 and match in the same way, but read some patterns differently: `\d`, `\w`, `\s` and `\b` are
//! ASCII in Go; `\Q…\E`, a lone `{` and a `[` inside a class are fine there; `&&`, `--` and `~~` in a class are plain
//! characters there; `(?x)`, repeats over 1000 and `a**` are refused there. [`translate`] rewrites a pattern so that
//! Rust reads what Go would have read.

mod class;

use regex::Regex;

use super::chars::first_char;

/// How often Go lets something repeat.
const MAX_REPEAT: u32 = 1000;

/// Compiles a Go pattern.
///
/// The pattern is used as it is; a caller that wants it anchored or wants `.` to match line feeds wraps it, as in
/// `^(?s:…)$`.
pub fn compile(pattern: &str) -> Result<Regex, String> {
    let translated = translate(pattern)?;
    Regex::new(&translated).map_err(|error| {
        let text = error.to_string();
        let reason = text.lines().last().unwrap_or_default().trim_start_matches("error: ");
        format!("error parsing regexp: {reason}: `{pattern}`")
    })
}

/// Rewrites a Go pattern for Rust's `regex`; fails for what Go refuses and Rust would accept.
pub fn translate(pattern: &str) -> Result<String, String> {
    let mut translator = Translator { rest: pattern, out: String::new(), folds: pattern.contains("(?") };
    translator.run()?;
    Ok(translator.out)
}

struct Translator<'a> {
    rest: &'a str,
    out: String,
    /// Whether case may be folded; Go never folds `\d`, `\w` and `\s`.
    folds: bool,
}

fn failed<T>(what: &str, at: &str) -> Result<T, String> {
    Err(format!("error parsing regexp: {what}: `{at}`"))
}

impl Translator<'_> {
    fn run(&mut self) -> Result<(), String> {
        // The text from the last repetition on, while another one would be nested directly.
        let mut repeated: Option<&str> = None;
        while let Some(c) = self.rest.chars().next() {
            let before = self.rest;
            let mut repeats = None;
            match c {
                '*' | '+' | '?' => {
                    self.skip(1);
                    self.out.push(c);
                    repeats = Some(before);
                }
                '{' => match repeat(before) {
                    Some((width, low, high)) => {
                        if low > MAX_REPEAT || high.is_some_and(|high| high > MAX_REPEAT || high < low) {
                            return failed("invalid repeat count", &before[..width]);
                        }
                        self.skip(width);
                        self.out.push_str(&before[..width]);
                        repeats = Some(before);
                    }
                    None => {
                        self.skip(1);
                        self.out.push_str(r"\{");
                    }
                },
                '\\' => self.escape()?,
                '[' => self.class()?,
                '(' => self.group()?,
                c => {
                    self.skip(c.len_utf8());
                    match c {
                        '}' | ']' => self.out.extend(['\\', c]),
                        c => self.out.push(c),
                    }
                }
            }
            if let (Some(from), Some(_)) = (repeated, repeats) {
                let width = from.len() - self.rest.len();
                return failed("invalid nested repetition operator", &from[..width]);
            }
            if repeats.is_some() && self.rest.starts_with('?') {
                self.skip(1);
                self.out.push('?');
            }
            repeated = repeats;
        }
        Ok(())
    }

    fn skip(&mut self, width: usize) {
        self.rest = &self.rest[width..];
    }

    /// A backslash outside a class.
    fn escape(&mut self) -> Result<(), String> {
        if let Some(quoted) = self.rest.strip_prefix(r"\Q") {
            let (text, after) = quoted.split_once(r"\E").unwrap_or((quoted, ""));
            self.out.push_str(&regex::escape(text));
            self.rest = after;
            return Ok(());
        }
        let Some(c) = self.rest[1..].chars().next() else {
            return failed("trailing backslash at end of expression", "");
        };
        if let Some(set) = class::perl(c) {
            self.skip(2);
            let negated = if c.is_ascii_uppercase() { "^" } else { "" };
            let class = format!("[{negated}{set}]");
            self.out.push_str(&if self.folds { format!("(?-i:{class})") } else { class });
            return Ok(());
        }
        match c {
            'b' | 'B' => {
                self.skip(2);
                self.out.push_str(&format!(r"(?-u:\{c})"));
            }
            'A' | 'z' => {
                self.skip(2);
                self.out.extend(['\\', c]);
            }
            'p' | 'P' => {
                let text = self.property()?;
                self.out.push_str(&text);
            }
            _ => {
                let c = self.escaped_char()?;
                self.out.push_str(&regex::escape(c.encode_utf8(&mut [0; 4])));
            }
        }
        Ok(())
    }

    /// `\pL`, `\p{Greek}`, `\p{^Greek}`, as Rust writes it.
    fn property(&mut self) -> Result<String, String> {
        let text = self.rest;
        let negated = text.starts_with(r"\P");
        let name = match text[2..].strip_prefix('{') {
            Some(inside) => {
                let Some(end) = inside.find('}') else { return failed("invalid character class range", text) };
                self.skip(end + 4);
                &inside[..end]
            }
            None => {
                let Some(c) = text[2..].chars().next() else { return failed("invalid character class range", text) };
                self.skip(2 + c.len_utf8());
                &text[2..2 + c.len_utf8()]
            }
        };
        let (name, negated) = match name.strip_prefix('^') {
            Some(name) => (name, !negated),
            None => (name, negated),
        };
        Ok(format!("\\{}{{{name}}}", if negated { 'P' } else { 'p' }))
    }

    /// The character that an escape stands for.
    fn escaped_char(&mut self) -> Result<char, String> {
        let text = self.rest;
        let Some((c, width)) = first_char(&text.as_bytes()[1..]) else {
            return failed("trailing backslash at end of expression", "");
        };
        let c = c.unwrap_or(char::REPLACEMENT_CHARACTER);
        self.skip(1 + width);
        let invalid = |end: usize| failed("invalid escape sequence", &text[..text.floor_char_boundary(end)]);
        match c {
            '0'..='7' => {
                let digits = 1 + text[2..].bytes().take(2).take_while(|byte| matches!(byte, b'0'..=b'7')).count();
                if c != '0' && digits == 1 {
                    return invalid(2);
                }
                self.skip(digits - 1);
                let code = u32::from_str_radix(&text[1..=digits], 8).unwrap_or_default();
                Ok(char::from_u32(code).unwrap_or_default())
            }
            'x' => {
                let (digits, width) = match text[2..].strip_prefix('{') {
                    Some(inside) => {
                        let end = inside.find('}').unwrap_or(inside.len());
                        (&inside[..end], end + 2)
                    }
                    None => (text.get(2..4).unwrap_or_default(), 2),
                };
                let code = if digits.is_empty() { None } else { u32::from_str_radix(digits, 16).ok() };
                match code.and_then(char::from_u32) {
                    Some(c) if text.len() >= 2 + width => {
                        self.skip(width);
                        Ok(c)
                    }
                    _ => invalid(2 + width),
                }
            }
            'a' => Ok('\x07'),
            'f' => Ok('\x0c'),
            'n' => Ok('\n'),
            'r' => Ok('\r'),
            't' => Ok('\t'),
            'v' => Ok('\x0b'),
            c if c.is_ascii() && !c.is_ascii_alphanumeric() => Ok(c),
            _ => invalid(1 + width),
        }
    }

    /// `(`, `(?P<name>`, `(?flags)`, `(?flags:`
    fn group(&mut self) -> Result<(), String> {
        let text = self.rest;
        let Some(inside) = text.strip_prefix("(?") else {
            self.skip(1);
            self.out.push('(');
            return Ok(());
        };
        let width = if inside.starts_with("P<") || inside.starts_with('<') {
            let end = text.find('>').map_or(text.len(), |end| end + 1);
            let name = text[..end].trim_start_matches("(?").trim_start_matches('P');
            let name = name.trim_start_matches('<').trim_end_matches('>');
            let good = !name.is_empty() && name.chars().all(|c| c == '_' || c.is_ascii_alphanumeric());
            if !good || !text[..end].ends_with('>') {
                return failed("invalid named capture", &text[..end]);
            }
            end
        } else {
            let flags = inside.find(|c| !matches!(c, 'i' | 'm' | 's' | 'U' | '-')).unwrap_or(inside.len());
            let next = inside[flags..].chars().next();
            let end = 2 + flags + next.map_or(0, char::len_utf8);
            if !matches!(next, Some(':' | ')')) {
                return failed("invalid or unsupported Perl syntax", &text[..end]);
            }
            end
        };
        self.skip(width);
        self.out.push_str(&text[..width]);
        Ok(())
    }
}

/// `{n}`, `{n,}` or `{n,m}` at the start of text: its width and bounds. Counts too large to read count as too large.
fn repeat(text: &str) -> Option<(usize, u32, Option<u32>)> {
    let end = text.find('}')?;
    let inside = &text[1..end];
    let number = |digits: &str| {
        let good = !digits.is_empty()
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && (digits == "0" || !digits.starts_with('0'));
        good.then(|| digits.parse().unwrap_or(u32::MAX))
    };
    let (low, high) = match inside.split_once(',') {
        None => (number(inside)?, None),
        Some((low, "")) => (number(low)?, None),
        Some((low, high)) => (number(low)?, Some(number(high)?)),
    };
    Some((end + 1, low, high))
}

#[cfg(test)]
mod tests;
