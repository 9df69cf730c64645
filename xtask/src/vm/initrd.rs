//! The file system of a virtual machine: an archive that the kernel unpacks into memory.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;

use super::{PROGRAMS, kernels};

const INIT: &str = include_str!("guest/init");
const CONFIGURATION: &str = include_str!("guest/guest.alloy");

/// Folders that are mounted on or written to.
const FOLDERS: &[&str] = &["bin", "dev", "proc", "programs", "store", "sys", "tmp"];

/// pyrope, the programs it is to see, what both link, a shell, and the script that runs it all.
pub(super) fn make() -> anyhow::Result<Vec<u8>> {
    let mut archive = Archive::default();
    for folder in FOLDERS {
        archive.folder(Path::new(folder));
    }
    archive.file(Path::new("init"), INIT.replace("$PROGRAMS", &PROGRAMS.join(" ")).as_bytes());
    archive.file(Path::new("guest.alloy"), CONFIGURATION.as_bytes());
    let mut programs = vec![
        (PathBuf::from("bin/busybox"), which("busybox")?),
        (PathBuf::from("bin/pyrope"), e2e::built("PYROPE_BIN", "release/pyrope")),
    ];
    for name in PROGRAMS.iter().chain(&["libplugin.so", "bpf-objects"]) {
        programs.push((Path::new("programs").join(name), e2e::workload::path(name)));
    }
    let mut libraries = BTreeSet::new();
    for (inside, file) in &programs {
        archive.file(inside, &read(file)?);
        // It fails where nothing is linked.
        let ldd = Command::new("ldd").arg(file).output().context("cannot run ldd")?;
        libraries.extend(linked(&String::from_utf8_lossy(&ldd.stdout)));
    }
    for library in &libraries {
        archive.file(library.strip_prefix("/").unwrap_or(library), &read(library)?);
    }
    Ok(archive.finish())
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

fn which(program: &str) -> anyhow::Result<PathBuf> {
    let found = kernels::output(Command::new("sh").args(["-c", &format!("command -v {program}")]));
    let found = found.with_context(|| format!("{program} is not installed: run tools/setup.sh vm"))?;
    Ok(PathBuf::from(found.trim_end()))
}

/// The libraries that `ldd` prints, the loader among them.
fn linked(ldd: &str) -> Vec<PathBuf> {
    ldd.lines()
        .filter_map(|line| line.split_whitespace().find(|word| word.starts_with('/')).map(PathBuf::from))
        .collect()
}

/// A cpio archive of the kind `newc`. Source: Documentation/driver-api/early-userspace/buffer-format.rst.
#[derive(Default)]
struct Archive {
    bytes: Vec<u8>,
    folders: BTreeSet<PathBuf>,
    inode: usize,
}

const FOLDER: usize = 0o040_755;
const PROGRAM: usize = 0o100_755;

impl Archive {
    /// A folder and those above it.
    fn folder(&mut self, path: &Path) {
        if path.as_os_str().is_empty() || !self.folders.insert(path.to_owned()) {
            return;
        }
        if let Some(parent) = path.parent() {
            self.folder(parent);
        }
        self.entry(path, FOLDER, &[]);
    }

    fn file(&mut self, path: &Path, content: &[u8]) {
        if let Some(parent) = path.parent() {
            self.folder(parent);
        }
        self.entry(path, PROGRAM, content);
    }

    fn entry(&mut self, path: &Path, mode: usize, content: &[u8]) {
        let name = path.to_string_lossy();
        self.inode += 1;
        // inode, mode, user, group, links, time, size, four device numbers, length of the name with its NUL, sum
        let fields = [self.inode, mode, 0, 0, 1, 0, content.len(), 0, 0, 0, 0, name.len() + 1, 0];
        self.bytes.extend(b"070701");
        for field in fields {
            self.bytes.extend(format!("{field:08x}").bytes());
        }
        self.bytes.extend(name.bytes());
        self.bytes.push(0);
        self.align();
        self.bytes.extend(content);
        self.align();
    }

    fn align(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }

    fn finish(mut self) -> Vec<u8> {
        self.entry(Path::new("TRAILER!!!"), 0, &[]);
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_comes_after_its_folders_and_ends_on_a_word() {
        let mut archive = Archive::default();
        archive.file(Path::new("a/b"), b"hello");
        let text = String::from_utf8(archive.finish()).unwrap();
        let entries: Vec<_> = text.split("070701").skip(1).map(|entry| entry[104..].trim_end_matches('\0')).collect();
        assert_eq!(entries, ["a", "a/b\0\0\0hello", "TRAILER!!!"]);
        assert_eq!(text.len() % 4, 0);
    }

    #[test]
    fn libraries_and_the_loader_are_found_and_the_vdso_is_not() {
        let text = "\tlinux-vdso.so.1 (0x00007ffd)\n\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f)\n\
            \t/lib64/ld-linux-x86-64.so.2 (0x00007f)\n";
        let expect = ["/lib/x86_64-linux-gnu/libc.so.6", "/lib64/ld-linux-x86-64.so.2"].map(PathBuf::from);
        assert_eq!(linked(text), expect);
        assert!(linked("\tstatically linked\n").is_empty());
    }
}
