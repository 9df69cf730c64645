//! Names of files that hold what was stripped.

use crate::file::Elf;
use crate::format::u32_at;
use crate::read::{ReadAt, array, string};

/// `.gnu_debuglink`: the base name of a file with symbols, and its checksum.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DebugLink {
    /// The name, without a folder.
    pub name: Box<str>,
    /// The CRC-32 of the whole file.
    pub checksum: u32,
}

/// `.gnu_debugaltlink`: a file shared by several, made by `dwz`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AlternateLink {
    /// The path.
    pub path: Box<str>,
    /// The build id of that file.
    pub build_id: Box<[u8]>,
}

impl<R: ReadAt> Elf<R> {
    /// Where the stripped symbols of this file may be found.
    pub fn debug_link(&self) -> Option<DebugLink> {
        let section = self.section(".gnu_debuglink").filter(|section| section.has_bytes())?;
        let name = string(&self.reader, section.offset.0, 4096)?;
        let checksum = section.offset.0.checked_add((name.len() as u64 + 1).next_multiple_of(4))?;
        if name.is_empty() || name.contains(&b'/') || (name.len() as u64) >= section.size {
            return None;
        }
        let checksum = u32_at(&array::<4>(&self.reader, checksum)?, 0);
        Some(DebugLink { name: String::from_utf8_lossy(&name).into(), checksum })
    }

    /// Where the debug information that this file shares with others may be found.
    pub fn alternate_link(&self) -> Option<AlternateLink> {
        let section = self.section(".gnu_debugaltlink").filter(|section| section.has_bytes())?;
        let path = string(&self.reader, section.offset.0, 4096)?;
        let rest = section.size.checked_sub(path.len() as u64 + 1)?.min(64);
        let mut build_id = vec![0; usize::try_from(rest).ok()?];
        let count = self.reader.read_at(section.offset.0.checked_add(path.len() as u64 + 1)?, &mut build_id).ok()?;
        build_id.truncate(count);
        Some(AlternateLink { path: String::from_utf8_lossy(&path).into(), build_id: build_id.into() })
    }
}
