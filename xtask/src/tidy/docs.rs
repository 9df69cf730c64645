//! The pages that have to keep up with the code.

use super::finding::Finding;
use super::tree::Tree;

const METRICS: &str = "docs/metrics.md";
const ARCHITECTURE: &str = "ARCHITECTURE.md";
const ARCHITECTURE_LINES: usize = 400;

/// Files whose rows each need a word in docs/metrics.md, and the call that makes a row.
const ROWS: &[(&str, &str)] = &[("bpf/include/counters.def", "COUNTER("), ("bpf/include/ends.def", "END(")];
/// The reasons of the engine: `Variant = "name", "sentence";`.
const REASONS: &str = "crates/engine/src/account.rs";

/// Everything that a page should say and does not.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = metrics(tree);
    findings.extend(architecture(tree));
    findings.extend(decisions(tree));
    for command in ["make run", "make test"] {
        if !tree.text("README.md").contains(command) {
            findings.push(Finding::fault("README.md", format!("does not show `{command}`")));
        }
    }
    findings
}

/// Each counter, way to end, reason and metric stands in docs/metrics.md, in back quotes.
fn metrics(tree: &Tree) -> Vec<Finding> {
    let page = tree.text(METRICS);
    let mut names = Vec::new();
    for &(path, call) in ROWS {
        names.extend(tree.text(path).lines().filter_map(|line| row_name(line, call)).map(|name| (path, name)));
    }
    names.extend(tree.text(REASONS).lines().filter_map(reason_name).map(|name| (REASONS, name)));
    for (path, text) in tree
        .files()
        .filter(|(path, _)| path.starts_with("crates/") && path.ends_with(".rs") && !path.contains("/tests"))
    {
        names.extend(metric_names(text).map(|name| (path, name)));
    }
    let missing = |&(path, name): &(&str, &str)| {
        (!page.contains(&format!("`{name}`")))
            .then(|| Finding::fault(path, format!("{METRICS} does not explain `{name}`")))
    };
    names.iter().filter_map(missing).collect()
}

/// `CALL(name, …`
fn row_name<'a>(line: &'a str, call: &str) -> Option<&'a str> {
    line.strip_prefix(call)?.split([',', ')']).next().map(str::trim)
}

/// `        Variant = "name", "sentence";`
fn reason_name(line: &str) -> Option<&str> {
    let (variant, rest) = line.trim().split_once(" = \"")?;
    let one_word = !variant.is_empty() && variant.chars().all(|c| c.is_ascii_alphanumeric());
    let (name, sentence) = rest.split_once("\", \"")?;
    (one_word && sentence.ends_with("\";")).then_some(name)
}

/// String literals that are the whole name of a metric.
fn metric_names(text: &str) -> impl Iterator<Item = &str> {
    text.split('"').skip(1).step_by(2).filter(|literal| {
        let rest = literal.strip_prefix("pyrope_").or_else(|| literal.strip_prefix("pyroscope_"));
        rest.is_some_and(|rest| {
            rest.contains('_') && rest.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
        })
    })
}

fn architecture(tree: &Tree) -> Vec<Finding> {
    let page = tree.text(ARCHITECTURE);
    let mut findings: Vec<_> = tree
        .crates()
        .filter(|name| !page.contains(&format!("{name}/")) && !page.contains(&format!("`{name}`")))
        .map(|name| Finding::fault(ARCHITECTURE, format!("does not name the crate {name}")))
        .collect();
    let lines = page.lines().count();
    if lines >= ARCHITECTURE_LINES {
        findings.push(Finding::fault(ARCHITECTURE, format!("{lines} lines; it stays under {ARCHITECTURE_LINES}")));
    }
    findings
}

/// `docs/adr/NNNN-words.md`, numbered from one without a gap, each opening with `# NNNN. `.
fn decisions(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut expected = 1;
    for (path, text) in tree.files() {
        let Some(name) = path.strip_prefix("docs/adr/") else { continue };
        let number = name.split('-').next().unwrap_or_default();
        if number != format!("{expected:04}") {
            findings.push(Finding::fault(
                path,
                format!("the next decision has the number {expected:04}; numbers are unique and have no gap"),
            ));
        }
        if !text.starts_with(&format!("# {number}. ")) {
            findings.push(Finding::fault(path, format!("opens with `# {number}. ` and the decision's name")));
        }
        expected = number.parse().unwrap_or(expected) + 1;
    }
    if expected == 1 {
        findings.push(Finding::fault("docs/adr", "there is no decision"));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::finding::lines;
    use super::*;

    #[track_caller]
    fn check_part(part: fn(&Tree) -> Vec<Finding>, files: &[(&str, &str)], expect: &[&str]) {
        assert_eq!(lines(part(&Tree::of(files))), expect);
    }

    #[test]
    fn counters_and_reasons_are_explained() {
        let files = [
            (
                "bpf/include/counters.def",
                "/* COUNTER(NAME, \"what\") */\nCOUNTER(taken, \"samples\")\nCOUNTER(wakeups, \"times\")\n",
            ),
            ("bpf/include/ends.def", "END(root, 1, \"the end\")\n"),
            (
                "crates/engine/src/account.rs",
                "    Lost {\n        RingFull = \"ring_full\", \"the ring was full\";\n    }\n    let x = \"no\";\n",
            ),
            ("docs/metrics.md", "| `taken` | `root` |"),
        ];
        let expect = [
            "fault: bpf/include/counters.def: docs/metrics.md does not explain `wakeups`",
            "fault: crates/engine/src/account.rs: docs/metrics.md does not explain `ring_full`",
        ];
        check_part(metrics, &files, &expect);
    }

    #[test]
    fn metrics_are_explained() {
        let files = [(
            "crates/web/src/a.rs",
            "register(\"pyrope_samples_taken\"); \"pyrope run\"; \"pyroscope_x_y\"; \"pyrope_\"",
        )];
        let expect = [
            "fault: crates/web/src/a.rs: docs/metrics.md does not explain `pyrope_samples_taken`",
            "fault: crates/web/src/a.rs: docs/metrics.md does not explain `pyroscope_x_y`",
        ];
        check_part(metrics, &files, &expect);
    }

    #[test]
    fn the_architecture_names_each_crate() {
        let files = [("crates/elf/Cargo.toml", ""), ("crates/abi/Cargo.toml", ""), ("ARCHITECTURE.md", "elf/  bytes")];
        check_part(architecture, &files, &["fault: ARCHITECTURE.md: does not name the crate abi"]);
    }

    #[test]
    fn decisions_are_numbered_without_a_gap() {
        check_part(decisions, &[("docs/adr/0001-a.md", "# 0001. A"), ("docs/adr/0002-b.md", "# 0002. B")], &[]);
        let gap = [("docs/adr/0001-a.md", "# 0001. A"), ("docs/adr/0003-b.md", "# 0003. B")];
        check_part(
            decisions,
            &gap,
            &["fault: docs/adr/0003-b.md: the next decision has the number 0002; numbers are unique and have no gap"],
        );
        let twice = [("docs/adr/0001-a.md", "# 0001. A"), ("docs/adr/0001-b.md", "# 0001. B")];
        check_part(
            decisions,
            &twice,
            &["fault: docs/adr/0001-b.md: the next decision has the number 0002; numbers are unique and have no gap"],
        );
        check_part(
            decisions,
            &[("docs/adr/0001-a.md", "A")],
            &["fault: docs/adr/0001-a.md: opens with `# 0001. ` and the decision's name"],
        );
        check_part(decisions, &[], &["fault: docs/adr: there is no decision"]);
    }
}
