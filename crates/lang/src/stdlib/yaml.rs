//! YAML to values, as yaml.v3 reads it into an `any`.
//!
//! libyaml's events become values; [`scalar`] decides what plain text means. Only the first document counts.

mod scalar;

use std::{
    collections::{BTreeMap, HashMap},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use libyaml_safer::{Error, ErrorKind, Event, EventData, Parser, ScalarStyle};

use crate::{
    golang::{json, quote::quote},
    value::{Capsule, Text, Value},
};

/// How deep lists and mappings may nest.
const MAX_DEPTH: usize = 200;

/// Reads the first document of a text; an empty one is null.
pub(super) fn read(text: &[u8]) -> Result<Value, String> {
    let mut input = text;
    let mut parser = Parser::new();
    parser.set_input_string(&mut input);
    let mut reader = Reader { parser, anchors: HashMap::new(), depth: 0, repeated: Vec::new() };
    loop {
        let event = reader.next()?;
        match event.data {
            EventData::StreamStart { .. } | EventData::DocumentStart { .. } => {}
            EventData::StreamEnd => return Ok(Value::Null),
            _ => {
                let value = reader.value(event)?;
                // What stands right behind the document has to be readable too.
                reader.next()?;
                return match reader.repeated.as_slice() {
                    [] => Ok(value),
                    repeated => Err(format!("yaml: unmarshal errors:\n  {}", repeated.join("\n  "))),
                };
            }
        }
    }
}

/// A mapping with keys that are no strings: nothing in the language looks inside.
struct Mapping(Arc<BTreeMap<Text, Value>>);

impl Capsule for Mapping {
    fn type_name(&self) -> &'static str {
        "map[interface {}]interface {}"
    }

    fn plain(&self) -> Option<Value> {
        Some(Value::Object(Arc::clone(&self.0)))
    }
}

struct Reader<'r, 'b> {
    parser: Parser<&'b mut &'r [u8]>,
    /// Finished values by anchor; nothing while one is still being read.
    anchors: HashMap<String, Option<Value>>,
    depth: usize,
    /// Keys that stand twice in a mapping.
    repeated: Vec<String>,
}

/// A mapping while it is read.
#[derive(Default)]
struct Entries {
    fields: BTreeMap<Text, Value>,
    /// The line of each key.
    lines: HashMap<Text, u64>,
    merged: Vec<Value>,
    has_other_keys: bool,
}

impl Reader<'_, '_> {
    /// The next event. The parser panics on some texts, such as a tag with a comma behind it; that is an error like
    /// any other, and nobody asks it again afterwards.
    fn next(&mut self) -> Result<Event, String> {
        match catch_unwind(AssertUnwindSafe(|| self.parser.parse())) {
            Ok(event) => event.map_err(|error| describe(&error)),
            Err(_) => Err("yaml: the text cannot be read".to_owned()),
        }
    }

    /// The value that begins with an event.
    fn value(&mut self, event: Event) -> Result<Value, String> {
        match event.data {
            EventData::Alias { anchor } => match self.anchors.get(&anchor) {
                Some(Some(value)) => Ok(value.clone()),
                Some(None) => Err(format!("yaml: anchor '{anchor}' value contains itself")),
                None => Err(format!("yaml: unknown anchor '{anchor}' referenced")),
            },
            EventData::Scalar { anchor, tag, value, style, .. } => {
                let plain = style == ScalarStyle::Plain;
                let value = scalar::resolve(&value, tag.as_deref(), plain, event.start_mark.line + 1)?;
                if let Some(anchor) = anchor {
                    self.anchors.insert(anchor, Some(value.clone()));
                }
                Ok(value)
            }
            EventData::SequenceStart { anchor, .. } => self.nested(anchor, Self::sequence),
            EventData::MappingStart { anchor, .. } => self.nested(anchor, Self::mapping),
            _ => Ok(Value::Null),
        }
    }

