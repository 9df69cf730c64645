//! A file whose reads are watched: where one fails nothing is known, which is not that there is nothing.

use std::cell::RefCell;
use std::io;

use elf::ReadAt;

use crate::kernel::KernelError;
use crate::program_file::ProgramFile;

pub(super) struct Checked<'f> {
    file: &'f ProgramFile,
    failed: RefCell<Option<io::Error>>,
}

impl<'f> Checked<'f> {
    pub(super) fn new(file: &'f ProgramFile) -> Self {
        Self { file, failed: RefCell::new(None) }
    }

    /// Whether all that was asked for could be read.
    pub(super) fn result(&self) -> Result<(), KernelError> {
        let failed = self.failed.borrow();
        failed.as_ref().map_or(Ok(()), |error| Err(KernelError::new(format!("a program cannot be read: {error}"))))
    }
}

impl ReadAt for Checked<'_> {
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        self.file.read_at(offset, into).inspect_err(|error| *self.failed.borrow_mut() = Some(error.kind().into()))
    }

    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_that_fails_is_not_forgotten() {
        // Our own memory, of which nothing is at address 0.
        let file = ProgramFile::from(std::fs::File::open("/proc/self/mem").unwrap());
        let checked = Checked::new(&file);
        let here = 7_u64;
        assert_eq!(checked.read_at(&raw const here as u64, &mut [0; 8]).unwrap(), 8);
        assert!(checked.result().is_ok());
        assert!(checked.read_at(0, &mut [0; 8]).is_err());
        assert!(checked.result().is_err());
    }
}
