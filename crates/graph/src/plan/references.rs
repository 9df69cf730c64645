//! Who refers to whom.

use std::collections::BTreeSet;

use lang::{
    diagnostic::Diagnostic,
    eval::{Traversal, references},
    golang::quote::quote,
    stdlib::Stdlib,
    value::Value,
};

use super::{Node, Reference, Vocabulary, classify::Classified, names, stability_error};
use crate::{Stability, id::ComponentId};

/// Functions that may still change.
const EXPERIMENTAL: [&str; 2] = ["array.combine_maps", "array.group_by"];

/// Fills in the references of every node, in both directions.
pub(super) fn connect(classified: &mut Classified, vocabulary: &Vocabulary, diagnostics: &mut Vec<Diagnostic>) {
    let mut edges = Vec::new();
    for (id, node) in &classified.nodes {
        let mut found = Vec::new();
        for traversal in references(&node.body) {
            diagnostics.extend(about_function(&traversal, vocabulary));
            match resolve(&traversal, classified, vocabulary) {
                Ok(reference) => found.extend(reference),
                Err(diagnostic) => diagnostics.push(*diagnostic),
            }
        }
        edges.push((id.clone(), found));
    }
    for (id, found) in edges {
        let dependencies: BTreeSet<_> = found.iter().map(|reference| reference.to.clone()).collect();
        for to in &dependencies {
            if let Some(node) = classified.nodes.get_mut(to) {
                node.dependants.insert(id.clone());
            }
        }
        if let Some(node) = classified.nodes.get_mut(&id) {
            (node.references, node.dependencies) = (found, dependencies);
        }
    }
}

/// What a chain of names refers to: a component, or nothing that concerns the graph.
fn resolve(
    traversal: &Traversal,
    classified: &Classified,
    vocabulary: &Vocabulary,
) -> Result<Option<Reference>, Box<Diagnostic>> {
    let names = &traversal.names;
    for count in 1..=names.len() {
        let (prefix, path) = names.split_at(count);
        let prefix = prefix.join(".");
        if classified.foreign.contains(&prefix) {
            return Ok(None);
        }
        if let Some((id, node)) = classified.nodes.get_key_value(prefix.as_str()) {
            check_export(traversal, count, id, node)?;
            return Ok(Some(Reference { to: id.clone(), path: path.to_vec() }));
        }
    }
    if classified.namespaces.contains(&names[0]) || vocabulary.stdlib.lookup(&names[0]).is_some() {
        return Ok(None);
    }
    let message = format!("component {} does not exist or is out of scope", quote(traversal.text()));
    let unknown = Diagnostic::error(traversal.location(), message);
    let ids = classified.nodes.keys().map(ComponentId::as_str);
    // Without the last name, which is likely to be the export.
    let wanted = names[..names.len().saturating_sub(1).max(1)].join(".");
    Err(Box::new(match names::closest(&wanted, ids) {
        Some(close) => unknown.with_help(format!("did you mean {close}?")),
        None => unknown,
    }))
}

/// Complains about an export that the component does not have.
fn check_export(traversal: &Traversal, count: usize, id: &ComponentId, node: &Node) -> Result<(), Box<Diagnostic>> {
    let Some(name) = traversal.names.get(count) else { return Ok(()) };
    let Value::Object(exports) = node.definition.zero_exports() else { return Ok(()) };
    if exports.contains_key(name.as_bytes()) {
        return Ok(());
    }
    let known: Vec<_> = exports.keys().map(ToString::to_string).collect();
    let help = match known.as_slice() {
        [] => format!("{id} exports nothing"),
        known => format!("{id} exports {}", known.join(", ")),
    };
    let message = format!("field {} does not exist", quote(name));
    Err(Box::new(Diagnostic::error(traversal.places[count].clone(), message).with_help(help)))
}

/// What there is to say about the use of a function.
fn about_function(traversal: &Traversal, vocabulary: &Vocabulary) -> Option<Diagnostic> {
    let text = traversal.text();
    if EXPERIMENTAL.contains(&text.as_str()) && vocabulary.minimum_stability > Stability::Experimental {
        let minimum = vocabulary.minimum_stability;
        return Some(stability_error(traversal.location(), &text, Stability::Experimental, minimum));
    }
    let old = traversal.names.len() == 1 && Stdlib::is_deprecated(&text);
    old.then(|| {
        let message = "this stdlib function is deprecated; please refer to the documentation for updated usage and \
                       alternatives";
        Diagnostic::warning(traversal.location(), message)
    })
}
