//! What each top-level block is.

use std::collections::{BTreeMap, BTreeSet};

use lang::{
    diagnostic::Diagnostic,
    source::{Location, Span},
    syntax::ast::{Block, Body},
};

use super::{Node, Purpose, Vocabulary, names, stability_error};
use crate::{
    blocks,
    check::{self, Known},
    id::ComponentId,
};

/// Blocks that stand at most once and configure the process rather than a component.
const SINGLES: [&str; 5] = ["http", "livedebugging", "logging", "remotecfg", "tracing"];

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
    let mut found = Found::default();
    for body in bodies {
        if let Some(attribute) = body.attributes().next() {
            let message = format!("unrecognized attribute {}", attribute.name());
            diagnostics.push(Diagnostic::error(attribute.name_location(), message));
        }
        for block in body.blocks() {
            found.sort(block, diagnostics);
        }
    }
    let mut classifier = Classifier {
        vocabulary,
        purpose,
        classified: Classified::default(),
        declared: BTreeMap::new(),
        missing: Vec::new(),
        diagnostics,
    };
    classifier.modules(&found.modules);
    for (name, block) in found.singles {
        classifier.single(name, block);
    }
    for block in found.components {
        classifier.component(block);
    }
    classifier.diagnostics.extend(lacking(&classifier.missing));
    classifier.classified
}

/// Top-level blocks by what their names make them.
#[derive(Default)]
struct Found {
    modules: Vec<Block>,
    singles: Vec<(&'static str, Block)>,
    components: Vec<Block>,
}

impl Found {
    /// Puts a block where it belongs, or complains.
    fn sort(&mut self, block: Block, diagnostics: &mut Vec<Diagnostic>) {
        let name = block.name();
        let is = |names: &[&str]| names.contains(&name.as_str());
        if is(&MODULES) {
            self.modules.push(block);
        } else if let Some(single) = SINGLES.iter().find(|single| **single == name) {
            self.singles.push((single, block));
        } else if is(&INSIDE_MODULES) {
            let message = format!("{name} blocks only allowed inside a module");
            diagnostics.push(Diagnostic::error(block.name_location(), message));
        } else if is(&NOT_CONFIGURABLE) {
            let message = format!("service {name:?} does not support being configured");
            diagnostics.push(Diagnostic::error(block.name_location(), message));
        } else {
            self.components.push(block);
        }
    }
}

struct Classifier<'a> {
    vocabulary: &'a Vocabulary,
    purpose: Purpose,
    classified: Classified,
    /// Where each id stands.
    declared: BTreeMap<String, Location>,
    /// Components that only Alloy has.
    missing: Vec<Block>,
    diagnostics: &'a mut Vec<Diagnostic>,
}

impl Classifier<'_> {
    fn modules(&mut self, blocks: &[Block]) {
        self.classified.namespaces.extend(blocks.iter().filter_map(Block::label));
        self.diagnostics.extend(no_modules(blocks));
    }

    fn single(&mut self, name: &'static str, block: Block) {
        if !self.is_first(name, &block) {
            return;
        }
        self.diagnostics.extend(blocks::check(name, &block, self.purpose == Purpose::Validate));
        self.diagnostics.extend(blocks::warning(name, &block));
        self.classified.singles.insert(name, block);
    }

    fn component(&mut self, block: Block) {
        let (name, label) = (block.name(), block.label());
        let id = ComponentId::new(&name, label.as_deref());
        if !self.is_first(id.as_str(), &block) {
            return;
        }
        let of_module = block.fragments().next().is_some_and(|first| self.classified.namespaces.contains(&first));
        let known = self.vocabulary.definitions.iter().find(|definition| definition.name() == name);
        let (Some(definition), false) = (known, of_module) else {
            self.classified.foreign.insert(id.as_str().to_owned());
            if names::is_upstream(&name) && !of_module {
                self.missing.push(block);
            } else if !of_module {
                self.diagnostics.push(unknown(&block, self.vocabulary));
            }
            return;
        };
        let before = self.diagnostics.len();
        if definition.needs_label() && label.is_none() {
            let message = format!("component {name:?} must have a label");
            self.diagnostics.push(Diagnostic::error(block.name_location(), message));
        }
        let (stability, minimum) = (definition.stability(), self.vocabulary.minimum_stability);
        if stability < minimum {
            let what = format!("component {name:?}");
            self.diagnostics.push(stability_error(block.name_location(), &what, stability, minimum));
        }
        let Some(body) = block.body() else { return };
        if self.purpose == Purpose::Validate && self.diagnostics.len() == before {
            self.diagnostics.extend(check::block(definition.schema(), &block, &Known::written_out()));
        }
        self.classified.nodes.insert(id, Node::new(*definition, block, body));
    }

    /// Notes where an id stands; complains about the second of its kind.
    fn is_first(&mut self, id: &str, block: &Block) -> bool {
        let name = block.name_location();
        let end = name.span.start.saturating_add(id.len() as u32).min(name.source.text().len() as u32);
        let at = Location::new(&name.source, Span::new(name.span.start, end));
        if let Some(first) = self.declared.get(id) {
            let message = format!("block {id} already declared at {first}");
            self.diagnostics.push(Diagnostic::error(at, message).with_related(first.clone(), "the first one"));
            return false;
        }
        self.declared.insert(id.to_owned(), at);
        true
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
    for block in &blocks[1..] {
        diagnostic = diagnostic.with_related(block.name_location(), block.name());
    }
    diagnostic
}

fn times(name: &str, count: usize) -> String {
    if count == 1 { name.to_owned() } else { format!("{name} ({count} times)") }
}
