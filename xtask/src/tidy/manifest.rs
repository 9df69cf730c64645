//! Each dependency says what it is for.

use super::finding::Finding;

/// Lines of `[workspace.dependencies]` without a comment; ours, which have a path, need none.
pub(crate) fn check(cargo_toml: &str) -> Vec<Finding> {
    let mut inside = false;
    let mut findings = Vec::new();
    for (number, line) in (1..).zip(cargo_toml.lines()) {
        let line = line.trim();
        if line.starts_with('[') {
            inside = line == "[workspace.dependencies]";
        } else if inside && line.contains(" = ") && !line.contains("path = ") {
            let reason = line.rsplit_once('#').map_or("", |(_, reason)| reason.trim());
            if reason.is_empty() {
                let name = line.split(' ').next().unwrap_or_default();
                findings.push(Finding::fault(
                    format!("Cargo.toml:{number}"),
                    format!("{name} has no comment that says what it is for"),
                ));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::finding::lines;
    use super::*;

    #[test]
    fn a_dependency_without_a_reason_is_a_fault() {
        let text = "[workspace.dependencies]\nlang = { path = \"crates/lang\" }\nbytes = \"1\" # shared buffers\nhttp = \"1\"\n[profile.dev]\ndebug = 1\n";
        assert_eq!(lines(check(text)), ["fault: Cargo.toml:4: http has no comment that says what it is for"]);
    }
}
