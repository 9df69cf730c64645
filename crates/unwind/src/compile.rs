//! From the tables of a file to spans of rows.

use std::ops::Range;

use elf::{Elf, FileOffset, ReadAt, Segment, Svma};

use crate::bare::Bare;
use crate::calls::{self, Calls};
use crate::cfi::{Orders, Table};
use crate::go::Go;
use crate::rule::Rule;
use crate::rules::Rules;
use crate::source::{Merged, Source};
use crate::span::{Line, SPAN_BITS, encode, row};

/// Between two functions lies padding up to the next multiple of this; no table speaks of it, and nobody returns there.
const PADDING: u64 = 16;
/// How far around a span code that no table describes is looked at: functions reach into it, and are called from there.
const AROUND: u64 = 1 << SPAN_BITS;
/// Code further into a file than this has no rows.
const FURTHEST: u64 = 4 << 30;

/// Takes spans as they are done, in the order of the file.
pub trait Output {
    /// The rows of a span: its number is its first offset in the file, divided by its size.
    fn span(&mut self, number: u64, rows: usize, lines: &[Line]);
}

/// What came of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Rows in all spans.
    pub rows: u64,
    /// Lines in all spans.
    pub lines: u64,
    /// Spans with rows.
    pub spans: u64,
    /// Bytes of code for which a rule is known.
    pub covered: u64,
    /// Of those the ones that no table describes: the code itself told it.
    pub followed: u64,
    /// Bytes of code in all.
    pub code: u64,
    /// Entries of the tables that could not be read, or only in part.
    pub malformed: u64,
}

/// Compiles the rows of a file.
pub fn compile<R: ReadAt + Clone>(elf: &Elf<R>, rules: &mut Rules, output: &mut impl Output) -> Summary {
    let parts = code(elf).into_iter().map(|segment| Part { segment, around: segment });
    compile_parts(elf, parts.collect(), true, &mut Orders::default(), rules, output)
}

/// Compiles the rows of one span, by its number. With a table to search in that takes microseconds; without one all entries are
/// read the first time, and `orders`, which is of this file, makes it that for the others.
pub fn compile_span<R: ReadAt + Clone>(
    elf: &Elf<R>,
    number: u64,
    orders: &mut Orders,
    rules: &mut Rules,
    output: &mut impl Output,
) -> Summary {
    let (start, end) = (number << SPAN_BITS, (number + 1) << SPAN_BITS);
    let within = |segment: Segment, start: u64, end: u64| {
        let from = segment.offset.0.max(start);
        let to = (segment.offset.0 + segment.file_size).min(end);
        let file_size = to.checked_sub(from).filter(|size| *size > 0)?;
        let address = Svma(segment.address.0 + (from - segment.offset.0));
        Some(Segment { offset: FileOffset(from), address, file_size, ..segment })
    };
    let part = |segment| {
        let around = within(segment, start.saturating_sub(AROUND), end + AROUND)?;
        Some(Part { segment: within(segment, start, end)?, around })
    };
    let parts = code(elf).into_iter().filter_map(part).collect();
    compile_parts(elf, parts, false, orders, rules, &mut Only { number, output })
}

/// Which spans may have rows, without those between them: runs of numbers, in order.
pub fn spans_of<R: ReadAt>(elf: &Elf<R>) -> Vec<Range<u64>> {
    let span = |segment: &Segment| {
        let end = segment.offset.0 + segment.file_size;
        segment.offset.0 >> SPAN_BITS..end.div_ceil(1 << SPAN_BITS)
    };
    let mut spans: Vec<Range<u64>> = code(elf).iter().map(span).collect();
    spans.sort_by_key(|span| span.start);
    spans
}

/// Hands one span on.
struct Only<'o, O> {
    number: u64,
    output: &'o mut O,
}

impl<O: Output> Output for Only<'_, O> {
    fn span(&mut self, number: u64, rows: usize, lines: &[Line]) {
        if number == self.number {
            self.output.span(number, rows, lines);
        }
    }
}

/// Code whose rows are wanted, and what around it may be looked at.
struct Part {
    segment: Segment,
    around: Segment,
}

