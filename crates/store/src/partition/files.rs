//! The files of a partition in its folder.

use std::path::{Path, PathBuf};
use std::{fs, io};

/// The name of the file whose first window is at `time`.
pub(crate) fn file_name(time: i64) -> String {
    format!("profiles-{time:013}.sqlite")
}

/// The number in a file's name; none when it is not the name of a partition.
pub(crate) fn first_time(name: &str) -> Option<i64> {
    name.strip_prefix("profiles-")?.strip_suffix(".sqlite")?.parse().ok()
}

pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Deletes a database file and what SQLite keeps beside it. One that is not there is deleted already.
pub(crate) fn remove_files(path: &Path) {
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let path = beside(path, suffix);
        if let Err(error) = fs::remove_file(&path)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(path = %path.display(), error = %error, "a file of the store cannot be deleted");
        }
    }
}

/// Renames a database file to `*.damaged` and drops its log.
pub(crate) fn set_aside(path: &Path) -> io::Result<PathBuf> {
    let aside = beside(path, ".damaged");
    fs::rename(path, &aside)?;
    remove_files(path);
    Ok(aside)
}
