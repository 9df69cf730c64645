//! Programs and libraries that are large, or many.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use elf::{BuildId, Elf};

use super::Folders;
use super::folders::source;
use super::load::run;

/// The name that every unit has in its object file, and that its copies have another in place of.
const UNIT: &[u8] = b"unit_0000";

/// Builds a file of xtask/bench/Makefile, unless it is there.
pub(super) fn build(folders: &Folders, name: &str) -> anyhow::Result<PathBuf> {
    let path = folders.kept(name);
    if !path.exists() {
        println!("builds {name}");
    }
    let out = path.parent().context("it is in a folder")?;
    run(Command::new("make").arg("-C").arg(source()).arg(format!("OUT={}", out.display())).arg(&path))?;
    Ok(path)
}

/// A copy that no agent can have seen: with a build id of its own.
pub(super) fn copy(from: &Path, to: &Path, number: u32) -> anyhow::Result<()> {
    let mut bytes = fs::read(from)?;
    let (elf, _) = Elf::parse(Arc::<[u8]>::from(bytes.as_slice()))?;
    let Some(BuildId::Gnu(id)) = elf.build_id() else { anyhow::bail!("{} has no build id", from.display()) };
    ensure!(id.len() >= 4, "{} has a short build id", from.display());
    let place = find(&bytes, &id).context("the build id is in the file")?;
    bytes[place..place + 4].copy_from_slice(&number.to_be_bytes());
    fs::write(to, bytes)?;
    fs::set_permissions(to, fs::metadata(from)?.permissions())?;
    Ok(())
}

/// So many libraries, each with functions and a build id of its own.
pub(super) fn libraries(folders: &Folders, folder: &Path, count: u32) -> anyhow::Result<()> {
    let original = build(folders, "libunit.so")?;
    let places: Vec<usize> = {
        let bytes = fs::read(&original)?;
        let at = |place: usize| bytes[place..].starts_with(UNIT);
        (0..bytes.len()).filter(|place| bytes[*place] == UNIT[0] && at(*place)).collect()
    };
    for number in 0..count {
        let library = folder.join(format!("libunit-{number:04}.so"));
        copy(&original, &library, number)?;
        let (mut bytes, name) = (fs::read(&library)?, format!("unit_{number:04}"));
        for place in &places {
            bytes[*place..place + UNIT.len()].copy_from_slice(name.as_bytes());
        }
        fs::write(&library, bytes)?;
    }
    Ok(())
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}
