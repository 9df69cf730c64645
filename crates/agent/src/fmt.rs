//! `pyrope fmt`: canonical form.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::Path;

use anyhow::{Context as _, bail};
use lang::source::Source;

use crate::cli::Fmt;

/// Formats a file or standard input.
pub(crate) fn fmt(args: &Fmt) -> anyhow::Result<()> {
    if args.write && args.test {
        bail!("cannot use -w/--write and -t/--test at the same time");
    }
    let file = args.file.as_deref().filter(|file| *file != Path::new("-"));
    if args.write && file.is_none() {
        bail!("cannot use -w with standard input");
    }
    let (name, text) = match file {
        Some(file) if file.is_dir() => bail!("cannot format a directory"),
        Some(file) => {
            let text = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
            (file.display().to_string(), text)
        }
        None => {
            let mut text = Vec::new();
            std::io::stdin().lock().read_to_end(&mut text).context("cannot read standard input")?;
            ("<stdin>".to_owned(), text)
        }
    };
    let parsed = lang::syntax::parse_file(&Source::new(name.clone(), text.clone()));
    if !parsed.diagnostics.is_empty() {
        for diagnostic in parsed.diagnostics {
            eprintln!("{diagnostic}");
        }
        bail!("encountered errors during formatting");
    }
    let formatted = lang::fmt::format_file(&parsed.file);
    match file {
        _ if args.test && formatted != text => bail!("file {name} is not formatted correctly"),
        _ if args.test => Ok(()),
        Some(file) if args.write => {
            if formatted != text {
                fs::write(file, formatted).with_context(|| format!("cannot write {}", file.display()))?;
            }
            Ok(())
        }
        _ => std::io::stdout().lock().write_all(&formatted).context("cannot write to standard output"),
    }
}
