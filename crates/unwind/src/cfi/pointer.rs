//! Encoded pointers of `.eh_frame`. Source: Linux Standard Base 5.0, "DWARF Exception Header Encoding".

use super::bytes::Bytes;

pub(crate) const ABSOLUTE: u8 = 0x00;
const ULEB: u8 = 0x01;
const U16: u8 = 0x02;
pub(crate) const U32: u8 = 0x03;
const U64: u8 = 0x04;
const SLEB: u8 = 0x09;
const S16: u8 = 0x0a;
pub(crate) const S32: u8 = 0x0b;
const S64: u8 = 0x0c;
const TO_PLACE: u8 = 0x10;
pub(crate) const TO_DATA: u8 = 0x30;
const INDIRECT: u8 = 0x80;
pub(crate) const OMITTED: u8 = 0xff;

/// What encoded pointers are relative to.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Bases {
    /// The address of the pointer itself.
    pub(crate) place: u64,
    /// The address of the table it is in.
    pub(crate) data: u64,
}

/// A pointer; `None` where it is cut short, in an encoding that no x86-64 file has, or to be read from memory.
pub(crate) fn read(bytes: &mut Bytes<'_>, encoding: u8, bases: Bases) -> Option<u64> {
    let value = number(bytes, encoding)?;
    match encoding & 0xf0 {
        ABSOLUTE => Some(value),
        TO_PLACE => Some(bases.place.wrapping_add(value)),
        TO_DATA => Some(bases.data.wrapping_add(value)),
        _ => None,
    }
}

/// A number in the format of an encoding, without what it is relative to.
pub(crate) fn number(bytes: &mut Bytes<'_>, encoding: u8) -> Option<u64> {
    if encoding & INDIRECT != 0 {
        return None;
    }
    match encoding & 0x0f {
        ABSOLUTE | U64 | S64 => bytes.u64(),
        ULEB => bytes.uleb(),
        U16 => bytes.u16().map(u64::from),
        U32 => bytes.u32().map(u64::from),
        SLEB => bytes.sleb().map(i64::cast_unsigned),
        S16 => bytes.u16().map(|value| i64::from(value.cast_signed()).cast_unsigned()),
        S32 => bytes.u32().map(|value| i64::from(value.cast_signed()).cast_unsigned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_are_relative_to_what_they_say() {
        let bases = Bases { place: 0x1000, data: 0x8000 };
        let read = |bytes: &[u8], encoding| read(&mut Bytes(bytes), encoding, bases);
        assert_eq!(read(&[0xf0, 0xff, 0xff, 0xff], TO_PLACE | S32), Some(0xff0));
        assert_eq!(read(&[0xf0, 0xff, 0xff, 0xff], U32), Some(0xffff_fff0));
        assert_eq!(read(&[0x10, 0], TO_DATA | S16), Some(0x8010));
        assert_eq!(read(&[1, 0, 0, 0, 0, 0, 0, 0], ABSOLUTE), Some(1));
        assert_eq!(read(&[1, 0, 0, 0], INDIRECT | TO_PLACE | S32), None);
        assert_eq!(read(&[1, 0, 0], U32), None);
    }
}
