//! Where files with debug information lie that belong to others.

use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::Arc;

use dwarf::Files;
use elf::debug_link::AlternateLink;

/// Where a distribution's packages of debug files put what programs have in common.
const FOLDER: &str = "/usr/lib/debug";

/// Where such a package puts the file of a build id.
pub(super) fn file(id: &str) -> Option<Arc<File>> {
    let (first, rest) = id.split_at_checked(2)?;
    open(Path::new(&format!("{FOLDER}/.build-id/{first}/{rest}.debug")))
}

/// Files of this host.
pub(super) struct Beside;

impl Files<Arc<File>> for Beside {
    fn scratch(&self) -> io::Result<File> {
        tempfile::tempfile()
    }

    fn split(&self, path: &[u8]) -> Option<Arc<File>> {
        open(Path::new(std::ffi::OsStr::from_bytes(path)))
    }

    fn alternate(&self, link: &AlternateLink) -> Option<Arc<File>> {
        let id: String = link.build_id.iter().map(|byte| format!("{byte:02x}")).collect();
        file(&id).or_else(|| open(&Path::new(FOLDER).join(link.path.trim_start_matches("../"))))
    }
}

/// Only a plain file: opening another may never end.
fn open(path: &Path) -> Option<Arc<File>> {
    if !std::fs::metadata(path).is_ok_and(|metadata| metadata.is_file()) {
        return None;
    }
    File::open(path).ok().map(Arc::new)
}
