//! `/proc/PID/maps`.

use std::borrow::Cow;
use std::fmt;

use elf::FileOffset;

/// An actual virtual memory address: where a byte is in a running process.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Avma(pub u64);

impl fmt::Debug for Avma {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Avma({:#x})", self.0)
    }
}

/// The device a file lives on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Device {
    /// The driver.
    pub major: u32,
    /// The device of that driver.
    pub minor: u32,
}

/// One line: a range of memory and what stands behind it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mapping<'a> {
    /// The first byte.
    pub start: Avma,
    /// One past the last byte.
    pub end: Avma,
    /// Four letters, as `r-xp`.
    pub permissions: [u8; 4],
    /// Where in the file the range begins.
    pub offset: FileOffset,
    /// The file's device as the kernel prints it. On btrfs and overlayfs this is not always what `stat` says.
    pub device: Device,
    /// The file's inode, 0 where no file is behind the range.
    pub inode: u64,
    /// The rest of the line: a path, a name in brackets as `[vdso]`, or nothing. Line ends in it are written `\012`.
    pub label: &'a [u8],
}

impl<'a> Mapping<'a> {
    /// True when code may run from it.
    pub fn is_executable(&self) -> bool {
        self.permissions[2] == b'x'
    }

    /// True when a file, and not the kernel or plain memory, is behind it. Shared anonymous memory counts as a file, as it
    /// does for the kernel.
    pub fn is_file(&self) -> bool {
        self.inode != 0
    }

    /// True for the page of code that the kernel gives every process.
    pub fn is_vdso(&self) -> bool {
        self.label == b"[vdso]"
    }

    /// The path without what the kernel adds to it: the mark of a deleted file is taken off and line ends are restored.
    ///
    /// A file whose name really ends in ` (deleted)` cannot be told from a deleted one; such a name is cut too.
    pub fn path(&self) -> Cow<'a, [u8]> {
        let label = self.label.strip_suffix(b" (deleted)").unwrap_or(self.label);
        if !label.windows(4).any(|window| window == b"\\012") {
            return Cow::Borrowed(label);
        }
        let mut path = Vec::with_capacity(label.len());
        let mut rest = label;
        while let [first, tail @ ..] = rest {
            if let Some(after) = rest.strip_prefix(b"\\012") {
                path.push(b'\n');
                rest = after;
            } else {
                path.push(*first);
                rest = tail;
            }
        }
        Cow::Owned(path)
    }

    /// True when the kernel says that the file has no name any more.
    pub fn is_deleted(&self) -> bool {
        self.inode != 0 && self.label.ends_with(b" (deleted)")
    }

    /// True when the address is inside.
    pub fn contains(&self, address: Avma) -> bool {
        (self.start..self.end).contains(&address)
    }
}

/// Walks the lines of a maps text; lines that cannot be read are skipped and counted.
#[derive(Clone, Debug)]
pub struct Maps<'a> {
    rest: &'a [u8],
    malformed: usize,
}

impl<'a> Maps<'a> {
    /// Starts at the first line.
    pub fn new(text: &'a [u8]) -> Self {
        Self { rest: text, malformed: 0 }
    }

    /// How many lines were skipped so far.
    pub fn malformed(&self) -> usize {
        self.malformed
    }
}

impl<'a> Iterator for Maps<'a> {
    type Item = Mapping<'a>;

    fn next(&mut self) -> Option<Mapping<'a>> {
        while !self.rest.is_empty() {
            let end = self.rest.iter().position(|&b| b == b'\n').unwrap_or(self.rest.len());
            let line = &self.rest[..end];
            self.rest = self.rest.get(end + 1..).unwrap_or_default();
            if line.is_empty() {
                continue;
            }
            match parse_line(line) {
                Some(mapping) => return Some(mapping),
                None => self.malformed += 1,
            }
        }
        None
    }
}

/// The ranges that code of a file can run from, in address order.
pub fn executable(text: &[u8]) -> impl Iterator<Item = Mapping<'_>> {
    Maps::new(text).filter(Mapping::is_executable)
}

