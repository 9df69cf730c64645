//! The rules of the house that a program can check.
//!
//! In: the files of the repository as git lists them, and `cargo metadata`. Out: a line for each finding, and whether one of them
//! is a fault. Each rule is a module with a pure function from text to findings; this one does the reading. Where to start:
//! [`run`]. Tested by small texts beside each rule; the repository itself is the large one.

mod code;
mod docs;
mod edges;
mod finding;
mod manifest;
mod maps;
mod tree;

use std::io::Write;
use std::path::Path;

use anyhow::Context as _;

use finding::Severity;
use tree::Tree;

/// Checks this repository and prints what is found.
pub(crate) fn run() -> anyhow::Result<bool> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    check(&root, &mut std::io::stdout().lock())
}

/// Checks the repository at `root`, writes the findings to `out`, and says whether there is no fault among them.
fn check(root: &Path, out: &mut impl Write) -> anyhow::Result<bool> {
    let tree = Tree::read(root)?;
    let packages = edges::packages(&cargo_metadata(root)?)?;
    let mut findings = edges::check(&packages);
    findings.extend(manifest::check(tree.text("Cargo.toml")));
    findings.extend(tree.files().flat_map(|(path, text)| code::check(path, text)));
    findings.extend(tree.files().flat_map(|(path, text)| maps::check(path, text)));
    findings.extend(docs::check(&tree));

    let faults = findings.iter().filter(|finding| finding.severity == Severity::Fault).count();
    for finding in &findings {
        writeln!(out, "{finding}")?;
    }
    writeln!(out, "tidy: {} files, {faults} faults, {} remarks", tree.len(), findings.len() - faults)?;
    Ok(faults == 0)
}

fn cargo_metadata(root: &Path) -> anyhow::Result<Vec<u8>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = std::process::Command::new(cargo)
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .current_dir(root)
        .output()
        .context("running cargo metadata")?;
    anyhow::ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    Ok(output.stdout)
}
