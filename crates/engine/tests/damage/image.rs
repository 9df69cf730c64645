//! A file in memory that changes while it is read.

use std::cell::Cell;
use std::io;
use std::rc::Rc;

use elf::ReadAt;

#[derive(Clone, Debug)]
pub(crate) struct Image<'a> {
    before: &'a [u8],
    after: &'a [u8],
    /// Questions until it changes.
    left: Rc<Cell<u64>>,
}

impl<'a> Image<'a> {
    pub(crate) fn still(bytes: &'a [u8]) -> Self {
        Self::changing(bytes, bytes, 0)
    }

    /// `before` for so many questions, then `after`.
    pub(crate) fn changing(before: &'a [u8], after: &'a [u8], turn: u64) -> Self {
        Self { before, after, left: Rc::new(Cell::new(turn)) }
    }

    /// As it is at this question.
    pub(crate) fn bytes(&self) -> &'a [u8] {
        match self.left.get() {
            0 => self.after,
            left => {
                self.left.set(left - 1);
                self.before
            }
        }
    }
}

impl ReadAt for Image<'_> {
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        self.bytes().read_at(offset, into)
    }

    fn size(&self) -> io::Result<u64> {
        self.bytes().size()
    }
}
