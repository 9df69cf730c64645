//! Diagnostics for a terminal: a headline and the lines around the place, with carets below.

use std::{borrow::Cow, fmt::Write as _};

use crate::{
    diagnostic::{Diagnostic, Severity},
    golang::chars::first_char,
    secrets,
    source::{Location, Position, Span},
};

/// Renders diagnostics with a blank line between two of them. `colour` adds ANSI escapes.
///
/// ```
/// use lang::{render::render, source::Source, syntax::parse_file};
///
/// let parsed = parse_file(&Source::new("main.alloy", "a = \"x"));
/// assert_eq!(render(&parsed.diagnostics, false), "\
/// Error: main.alloy:1:5: string literal not terminated
///
/// 1 | a = \"x
///   |     ^
/// ");
/// ```
pub fn render(diagnostics: &[Diagnostic], colour: bool) -> String {
    let mut out = String::new();
    for (at, diagnostic) in diagnostics.iter().enumerate() {
        if at > 0 {
            out.push('\n');
        }
        render_one(diagnostic, colour, &mut out);
    }
    out
}

fn render_one(diagnostic: &Diagnostic, colour: bool, out: &mut String) {
    let severity = diagnostic.severity;
    // Writing to a String cannot fail.
    let _ = if colour {
        let paint = if severity == Severity::Error { "\x1b[1;31m" } else { "\x1b[1;33m" };
        writeln!(out, "{paint}{severity}: \x1b[0m\x1b[1m{diagnostic}\x1b[0m")
    } else {
        writeln!(out, "{severity}: {diagnostic}")
    };
    if let Some(location) = diagnostic.location() {
        out.push('\n');
        excerpt(location, out);
    }
    for (location, message) in &diagnostic.related {
        let _ = writeln!(out, "\nnote: {location}: {message}\n");
        excerpt(location, out);
    }
    if let Some(help) = &diagnostic.help {
        let _ = writeln!(out, "\nhelp: {help}");
    }
}

/// The lines of a place with one more above and below. Secrets among them do not show.
fn excerpt(location: &Location, out: &mut String) {
    let (start, last) = (location.start(), location.last());
    let first_line = start.line.saturating_sub(1).max(1);
    let last_line = (last.line + 1).min(location.source.line_count());
    let margin = last_line.to_string().len();
    let multi_line = start.line != last.line;
    let secrets = secrets::spans(location.source.text());
    for number in first_line..=last_line {
        let line = cells(location.source.line(number), location.source.line_start(number), &secrets);
        let gutter = match multi_line {
            false => "",
            true if number > start.line && number <= last.line => "| ",
            true => "  ",
        };
        let text: String = line.iter().map(|cell| &*cell.text).collect();
        let _ = writeln!(out, "{number:>margin$} | {gutter}{text}");
        let carets = match multi_line {
            false if number == start.line => carets_within(&line, start, last),
            true if number == start.line => carets_from(&line, start),
            true if number == last.line => carets_to(&line, last),
            _ => continue,
        };
        let _ = writeln!(out, "{:>margin$} | {carets}", "");
    }
}

/// A character of a line.
struct Cell {
    /// Its first byte, from 1.
    column: u32,
    /// What is printed: tabs become four blanks, carriage returns nothing, a secret one phrase.
    text: Cow<'static, str>,
    /// How many marks stand below it.
    width: usize,
    /// Whether it is a tab, below which no caret stands.
    tab: bool,
}

fn cells(mut line: &[u8], start: u32, secrets: &[Span]) -> Vec<Cell> {
    let mut cells = Vec::with_capacity(line.len());
    let mut column = 1;
    while let Some((c, width)) = first_char(line) {
        let at = start + column - 1;
        let secret = secrets.iter().find(|secret| secret.range().contains(&(at as usize)));
        let (text, width_shown, tab): (Cow<'static, str>, _, _) = match (secret, c) {
            (Some(secret), _) if column == 1 || at == secret.start => {
                (secrets::SHOWN.into(), secrets::SHOWN.len(), false)
            }
            (Some(_), _) => ("".into(), 0, false),
            (None, Some('\t' | '\x0b')) => ("    ".into(), 4, true),
            (None, Some('\r')) => ("".into(), 1, false),
            (None, Some(c)) => (c.to_string().into(), 1, false),
            (None, None) => ("\u{fffd}".into(), 1, false),
        };
        cells.push(Cell { column, text, width: width_shown, tab });
        line = &line[width..];
        column += width as u32;
    }
    cells
}

fn carets_within(line: &[Cell], start: Position, last: Position) -> String {
    let within = line.iter().take_while(|cell| cell.column <= last.column);
    within.map(|cell| if cell.tab || cell.column < start.column { " " } else { "^" }.repeat(cell.width)).collect()
}

