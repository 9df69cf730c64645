//! Rows of Go's code, from the table that every Go program carries.
//!
//! The table says for each place how far the stack pointer is from the return address, of compiled functions and of those in
//! assembly. A function with something on its stack has saved the caller's frame pointer right below the return address, if
//! the compiler or the assembler made its frame. Functions of the runtime that move to another stack keep the frame pointer
//! of the one they come from. The program's unwind tables, where it has some, say less: nothing of the frame pointer.

use elf::{Elf, GoFrame, GoFrames, Pclntab, ReadAt, Svma};

use crate::rule::Rule;
use crate::source::{Source, Stretch};

mod body;
mod special;

use body::Body;
use special::Special;

/// Bytes of a function in assembly that are looked at.
const LOOKED_AT: usize = 512;

/// The functions of a file.
pub(crate) struct Go<'e, R> {
    elf: &'e Elf<R>,
    frames: GoFrames<R>,
    /// The function after the one that came last.
    upcoming: Option<(GoFrame, Special)>,
    /// The two that came last, at the number of their stretch modulo two.
    last: [Option<(GoFrame, Special)>; 2],
    count: u64,
    malformed: u64,
}

impl<'e, R: ReadAt + Clone> Go<'e, R> {
    /// `None` for a file that Go did not make.
    pub(crate) fn find(elf: &'e Elf<R>) -> Option<Self> {
        let (table, _) = Pclntab::find(elf);
        let mut go = Self {
            elf,
            frames: GoFrames::new(&table?, elf.reader()),
            upcoming: None,
            last: [None; 2],
            count: 0,
            malformed: 0,
        };
        go.upcoming = go.read();
        Some(go)
    }

    fn read(&mut self) -> Option<(GoFrame, Special)> {
        let frame = self.frames.next()?;
        if !frame.assembly {
            return Some((frame, Special::None));
        }
        let special = self.frames.name(&frame).map_or(Special::None, |name| Special::of(&name));
        Some((frame, special))
    }

    fn assembly(&mut self, frame: &GoFrame, special: Special) -> Body {
        let (mut at, mut first) = (frame.start.0, None);
        self.frames.stack(frame, |Svma(end), bytes| {
            if bytes > 0 && first.is_none() {
                first = Some(at);
            }
            at = end;
        });
        Body::of_assembly(frame, &self.code(frame), special, first)
    }

    /// The first bytes of a function.
    fn code(&self, frame: &GoFrame) -> Vec<u8> {
        let mut bytes = vec![0; LOOKED_AT.min((frame.end.0 - frame.start.0) as usize)];
        let at = self.elf.file_offset(frame.start);
        let read = at.and_then(|at| self.elf.reader().read_at(at.0, &mut bytes).ok());
        bytes.truncate(read.unwrap_or(0));
        bytes
    }
}

impl<R: ReadAt + Clone> Source for Go<'_, R> {
    fn next(&mut self) -> Option<Stretch> {
        let (frame, special) = self.upcoming?;
        self.upcoming = self.read();
        self.count += 1;
        self.last[self.count as usize & 1] = Some((frame, special));
        let before = |special| u64::from(special == Special::Signal);
        // A handler returns to the first byte of this one, so that the one before it is looked up.
        let start = frame.start.0 - before(special);
        let end = frame.end.0 - self.upcoming.map_or(0, |(_, next)| before(next));
        Some(Stretch { start, end, position: self.count })
    }

    fn rows(&mut self, stretch: Stretch, row: &mut dyn FnMut(u64, u64, Rule)) {
        let Some((frame, special)) = self.last[stretch.position as usize & 1] else { return };
        match special {
            Special::Signal => return row(stretch.start, stretch.end, Rule::Signal),
            Special::Outermost => return row(stretch.start, stretch.end, Rule::Outermost),
            Special::Handler | Special::Leaves | Special::Moves | Special::None => {}
        }
        if frame.top && special != Special::Handler {
            return row(stretch.start, stretch.end, Rule::Outermost);
        }
        let body = if frame.assembly { self.assembly(&frame, special) } else { Body::COMPILED };
        let mut at = stretch.start;
        let whole = self.frames.stack(&frame, |Svma(end), bytes| {
            let end = end.min(stretch.end);
            if at < end {
                body.rows(at, end, bytes, row);
                at = end;
            }
        });
        self.malformed += u64::from(!whole);
    }

    fn seek(&mut self, address: u64) {
        self.frames.seek(Svma(address));
        self.upcoming = self.read();
    }

    fn malformed(&self) -> u64 {
        self.malformed
    }
}
