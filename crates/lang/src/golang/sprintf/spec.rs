//! One directive of a template: `%[index]flags width .precision verb`.

use crate::golang::chars::first_char;

/// A width or a precision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Width {
    #[default]
    None,
    Fixed(usize),
    /// `*`: the next argument says.
    Star,
}

/// A parsed directive.
#[derive(Clone, Debug, Default)]
pub(super) struct Spec {
    pub(super) sharp: bool,
    pub(super) zero: bool,
    pub(super) plus: bool,
    pub(super) minus: bool,
    pub(super) space: bool,
    pub(super) width: Width,
    pub(super) width_index: Option<usize>,
    pub(super) precision: Width,
    pub(super) precision_index: Option<usize>,
    pub(super) index: Option<usize>,
    /// An index that is no number, or one that is left open.
    pub(super) bad_index: bool,
    pub(super) verb: Option<char>,
    /// The width once `*` is known; 0 for none.
    pub(super) resolved_width: usize,
    pub(super) resolved_precision: Option<usize>,
}

impl Spec {
    pub(super) fn plain(verb: char) -> Self {
        Self { verb: Some(verb), ..Self::default() }
    }

    /// Parses what follows a percent sign and returns the rest.
    pub(super) fn parse(mut rest: &[u8]) -> (Self, &[u8]) {
        let mut spec = Self::default();
        loop {
            match rest.first() {
                Some(b'#') => spec.sharp = true,
                Some(b'0') => spec.zero = true,
                Some(b'+') => spec.plus = true,
                Some(b'-') => spec.minus = true,
                Some(b' ') => spec.space = true,
                _ => break,
            }
            rest = &rest[1..];
        }
        let mut index = spec.take_index(&mut rest);
        if let Some(after) = rest.strip_prefix(b"*") {
            (spec.width, spec.width_index) = (Width::Star, index.take());
            rest = after;
        } else {
            spec.width = take_number(&mut rest).map_or(Width::None, Width::Fixed);
            // An index has to be followed by its star or verb.
            spec.bad_index |= index.is_some() && spec.width != Width::None;
        }
        if let Some(after) = rest.strip_prefix(b".") {
            spec.bad_index |= index.is_some();
            rest = after;
            index = spec.take_index(&mut rest);
            if let Some(after) = rest.strip_prefix(b"*") {
                (spec.precision, spec.precision_index) = (Width::Star, index.take());
                rest = after;
            } else {
                spec.precision = Width::Fixed(take_number(&mut rest).unwrap_or(0));
            }
        }
        if index.is_none() {
            index = spec.take_index(&mut rest);
        }
        spec.index = index;
        if let Some((c, width)) = first_char(rest) {
            spec.verb = Some(c.unwrap_or(char::REPLACEMENT_CHARACTER));
            // With v a plus asks for names of fields, of which nothing here has any, and not for signs.
            spec.plus &= spec.verb != Some('v');
            rest = &rest[width..];
        }
        (spec, rest)
    }

    /// `[n]`
    fn take_index(&mut self, rest: &mut &[u8]) -> Option<usize> {
        let inside = rest.strip_prefix(b"[")?;
        let Some(close) = inside.iter().position(|byte| *byte == b']') else {
            self.bad_index = true;
            *rest = inside;
            return None;
        };
        let (mut digits, after) = (&inside[..close], &inside[close + 1..]);
        *rest = after;
        let number = take_number(&mut digits).filter(|_| digits.is_empty());
        self.bad_index |= number.is_none();
        number
    }
}

/// Decimal digits; what is out of range counts as none.
fn take_number(rest: &mut &[u8]) -> Option<usize> {
    let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, after) = rest.split_at(count);
    *rest = after;
    let number: usize = std::str::from_utf8(digits).ok()?.parse().ok()?;
    (number as i64 <= super::MAX_WIDTH).then_some(number)
}