fn carets_from(line: &[Cell], start: Position) -> String {
    let marks = line.iter().map(|cell| match (cell.column >= start.column, cell.tab) {
        (false, _) => "_".repeat(cell.width),
        (true, true) => "^".to_owned(),
        (true, false) => "^".repeat(cell.width),
    });
    std::iter::once(" _".to_owned()).chain(marks).collect()
}

fn carets_to(line: &[Cell], last: Position) -> String {
    let within = line.iter().take_while(|cell| cell.column <= last.column);
    let marks = within.map(|cell| if cell.tab { "_" } else { "^" }.repeat(cell.width));
    std::iter::once("|_".to_owned()).chain(marks).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        diagnostic::Place,
        source::{Source, Span},
    };

    #[track_caller]
    fn check(text: &str, span: Span, expect: &str) {
        let diagnostic = Diagnostic::error(Location::new(&Source::new("f.alloy", text), span), "wrong");
        assert_eq!(render(&[diagnostic], false), expect);
    }

    #[test]
    fn one_line_gets_carets_under_the_span() {
        check(
            "a\n\tbé = 1\nc\n",
            Span::new(3, 6),
            "Error: f.alloy:2:2: wrong\n\n1 | a\n2 |     bé = 1\n  |     ^^\n3 | c\n",
        );
    }

    #[test]
    fn a_point_at_the_end_has_no_caret() {
        check("(1", Span::point(2), "Error: f.alloy:1:3: wrong\n\n1 | (1\n  |   \n");
        check("", Span::point(0), "Error: f.alloy:1:1: wrong\n\n1 | \n  | \n");
    }

    #[test]
    fn several_lines_are_bracketed() {
        let expect = "Error: f.alloy:1:5: wrong\n\n1 |   a = b {\n  |  _____^^^\n2 | | }\n  | |_^\n3 |   \n";
        check("a = b {\n}\n", Span::new(4, 9), expect);
    }

    #[test]
    fn the_margin_is_as_wide_as_the_last_number() {
        let text = "\n".repeat(9) + "x\n";
        let expect = "Error: f.alloy:9:1: wrong\n\n 8 | \n 9 | \n   | \n10 | x\n";
        check(&text, Span::point(8), expect);
    }

    #[test]
    fn secrets_do_not_show_and_what_is_behind_them_keeps_its_carets() {
        let text = "a {\n  password = \"hunter2\"\n  b = 1\n}";
        let expect = "Error: f.alloy:3:3: wrong\n\n2 |   password = (secret)\n3 |   b = 1\n  |   ^\n4 | }\n";
        check(text, Span::new(29, 30), expect);
        let expect =
            "Error: f.alloy:1:28: wrong\n\n1 | a { password = (secret), b = 1 }\n  |                          ^\n";
        check("a { password = \"hunter22\", b = 1 }", Span::new(27, 28), expect);
        let expect = "Error: f.alloy:2:1: wrong\n\n1 | password = (secret)\n2 | (secret)\n  | ^^^^^^^^\n";
        check("password = `one\ntwo`", Span::new(16, 17), expect);
        let expect = "Error: f.alloy:1:5: wrong\n\n1 | u = \"http://(secret)@host\" // x\n  |     ^\n";
        check("u = \"http://me:hush@host\" // x", Span::new(4, 5), expect);
        let expect = "Error: f.alloy:1:1: wrong\n\n1 | http_headers = { \"X-Scope\" = [(secret)] }\n  | ^^^^^^^^^^^^\n";
        check("http_headers = { \"X-Scope\" = [\"hush\"] }", Span::new(0, 12), expect);
    }

    #[test]
    fn no_place_no_excerpt() {
        let cycle = Diagnostic::new(Severity::Error, Place::Unknown, "cycle: a, b");
        assert_eq!(render(&[cycle], false), "Error: -: cycle: a, b\n");
    }

    #[test]
    fn help_and_other_places_follow() {
        let source = Source::new("f.alloy", "a {}\na {}");
        let second = Diagnostic::warning(Location::new(&source, Span::new(5, 6)), "again")
            .with_related(Location::new(&source, Span::new(0, 1)), "first here")
            .with_help("remove one");
        assert!(
            render(std::slice::from_ref(&second), true).starts_with("\x1b[1;33mWarning: \x1b[0m\x1b[1mf.alloy:2:1: ")
        );
        insta::assert_snapshot!(render(&[second], false), @r"
        Warning: f.alloy:2:1: again

        1 | a {}
        2 | a {}
          | ^

        note: f.alloy:1:1: first here

        1 | a {}
          | ^
        2 | a {}

        help: remove one
        ");
    }
}
