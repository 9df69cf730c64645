//! `relabel`: targets through the rules of a `discovery.relabel`.

use components::discovery::relabel::{Arguments, Relabeler};
use lang::{
    decode::decode_body,
    eval::Scope,
    source::Source,
    stdlib::{Host, Stdlib},
    syntax::parse_file,
    value::Value,
};
use serde_json::{Map, Value as Json};

use super::case::{Case, Line};

/// What the component would export, or the diagnostics.
pub(super) fn answer(case: &Case) -> Result<Vec<Line>, String> {
    let (targets, rules) = (case.text("targets")?, case.text("rules")?);
    let source = Source::new("in.alloy", format!("targets = {targets}\n{rules}\n"));
    let (ok, mut lines) = match relabel(&source) {
        Ok(output) => (true, vec![Line::new("output", output.to_string())]),
        // Places are those of our own file around the rules: told only to a case that asks for them.
        Err(_) if case.fields.get("errors").is_none() => (false, Vec::new()),
        Err(errors) => (false, errors.into_iter().map(|error| Line::new("errors", error)).collect()),
    };
    lines.push(Line::new("ok", ok.to_string()));
    Ok(lines)
}

fn relabel(source: &std::sync::Arc<Source>) -> Result<Json, Vec<String>> {
    let shown = |errors: Vec<lang::diagnostic::Diagnostic>| errors.iter().map(ToString::to_string).collect::<Vec<_>>();
    let parsed = parse_file(source);
    if !parsed.diagnostics.is_empty() {
        return Err(shown(parsed.diagnostics));
    }
    let body = parsed.file.body().ok_or_else(|| vec!["the text has no body".to_owned()])?;
    let scope = Scope::new(Stdlib::new(Host::default()), Vec::<(String, Value)>::new());
    let arguments: Arguments = decode_body(&body, &scope).map_err(shown)?;
    let output = Relabeler::default().update(&arguments.rule, &arguments.targets);
    let label = |(name, value): (&str, &str)| (name.to_owned(), Json::from(value));
    let targets = output.iter().map(|(_, labels)| labels.iter().map(label).collect::<Map<_, _>>());
    Ok(targets.map(Json::Object).collect())
}