    fn nested(
        &mut self,
        anchor: Option<String>,
        read: fn(&mut Self) -> Result<Value, String>,
    ) -> Result<Value, String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err("yaml: exceeded max depth".to_owned());
        }
        if let Some(anchor) = &anchor {
            self.anchors.insert(anchor.clone(), None);
        }
        let value = read(self)?;
        if let Some(anchor) = anchor {
            self.anchors.insert(anchor, Some(value.clone()));
        }
        self.depth -= 1;
        Ok(value)
    }

    fn sequence(&mut self) -> Result<Value, String> {
        let mut values = Vec::new();
        loop {
            let event = self.next()?;
            if event.data == EventData::SequenceEnd {
                return Ok(Value::array(values));
            }
            values.push(self.value(event)?);
        }
    }

    fn mapping(&mut self) -> Result<Value, String> {
        let mut entries = Entries::default();
        loop {
            let event = self.next()?;
            if event.data == EventData::MappingEnd {
                break;
            }
            self.entry(event, &mut entries)?;
        }
        let mut fields = entries.fields;
        for merged in entries.merged {
            for (key, value) in merged.as_object().iter().flat_map(|object| object.iter()) {
                fields.entry(key.clone()).or_insert_with(|| value.clone());
            }
        }
        let fields = Arc::new(fields);
        Ok(if entries.has_other_keys { Value::capsule(Mapping(fields)) } else { Value::Object(fields) })
    }

    fn entry(&mut self, event: Event, entries: &mut Entries) -> Result<(), String> {
        let line = event.start_mark.line + 1;
        let is_merge = matches!(
            &event.data,
            EventData::Scalar { value, tag: None, style: ScalarStyle::Plain, .. } if value == "<<"
        );
        let key = self.value(event)?;
        let event = self.next()?;
        let value = self.value(event)?;
        if is_merge {
            match &value {
                Value::Object(_) => entries.merged.push(value),
                Value::Array(array) if array.iter().all(|element| matches!(element, Value::Object(_))) => {
                    entries.merged.extend(array.iter());
                }
                _ => return Err("yaml: map merge requires map or sequence of maps as the value".to_owned()),
            }
            return Ok(());
        }
        let name = match &key {
            Value::String(name) => name.clone(),
            other => {
                entries.has_other_keys = true;
                Text::from(json::write(other)?)
            }
        };
        if let Some(first) = entries.lines.insert(name.clone(), line) {
            let repeated = format!("line {line}: mapping key {} already defined at line {first}", quote(&name));
            self.repeated.push(repeated);
        }
        entries.fields.insert(name, value);
        Ok(())
    }
}

/// yaml.v3's text for an error of the parser: the context's line, unless it is the first, else the problem's.
fn describe(error: &Error) -> String {
    let marks = [error.context_mark(), error.problem_mark()];
    let line = marks.into_iter().flatten().map(|mark| mark.line).find(|line| *line != 0);
    let place = match line {
        Some(line) if error.kind() == ErrorKind::Scanner => format!("line {}: ", line + 1),
        Some(line) => format!("line {line}: "),
        None => String::new(),
    };
    format!("yaml: {place}{}", error.problem())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expect: &str) {
        let shown = read(text.as_bytes()).and_then(|value| json::write(&value));
        assert_eq!(shown.unwrap_or_else(|error| error), expect);
    }

    #[test]
    fn documents_become_values() {
        check("a: 1\nb: [x, \"1\", 1.5, yes, true, ~]", r#"{"a":1,"b":["x","1",1.5,"yes",true,null]}"#);
        check("", "null");
        check("# nothing", "null");
        check("a: 1\n---\nb: 2", r#"{"a":1}"#);
        check("a: &x {b: 1}\nc: *x\nd: {<<: *x, e: 2}", r#"{"a":{"b":1},"c":{"b":1},"d":{"b":1,"e":2}}"#);
        check("1: 2", r#"{"1":2}"#);
        check("t: |\n  a\n  b\n", r#"{"t":"a\nb\n"}"#);
    }

    #[test]
    fn errors_are_those_of_yaml_v3() {
        check("a: [", "yaml: line 1: did not find expected node content");
        check("a: b: c", "yaml: mapping values are not allowed in this context");
        check("a:\n  - b\n c: d", "yaml: line 2: did not find expected key");
        check("a: *x", "yaml: unknown anchor 'x' referenced");
        check("a: &x [*x]", "yaml: anchor 'x' value contains itself");
        check("[!a, b]", "yaml: the text cannot be read");
        check("a: 1\na: 2", "yaml: unmarshal errors:\n  line 2: mapping key \"a\" already defined at line 1");
        check(&"[".repeat(10_000), "yaml: exceeded max depth");
    }
}
