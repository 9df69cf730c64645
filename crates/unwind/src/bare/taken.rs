//! Functions whose address code takes: they are called through a table that is filled while the program runs.

use elf::{Elf, ReadAt, Segment};

use super::window::Window;

/// Bytes of code that are looked at at once, and in a file.
const PIECE: usize = 64 << 10;
const MOST_CODE: u64 = 64 << 20;
/// Addresses that are kept.
const MOST_TAKEN: usize = 1 << 16;
/// Assemblers and compilers align functions to this.
const ALIGNED: u64 = 16;
/// `lea r64, [rip + disp32]`: prefix, opcode, register, and distance from its end.
const LENGTH: usize = 7;

/// An address that an instruction takes, and where that one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Taken {
    pub(super) target: u64,
    pub(super) from: u64,
}

/// What the code of a file takes the address of, by address: code that is aligned as functions are.
pub(super) fn taken(elf: &Elf<impl ReadAt>) -> Vec<Taken> {
    let code: Vec<Segment> = elf.segments().iter().filter(|segment| segment.is_code()).copied().collect();
    let is_code = |target: u64| {
        let place = |segment: &Segment| target.checked_sub(segment.address.0);
        code.iter().any(|segment| place(segment).is_some_and(|place| place < segment.file_size))
    };
    let (mut all, mut looked, mut window) = (Vec::new(), 0, Window::default());
    for segment in &code {
        window.enter(segment);
        let mut at = 0;
        while at < segment.file_size && looked < MOST_CODE && all.len() < MOST_TAKEN {
            let address = segment.address.0.saturating_add(at);
            // An instruction that goes on beyond this piece is seen whole in this one.
            let bytes = window.bytes(elf.reader(), address, PIECE + LENGTH - 1);
            if bytes.is_empty() {
                break;
            }
            let found = taken_in(bytes, address).filter(|taken| taken.target % ALIGNED == 0 && is_code(taken.target));
            all.extend(found);
            at += PIECE as u64;
            looked += PIECE as u64;
        }
    }
    all.sort_unstable();
    all
}

fn taken_in(code: &[u8], address: u64) -> impl Iterator<Item = Taken> {
    code.windows(LENGTH).enumerate().filter_map(move |(at, bytes)| {
        let [0x48 | 0x4c, 0x8d, register, distance @ ..] = bytes else { return None };
        let distance = <[u8; 4]>::try_from(distance).ok().filter(|_| register & 0xc7 == 5)?;
        let from = address.wrapping_add(at as u64);
        let end = from.wrapping_add(LENGTH as u64);
        Some(Taken { target: end.wrapping_add_signed(i32::from_le_bytes(distance).into()), from })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_is_taken_counts_from_the_end_of_the_instruction() {
        // nop; lea rax, [rip + 16]; lea r9, [rip - 8]; lea rax, [rbx + 1]; mov eax, [rip + 1]
        let code = [
            0x90, 0x48, 0x8d, 0x05, 16, 0, 0, 0, 0x4c, 0x8d, 0x0d, 0xf8, 0xff, 0xff, 0xff, 0x48, 0x8d, 0x83, 1, 0, 0,
            0, 0x8b, 0x05, 1, 0, 0, 0,
        ];
        let found: Vec<Taken> = taken_in(&code, 0x1000).collect();
        assert_eq!(found, [Taken { target: 0x1018, from: 0x1001 }, Taken { target: 0x1007, from: 0x1008 }]);
    }
}
