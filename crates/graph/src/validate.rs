//! What can be said about a configuration without running it.

use std::sync::Arc;

use lang::{diagnostic::Diagnostic, source::Source};

use crate::plan::{Purpose, Vocabulary, draw};

/// Checks a configuration: syntax, names, labels, duplicates, references, cycles, what each block has to hold and may
/// hold, and values that are written out. Nothing is evaluated that depends on the machine, nothing is started.
///
/// All that is found is returned, in the order config blocks, components, references, cycles. With a syntax error
/// only syntax is checked.
pub fn validate(sources: &[Arc<Source>], vocabulary: &Vocabulary) -> Vec<Diagnostic> {
    draw(sources, vocabulary, Purpose::Validate).1
}
