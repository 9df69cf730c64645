//! From what the compiler hands over to drafts of tables.

use abi::rows::Line;
use unwind::Output;

use super::tables::{Draft, Tables};
use crate::kernel::KernelError;

/// Lines that are written into the kernel at once: 64 KiB.
const PORTION: usize = 1024;

/// One span.
#[derive(Default)]
pub(super) struct Span {
    pub(super) rows: usize,
    pub(super) lines: Vec<Line>,
}

impl Output for Span {
    fn span(&mut self, _: u64, rows: usize, lines: &[Line]) {
        (self.rows, self.lines) = (rows, lines.to_vec());
    }
}

/// Gathers spans to portions.
pub(super) struct Writer<'a> {
    tables: &'a mut Tables,
    draft: Draft,
    spans: Vec<(u64, usize, usize)>,
    lines: Vec<Line>,
    /// Whether there was room so far.
    result: Result<bool, KernelError>,
}

impl<'a> Writer<'a> {
    pub(super) fn new(tables: &'a mut Tables) -> Self {
        Self { tables, draft: Draft::default(), spans: Vec::new(), lines: Vec::new(), result: Ok(true) }
    }

    fn flush(&mut self) {
        if matches!(self.result, Ok(true)) && !self.spans.is_empty() {
            self.result = self.tables.add(&mut self.draft, &self.spans, &self.lines);
        }
        self.spans.clear();
        self.lines.clear();
    }

    /// `None` if there was no room.
    pub(super) fn finish(mut self) -> Result<Option<Draft>, KernelError> {
        self.flush();
        if !matches!(self.result, Ok(true)) {
            self.tables.discard(&self.draft);
        }
        Ok(self.result?.then_some(self.draft))
    }
}

impl Output for Writer<'_> {
    fn span(&mut self, number: u64, rows: usize, lines: &[Line]) {
        if self.lines.len() + lines.len() > PORTION {
            self.flush();
        }
        self.spans.push((number, rows, lines.len()));
        self.lines.extend_from_slice(lines);
    }
}
