//! What each operation does with a case.

use lang::conformance::{self, Answer};

use super::{
    case::{Case, Line},
    labels, relabel,
};

/// Our answer, sorted by field; an error for an operation that we do not have.
pub(super) fn answer(case: &Case) -> Result<Vec<Line>, String> {
    let mut lines = match case.op.as_str() {
        "eval" => language(case, conformance::eval)?,
        "tokens" => language(case, conformance::tokens)?,
        "fmt" => language(case, conformance::format)?,
        "relabel" => relabel::answer(case)?,
        "labels" => labels::answer(case)?,
        other => return Err(format!("there is no operation {other:?} here")),
    };
    lines.sort_by(|a, b| a.field.cmp(&b.field));
    Ok(lines)
}

fn language(case: &Case, answer: fn(&str) -> Answer) -> Result<Vec<Line>, String> {
    let answer = answer(case.text("input")?);
    let mut lines = Vec::new();
    lines.extend(answer.errors.into_iter().map(|error| Line::new("errors", error)));
    lines.extend(answer.kind.map(|kind| Line::new("kind", kind)));
    lines.push(Line::new("ok", answer.ok.to_string()));
    lines.extend(answer.output.map(|output| Line::new("output", output)));
    lines.extend(answer.ty.map(|ty| Line::new("type", ty)));
    Ok(lines)
}
