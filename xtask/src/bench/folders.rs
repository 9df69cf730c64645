//! Where things are built and kept while measuring.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;
use tempfile::TempDir;

use super::load::run;

/// The crate whose C++ sources are compiled as a load, and which version.
const TREE: (&str, &str) = ("librocksdb-sys", "=6.20.3");

/// `target/bench`, and a scratch folder that goes at the end.
pub(super) struct Folders {
    kept: PathBuf,
    scratch: TempDir,
}

impl Folders {
    /// Builds the floor, too.
    pub(super) fn new() -> anyhow::Result<Self> {
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| e2e::root().join("target"), PathBuf::from);
        let kept = target.join("bench");
        fs::create_dir_all(&kept).with_context(|| format!("cannot make {}", kept.display()))?;
        run(Command::new("make").arg("-C").arg(source()).arg(format!("OUT={}", kept.display())))?;
        Ok(Self { kept, scratch: tempfile::Builder::new().prefix("pyrope-bench-").tempdir()? })
    }

    /// A file that is built or kept.
    pub(super) fn kept(&self, name: &str) -> PathBuf {
        self.kept.join(name)
    }

    /// A new empty folder that every user can pass through.
    pub(super) fn scratch(&self, name: &str) -> anyhow::Result<PathBuf> {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(self.scratch.path(), fs::Permissions::from_mode(0o755))?;
        let folder = self.scratch.path().join(name);
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir(&folder)?;
        Ok(folder)
    }

    /// The C++ tree, fetched once, with its makefile in it.
    pub(super) fn tree(&self) -> anyhow::Result<PathBuf> {
        let (name, version) = TREE;
        let package = self.kept.join("tree");
        let tree = package.join("vendor").join(name);
        if !tree.exists() {
            println!("fetches the crate {name}, whose C++ sources are the load");
            fs::create_dir_all(&package)?;
            fs::write(package.join("lib.rs"), "")?;
            fs::write(
                package.join("Cargo.toml"),
                format!(
                    "[package]\nname = \"tree\"\nedition = \"2021\"\n[workspace]\n[lib]\npath = \"lib.rs\"\n\
                     [dependencies]\n{name} = {{ version = \"{version}\", default-features = false }}\n"
                ),
            )?;
            run(Command::new("cargo").args(["vendor", "vendor"]).current_dir(&package))?;
        }
        fs::copy(source().join("tree.mk"), tree.join("tree.mk"))?;
        Ok(tree)
    }
}

pub(super) fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("bench")
}
