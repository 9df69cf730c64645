//! Tables that say which value holds from which pc on: pairs of differences, as varints.

/// The value that holds `distance` bytes after the function's entry.
///
/// `bytes` begins at the function's table and may go on after it. `None` when the table ends before, or has no end here.
pub(super) fn value_at(bytes: &[u8], quantum: u32, distance: u64) -> Option<i32> {
    Steps::new(bytes, quantum).find(|(end, _)| distance < *end).map(|(_, value)| value)
}

/// The values in order, each with the distance from the function's entry at which it ends.
pub(super) struct Steps<'b> {
    rest: &'b [u8],
    quantum: u32,
    value: i32,
    distance: u64,
    first: bool,
    ended: bool,
}

impl<'b> Steps<'b> {
    /// Of the bytes that begin with a function's table.
    pub(super) fn new(bytes: &'b [u8], quantum: u32) -> Self {
        Self { rest: bytes, quantum, value: -1, distance: 0, first: true, ended: false }
    }

    /// Whether the table came to its end, and not the bytes.
    pub(super) fn ended(&self) -> bool {
        self.ended
    }
}

impl Iterator for Steps<'_> {
    type Item = (u64, i32);

    fn next(&mut self) -> Option<(u64, i32)> {
        if self.ended {
            return None;
        }
        let difference = varint(&mut self.rest)?;
        if difference == 0 && !self.first {
            self.ended = true;
            return None;
        }
        self.first = false;
        let signed = (difference >> 1).cast_signed() ^ -((difference & 1).cast_signed());
        self.value = self.value.wrapping_add(signed);
        self.distance += u64::from(varint(&mut self.rest)?) * u64::from(self.quantum);
        Some((self.distance, self.value))
    }
}

fn varint(rest: &mut &[u8]) -> Option<u32> {
    let mut value = 0_u32;
    for shift in (0..35).step_by(7) {
        let (&byte, tail) = rest.split_first()?;
        *rest = tail;
        value |= u32::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pair_moves_the_value_and_the_pc() {
        // 9 for 4 bytes, 10 for 6 bytes, 7 for 300 bytes.
        let table = [20, 4, 2, 6, 5, 0xac, 0x02, 0, 99];
        for (distance, expect) in
            [(0, Some(9)), (3, Some(9)), (4, Some(10)), (9, Some(10)), (10, Some(7)), (309, Some(7))]
        {
            assert_eq!(value_at(&table, 1, distance), expect, "{distance}");
        }
        assert_eq!(value_at(&table, 1, 310), None);
        assert_eq!(value_at(&table, 4, 16), Some(10));
    }

    #[test]
    fn a_first_difference_of_zero_does_not_end_the_table() {
        assert_eq!(value_at(&[0, 5, 0], 1, 2), Some(-1));
        assert_eq!(value_at(&[], 1, 0), None);
        assert_eq!(value_at(&[0xff; 9], 1, 0), None);
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic_or_run_away(bytes: Vec<u8>, distance: u64) {
            let _ = value_at(&bytes, 4, distance);
        }
    }
}
