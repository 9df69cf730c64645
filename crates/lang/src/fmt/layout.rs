//! Cells to aligned text, by elastic tab stops.
//!
//! A line is a list of cells. A column is a run of adjacent lines that have a finished cell at the same index; it is
//! as wide as its widest cell and one blank. The last cell of a line is never padded.

/// A piece of what the printer has to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Item {
    /// Text; `verbatim` keeps blanks at the end of the line.
    Text { bytes: Vec<u8>, verbatim: bool },
    /// Ends a cell; a column of empty ones keeps its width.
    Tab,
    /// Ends a cell; a column of empty ones vanishes.
    SoftTab,
    /// Ends a line.
    Newline,
    /// Ends a line and all columns.
    Break,
}

#[derive(Default)]
struct Cell {
    /// Text with whether it is verbatim.
    parts: Vec<(Vec<u8>, bool)>,
    hard: bool,
}

/// How wide a tab counts where it pads.
const TAB: usize = 8;

impl Cell {
    fn width(&self) -> usize {
        self.parts.iter().map(|(bytes, _)| String::from_utf8_lossy(bytes).chars().count()).sum()
    }

    fn is_empty(&self) -> bool {
        self.parts.iter().all(|(bytes, _)| bytes.is_empty())
    }
}

/// Lays items out as text.
pub(super) fn align(items: Vec<Item>) -> Vec<u8> {
    let mut block = Block::default();
    let mut out = Vec::new();
    for item in items {
        match item {
            Item::Text { bytes, verbatim } => block.last().parts.push((bytes, verbatim)),
            Item::Tab => block.end_cell(true),
            Item::SoftTab => block.end_cell(false),
            Item::Newline | Item::Break => {
                let alone = block.lines.last().is_none_or(|line| line.len() <= 1);
                let flush = item == Item::Break || alone;
                block.lines.push(vec![Cell::default()]);
                if flush {
                    block.lines.pop();
                    block.write(&mut out);
                    out.push(b'\n');
                    block = Block::default();
                }
            }
        }
    }
    block.write(&mut out);
    out
}

/// Lines that are aligned together.
struct Block {
    lines: Vec<Vec<Cell>>,
}

impl Default for Block {
    fn default() -> Self {
        Self { lines: vec![vec![Cell::default()]] }
    }
}

impl Block {
    fn last(&mut self) -> &mut Cell {
        if self.lines.last().is_none_or(Vec::is_empty) {
            self.lines.push(vec![Cell::default()]);
        }
        self.lines.last_mut().and_then(|line| line.last_mut()).expect("a line has a cell")
    }

    fn end_cell(&mut self, hard: bool) {
        self.last().hard = hard;
        if let Some(line) = self.lines.last_mut() {
            line.push(Cell::default());
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        let mut widths: Vec<Vec<usize>> = self.lines.iter().map(|_| Vec::new()).collect();
        self.measure(&mut widths, 0, 0, self.lines.len());
        for (at, (line, widths)) in self.lines.iter().zip(&widths).enumerate() {
            if at > 0 {
                out.push(b'\n');
            }
            write_line(line, widths, out);
        }
    }

    /// Finds the widths of a column and, inside each of its runs, of the columns to its right.
    fn measure(&self, widths: &mut [Vec<usize>], column: usize, from: usize, to: usize) {
        let has_column = |line: usize| column + 1 < self.lines[line].len();
        let mut at = from;
        while at < to {
            if !has_column(at) {
                at += 1;
                continue;
            }
            let end = (at..to).find(|line| !has_column(*line)).unwrap_or(to);
            let cells = || self.lines[at..end].iter().map(|line| &line[column]);
            let vanishes = cells().all(|cell| cell.is_empty() && !cell.hard);
            let width = if vanishes { 0 } else { cells().map(|cell| cell.width() + 1).max().unwrap_or(0) };
            widths[at..end].iter_mut().for_each(|line| line.push(width));
            self.measure(widths, column + 1, at, end);
            at = end;
        }
    }
}

/// Leading empty cells are padded with tabs, which is how indentation comes about; all others with blanks.
fn write_line(line: &[Cell], widths: &[usize], out: &mut Vec<u8>) {
    let mut parts: Vec<(Vec<u8>, bool)> = Vec::new();
    let mut leading = true;
    for (at, cell) in line.iter().enumerate() {
        leading &= cell.is_empty();
        parts.extend(cell.parts.iter().cloned());
        if let Some(width) = widths.get(at) {
            let padding =
                if leading { vec![b'\t'; width.div_ceil(TAB)] } else { vec![b' '; width.saturating_sub(cell.width())] };
            parts.push((padding, false));
        }
    }
    while let Some((bytes, false)) = parts.last_mut() {
        let kept = bytes.iter().rposition(|byte| !matches!(byte, b' ' | b'\t')).map_or(0, |at| at + 1);
        bytes.truncate(kept);
        if kept > 0 {
            break;
        }
        parts.pop();
    }
    parts.into_iter().for_each(|(bytes, _)| out.extend(bytes));
}
