//! What a rule says.

use std::fmt;

/// Whether a finding fails the check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Severity {
    /// A rule is broken.
    Fault,
    /// Worth a thought; fails nothing.
    Remark,
}

/// One thing that a rule found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) severity: Severity,
    /// A path, with `:line` where a line is meant.
    pub(crate) place: String,
    /// What is wrong, and what to do.
    pub(crate) message: String,
}

impl Finding {
    pub(crate) fn fault(place: impl Into<String>, message: impl Into<String>) -> Self {
        Self { severity: Severity::Fault, place: place.into(), message: message.into() }
    }

    pub(crate) fn remark(place: impl Into<String>, message: impl Into<String>) -> Self {
        Self { severity: Severity::Remark, place: place.into(), message: message.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.severity {
            Severity::Fault => "fault",
            Severity::Remark => "remark",
        };
        write!(out, "{word}: {}: {}", self.place, self.message)
    }
}

/// The findings as lines, for tests.
#[cfg(test)]
pub(crate) fn lines(findings: impl IntoIterator<Item = Finding>) -> Vec<String> {
    findings.into_iter().map(|finding| finding.to_string()).collect()
}
