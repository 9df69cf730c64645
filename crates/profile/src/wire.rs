//! The protobuf wire format: the few shapes pprof uses, written and read without a schema.

/// Number of bytes that [`varint`] writes for `value`.
pub(crate) fn varint_len(value: u64) -> usize {
    let bits = 64 - (value | 1).leading_zeros() as usize;
    bits.div_ceil(7)
}

/// Appends `value` in groups of seven bits, lowest first.
pub(crate) fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a number field; 0 is the default and is left out.
pub(crate) fn uint(out: &mut Vec<u8>, field: u32, value: u64) {
    if value != 0 {
        varint(out, u64::from(field) << 3);
        varint(out, value);
    }
}

/// Appends the head of a field of `len` bytes that the caller writes next.
pub(crate) fn head(out: &mut Vec<u8>, field: u32, len: usize) {
    varint(out, u64::from(field) << 3 | 2);
    varint(out, len as u64);
}

/// Appends a field of bytes, also when there are none.
pub(crate) fn bytes(out: &mut Vec<u8>, field: u32, bytes: &[u8]) {
    head(out, field, bytes.len());
    out.extend_from_slice(bytes);
}

/// A field's value as it lies in the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    Varint(u64),
    Bytes(&'a [u8]),
    /// Fixed 32 or 64 bits: pprof has none, so only skipped.
    Fixed,
}

/// Why a message cannot be read further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) &'static str);

/// The fields of a message in the order they were written; ends after the first error.
#[derive(Clone)]
pub(crate) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(crate) fn new(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    fn read(&mut self) -> Result<(u32, Value<'a>), Malformed> {
        let key = read_varint(&mut self.rest)?;
        let field = u32::try_from(key >> 3).map_err(|_| Malformed("field number out of range"))?;
        if field == 0 {
            return Err(Malformed("field number 0"));
        }
        let value = match key & 7 {
            0 => Value::Varint(read_varint(&mut self.rest)?),
            1 => self.take(8).map(|_| Value::Fixed)?,
            2 => {
                let len = read_varint(&mut self.rest)?;
                let len = usize::try_from(len).map_err(|_| Malformed("length out of range"))?;
                Value::Bytes(self.take(len)?)
            }
            5 => self.take(4).map(|_| Value::Fixed)?,
            _ => return Err(Malformed("unknown wire type")),
        };
        Ok((field, value))
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(Malformed("field reaches past the end"))?;
        self.rest = rest;
        Ok(taken)
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u32, Value<'a>), Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.read();
        if field.is_err() {
            self.rest = &[];
        }
        Some(field)
    }
}

/// Reads one varint from the front of `rest`.
pub(crate) fn read_varint(rest: &mut &[u8]) -> Result<u64, Malformed> {
    let mut value = 0;
    for (at, byte) in rest.iter().take(10).enumerate() {
        if at == 9 && *byte > 1 {
            return Err(Malformed("number of more than 64 bits"));
        }
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            *rest = &rest[at + 1..];
            return Ok(value);
        }
    }
    Err(Malformed("unfinished number"))
}

/// Calls `each` with the numbers of a repeated field, written packed or one by one.
pub(crate) fn numbers(value: Value<'_>, mut each: impl FnMut(u64)) -> Result<(), Malformed> {
    match value {
        Value::Varint(number) => each(number),
        Value::Bytes(mut packed) => {
            while !packed.is_empty() {
                each(read_varint(&mut packed)?);
            }
        }
        Value::Fixed => return Err(Malformed("fixed-size number in place of a varint")),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_take_as_many_bytes_as_told() {
        for value in [0, 1, 127, 128, 16_383, 16_384, u64::from(u32::MAX), i64::MAX as u64, u64::MAX] {
            let mut out = Vec::new();
            varint(&mut out, value);
            assert_eq!(out.len(), varint_len(value), "{value}");
            let mut rest = &out[..];
            assert_eq!(read_varint(&mut rest), Ok(value));
            assert!(rest.is_empty());
        }
    }

    #[test]
    fn broken_messages_end_in_an_error() {
        let broken = |message: &[u8]| Fields::new(message).last().expect("a field").is_err();
        assert!(broken(&[0x80]));
        assert!(broken(&[0x08, 0xff]));
        assert!(broken(&[0x0a, 2, 1]));
        assert!(broken(&[0x00, 0]));
        assert!(broken(&[0x0b]));
        assert!(broken(&[0x09, 1, 2, 3]));
        assert!(broken(&[0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]));
        assert!(!broken(&[0x08, 1, 0x0d, 1, 2, 3, 4]));
    }
}
