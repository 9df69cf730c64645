//! Which crate may use which, and which may reach for the async runtime.

use anyhow::Context as _;
use serde::Deserialize;

use super::finding::Finding;

/// A crate, its layer, and what it may use of ours. ARCHITECTURE.md has the same table; a change here goes there, with an ADR.
const CRATES: &[(&str, u8, &[&str])] = &[
    ("lang-derive", 0, &[]),
    ("lang", 0, &["lang-derive"]),
    ("profile", 0, &[]),
    ("abi", 0, &[]),
    ("elf", 0, &[]),
    ("rpc", 0, &[]),
    ("link-libelf", 0, &[]),
    ("heap", 0, &[]),
    ("cache", 0, &[]),
    ("inspect", 1, &["elf"]),
    ("unwind", 1, &["abi", "elf"]),
    ("interp", 2, &["abi", "elf", "inspect", "profile"]),
    ("dwarf", 1, &["elf"]),
    ("symbolize", 2, &["cache", "dwarf", "elf", "inspect", "profile"]),
    ("store", 1, &["profile"]),
    ("graph", 1, &["lang"]),
    ("engine", 3, &["abi", "cache", "elf", "heap", "inspect", "unwind", "dwarf", "interp", "symbolize", "profile"]),
    ("web", 3, &["graph", "store", "profile", "rpc"]),
    ("bpf", 4, &["abi", "engine", "link-libelf"]),
    ("components", 5, &["lang", "graph", "engine", "bpf", "store", "profile", "inspect", "rpc"]),
];

/// May use all of ours.
const ROOTS: &[&str] = &["agent", "xtask", "e2e"];

/// The packages that may use tokio, and those that are tokio.
const TOKIO_USERS: &[&str] = &["graph", "web", "components", "agent", "xtask", "e2e"];
const TOKIO: &[&str] = &["tokio", "tokio-util", "tokio-stream", "hyper-util"];

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

/// A package of the workspace as `cargo metadata` tells it.
#[derive(Deserialize)]
pub(crate) struct Package {
    name: String,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    /// Absent for a normal one, else `dev` or `build`.
    kind: Option<String>,
    /// Present for ours.
    path: Option<String>,
}

/// Reads the output of `cargo metadata --no-deps`.
pub(crate) fn packages(metadata: &[u8]) -> anyhow::Result<Vec<Package>> {
    let metadata: Metadata = serde_json::from_slice(metadata).context("reading cargo metadata")?;
    Ok(metadata.packages)
}

/// Each use that the table does not allow.
pub(crate) fn check(packages: &[Package]) -> Vec<Finding> {
    packages.iter().flat_map(check_package).collect()
}

fn check_package(package: &Package) -> Vec<Finding> {
    let name = short(&package.name);
    let place = format!("crates/{name}/Cargo.toml");
    let mut findings = Vec::new();
    for dependency in &package.dependencies {
        let other = short(&dependency.name);
        if TOKIO.contains(&other) && !TOKIO_USERS.contains(&name) {
            findings.push(Finding::fault(&place, format!("{other} is for {} only", TOKIO_USERS.join(", "))));
        }
        if dependency.path.is_some() && !allowed(name, other, dependency.kind.as_deref() == Some("dev")) {
            findings.push(Finding::fault(
                &place,
                format!("{name} may not use {other}; an edge is added in ARCHITECTURE.md and tidy, with an ADR"),
            ));
        }
    }
    if !ROOTS.contains(&name) && row(name).is_none() {
        findings
            .push(Finding::fault(&place, format!("{name} is not in the table of edges of tidy and ARCHITECTURE.md")));
    }
    findings
}

/// Tests may use what lies below: there is no way up to it, and so no circle.
fn allowed(user: &str, used: &str, in_tests: bool) -> bool {
    if ROOTS.contains(&user) {
        return true;
    }
    let (Some((_, layer, edges)), Some((_, below, _))) = (row(user), row(used)) else { return false };
    edges.contains(&used) || (in_tests && below < layer)
}

fn row(name: &str) -> Option<&'static (&'static str, u8, &'static [&'static str])> {
    CRATES.iter().find(|(known, ..)| *known == name)
}

fn short(package: &str) -> &str {
    package.strip_prefix("pyrope-").unwrap_or(package)
}

#[cfg(test)]
mod tests {
    use super::super::finding::lines;
    use super::*;

    /// `user` depends on `used` in the manner of `kind`; ours have a path.
    #[track_caller]
    fn check_edge(user: &str, used: &str, kind: Option<&str>, expect: &[&str]) {
        let path = used.starts_with("pyrope-").then(|| "/repo/crates/x".to_owned());
        let dependency = Dependency { name: used.into(), kind: kind.map(Into::into), path };
        let package = Package { name: user.into(), dependencies: vec![dependency] };
        assert_eq!(lines(check(&[package])), expect, "{user} → {used}");
    }

    #[test]
    fn an_edge_of_the_table_is_allowed() {
        check_edge("pyrope-store", "pyrope-profile", None, &[]);
        check_edge("pyrope-agent", "pyrope-lang", None, &[]);
    }

    #[test]
    fn another_edge_is_a_fault() {
        let message = "fault: crates/store/Cargo.toml: store may not use lang; an edge is added in ARCHITECTURE.md and tidy, with an ADR";
        check_edge("pyrope-store", "pyrope-lang", None, &[message]);
        check_edge("pyrope-store", "pyrope-lang", Some("build"), &[message]);
    }

    #[test]
    fn tests_may_look_down_and_never_up() {
        check_edge("pyrope-bpf", "pyrope-profile", Some("dev"), &[]);
        let message = "fault: crates/profile/Cargo.toml: profile may not use bpf; an edge is added in ARCHITECTURE.md and tidy, with an ADR";
        check_edge("pyrope-profile", "pyrope-bpf", Some("dev"), &[message]);
    }

    #[test]
    fn tokio_is_for_the_outer_crates() {
        check_edge("pyrope-web", "tokio", None, &[]);
        check_edge(
            "pyrope-engine",
            "tokio",
            None,
            &["fault: crates/engine/Cargo.toml: tokio is for graph, web, components, agent, xtask, e2e only"],
        );
    }

    #[test]
    fn an_unknown_crate_is_a_fault() {
        let message = "fault: crates/misc/Cargo.toml: misc is not in the table of edges of tidy and ARCHITECTURE.md";
        check_edge("pyrope-misc", "serde", None, &[message]);
    }

    #[test]
    fn an_edge_of_the_table_leads_down() {
        for (name, layer, edges) in CRATES {
            for used in *edges {
                let (_, below, _) = row(used).unwrap_or_else(|| panic!("{used} has no row"));
                assert!(below < layer || (*name, *used) == ("lang", "lang-derive"), "{name} → {used}");
            }
        }
    }

    #[test]
    fn metadata_is_read() {
        let json = br#"{"packages":[{"name":"pyrope-a","version":"1","dependencies":[{"name":"pyrope-b","kind":"dev","path":"/b"},{"name":"c","kind":null}]}]}"#;
        let packages = packages(json).unwrap();
        assert_eq!(packages[0].dependencies[0].kind.as_deref(), Some("dev"));
        assert_eq!(packages[0].dependencies[1].path, None);
    }
}
