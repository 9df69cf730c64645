//! The folder: its files by key, and how many of them there may be.

use std::fs::{self, DirBuilder, File};
use std::hash::{BuildHasher as _, RandomState};
use std::io::{self, BufWriter, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, SystemTime};

use crate::bytes::Bytes;
use crate::pack::{self, Checked, Pack, VERSION};

/// What a file's name ends with, after the version: agents of several versions may use one folder.
const SUFFIX: &str = ".table";
/// What the name of one begins with that is being written.
const BESIDE: &str = ".writing-";
/// One that was not finished for so long is left over.
const LEFT_OVER: Duration = Duration::from_secs(3600);
/// When a file was used is written down no more often than this.
const USED_EVERY: Duration = Duration::from_secs(3600);
/// When there is too much, so many hundredths of the limits are left.
const LEFT: u64 = 90;

/// How much a folder may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of all files.
    pub bytes: u64,
    /// How many files.
    pub files: u64,
}

/// Why a folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It cannot be made or read.
    #[error("cannot use the folder {path}")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Others could change what is in it.
    #[error("the folder {path} {what}; name one that belongs to the user of this process alone")]
    NotOurs {
        /// The folder.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
}

/// What became of requests, shared with whoever shows it.
#[derive(Clone, Debug, Default)]
pub struct Counts(Arc<[AtomicU64; 4]>);

impl Counts {
    /// Files that were there when they were asked for.
    pub fn found(&self) -> u64 {
        self.0[0].load(Relaxed)
    }

    /// Files that were not there.
    pub fn missing(&self) -> u64 {
        self.0[1].load(Relaxed)
    }

    /// Files that were damaged, and were removed.
    pub fn damaged(&self) -> u64 {
        self.0[2].load(Relaxed)
    }

    /// Files that were removed because there was no room.
    pub fn removed(&self) -> u64 {
        self.0[3].load(Relaxed)
    }

    fn count(&self, which: usize) {
        self.0[which].fetch_add(1, Relaxed);
    }
}

/// A folder of tables.
#[derive(Debug)]
pub struct Cache {
    folder: PathBuf,
    limits: Limits,
    counts: Counts,
    /// What is in the folder, as far as this process knows.
    bytes: u64,
    files: u64,
    written: u64,
    /// Tells the files that this process writes from those of others: two may have one number in two containers.
    writer: u64,
    checked: Checked,
}

