//! What to run: a file, a folder, or the built-in configuration.

use std::io::IsTerminal as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use graph::{Stability, Vocabulary};
use lang::diagnostic::Diagnostic;
use lang::source::Source;
use lang::stdlib::{Host, Stdlib};

use crate::cli::Format;

/// What runs when no file is named.
const BUILT_IN: &str = include_str!("default.alloy");

/// The text of the configuration at this path, or the built-in one.
pub(crate) fn sources(path: Option<&Path>) -> anyhow::Result<Vec<Arc<Source>>> {
    match path {
        Some(path) => graph::read_sources(path).context("the configuration cannot be read"),
        None => Ok(vec![Source::new("built-in", BUILT_IN)]),
    }
}

/// The components and functions that a configuration can speak of.
pub(crate) fn vocabulary(minimum_stability: Stability) -> Vocabulary {
    let hostname = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let env = Arc::new(|name: &[u8]| {
        let value = std::env::var_os(std::ffi::OsStr::from_bytes(name))?;
        Some(std::os::unix::ffi::OsStringExt::into_vec(value))
    });
    let host = Host { env, hostname, version: format!("v{}", env!("CARGO_PKG_VERSION")), ..Host::default() };
    Vocabulary { definitions: components::COMPONENTS, stdlib: Stdlib::new(host), minimum_stability }
}

/// Refuses formats of configuration files other than Alloy's.
pub(crate) fn check_format(format: &Format) -> anyhow::Result<()> {
    if format.format != "alloy" {
        bail!("unknown value {:?} for --config.format: pyrope reads only \"alloy\"", format.format);
    }
    Ok(())
}

/// Prints diagnostics for people, in colour on a terminal.
pub(crate) fn print(diagnostics: &[Diagnostic]) {
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    eprint!("{}", lang::render::render(diagnostics, colour));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_configuration_is_valid() {
        let found = graph::validate(&sources(None).unwrap(), &vocabulary(Stability::GenerallyAvailable));
        assert_eq!(lang::render::render(&found, false), "");
    }

    #[test]
    fn labels_of_targets_are_text_numbers_or_booleans() {
        let found = |value: &str| {
            let text = format!("discovery.relabel \"a\" {{\n\ttargets = [{{\"b\" = {value}}}]\n}}\n");
            let found = graph::validate(&[Source::new("t.alloy", text)], &vocabulary(Stability::GenerallyAvailable));
            found.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        for value in ["true", "\"x\"", "1", "0.5", "null"] {
            assert_eq!(found(value), [""; 0], "{value}");
        }
        assert_eq!(found("[1]"), ["t.alloy:2:20: expected string, got array"]);
    }
}
