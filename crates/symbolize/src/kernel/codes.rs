//! Names of kernel functions in fewer bytes: common sequences of letters are one byte from 128 on.
//!
//! A record is the number of its module (0 for the kernel) and the number of its codes, both in groups of seven bits, then
//! the codes.

/// Sequences that save most over the names of a 6.18 kernel, found by joining the most frequent pair of neighbours again and
/// again. Which they are decides only how small the table is.
const SEQUENCES: [&str; 118] = [
    ".0",
    ".co",
    ".cold",
    "4_",
    "__",
    "__SCT__",
    "__SCT__tp_fun",
    "_c",
    "_cal",
    "_s",
    "_st",
    "_stat",
    "_sy",
    "ab",
    "ac",
    "ad",
    "al",
    "an",
    "ar",
    "as",
    "at",
    "ate",
    "ate_",
    "b_",
    "bp",
    "bpf_",
    "btr",
    "bu",
    "c_",
    "ch",
    "co",
    "d_",
    "de",
    "dev",
    "e_",
    "ec",
    "en",
    "ent_",
    "er",
    "er_",
    "es",
    "est",
    "et",
    "et_",
    "ev",
    "event_",
    "ex",
    "ext",
    "f_",
    "fi",
    "fre",
    "fs_",
    "g_",
    "get_",
    "h_",
    "ho",
    "i_",
    "ic",
    "id",
    "in",
    "init",
    "io",
    "ip",
    "ir",
    "is",
    "it",
    "it_",
    "iter_",
    "k_",
    "l_",
    "ld",
    "le",
    "le_",
    "lin",
    "lo",
    "loc",
    "ls",
    "m_",
    "ma",
    "map_",
    "me",
    "mo",
    "mp",
    "no",
    "ol",
    "on",
    "op",
    "or",
    "ou",
    "p_",
    "p_f",
    "pa",
    "per",
    "pro",
    "prob",
    "pu",
    "qu",
    "ra",
    "raw_",
    "re",
    "res",
    "rit",
    "ro",
    "s_",
    "st",
    "t_",
    "ti",
    "to",
    "tr",
    "trac",
    "trace",
    "trace_",
    "un",
    "up",
    "us",
    "vm_",
    "w_",
    "y_",
];

const _: () = assert!(SEQUENCES.len() <= 128);

/// Finds the longest sequence at each place.
#[derive(Debug)]
pub(super) struct Encoder {
    /// For each first letter the sequences that begin with it, longest first.
    by_letter: Vec<Vec<(&'static [u8], u8)>>,
}

impl Encoder {
    pub(super) fn new() -> Self {
        let mut by_letter = vec![Vec::new(); 128];
        for (code, sequence) in (128_u8..).zip(SEQUENCES) {
            by_letter[usize::from(sequence.as_bytes()[0])].push((sequence.as_bytes(), code));
        }
        for sequences in &mut by_letter {
            sequences.sort_by_key(|(sequence, _)| std::cmp::Reverse(sequence.len()));
        }
        Self { by_letter }
    }

    /// Appends a record. Letters beyond ASCII, which the kernel has none of, become `?`.
    pub(super) fn push(&self, module: usize, name: &[u8], out: &mut Vec<u8>) {
        let mut codes = Vec::with_capacity(name.len());
        let mut rest = name;
        while let Some(&letter) = rest.first() {
            let sequences = self.by_letter.get(usize::from(letter)).map_or(&[][..], |sequences| sequences);
            let (length, code) = match sequences.iter().find(|(sequence, _)| rest.starts_with(sequence)) {
                Some((sequence, code)) => (sequence.len(), *code),
                None => (1, if letter.is_ascii() { letter } else { b'?' }),
            };
            codes.push(code);
            rest = &rest[length..];
        }
        push_number(module, out);
        push_number(codes.len(), out);
        out.extend_from_slice(&codes);
    }
}

/// The first record of the bytes, as it is.
pub(super) fn record(bytes: &[u8]) -> &[u8] {
    let (_, rest) = number(bytes);
    let (length, rest) = number(rest);
    &bytes[..bytes.len() - rest.len() + length]
}

/// The module and the name of the first record.
pub(super) fn decode(bytes: &[u8]) -> (usize, String) {
    let (module, rest) = number(bytes);
    let (length, rest) = number(rest);
    let mut name = String::with_capacity(2 * length);
    for &code in &rest[..length] {
        match code.checked_sub(128) {
            Some(index) => name.push_str(SEQUENCES[usize::from(index)]),
            None => name.push(char::from(code)),
        }
    }
    (module, name)
}

fn push_number(mut value: usize, out: &mut Vec<u8>) {
    while value >= 128 {
        out.push((value & 127) as u8 | 128);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Only records that [`Encoder::push`] made are read, so there is always an end.
fn number(bytes: &[u8]) -> (usize, &[u8]) {
    let mut value = 0;
    for (index, &byte) in bytes.iter().enumerate() {
        value |= usize::from(byte & 127) << (7 * index);
        if byte < 128 {
            return (value, &bytes[index + 1..]);
        }
    }
    (value, &[])
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn every_name_comes_back(names in proptest::collection::vec((0_usize..1000, "[a-zA-Z0-9_.$]{0,300}"), 1..9)) {
            let encoder = Encoder::new();
            let mut bytes = Vec::new();
            names.iter().for_each(|(module, name)| encoder.push(*module, name.as_bytes(), &mut bytes));
            let mut rest = &bytes[..];
            for expect in names {
                proptest::prop_assert_eq!(decode(rest), expect);
                rest = &rest[record(rest).len()..];
            }
            proptest::prop_assert!(rest.is_empty());
        }
    }

    #[test]
    fn common_names_take_about_half() {
        let mut bytes = Vec::new();
        Encoder::new().push(0, b"trace_event_raw_init_per_dev", &mut bytes);
        assert!(bytes.len() <= 12, "{}", bytes.len());
        Encoder::new().push(0, "f\u{e4}n".as_bytes(), &mut bytes);
    }
}
