//! Turns `bpf/include/*.def` into Rust enums, so that a counter or a reason is named once for both sides.
use std::{env, fmt::Write as _, fs, path::Path};

fn main() {
    let include = Path::new(&env::var("CARGO_MANIFEST_DIR").expect("set by cargo")).join("../../bpf/include");
    let mut out = String::new();
    for (file, call, name, doc) in [
        (
            "counters.def",
            "COUNTER",
            "Counter",
            "A counter of the kernel side; its number is the index in the `counters` map.",
        ),
        ("ends.def", "END", "WalkEnd", "How the walk of a user stack ended."),
    ] {
        let path = include.join(file);
        println!("cargo:rerun-if-changed={}", path.display());
        let text = fs::read_to_string(&path).expect("bpf/include is part of the repository");
        let rows = text.lines().filter_map(|line| row(line, call));
        emit(&mut out, name, doc, rows.collect());
    }
    let path = Path::new(&env::var("OUT_DIR").expect("set by cargo")).join("defs.rs");
    fs::write(path, out).expect("OUT_DIR is writable");
}

/// `CALL(name, …, "text")` as (name, complete, text); other lines are comments.
fn row(line: &str, call: &str) -> Option<(String, bool, String)> {
    let inner = line.trim().strip_prefix(call)?.strip_prefix('(')?.strip_suffix(')')?;
    let (head, text) = inner.split_once('"')?;
    let mut head = head.split(',').map(str::trim);
    let name = head.next()?.to_owned();
    let complete = head.next() == Some("1");
    Some((name, complete, text.trim_end_matches('"').to_owned()))
}

fn emit(out: &mut String, name: &str, doc: &str, rows: Vec<(String, bool, String)>) {
    let mut put = |s: String| writeln!(out, "{s}").expect("writing to a String");
    put(format!(
        "/// {doc}\n#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]\n#[repr(u8)]\npub enum {name} {{"
    ));
    for (row, _, text) in &rows {
        put(format!("    /// {text}\n    {},", camel(row)));
    }
    put(format!(
        "}}\n\nimpl {name} {{\n    /// All of them, in the order of their numbers.\n    pub const ALL: [Self; {}] = [",
        rows.len()
    ));
    for (row, _, _) in &rows {
        put(format!("        Self::{},", camel(row)));
    }
    put("    ];\n\n    /// The name in metrics.\n    pub fn name(self) -> &'static str {\n        match self {".into());
    for (row, _, _) in &rows {
        put(format!("            Self::{} => {row:?},", camel(row)));
    }
    put("        }\n    }\n\n    /// What one unit of it means.\n    pub fn text(self) -> &'static str {\n        match self {".into());
    for (row, _, text) in &rows {
        put(format!("            Self::{} => {text:?},", camel(row)));
    }
    put("        }\n    }\n".into());
    if name == "WalkEnd" {
        put("    /// Whether the walk reached what it could be expected to reach.\n    pub fn complete(self) -> bool {\n        match self {".into());
        for (row, complete, _) in &rows {
            put(format!("            Self::{} => {complete},", camel(row)));
        }
        put("        }\n    }\n".into());
    }
    put("    /// The one with this number.\n    pub fn from_number(number: usize) -> Option<Self> {\n        Self::ALL.get(number).copied()\n    }\n}\n".into());
}

fn camel(snake: &str) -> String {
    snake.split('_').map(|word| word[..1].to_uppercase() + &word[1..]).collect()
}
