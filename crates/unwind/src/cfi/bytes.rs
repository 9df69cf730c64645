//! Reads numbers off the front of bytes.

/// The rest of what is read. Nothing is taken where too little is left.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bytes<'b>(pub(crate) &'b [u8]);

impl<'b> Bytes<'b> {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The next `count` bytes.
    pub(crate) fn take(&mut self, count: u64) -> Option<&'b [u8]> {
        let (taken, rest) = self.0.split_at_checked(usize::try_from(count).ok()?)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_le_bytes)
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// ULEB128. Bits beyond 64 are dropped, as every reader of the format does with its padding.
    #[inline]
    pub(crate) fn uleb(&mut self) -> Option<u64> {
        let (mut value, mut shift) = (0, 0);
        loop {
            let byte = self.u8()?;
            if shift < 64 {
                value |= u64::from(byte & 0x7f) << shift;
            }
            if byte & 0x80 == 0 {
                return Some(value);
            }
            shift += 7;
        }
    }

    /// SLEB128.
    #[inline]
    pub(crate) fn sleb(&mut self) -> Option<i64> {
        let (mut value, mut shift) = (0_i64, 0);
        loop {
            let byte = self.u8()?;
            if shift < 64 {
                value |= i64::from(byte & 0x7f) << shift;
            }
            shift += 7;
            if byte & 0x80 == 0 {
                if shift < 64 && byte & 0x40 != 0 {
                    value |= -1 << shift;
                }
                return Some(value);
            }
        }
    }

    /// The bytes up to the next NUL, which is taken too.
    pub(crate) fn string(&mut self) -> Option<&'b [u8]> {
        let end = self.0.iter().position(|&byte| byte == 0)?;
        let text = self.take(end as u64)?;
        self.u8()?;
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::Bytes;

    #[test]
    fn numbers_of_variable_length() {
        let uleb = |bytes: &[u8]| Bytes(bytes).uleb();
        assert_eq!(uleb(&[0x7f]), Some(127));
        assert_eq!(uleb(&[0xe5, 0x8e, 0x26]), Some(624_485));
        assert_eq!(uleb(&[0x80; 12]), None);
        assert_eq!(uleb(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00]), Some(0));
        let sleb = |bytes: &[u8]| Bytes(bytes).sleb();
        assert_eq!(sleb(&[0x40]), Some(-64));
        assert_eq!(sleb(&[0xc0, 0xbb, 0x78]), Some(-123_456));
        assert_eq!(sleb(&[0x80, 0x7f]), Some(-128));
        assert_eq!(sleb(&[0xff; 3]), None);
    }

    #[test]
    fn nothing_is_taken_where_too_little_is_left() {
        let mut bytes = Bytes(&[1, 2, 3]);
        assert_eq!(bytes.u32(), None);
        assert_eq!(bytes.take(4), None);
        assert_eq!(bytes.u16(), Some(0x201));
        assert_eq!(bytes.string(), None);
        assert_eq!(bytes.u8(), Some(3));
        assert!(bytes.is_empty());
    }
}
