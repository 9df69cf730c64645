//! `cargo xtask conformance [--op OP,…] FILE.jsonl…`
//!
//! A file holds one case a line: an operation, its input and the answer of the program whose behaviour we keep. Both
//! answers are taken as lists of lines, see [`case`]; a case passes when the lists are equal. One that differs in a
//! single line as a rule of `docs/language/differences.md` says is deliberate, see [`differences`].

mod case;
mod differences;
mod labels;
mod operations;
mod relabel;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

use self::{
    case::{Case, Line},
    differences::Rule,
};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only cases of these operations
    #[arg(long = "op", value_delimiter = ',')]
    ops: Vec<String>,
    /// Files of cases
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// The rules of where we differ on purpose
    #[arg(long, default_value_os_t = default_rules())]
    differences: PathBuf,
}

fn default_rules() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/language/differences.md")
}

#[derive(Default)]
struct Count {
    passed: usize,
    failed: usize,
    deliberate: usize,
}

/// Runs the files and prints what differs; true when nothing failed.
pub(crate) fn run(arguments: &Arguments) -> Result<bool> {
    let text = fs::read_to_string(&arguments.differences)
        .with_context(|| format!("could not read {}", arguments.differences.display()))?;
    let rules = differences::parse(&text)?;
    let mut count = Count::default();
    for path in &arguments.files {
        let text = fs::read_to_string(path).with_context(|| format!("could not read {}", path.display()))?;
        let default_op = path.file_stem().unwrap_or_default().to_string_lossy();
        for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let place = || format!("{}:{}: not a case", path.display(), at + 1);
            let case = Case::parse(line, &default_op).with_context(place)?;
            if arguments.ops.is_empty() || arguments.ops.contains(&case.op) {
                judge(&case, &rules, &mut count);
            }
        }
    }
    if count.deliberate > 0 {
        println!("{} deliberate", count.deliberate);
    }
    println!("{} passed, {} failed", count.passed, count.failed);
    Ok(count.failed == 0)
}

fn judge(case: &Case, rules: &[Rule], count: &mut Count) {
    let ours = operations::answer(case);
    if let Ok(ours) = &ours
        && *ours == case.expected
    {
        count.passed += 1;
        return;
    }
    let ours = ours.unwrap_or_else(|error| vec![Line::new("error", error)]);
    if let Some(rule) =
        rules.iter().find(|rule| rule.explains(&case.op, case.text("input").unwrap_or_default(), &case.expected, &ours))
    {
        println!("{}: deliberate: {}", case.id, rule.name);
        count.deliberate += 1;
        return;
    }
    count.failed += 1;
    println!("{}: failed", case.id);
    let (expected, came): (BTreeSet<_>, BTreeSet<_>) = (case.expected.iter().collect(), ours.iter().collect());
    for line in case.expected.iter().filter(|line| !came.contains(line)) {
        println!("  expected {line}");
    }
    for line in ours.iter().filter(|line| !expected.contains(line)) {
        println!("  came     {line}");
    }
    if expected == came {
        println!("  the same lines came in another order");
    }
}
