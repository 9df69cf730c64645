//! What a virtual machine said: the lines that `guest/init` writes.

use std::collections::BTreeMap;

use e2e::peer::Stack;
use serde_json::Value;

/// Everything is optional: a machine can end at any point.
#[derive(Debug, Default)]
pub(super) struct Answers {
    pub(super) kernel: Option<String>,
    pub(super) btf: Option<u64>,
    /// Seconds from the start of pyrope to the end of loading
    pub(super) loaded: Option<f64>,
    /// Stacks of each program, root first, with their time
    pub(super) stacks: BTreeMap<String, Vec<Stack>>,
    /// Last values, by name and labels
    pub(super) metrics: BTreeMap<String, u64>,
    pub(super) log: Vec<String>,
    /// Lines of the kernel's own log, since pyrope began, that tell of a fault in the kernel
    pub(super) complaints: Vec<String>,
    /// How many BPF programs, maps and links the kernel held before pyrope, while it ran, and after it, by these words
    pub(super) objects: BTreeMap<String, String>,
    /// The status with which pyrope left
    pub(super) exit: Option<i32>,
    /// Whether it came to the end
    pub(super) ended: bool,
}

impl Answers {
    pub(super) fn parse(text: &str) -> Self {
        let mut answers = Self::default();
        for line in text.lines() {
            let (kind, rest) = line.trim_end().split_once(' ').unwrap_or((line.trim_end(), ""));
            match kind {
                "kernel" => answers.kernel = Some(rest.to_owned()),
                "btf" => answers.btf = rest.parse().ok(),
                "loaded" => answers.loaded = rest.parse().ok(),
                "profile" => {
                    let (program, json) = rest.split_once(' ').unwrap_or((rest, ""));
                    let profile = serde_json::from_str(json).unwrap_or_default();
                    answers.stacks.insert(program.to_owned(), stacks(&profile));
                }
                "metric" => {
                    let (name, value) = rest.rsplit_once(' ').unwrap_or((rest, ""));
                    answers.metrics.extend(value.parse().ok().map(|value| (name.to_owned(), value)));
                }
                "log" => answers.log.push(rest.to_owned()),
                "complaint" => answers.complaints.push(rest.to_owned()),
                "objects" => {
                    let (when, counts) = rest.split_once(' ').unwrap_or((rest, ""));
                    answers.objects.insert(when.to_owned(), counts.to_owned());
                }
                "exit" => answers.exit = rest.parse().ok(),
                "end" => answers.ended = true,
                _ => {}
            }
        }
        answers
    }

    /// A number that the last line of the log with this text has under `key`.
    pub(super) fn logged(&self, text: &str, key: &str) -> Option<u64> {
        let line = self.log.iter().rfind(|line| line.contains(text))?;
        line.split_whitespace().find_map(|word| word.strip_prefix(key)?.strip_prefix('=')?.parse().ok())
    }

    /// The metrics of this name: what is in quotes after `label=`, and the value.
    pub(super) fn labelled<'a>(&'a self, name: &str, label: &str) -> impl Iterator<Item = (&'a str, u64)> {
        let (name, label) = (format!("{name}{{"), format!("{label}=\""));
        self.metrics.iter().filter(move |(key, _)| key.starts_with(&name)).filter_map(move |(key, value)| {
            let (_, rest) = key.split_once(&label)?;
            Some((rest.split('"').next()?, *value))
        })
    }
}

/// The stacks of a pprof in the JSON of protobuf, where numbers of 64 bits are texts and zeros are left out.
fn stacks(profile: &Value) -> Vec<Stack> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let number = |value: &Value| value.as_str().and_then(|text| text.parse::<i64>().ok()).unwrap_or_default();
    let texts = list(&profile["stringTable"]);
    let text = |at: &Value| texts.get(number(at) as usize).and_then(Value::as_str).unwrap_or_default().to_owned();
    let names: BTreeMap<i64, String> =
        list(&profile["function"]).iter().map(|function| (number(&function["id"]), text(&function["name"]))).collect();
    let places: BTreeMap<i64, Vec<String>> = list(&profile["location"])
        .iter()
        .map(|place| {
            let lines = list(&place["line"]);
            let functions = lines.iter().filter_map(|line| names.get(&number(&line["functionId"])).cloned());
            (number(&place["id"]), functions.collect())
        })
        .collect();
    list(&profile["sample"])
        .iter()
        .map(|sample| {
            let leaf_first = list(&sample["locationId"]);
            let frames = leaf_first.iter().filter_map(|id| places.get(&number(id))).flatten().cloned();
            let mut frames: Vec<String> = frames.collect();
            frames.reverse();
            (frames, number(&sample["value"][0]))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_facts_whatever_ends_them_and_others_are_left_out() {
        let text = "kernel 6.1.0\r\nloaded 2.5\r\nsomething else\nmetric pyrope_x{a=\"1\",end=\"root\"} 7\n\
            log level=info msg=\"profiling session ended\" taken=12 open=0 balances=true\nexit 0\nend\n";
        let answers = Answers::parse(text);
        assert_eq!((answers.kernel.as_deref(), answers.btf, answers.loaded), (Some("6.1.0"), None, Some(2.5)));
        assert_eq!(answers.labelled("pyrope_x", "end").collect::<Vec<_>>(), [("root", 7)]);
        assert_eq!(answers.logged("session ended", "taken"), Some(12));
        assert_eq!((answers.exit, answers.ended), (Some(0), true));
    }

    #[test]
    fn stacks_are_read_root_first() {
        let text = r#"profile c {"sample":[{"locationId":["2","1"],"value":["30"]}],
            "location":[{"id":"1","line":[{"functionId":"1"}]},{"id":"2","line":[{"functionId":"2"}]}],
            "function":[{"id":"1","name":"1"},{"id":"2","name":"2"}],"stringTable":["","main","leaf"]}"#;
        let answers = Answers::parse(&text.replace('\n', " "));
        assert_eq!(answers.stacks["c"], [(vec!["main".to_owned(), "leaf".to_owned()], 30)]);
    }

    #[test]
    fn a_machine_that_says_nothing_leaves_nothing() {
        let answers = Answers::parse("profile c-deep not json\nexit");
        assert_eq!(answers.stacks["c-deep"], []);
        assert_eq!((answers.exit, answers.ended), (None, false));
    }
}
