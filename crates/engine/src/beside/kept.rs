//! The folder with debug files that servers sent, by build id. The file that was used longest ago makes room for others.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use elf::Elf;
use tempfile::NamedTempFile;

use super::search::has_id;

/// What the name of a file ends with that is whole.
const SUFFIX: &str = ".debug";
/// What the name of one begins with that is still coming.
const COMING: &str = ".coming-";
/// One that was not finished for so long is left over.
const LEFT_OVER: Duration = Duration::from_secs(3600);

/// The folder.
pub(crate) struct Kept {
    folder: PathBuf,
    bytes: u64,
}

/// A file that is being written.
pub(crate) struct Coming<'k> {
    file: NamedTempFile,
    written: u64,
    kept: &'k Kept,
    /// What the other files take.
    others: u64,
}

impl Kept {
    /// Uses a folder that no other user can change, with at most so many bytes in it.
    pub(crate) fn open(folder: &Path, bytes: u64) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let metadata = fs::symlink_metadata(folder)?;
        let ours = metadata.uid() == rustix::process::geteuid().as_raw() && metadata.mode() & 0o022 == 0;
        if !metadata.is_dir() || !ours {
            return Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                "it is no folder that belongs to the user of this process alone",
            ));
        }
        let kept = Self { folder: folder.to_owned(), bytes };
        for (path, metadata) in kept.entries(|name| name.starts_with(COMING))? {
            let age = metadata.modified().ok().and_then(|time| time.elapsed().ok());
            if age.is_some_and(|age| age > LEFT_OVER) {
                _ = fs::remove_file(path);
            }
        }
        kept.make_room(0)?;
        Ok(kept)
    }

    /// The file of this build id, if it is there and right. It counts as used now.
    pub(crate) fn get(&self, id: &str) -> Option<File> {
        let path = self.path(id);
        let file = File::open(&path).ok()?;
        if !is_of(&file, id) {
            _ = fs::remove_file(&path);
            return None;
        }
        // Where that fails it only goes earlier than it had to.
        _ = file.set_modified(SystemTime::now());
        Some(file)
    }

    /// Begins a file.
    pub(crate) fn begin(&self) -> io::Result<Coming<'_>> {
        let file = tempfile::Builder::new().prefix(COMING).tempfile_in(&self.folder)?;
        Ok(Coming { file, written: 0, kept: self, others: self.make_room(0)? })
    }

    fn path(&self, id: &str) -> PathBuf {
        self.folder.join(format!("{id}{SUFFIX}"))
    }

    fn entries(&self, is_it: impl Fn(&str) -> bool) -> io::Result<Vec<(PathBuf, fs::Metadata)>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            if entry.file_name().to_str().is_some_and(&is_it)
                && let Ok(metadata) = entry.metadata()
            {
                entries.push((entry.path(), metadata));
            }
        }
        Ok(entries)
    }

    /// Removes what was used longest ago until there is room for so many bytes more. Says what the rest takes.
    fn make_room(&self, more: u64) -> io::Result<u64> {
        let mut files = self.entries(|name| name.ends_with(SUFFIX))?;
        files.sort_by_key(|(_, metadata)| (metadata.mtime(), metadata.mtime_nsec()));
        let mut bytes: u64 = files.iter().map(|(_, metadata)| metadata.len()).sum();
        for (path, metadata) in files {
            if bytes.saturating_add(more) <= self.bytes {
                break;
            }
            fs::remove_file(path)?;
            bytes -= metadata.len();
        }
        Ok(bytes)
    }
}

impl Coming<'_> {
    /// Gives it its name, if it is the debug file of this build id; else it is removed.
    pub(crate) fn finish(self, id: &str) -> io::Result<Option<File>> {
        if !is_of(self.file.as_file(), id) {
            return Ok(None);
        }
        let file = self.file.reopen()?;
        self.file.persist(self.kept.path(id)).map_err(|error| error.error)?;
        Ok(Some(file))
    }
}

impl Write for Coming<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.written + bytes.len() as u64;
        if self.others + written > self.kept.bytes {
            self.others = self.kept.make_room(written)?;
            if self.others + written > self.kept.bytes {
                return Err(io::ErrorKind::FileTooLarge.into());
            }
        }
        self.file.as_file_mut().write_all(bytes)?;
        self.written = written;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_file_mut().flush()
    }
}

/// Whether a file has this build id and DWARF.
fn is_of(file: &File, id: &str) -> bool {
    Elf::parse(file).is_ok_and(|(elf, _)| has_id(&elf, id) && elf.section(".debug_info").is_some())
}
