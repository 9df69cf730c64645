//! Tables that say which value holds from which pc on: pairs of differences, as varints.

/// The value that holds `distance` bytes after the function's entry.
///
/// `bytes` begins at the function's table and may go on after it. `None` when the table ends before, or has no end here.
pub(super) fn value_at(bytes: &[u8], quantum: u32, distance: u64) -> Option<i32> {
    let mut rest = bytes;
    let (mut value, mut pc, mut first) = (-1_i32, 0_u64, true);
    loop {
        let difference = varint(&mut rest)?;
        if difference == 0 && !first {
            return None;
        }
        first = false;
        let signed = (difference >> 1).cast_signed() ^ -((difference & 1).cast_signed());
        value = value.wrapping_add(signed);
        pc += u64::from(varint(&mut rest)?) * u64::from(quantum);
        if distance < pc {
            return Some(value);
        }
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