fn compile_parts<R: ReadAt + Clone>(
    elf: &Elf<R>,
    parts: Vec<Part>,
    is_whole: bool,
    orders: &mut Orders,
    rules: &mut Rules,
    output: &mut impl Output,
) -> Summary {
    let mut spans = Spans::new(rules, output);
    spans.summary.code = parts.iter().map(|part| part.segment.file_size).sum();
    let mut merged = Merged::new(sources(elf, orders));
    if let Some(first) = parts.first() {
        merged.seek(first.around.address.0);
    }
    let (mut bare, mut calls) = (Bare::of(elf, is_whole), Calls::of(elf));
    let mut next = merged.next();
    for part in parts {
        let ends = |segment: &Segment| (segment.address.0, segment.address.0 + segment.file_size);
        let ((from, to), (low, high)) = (ends(&part.segment), ends(&part.around));
        let mut spans = InPart { part, spans: &mut spans };
        let mut at = low;
        while let Some((stretch, which)) = next.filter(|(stretch, _)| stretch.start < to) {
            if stretch.start > from {
                spans.fill(&mut bare, at, stretch.start);
            }
            if stretch.end > from {
                merged.rows((stretch, which), &mut |start, end, rule| match rule {
                    Rule::Frame(frame) if calls::are_seen(&frame) => {
                        calls.rows(start, end, frame, &mut |start, end, rule| _ = spans.rule(start, end, rule));
                    }
                    _ => _ = spans.rule(start, end, rule),
                });
            }
            at = at.max(stretch.end);
            next = merged.next();
        }
        if at < to {
            spans.fill(&mut bare, at, next.map_or(high, |(stretch, _)| stretch.start.min(high)));
        }
    }
    spans.finish(merged.malformed())
}

/// The rows of one part.
struct InPart<'s, 'o, O> {
    part: Part,
    spans: &'s mut Spans<'o, O>,
}

impl<O: Output> InPart<'_, '_, O> {
    /// A rule holds from one address to another.
    fn rule(&mut self, start: u64, end: u64, rule: Rule) -> u64 {
        let (from, offset) = (self.part.segment.address.0, self.part.segment.offset.0);
        let (start, end) = (start.max(from), end.min(from + self.part.segment.file_size));
        if start >= end {
            return 0;
        }
        self.spans.rule(start - from + offset, end - from + offset, rule);
        if rule == Rule::Unknown { 0 } else { end - start }
    }

    /// No table speaks of what lies between two addresses.
    fn fill<R: ReadAt + Clone>(&mut self, bare: &mut Bare<'_, R>, from: u64, to: u64) {
        if to >= from.saturating_add(PADDING) {
            let around = self.part.around;
            let mut followed = 0;
            bare.rows(&around, from, to, &mut |start, end, rule| followed += self.rule(start, end, rule));
            self.spans.summary.followed += followed;
        }
    }
}

/// What speaks of the code of a file, the most trustworthy first.
fn sources<'e, R: ReadAt + Clone>(elf: &'e Elf<R>, orders: &mut Orders) -> Vec<Box<dyn Source + 'e>> {
    let mut sources: Vec<Box<dyn Source>> = Vec::new();
    if let Some(go) = Go::find(elf) {
        sources.push(Box::new(go));
    }
    for table in [Table::exceptions(elf, orders), Table::debug(elf, orders)].into_iter().flatten() {
        sources.push(Box::new(table));
    }
    sources
}

/// The segments with code by address, as far as the file has bytes of them.
fn code<R: ReadAt>(elf: &Elf<R>) -> Vec<Segment> {
    let end = elf.reader().size().unwrap_or(0).min(FURTHEST);
    let there = |segment: &Segment| {
        let size = segment.file_size.min(end.saturating_sub(segment.offset.0));
        (size > 0 && segment.address.0.checked_add(size).is_some()).then_some(Segment { file_size: size, ..*segment })
    };
    let code = elf.segments().iter().filter(|segment| segment.is_code());
    let mut segments: Vec<Segment> = code.filter_map(there).collect();
    segments.sort_by_key(|segment| segment.address);
    segments
}

/// Cuts rows into spans.
struct Spans<'o, O> {
    rules: &'o mut Rules,
    output: &'o mut O,
    /// The end of what has a rule.
    at: u64,
    /// The rule there.
    rule: u16,
    span: u64,
    rows: Vec<u32>,
    lines: Vec<Line>,
    summary: Summary,
}

impl<'o, O: Output> Spans<'o, O> {
    fn new(rules: &'o mut Rules, output: &'o mut O) -> Self {
        Self {
            rules,
            output,
            at: 0,
            rule: 0,
            span: 0,
            rows: Vec::new(),
            lines: Vec::new(),
            summary: Summary::default(),
        }
    }

    /// A rule holds from `start` to `end` of the file. What lies before was handed over.
    fn rule(&mut self, start: u64, end: u64, rule: Rule) {
        if start < self.at {
            return;
        }
        if start - self.at >= PADDING {
            self.row(self.at, 0);
        }
        let number = self.rules.number(rule);
        if number != self.rule || start - self.at >= PADDING {
            self.row(start, number);
        }
        if number != 0 {
            self.summary.covered += end - start;
        }
        self.at = end;
    }

