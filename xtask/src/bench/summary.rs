//! Medians and how they are printed and kept.

use std::fmt::{self, Write as _};
use std::path::PathBuf;

use anyhow::Context as _;

/// Several measurements of one thing.
#[derive(Debug, Clone)]
pub(super) struct Summary {
    sorted: Vec<f64>,
}

impl Summary {
    /// Panics on none at all: a row measures something or fails.
    pub(super) fn of(mut values: Vec<f64>) -> Self {
        assert!(!values.is_empty(), "nothing was measured");
        values.sort_by(f64::total_cmp);
        Self { sorted: values }
    }

    pub(super) fn median(&self) -> f64 {
        let middle = self.sorted.len() / 2;
        if self.sorted.len() % 2 == 1 {
            self.sorted[middle]
        } else {
            f64::midpoint(self.sorted[middle - 1], self.sorted[middle])
        }
    }

    fn least(&self) -> f64 {
        self.sorted[0]
    }

    fn most(&self) -> f64 {
        self.sorted[self.sorted.len() - 1]
    }
}

/// `median (least–most, n)`.
impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places = if self.median() < 10.0 { 2 } else { 1 };
        let (median, least, most) = (self.median(), self.least(), self.most());
        write!(f, "{median:.places$} ({least:.places$}–{most:.places$}, n = {})", self.sorted.len())
    }
}

/// What a figure is to reach.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reach {
    AtMost(f64),
    AtLeast(f64),
}

impl Reach {
    fn is_met(self, value: f64) -> bool {
        match self {
            Self::AtMost(limit) => value <= limit,
            Self::AtLeast(limit) => value >= limit,
        }
    }
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtMost(limit) => write!(f, "≤ {limit}"),
            Self::AtLeast(limit) => write!(f, "≥ {limit}"),
        }
    }
}

/// What a run of the benchmarks found, one line a figure.
pub(super) struct Results {
    path: PathBuf,
    lines: Vec<serde_json::Value>,
}

impl Results {
    /// Kept at `path`, in place of earlier figures of the same rows.
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, lines: Vec::new() }
    }

    /// Prints a figure and keeps it.
    pub(super) fn add(&mut self, row: &str, figure: &str, value: impl fmt::Display) {
        let value = value.to_string();
        println!("{row:8} {figure}: {value}");
        self.lines.push(serde_json::json!({ "row": row, "figure": figure, "value": value }));
    }

    /// The same for a figure that is to reach something: `number` is what is compared, `value` what is shown.
    pub(super) fn judge(&mut self, row: &str, figure: &str, number: f64, value: impl fmt::Display, reach: Reach) {
        let (value, met) = (value.to_string(), reach.is_met(number));
        println!("{row:8} {figure}: {value}, to reach {reach}: {}", word(met));
        self.lines.push(serde_json::json!({
            "row": row, "figure": figure, "value": value, "reach": reach.to_string(), "met": met,
        }));
    }

    /// Judges a number by itself.
    pub(super) fn reach(&mut self, row: &str, figure: &str, number: f64, reach: Reach) {
        self.judge(row, figure, number, Rounded(number), reach);
    }

    /// Judges the median of several.
    pub(super) fn reach_median(&mut self, row: &str, figure: &str, values: Vec<f64>, reach: Reach) {
        let summary = Summary::of(values);
        self.judge(row, figure, summary.median(), &summary, reach);
    }

    /// Writes all of them, a JSON object a line, after those of the rows that did not run now.
    pub(super) fn write(&self) -> anyhow::Result<()> {
        let before = std::fs::read_to_string(&self.path).unwrap_or_default();
        let row_of = |line: &serde_json::Value| line["row"].as_str().map(str::to_owned);
        let others = before.lines().filter(|line| {
            let row = serde_json::from_str(line).ok().and_then(|line| row_of(&line));
            row.is_some() && self.lines.iter().all(|line| row_of(line) != row)
        });
        let text: String =
            others.map(|line| format!("{line}\n")).chain(self.lines.iter().map(|line| format!("{line}\n"))).collect();
        std::fs::write(&self.path, text).with_context(|| format!("cannot write {}", self.path.display()))
    }

    /// The figures that are to reach something, as a table.
    pub(super) fn summary(&self) -> String {
        let mut table = String::new();
        for line in self.lines.iter().filter(|line| !line["reach"].is_null()) {
            let text = |key: &str| line[key].as_str().unwrap_or_default();
            let met = word(line["met"].as_bool().unwrap_or_default());
            let (row, figure, value, reach) = (text("row"), text("figure"), text("value"), text("reach"));
            _ = writeln!(table, "| `{row}` | {figure} | {reach} | {value} | {met} |");
        }
        if table.is_empty() {
            table
        } else {
            format!("\n| row | figure | reach | measured | |\n|---|---|---|---|---|\n{table}")
        }
    }
}

fn word(met: bool) -> &'static str {
    if met { "met" } else { "missed" }
}

/// Three places for what is small, none for what is large.
struct Rounded(f64);

impl fmt::Display for Rounded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places = match self.0.abs() {
            ..1.0 => 3,
            ..100.0 => 2,
            ..1000.0 => 1,
            _ => 0,
        };
        write!(f, "{:.places$}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::{Reach, Results, Rounded, Summary};

    #[test]
    fn the_median_of_an_even_count_lies_between_the_two_in_the_middle() {
        assert_eq!(Summary::of(vec![4.0, 1.0, 2.0, 3.0]).to_string(), "2.50 (1.00–4.00, n = 4)");
        assert_eq!(Summary::of(vec![30.0, 10.0, 20.0]).to_string(), "20.0 (10.0–30.0, n = 3)");
    }

    #[test]
    fn a_row_that_ran_again_takes_the_place_of_its_figures() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("results.jsonl");
        let mut first = Results::new(path.clone());
        first.add("walk", "a", 1);
        first.reach("cpu", "b", 12.0, Reach::AtMost(10.0));
        first.write().expect("written");
        let mut second = Results::new(path.clone());
        second.reach_median("walk", "c", vec![3.0], Reach::AtLeast(2.0));
        second.write().expect("written");
        let kept = std::fs::read_to_string(path).expect("there");
        let kept: Vec<serde_json::Value> =
            kept.lines().map(|line| serde_json::from_str(line).expect("an object")).collect();
        assert_eq!(kept.len(), 2, "{kept:?}");
        assert_eq!((&kept[0]["figure"], &kept[0]["met"]), (&"b".into(), &false.into()));
        assert_eq!((&kept[1]["figure"], &kept[1]["met"]), (&"c".into(), &true.into()));
        assert!(first.summary().ends_with("| `cpu` | b | ≤ 10 | 12.00 | missed |\n"), "{}", first.summary());
    }

    #[test]
    fn a_number_has_the_places_that_it_needs() {
        let shown = [0.0312, 4.5678, 456.78, 12345.6].map(|number| Rounded(number).to_string());
        assert_eq!(shown, ["0.031", "4.57", "456.8", "12346"]);
    }
}
