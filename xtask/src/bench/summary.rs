//! Medians and how they are printed and kept.

use std::fmt;
use std::path::Path;

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

/// What a run of the benchmarks found, one line a figure.
pub(super) struct Results {
    lines: Vec<serde_json::Value>,
}

impl Results {
    pub(super) fn new() -> Self {
        Self { lines: Vec::new() }
    }

    /// Prints a figure and keeps it.
    pub(super) fn add(&mut self, row: &str, figure: &str, value: impl fmt::Display) {
        let value = value.to_string();
        println!("{row:8} {figure}: {value}");
        self.lines.push(serde_json::json!({ "row": row, "figure": figure, "value": value }));
    }

    /// Writes all of them, a JSON object a line.
    pub(super) fn write(&self, path: &Path) -> anyhow::Result<()> {
        let text: String = self.lines.iter().map(|line| format!("{line}\n")).collect();
        std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::Summary;

    #[test]
    fn the_median_of_an_even_count_lies_between_the_two_in_the_middle() {
        assert_eq!(Summary::of(vec![4.0, 1.0, 2.0, 3.0]).to_string(), "2.50 (1.00–4.00, n = 4)");
        assert_eq!(Summary::of(vec![30.0, 10.0, 20.0]).to_string(), "20.0 (10.0–30.0, n = 3)");
    }
}
