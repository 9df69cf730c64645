//! Rows in 64-byte lines, one run of lines for 16 KiB of code.
//!
//! ```text
//! up to 16 rows     [ rows ]
//! more              [ index ]…[ rows ][ rows ]…
//!
//! a row             u32: place in the span << 16 | number of its rule; it holds up to the next row
//! a line of rows    16 rows in order; the last line is filled up with its last row
//! the index         for each line of rows the place of its first row, u16; 32 a line, filled up with 0xffff
//! ```
//!
//! The first row of a span is at place 0: what holds there is known without the span before.

use abi::rows::{LINE_WORDS, ROWS_BITS};
pub use abi::rows::{Line, SPAN_BITS};

/// The most rows that a span has. Real code has up to 2,100.
pub const MOST_ROWS: usize = (1 << ROWS_BITS) - 1;
/// Rows in a line.
pub const ROWS: usize = LINE_WORDS;
/// Index entries in a line.
pub const INDEXES: usize = 2 * LINE_WORDS;

/// The row at a place in its span.
pub fn row(place: u32, rule: u16) -> u32 {
    place << 16 | u32::from(rule)
}

/// Lines of the index of so many rows.
pub fn index_lines(rows: usize) -> usize {
    if rows <= ROWS { 0 } else { rows.div_ceil(ROWS).div_ceil(INDEXES) }
}

/// Appends the lines of a span's rows, which begin at place 0 and ascend, and returns how many rows they hold. Of too many
/// the last ones are left out, and no rule is known in their place.
pub fn encode(rows: &mut Vec<u32>, lines: &mut Vec<Line>) -> usize {
    if rows.len() > MOST_ROWS {
        rows.truncate(MOST_ROWS);
        rows[MOST_ROWS - 1] &= 0xffff_0000;
    }
    let mut places = rows.iter().step_by(ROWS).map(|row| row >> 16);
    for _ in 0..index_lines(rows.len()) {
        let mut next = || places.next().unwrap_or(0xffff);
        lines.push(std::array::from_fn(|_| next() | next() << 16));
    }
    for chunk in rows.chunks(ROWS) {
        let mut line = [chunk[chunk.len() - 1]; ROWS];
        line[..chunk.len()].copy_from_slice(chunk);
        lines.push(line);
    }
    rows.len()
}

/// The rule at a place of a span: what the kernel side does with the same lines.
pub fn search(lines: &[Line], rows: usize, place: u32) -> u16 {
    search_with(rows, place, |at| lines.get(at).copied()).unwrap_or(0)
}

/// The same where `line` reads each line that is needed, by its number in the span; `None` if it could not.
pub fn search_with(rows: usize, place: u32, mut line: impl FnMut(usize) -> Option<Line>) -> Option<u16> {
    let index = index_lines(rows);
    let mut block = 0;
    if index > 0 {
        let mut chosen = (0, line(0)?);
        for at in 1..index {
            let next = line(at)?;
            if next[0] & 0xffff > place {
                break;
            }
            chosen = (at, next);
        }
        let entry = |at: usize| chosen.1[at / 2] >> (at % 2 * 16) & 0xffff;
        block = chosen.0 * INDEXES + (1..INDEXES).take_while(|at| entry(*at) <= place).last().unwrap_or(0);
        // What fills the index up is above all places but the last.
        block = block.min(rows.div_ceil(ROWS) - 1);
    }
    let line = line(index + block)?;
    let at = line.iter().rposition(|row| row >> 16 <= place).unwrap_or(0);
    Some(line[at] as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(places: impl Iterator<Item = u32>) {
        let mut rows: Vec<u32> = places.enumerate().map(|(at, place)| row(place, at as u16 + 1)).collect();
        let (all, mut lines) = (rows.clone(), Vec::new());
        let count = encode(&mut rows, &mut lines);
        assert_eq!(lines.len(), index_lines(count) + count.div_ceil(ROWS));
        for place in 0..1 << SPAN_BITS {
            let at = all.partition_point(|row| row >> 16 <= place) - 1;
            let expect = if at >= MOST_ROWS - 1 && all.len() > MOST_ROWS { 0 } else { all[at] as u16 };
            assert_eq!(search(&lines, count, place), expect, "{place} of {count} rows");
            let mut read = 0;
            _ = search_with(count, place, |at| {
                read += 1;
                lines.get(at).copied()
            });
            assert!(read <= index_lines(count) + 1, "{read} lines of {count} rows");
        }
    }

    #[test]
    fn each_place_finds_the_row_before_it() {
        for count in [1, 2, 15, 16, 17, 300, 512, 513, 2000, MOST_ROWS as u32, MOST_ROWS as u32 + 1, 5000] {
            check((0..count).map(|at| at * 3));
            check((0..count).map(|at| at * ((1 << SPAN_BITS) / count)));
        }
    }
}
