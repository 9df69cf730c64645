//! Notes, and the build ids in them.

use std::fmt;

use crate::file::Elf;
use crate::format::{PT_NOTE, SHT_NOTE, u32_at};
use crate::read::ReadAt;

/// No more than this is read of one segment or section of notes. Real ones are under a kilobyte.
const MOST_BYTES: u64 = 64 << 10;

const NT_GNU_BUILD_ID: u32 = 3;
const NT_GO_BUILD_ID: u32 = 4;

/// What a linker wrote to tell builds apart.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum BuildId {
    /// `NT_GNU_BUILD_ID`: most often 20 bytes.
    Gnu(Box<[u8]>),
    /// Go's own, a text of four parts with slashes.
    Go(Box<str>),
}

/// The GNU id in lower-case hexadecimal, Go's as it is.
impl fmt::Display for BuildId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gnu(bytes) => bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}")),
            Self::Go(text) => f.write_str(text),
        }
    }
}

impl<R: ReadAt> Elf<R> {
    /// The build id: GNU's where there is one, else Go's.
    pub fn build_id(&self) -> Option<BuildId> {
        let mut go = None;
        self.find_note(|owner, kind, content| {
            match (owner, kind) {
                (b"GNU", NT_GNU_BUILD_ID) if !content.is_empty() => return Some(BuildId::Gnu(content.into())),
                (b"Go", NT_GO_BUILD_ID) if !content.is_empty() => {
                    go.get_or_insert_with(|| BuildId::Go(String::from_utf8_lossy(content).into()));
                }
                _ => {}
            }
            None
        })
        .or(go)
    }

    /// True when a note says that Go's linker made this file.
    pub fn has_go_note(&self) -> bool {
        self.find_note(|owner, _, _| (owner == b"Go").then_some(())).is_some()
    }

    /// Shows each note, first those the loader maps and then those of sections, until one gives an answer.
    ///
    /// `visit` gets the owner without its NUL, the type and the content.
    pub fn find_note<T>(&self, mut visit: impl FnMut(&[u8], u32, &[u8]) -> Option<T>) -> Option<T> {
        let segments = self.segments.iter().filter(|segment| segment.kind == PT_NOTE);
        let sections = self.sections.iter().filter(|section| section.kind == SHT_NOTE);
        let ranges = segments.map(|s| (s.offset.0, s.file_size)).chain(sections.map(|s| (s.offset.0, s.size)));
        let mut bytes = Vec::new();
        for (offset, size) in ranges {
            let size = size.min(MOST_BYTES).min(self.size.saturating_sub(offset));
            bytes.resize(usize::try_from(size).unwrap_or(0), 0);
            let count = self.reader.read_at(offset, &mut bytes).unwrap_or(0);
            if let Some(answer) = notes(&bytes[..count]).find_map(|(owner, kind, content)| visit(owner, kind, content))
            {
                return Some(answer);
            }
        }
        None
    }
}

/// The notes in the bytes of one segment or section.
///
/// Owners and contents are padded to four bytes. Some segments (`.note.gnu.property`) pad to eight; there the padding of
/// four leads to the same places, because the sizes written in them are multiples of eight.
fn notes(mut bytes: &[u8]) -> impl Iterator<Item = (&[u8], u32, &[u8])> {
    std::iter::from_fn(move || {
        let (header, rest) = bytes.split_at_checked(12)?;
        let (owner, rest) = padded(rest, u32_at(header, 0))?;
        let (content, rest) = padded(rest, u32_at(header, 4))?;
        bytes = rest;
        let end = owner.iter().position(|&b| b == 0).unwrap_or(owner.len());
        Some((&owner[..end], u32_at(header, 8), content))
    })
}

fn padded(bytes: &[u8], size: u32) -> Option<(&[u8], &[u8])> {
    let size = usize::try_from(size).ok()?;
    let content = bytes.get(..size)?;
    // The last one of a segment may lack its padding.
    Some((content, bytes.get(size.next_multiple_of(4)..).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(owner: &[u8], kind: u32, content: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend_from_slice(&(owner.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&(content.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&kind.to_le_bytes());
        for part in [owner, content] {
            bytes.extend_from_slice(part);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
        }
        bytes
    }

    #[test]
    fn notes_follow_one_another() {
        let bytes = [note(b"GNU\0", 1, &[1; 16]), note(b"Go\0\0", 4, b"a/b"), note(b"GNU\0", 3, &[0xab, 0xc])].concat();
        let found: Vec<_> = notes(&bytes).map(|(owner, kind, content)| (owner, kind, content.len())).collect();
        assert_eq!(found, [(&b"GNU"[..], 1, 16), (b"Go", 4, 3), (b"GNU", 3, 2)]);
    }

    #[test]
    fn ids_print_as_people_write_them() {
        assert_eq!(BuildId::Gnu([0xab, 0x0c].into()).to_string(), "ab0c");
        assert_eq!(BuildId::Go("x/y".into()).to_string(), "x/y");
    }

    #[test]
    fn sizes_that_lie_end_the_list() {
        let mut bytes = note(b"GNU\0", 3, &[1; 20]);
        bytes[4] = 0xff;
        assert_eq!(notes(&bytes).count(), 0);
    }
}
