//! The letters of a name, and its numbers and identifiers.

use std::borrow::Cow;

use super::punycode;

#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    name: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(name: &'a str) -> Self {
        Self { name, at: 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.at == self.name.len()
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.name.as_bytes().get(self.at).copied()
    }

    pub(super) fn next(&mut self) -> Option<u8> {
        let letter = self.peek()?;
        self.at += 1;
        Some(letter)
    }

    pub(super) fn eat(&mut self, letter: u8) -> bool {
        let is = self.peek() == Some(letter);
        self.at += usize::from(is);
        is
    }

    /// `_` is 0, `0_` is 1, and so on to the base of 62.
    pub(super) fn number(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        if self.eat(b'_') {
            return Some(0);
        }
        loop {
            let digit = match self.next()? {
                b'_' => return value.checked_add(1),
                digit @ b'0'..=b'9' => digit - b'0',
                digit @ b'a'..=b'z' => digit - b'a' + 10,
                digit @ b'A'..=b'Z' => digit - b'A' + 36,
                _ => return None,
            };
            value = value.checked_mul(62)?.checked_add(digit.into())?;
        }
    }

    /// A number that only stands behind a letter of its own: nothing is 0.
    pub(super) fn number_behind(&mut self, letter: u8) -> Option<u64> {
        if self.eat(letter) { self.number()?.checked_add(1) } else { Some(0) }
    }

    pub(super) fn disambiguator(&mut self) -> Option<u64> {
        self.number_behind(b's')
    }

    /// The place a `B` points at, which is before that `B`.
    pub(super) fn earlier(&mut self) -> Option<Self> {
        let here = self.at - 1;
        let at = usize::try_from(self.number()?).ok().filter(|&at| at < here)?;
        Some(Self { name: self.name, at })
    }

    /// Read as the Go library that Alloy uses reads it: zeros before a length belong to it, and no digits are 0. The names of
    /// the two closures in `…00` are one to it, so that most names that end so stay mangled.
    fn length(&mut self) -> Option<usize> {
        self.peek()?;
        let mut length = 0_usize;
        while let Some(digit) = self.peek().filter(u8::is_ascii_digit) {
            self.at += 1;
            length = length.checked_mul(10)?.checked_add(usize::from(digit - b'0'))?;
        }
        Some(length)
    }

    /// A name behind its length.
    pub(super) fn identifier(&mut self) -> Option<Cow<'a, str>> {
        let encoded = self.eat(b'u');
        let length = self.length()?;
        self.eat(b'_');
        let end = self.at.checked_add(length)?;
        let name = self.name.get(self.at..end)?;
        self.at = end;
        if encoded && length > 0 { punycode::decode(name).map(Cow::Owned) } else { Some(Cow::Borrowed(name)) }
    }

    /// Digits to the base of 16 up to `_`.
    pub(super) fn hexadecimal(&mut self) -> Option<&'a str> {
        let rest = self.name.get(self.at..)?;
        let length = rest.find('_').filter(|&length| length > 0)?;
        let digits = &rest[..length];
        self.at += length + 1;
        digits.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')).then_some(digits)
    }
}
