//! `pyrope validate`: what can be said without running.

use anyhow::bail;

use crate::cli::Validate;
use crate::configuration;

/// Prints what is wrong; an error if anything but warnings was found.
pub(crate) fn validate(args: &Validate) -> anyhow::Result<()> {
    configuration::check_format(&args.format)?;
    let sources = configuration::sources(Some(&args.path))?;
    let diagnostics = graph::validate(&sources, &configuration::vocabulary(args.stability));
    configuration::print(&diagnostics);
    if diagnostics.iter().any(lang::diagnostic::Diagnostic::is_error) {
        bail!("validation failed");
    }
    Ok(())
}