    fn row(&mut self, offset: u64, rule: u16) {
        let span = offset >> SPAN_BITS;
        while self.span < span {
            self.flush();
            // Spans without any rule are left out.
            self.span = if self.rule == 0 { span } else { self.span + 1 };
        }
        if self.rule == rule {
            return;
        }
        let place = (offset & ((1 << SPAN_BITS) - 1)) as u32;
        if self.rows.is_empty() && place > 0 {
            self.rows.push(row(0, self.rule));
        }
        self.rows.push(row(place, rule));
        self.rule = rule;
    }

    /// Hands over the current span, in which the current rule holds up to its end.
    fn flush(&mut self) {
        if self.rows.is_empty() {
            if self.rule == 0 {
                return;
            }
            self.rows.push(row(0, self.rule));
        }
        self.lines.clear();
        let rows = encode(&mut self.rows, &mut self.lines);
        self.summary.rows += rows as u64;
        self.summary.lines += self.lines.len() as u64;
        self.summary.spans += 1;
        self.output.span(self.span, rows, &self.lines);
        self.rows.clear();
    }

    fn end(&mut self) {
        self.row(self.at, 0);
        self.flush();
    }

    fn finish(mut self, malformed: u64) -> Summary {
        self.end();
        Summary { malformed, ..self.summary }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::{Cfa, Frame, Register};
    use crate::span::search;

    #[derive(Default)]
    struct Kept(Vec<(u64, usize, Vec<Line>)>);

    impl Output for Kept {
        fn span(&mut self, number: u64, rows: usize, lines: &[Line]) {
            self.0.push((number, rows, lines.to_vec()));
        }
    }

    impl Kept {
        fn rule(&self, offset: u64) -> u16 {
            let found = self.0.iter().find(|(number, ..)| *number == offset >> SPAN_BITS);
            found.map_or(0, |(_, rows, lines)| search(lines, *rows, (offset & 0x3fff) as u32))
        }
    }

    fn rule(offset: i32) -> Rule {
        Rule::Frame(Frame { cfa: Cfa::Register(Register::RSP, offset), ..Frame::ENTRY })
    }

    #[test]
    fn rules_hold_across_spans_and_padding_but_not_across_gaps() {
        let (mut rules, mut kept) = (Rules::default(), Kept::default());
        let mut spans = Spans::new(&mut rules, &mut kept);
        spans.rule(0x1000, 0x1010, rule(8));
        spans.rule(0x1010, 0x1018, rule(16));
        spans.rule(0x1020, 0xd000, rule(8));
        spans.rule(0xd020, 0xd030, rule(16));
        spans.end();
        let summary = spans.summary;
        let at = |offset| kept.rule(offset);
        assert_eq!([at(0xfff), at(0x1000), at(0x100f), at(0x1010), at(0x101f), at(0x1020)], [0, 1, 1, 2, 2, 1]);
        assert_eq!([at(0x4000), at(0x8000), at(0xc000), at(0xcfff)], [1; 4]);
        assert_eq!([at(0xd000), at(0xd01f), at(0xd020), at(0xd02f), at(0xd030), at(0x20_0000)], [0, 0, 2, 2, 0, 0]);
        assert_eq!((summary.spans, summary.covered), (4, 0x10 + 8 + 0xbfe0 + 0x10));
    }

    proptest::proptest! {
        #[test]
        fn each_offset_has_its_rule(pieces: Vec<(u16, u16, u8)>) {
            let (mut rules, mut kept) = (Rules::default(), Kept::default());
            let mut spans = Spans::new(&mut rules, &mut kept);
            let mut expect = Vec::new();
            let mut at = 0_u64;
            for (gap, length, number) in pieces {
                // Gaps are none, too short to count, or real.
                let gap = match gap % 3 { 0 => 0, 1 => 0, _ => u64::from(gap).max(PADDING) };
                let (start, end) = (at + gap, at + gap + u64::from(length) + 1);
                spans.rule(start, end, rule(i32::from(number)));
                expect.push((start, end, rule(i32::from(number))));
                at = end;
            }
            spans.end();
            let known = |offset| rules_of(&expect, offset);
            let list = rules.list().to_vec();
            for &(start, end, _) in &expect {
                for offset in [start.wrapping_sub(1), start, (start + end) / 2, end - 1, end] {
                    proptest::prop_assert_eq!(list[usize::from(kept.rule(offset))], known(offset), "{:#x}", offset);
                }
            }
        }
    }

    fn rules_of(pieces: &[(u64, u64, Rule)], offset: u64) -> Rule {
        let found = pieces.iter().find(|(start, end, _)| (start..end).contains(&&offset));
        found.map_or(Rule::Unknown, |(_, _, rule)| *rule)
    }
}
