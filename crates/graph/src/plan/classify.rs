//! What each top-level block is.

use std::collections::{BTreeMap, BTreeSet};

use lang::{
    diagnostic::{Diagnostic, Severity},
    source::{Location, Span},
    syntax::ast::{Block, Body, Statement},
};

use super::{Node, Purpose, Vocabulary, names, stability_error};
use crate::{check, id::ComponentId};

/// Blocks that stand at most once and configure the process rather than a component.
pub(crate) const SINGLES: [&str; 5] = ["http", "livedebugging", "logging", "remotecfg", "tracing"];

/// Services that have a name but no block.
const NOT_CONFIGURABLE: [&str; 4] = ["cluster", "labelstore", "otel", "ui"];

/// Blocks that make modules.
const MODULES: [&str; 6] = ["declare", "foreach", "import.file", "import.git", "import.http", "import.string"];

/// Blocks that stand only inside a module.
const INSIDE_MODULES: [&str; 2] = ["argument", "export"];

/// The blocks of a configuration by what they are.
#[derive(Default)]
pub(super) struct Classified {
    pub(super) nodes: BTreeMap<ComponentId, Node>,
    pub(super) singles: BTreeMap<&'static str, Block>,
    /// Ids that stand in the file but have no definition: already complained about.
    pub(super) foreign: BTreeSet<String>,
    /// First names under which modules would define components: already complained about.
    pub(super) namespaces: BTreeSet<String>,
}

pub(super) fn classify(
    bodies: &[Body],
    vocabulary: &Vocabulary,
    purpose: Purpose,
    diagnostics: &mut Vec<Diagnostic>,
) -> Classified {
    let mut classified = Classified::default();
    let mut components = Vec::new();
    let (mut modules, mut singles) = (Vec::new(), Vec::new());
    for body in bodies {
        if let Some(attribute) = body.attributes().next() {
            let message = format!("unrecognized attribute {}", attribute.name());
            diagnostics.push(Diagnostic::error(attribute.name_location(), message));
        }
        for statement in body.statements() {
            let Statement::Block(block) = statement else { continue };
            let name = block.name();
            if MODULES.contains(&name.as_str()) {
                classified.namespaces.extend(block.label());
                modules.push(block);
            } else if let Some(single) = SINGLES.iter().find(|single| **single == name) {
                singles.push((*single, block));
            } else if INSIDE_MODULES.contains(&name.as_str()) {
                let message = format!("{name} blocks only allowed inside a module");
                diagnostics.push(Diagnostic::error(block.name_location(), message));
            } else if NOT_CONFIGURABLE.contains(&name.as_str()) {
                let message = format!("service {name:?} does not support being configured");
                diagnostics.push(Diagnostic::error(block.name_location(), message));
            } else {
                components.push(block);
            }
        }
    }
    diagnostics.extend(no_modules(&modules));
    let mut declared = BTreeMap::new();
    for (name, block) in singles {
        if first_of_its_kind(name, &block, &mut declared, diagnostics) {
            if purpose == Purpose::Validate {
                diagnostics.extend(crate::blocks::check(name, &block));
            }
            diagnostics.extend(crate::blocks::warning(name, &block));
            classified.singles.insert(name, block);
        }
    }
    let mut missing = Vec::new();
    for block in components {
        component(block, vocabulary, purpose, &mut classified, &mut declared, &mut missing, diagnostics);
    }
    diagnostics.extend(lacking(&missing));
    classified
}