/// One line, as `7f0000000000-7f0000001000 r-xp 00001000 fd:01 1234   /usr/lib/libc.so.6`.
fn parse_line(line: &[u8]) -> Option<Mapping<'_>> {
    let (range, rest) = word(line)?;
    let (permissions, rest) = word(rest)?;
    let (offset, rest) = word(rest)?;
    let (device, rest) = word(rest)?;
    let (inode, rest) = word(rest)?;

    let (start, end) = split_at(range, b'-')?;
    let (major, minor) = split_at(device, b':')?;
    let mapping = Mapping {
        start: Avma(hex(start)?),
        end: Avma(hex(end)?),
        permissions: permissions.try_into().ok()?,
        offset: FileOffset(hex(offset)?),
        device: Device { major: hex(major)?.try_into().ok()?, minor: hex(minor)?.try_into().ok()? },
        inode: str::from_utf8(inode).ok()?.parse().ok()?,
        label: rest.trim_ascii_start(),
    };
    (mapping.start < mapping.end).then_some(mapping)
}

/// The text up to the next space, and what follows that space.
fn word(text: &[u8]) -> Option<(&[u8], &[u8])> {
    split_at(text, b' ')
}

fn split_at(text: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    let at = text.iter().position(|&b| b == separator)?;
    Some((&text[..at], &text[at + 1..]))
}

fn hex(text: &[u8]) -> Option<u64> {
    // `from_str_radix` would take a sign.
    if text.first().is_none_or(|b| !b.is_ascii_hexdigit()) {
        return None;
    }
    u64::from_str_radix(str::from_utf8(text).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] = b"\
55d0e1a00000-55d0e1a28000 r--p 00000000 fd:01 1048602                    /usr/bin/bash
55d0e1a28000-55d0e1ad9000 r-xp 00028000 fd:01 1048602                    /usr/bin/bash
55d0e2f6c000-55d0e30c9000 rw-p 00000000 00:00 0                          [heap]
7f1c2c000000-7f1c2c021000 rwxp 00000000 00:00 0 
7f1c30000000-7f1c30001000 r-xp 00000000 00:01 5                          /memfd:jit code (deleted)
7f1c31000000-7f1c31001000 r-xp 00000000 fd:01 77                         /opt/new\\012line
7ffd5e7f4000-7ffd5e7f6000 r-xp 00000000 00:00 0                          [vdso]
ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]
";

    #[test]
    fn a_line_becomes_a_mapping() {
        let mut maps = Maps::new(TEXT);
        let text = maps.nth(1).unwrap();
        assert_eq!(
            text,
            Mapping {
                start: Avma(0x55d0_e1a2_8000),
                end: Avma(0x55d0_e1ad_9000),
                permissions: *b"r-xp",
                offset: FileOffset(0x28000),
                device: Device { major: 0xfd, minor: 1 },
                inode: 1_048_602,
                label: b"/usr/bin/bash",
            }
        );
        assert_eq!(maps.count(), 6);
    }

    #[test]
    fn code_can_run_from_these() {
        let labels: Vec<_> = executable(TEXT)
            .map(|m| (String::from_utf8(m.path().into()).unwrap(), m.is_file(), m.is_deleted()))
            .collect();
        assert_eq!(
            labels,
            [
                ("/usr/bin/bash".to_owned(), true, false),
                (String::new(), false, false),
                ("/memfd:jit code".to_owned(), true, true),
                ("/opt/new\nline".to_owned(), true, false),
                ("[vdso]".to_owned(), false, false),
                ("[vsyscall]".to_owned(), false, false),
            ]
        );
        assert!(executable(TEXT).any(|m| m.is_vdso()));
    }

    #[test]
    fn lines_that_are_none_are_counted() {
        let mut maps = Maps::new(
            b"garbage\n1000-2000 r-xp 0 00:00 1 /a\n2000-1000 r-xp 0 00:00 1 /b\n+1-2 r-xp 0 00:00 1\n1-2 rx 0 0:0 1\n\n5-6 r-xp 0 0:0 9",
        );
        assert_eq!(maps.by_ref().map(|m| (m.start.0, m.inode)).collect::<Vec<_>>(), [(0x1000, 1)]);
        assert_eq!(maps.malformed(), 5, "the last line ends in the middle of its inode");
    }

    proptest::proptest! {
        #[test]
        fn every_line_is_a_mapping_or_counted(lines in proptest::collection::vec("[0-9a-f:\\- rxp/]{1,40}", 0..20)) {
            let text = lines.join("\n");
            let mut maps = Maps::new(text.as_bytes());
            let parsed = maps.by_ref().count();
            proptest::prop_assert_eq!(parsed + maps.malformed(), text.split('\n').filter(|line| !line.is_empty()).count());
        }
    }
}
