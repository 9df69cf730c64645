//! From files to a graph that could run: who is there, who refers to whom, in which order.
//!
//! ```text
//! sources ─parse▶ top-level blocks ─classify▶ components, config blocks ─references▶ edges ─order▶ Plan
//! ```
//!
//! Nothing is evaluated and nothing runs. With any error among the diagnostics the plan has holes and is not used.

mod classify;
mod names;
mod order;
mod references;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use lang::{
    diagnostic::Diagnostic,
    source::{Location, Source},
    stdlib::Stdlib,
    syntax::{
        ast::{Block, Body},
        kind::Kind,
        parse_file,
    },
};

use crate::{Definition, Stability, id::ComponentId};

/// What a configuration can speak of.
#[derive(Clone)]
pub struct Vocabulary {
    /// The kinds of components there are.
    pub definitions: &'static [&'static dyn Definition],
    /// The functions there are.
    pub stdlib: Stdlib,
    /// What is less settled than this is refused.
    pub minimum_stability: Stability,
}

/// What the plan is for. The texts of some diagnostics differ, as upstream's do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Run,
    Validate,
}

/// A graph that could run.
#[derive(Default)]
pub(crate) struct Plan {
    pub(crate) nodes: BTreeMap<ComponentId, Node>,
    /// Every component once, after all that it refers to. Those of one level do not refer to each other.
    pub(crate) levels: Vec<Vec<ComponentId>>,
    /// The config blocks, by name.
    pub(crate) singles: BTreeMap<&'static str, Block>,
}

/// One component of a plan.
pub(crate) struct Node {
    pub(crate) definition: &'static dyn Definition,
    pub(crate) block: Block,
    pub(crate) body: Body,
    /// What the body says, without layout and comments: equal texts say the same.
    pub(crate) text: Arc<[u8]>,
    /// What its body takes from other components, in source order.
    pub(crate) references: Vec<Reference>,
    /// The components that it refers to.
    pub(crate) dependencies: BTreeSet<ComponentId>,
    /// The components that refer to it.
    pub(crate) dependants: BTreeSet<ComponentId>,
}

/// A chain of names that leads into another component's exports.
#[derive(Clone, Debug)]
pub(crate) struct Reference {
    pub(crate) to: ComponentId,
    /// The names behind the component's id.
    pub(crate) path: Vec<String>,
}

impl Node {
    fn new(definition: &'static dyn Definition, block: Block, body: Body) -> Self {
        Self {
            definition,
            block,
            text: text_of(&body).into(),
            body,
            references: Vec::new(),
            dependencies: BTreeSet::new(),
            dependants: BTreeSet::new(),
        }
    }
}

/// The tokens of a body, each with a zero behind it.
fn text_of(body: &Body) -> Vec<u8> {
    let node = body.node();
    let (tokens, span) = (node.tree().tokens(), node.span());
    let first = tokens.partition_point(|token| token.span.start < span.start);
    let mut text = Vec::new();
    for token in tokens[first..].iter().take_while(|token| token.span.end <= span.end) {
        // Ends of lines only separate what is separate without them.
        if !token.kind.is_trivia() && token.kind != Kind::Terminator {
            text.extend_from_slice(node.token_text(*token));
            text.push(0);
        }
    }
    text
}

/// Draws the plan of a configuration, and says what is wrong with it.
pub(crate) fn draw(sources: &[Arc<Source>], vocabulary: &Vocabulary, purpose: Purpose) -> (Plan, Vec<Diagnostic>) {
    let mut diagnostics = Vec::new();
    let mut bodies = Vec::new();
    for source in sources {
        let parsed = parse_file(source);
        diagnostics.extend(parsed.diagnostics);
        bodies.extend(parsed.file.body());
    }
    if diagnostics.iter().any(Diagnostic::is_error) {
        return (Plan::default(), diagnostics);
    }
    let mut classified = classify::classify(&bodies, vocabulary, purpose, &mut diagnostics);
    references::connect(&mut classified, vocabulary, &mut diagnostics);
    let mut plan = Plan { nodes: classified.nodes, levels: Vec::new(), singles: classified.singles };
    plan.levels = order::levels(&plan.nodes, purpose, &mut diagnostics);
    (plan, diagnostics)
}

/// The complaint about something that is less settled than allowed.
fn stability_error(at: Location, what: &str, stability: Stability, minimum: Stability) -> Diagnostic {
    let message = format!(
        "{what} is at stability level \"{stability}\", which is below the minimum allowed stability level \
         \"{minimum}\". Use --stability.level command-line flag to enable \"{stability}\" features"
    );
    Diagnostic::error(at, message)
}