fn component(
    block: Block,
    vocabulary: &Vocabulary,
    purpose: Purpose,
    classified: &mut Classified,
    declared: &mut BTreeMap<String, Location>,
    missing: &mut Vec<Block>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let (name, label) = (block.name(), block.label());
    let id = ComponentId::new(&name, label.as_deref());
    if !first_of_its_kind(id.as_str(), &block, declared, diagnostics) {
        return;
    }
    let of_module = block.fragments().next().is_some_and(|first| classified.namespaces.contains(&first));
    if of_module {
        classified.foreign.insert(id.as_str().to_owned());
        return;
    }
    let Some(definition) = vocabulary.definitions.iter().find(|definition| definition.name() == name) else {
        classified.foreign.insert(id.as_str().to_owned());
        if names::is_upstream(&name) {
            missing.push(block);
        } else {
            diagnostics.push(unknown(&block, vocabulary));
        }
        return;
    };
    let at = block.name_location();
    let before = diagnostics.len();
    if definition.needs_label() && label.is_none() {
        diagnostics.push(Diagnostic::error(at.clone(), format!("component {name:?} must have a label")));
    }
    if definition.stability() < vocabulary.minimum_stability {
        let what = format!("component {name:?}");
        diagnostics.push(stability_error(at, &what, definition.stability(), vocabulary.minimum_stability));
    }
    let Some(body) = block.body() else { return };
    if purpose == Purpose::Validate && diagnostics.len() == before {
        diagnostics.extend(check::component(*definition, &block));
    }
    classified.nodes.insert(id, Node::new(*definition, block, body));
}

/// Notes where an id stands; complains about the second of its kind.
fn first_of_its_kind(
    id: &str,
    block: &Block,
    declared: &mut BTreeMap<String, Location>,
    diagnostics: &mut Vec<Diagnostic>,
) -> bool {
    let name = block.name_location();
    let end = name.span.start.saturating_add(id.len() as u32).min(name.source.text().len() as u32);
    let at = Location::new(&name.source, Span::new(name.span.start, end));
    match declared.get(id) {
        Some(first) => {
            let message = format!("block {id} already declared at {first}");
            diagnostics.push(Diagnostic::error(at, message).with_related(first.clone(), "the first one"));
            false
        }
        None => {
            declared.insert(id.to_owned(), at);
            true
        }
    }
}

/// A name that nobody has.
fn unknown(block: &Block, vocabulary: &Vocabulary) -> Diagnostic {
    let name = block.name();
    let message = format!("cannot find the definition of component name {name:?}");
    let unknown = Diagnostic::error(block.name_location(), message);
    let known = vocabulary.definitions.iter().map(|definition| definition.name());
    match names::closest(&name, known.chain(SINGLES)) {
        Some(close) => unknown.with_help(format!("did you mean {close:?}?")),
        None => unknown,
    }
}

/// One diagnostic for all blocks of components that only Alloy has.
fn lacking(blocks: &[Block]) -> Option<Diagnostic> {
    let first = blocks.first()?;
    let mut counts = BTreeMap::<String, usize>::new();
    for block in blocks {
        *counts.entry(block.name()).or_default() += 1;
    }
    let names: Vec<_> = counts.iter().map(|(name, count)| times(name, *count)).collect();
    let message = format!("components of Grafana Alloy that pyrope does not have: {}", names.join(", "));
    let help = "keep these blocks in a file for Alloy, and give pyrope one without them";
    Some(with_places(Diagnostic::error(first.name_location(), message).with_help(help), blocks))
}

/// One diagnostic for everything that makes modules.
fn no_modules(blocks: &[Block]) -> Option<Diagnostic> {
    let first = blocks.first()?;
    let names: BTreeSet<_> = blocks.iter().map(Block::name).collect();
    let names: Vec<_> = names.into_iter().collect();
    let message = format!("modules are not supported by this version: {}", names.join(", "));
    let help = "write the components that they make at the top level";
    Some(with_places(Diagnostic::error(first.name_location(), message).with_help(help), blocks))
}

/// Adds the places of all blocks but the first, which is the diagnostic's own.
fn with_places(mut diagnostic: Diagnostic, blocks: &[Block]) -> Diagnostic {
    debug_assert_eq!(diagnostic.severity, Severity::Error);
    for block in &blocks[1..] {
        diagnostic = diagnostic.with_related(block.name_location(), block.name());
    }
    diagnostic
}

fn times(name: &str, count: usize) -> String {
    if count == 1 { name.to_owned() } else { format!("{name} ({count} times)") }
}