impl Cache {
    /// Uses a folder, which is made if it is not there.
    ///
    /// # Errors
    /// Why it cannot be used, with the remedy.
    pub fn open(folder: &Path, limits: Limits, counts: Counts) -> Result<Self, OpenError> {
        let failed = |source| OpenError::Folder { path: folder.to_owned(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
        let metadata = fs::symlink_metadata(folder).map_err(failed)?;
        let user = rustix::process::geteuid().as_raw();
        let what = match () {
            () if !metadata.is_dir() => Some("is no folder"),
            () if metadata.uid() != user => Some("belongs to another user"),
            () if metadata.mode() & 0o022 != 0 => Some("can be written to by others"),
            () => None,
        };
        if let Some(what) = what {
            return Err(OpenError::NotOurs { path: folder.to_owned(), what });
        }
        let mut cache = Self {
            folder: folder.to_owned(),
            limits,
            counts,
            bytes: 0,
            files: 0,
            written: 0,
            writer: RandomState::new().hash_one(std::process::id()),
            checked: Checked::default(),
        };
        cache.keep_limits().map_err(failed)?;
        Ok(cache)
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The file of a key, which has letters, digits and `-` alone, if it is there.
    pub fn get(&self, key: &str) -> Option<Pack> {
        let path = self.path(key)?;
        let Ok(file) = File::open(&path) else {
            self.counts.count(1);
            return None;
        };
        // Before it is mapped, for it changes the file's state.
        note_use(&file);
        match Pack::open(file, key, &self.checked) {
            Ok(Some(pack)) => {
                self.counts.count(0);
                Some(pack)
            }
            // It cannot be mapped now, but may be good.
            Err(_) => {
                self.counts.count(1);
                None
            }
            Ok(None) => {
                self.counts.count(2);
                self.forget(key);
                None
            }
        }
    }

    /// Writes the file of a key, in place of the one that is there. Parts are sorted by number.
    ///
    /// # Errors
    /// The folder cannot be written to; it is as it was.
    pub fn put(&mut self, key: &str, parts: &[(u64, Bytes)]) -> io::Result<Pack> {
        let path = self.path(key).ok_or(io::ErrorKind::InvalidInput)?;
        self.written += 1;
        let beside = self.folder.join(format!("{BESIDE}{:016x}-{}", self.writer, self.written));
        let file = File::create_new(&beside)?;
        let length = write(file, key, parts).and_then(|length| fs::rename(&beside, &path).map(|()| length));
        let length = length.inspect_err(|_| _ = fs::remove_file(&beside))?;
        self.bytes += length;
        self.files += 1;
        let file = File::open(&path)?;
        if self.bytes > self.limits.bytes || self.files > self.limits.files {
            self.keep_limits()?;
        }
        Pack::open(file, key, &self.checked)?.ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    /// Removes the file of a key.
    pub fn forget(&self, key: &str) {
        if let Some(path) = self.path(key) {
            _ = fs::remove_file(path);
        }
    }

    fn path(&self, key: &str) -> Option<PathBuf> {
        let plain = |letter: u8| letter.is_ascii_alphanumeric() || letter == b'-';
        let fine = !key.is_empty() && key.len() <= 200 && key.bytes().all(plain);
        fine.then(|| self.folder.join(format!("{key}.{VERSION}{SUFFIX}")))
    }

    /// Looks at what is there, and removes what is left over or too much.
    fn keep_limits(&mut self) -> io::Result<()> {
        let now = SystemTime::now();
        let mut all = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let Ok(entry) = entry else { continue };
            // Others may remove files meanwhile.
            let Ok(metadata) = entry.metadata() else { continue };
            let used = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with(BESIDE) {
                if now.duration_since(used).is_ok_and(|age| age > LEFT_OVER) {
                    _ = fs::remove_file(entry.path());
                }
            } else if name.ends_with(SUFFIX) {
                all.push((used, metadata.len(), entry.path()));
            }
        }
        (self.bytes, self.files) = (all.iter().map(|(_, bytes, _)| bytes).sum(), all.len() as u64);
        if self.bytes <= self.limits.bytes && self.files <= self.limits.files {
            return Ok(());
        }
        let left = |limit: u64| limit / 100 * LEFT + limit % 100 * LEFT / 100;
        all.sort_unstable();
        for (_, bytes, path) in all {
            if self.bytes <= left(self.limits.bytes) && self.files <= left(self.limits.files) {
                break;
            }
            if fs::remove_file(path).is_ok() {
                self.counts.count(3);
            }
            self.bytes -= bytes;
            self.files -= 1;
        }
        Ok(())
    }
}

fn write(file: File, key: &str, parts: &[(u64, Bytes)]) -> io::Result<u64> {
    let mut file = BufWriter::with_capacity(64 << 10, file);
    let length = pack::write(key, parts, &mut file)?;
    file.flush()?;
    Ok(length)
}

/// Writes down that a file is used, so that others go before it.
fn note_use(file: &File) {
    let now = SystemTime::now();
    let used = file.metadata().and_then(|metadata| metadata.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
    if now.duration_since(used).is_ok_and(|age| age > USED_EVERY) {
        _ = file.set_modified(now);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const ROOM: Limits = Limits { bytes: 1 << 20, files: 100 };

    fn part(text: &str) -> [(u64, Bytes); 1] {
        [(1, text.as_bytes().to_vec().into())]
    }

    fn text(pack: Option<Pack>) -> Option<String> {
        pack?.part(1).map(|bytes| String::from_utf8(bytes.to_vec()).unwrap())
    }

    fn names(folder: &Path) -> Vec<String> {
        let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }

    #[test]
    fn what_was_put_is_there_for_others_too_until_it_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b");
        let mut one = Cache::open(&path, ROOM, Counts::default()).unwrap();
        let two = Cache::open(&path, ROOM, Counts::default()).unwrap();
        assert_eq!(text(one.get("k")), None);
        assert_eq!(text(Some(one.put("k", &part("first")).unwrap())).as_deref(), Some("first"));
        let held = two.get("k").unwrap();
        one.put("k", &part("second")).unwrap();
        assert_eq!(text(two.get("k")).as_deref(), Some("second"));
        fs::remove_dir_all(&path).unwrap();
        assert_eq!(text(Some(held)).as_deref(), Some("first"), "it is mapped");
        assert_eq!(text(two.get("k")), None);
        assert!(one.put("k", &part("third")).is_err());
        assert_eq!((two.counts.found(), two.counts.missing(), two.counts.damaged()), (2, 1, 0));
    }

    #[test]
    fn a_file_that_is_cut_while_it_is_mapped_is_not_copied() {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let mut cache = Cache::open(folder.path(), ROOM, Counts::default()).unwrap();
        let pack = cache.put("k", &[(1, vec![7; 20_000].into()), (2, vec![8; 20_000].into())]).unwrap();
        let parts = [1, 2].map(|number| (number, pack.part(number).unwrap()));
        File::options().write(true).open(folder.path().join("k.2.table")).unwrap().set_len(0).unwrap();
        assert!(cache.put("k", &parts).is_err());
        assert!(pack.has_lost() && pack.part(1).unwrap().iter().all(|byte| *byte == 0));
        assert_eq!(names(folder.path()), ["k.2.table"]);
        assert_eq!((text(cache.get("k")), names(folder.path()).len(), cache.counts.damaged()), (None, 0, 1));
    }

    #[test]
    fn a_damaged_file_goes() {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let mut cache = Cache::open(folder.path(), ROOM, Counts::default()).unwrap();
        cache.put("k", &part("text")).unwrap();
        fs::write(folder.path().join("k.2.table"), "nothing that makes sense, longer than a head of a file").unwrap();
        assert_eq!(text(cache.get("k")), None);
        assert_eq!((cache.counts.damaged(), names(folder.path()).len()), (1, 0));
    }

    #[test]
    fn the_files_of_others_are_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let mut cache = Cache::open(folder.path(), ROOM, Counts::default()).unwrap();
        cache.put("k", &part("text")).unwrap();
        fs::rename(folder.path().join("k.2.table"), folder.path().join("k.1.table")).unwrap();
        assert_eq!(text(cache.get("k")), None, "of another version");
        let beside = folder.path().join(format!("{BESIDE}{:016x}-2", cache.writer));
        fs::write(&beside, "being written").unwrap();
        assert!(cache.put("k", &part("text")).is_err());
        assert!(beside.exists());
        assert_eq!((cache.counts.damaged(), names(folder.path()).len()), (0, 2));
    }

    #[test]
    fn what_was_used_longest_ago_makes_room() {
        let folder = tempfile::tempdir().unwrap();
        let limits = Limits { bytes: 1 << 20, files: 4 };
        let mut cache = Cache::open(folder.path(), limits, Counts::default()).unwrap();
        let long_ago = |key: &str, hours: u64| {
            let file = File::open(folder.path().join(format!("{key}.2.table"))).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(hours * 3600)).unwrap();
        };
        for (key, hours) in [("a", 9), ("b", 8), ("c", 7), ("d", 6)] {
            cache.put(key, &part(key)).unwrap();
            long_ago(key, hours);
        }
        assert_eq!(text(cache.get("a")).as_deref(), Some("a"), "and so it was used just now");
        fs::write(folder.path().join(".writing-1-1"), "").unwrap();
        fs::write(folder.path().join(".writing-1-2"), "").unwrap();
        let left_over = File::open(folder.path().join(".writing-1-2")).unwrap();
        left_over.set_modified(SystemTime::now() - Duration::from_secs(7200)).unwrap();
        cache.put("e", &part("e")).unwrap();
        assert_eq!(names(folder.path()), [".writing-1-1", "a.2.table", "d.2.table", "e.2.table"]);
        assert_eq!(cache.counts.removed(), 2);
        cache.put("f", &[(1, vec![0; 2 << 20].into())]).unwrap();
        assert_eq!(names(folder.path()), [".writing-1-1"], "one that has no room at all");
    }

    #[test]
    fn a_folder_that_others_can_change_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
        let error = Cache::open(folder.path(), ROOM, Counts::default()).unwrap_err().to_string();
        assert!(error.contains("can be written to by others"), "{error}");
        let link = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(folder.path(), link.path().join("link")).unwrap();
        let error = Cache::open(&link.path().join("link"), ROOM, Counts::default()).unwrap_err().to_string();
        assert!(error.contains("is no folder"), "{error}");
    }

    #[test]
    fn a_key_leads_nowhere_else() {
        let folder = tempfile::tempdir().unwrap();
        let mut cache = Cache::open(folder.path(), ROOM, Counts::default()).unwrap();
        for key in ["", "../x", "a/b", "a.b", &"a".repeat(201)] {
            assert!(cache.put(key, &part("text")).is_err() && cache.get(key).is_none(), "{key}");
        }
    }
}
