//! The rules of the files that a process has mapped.

use std::collections::HashMap;
use std::fs;

use elf::Elf;
use nix::unistd::Pid;
use pyrope_unwind::span::{Line, SPAN_BITS, search};
use pyrope_unwind::{Output, Rule, Rules, compile};

#[derive(Default)]
struct Spans(HashMap<u64, (usize, Vec<Line>)>);

impl Output for Spans {
    fn span(&mut self, number: u64, rows: usize, lines: &[Line]) {
        self.0.insert(number, (rows, lines.to_vec()));
    }
}

struct Mapping {
    start: u64,
    end: u64,
    offset: u64,
    path: String,
}

/// The files of one process.
pub(crate) struct Files {
    pid: Pid,
    mappings: Vec<Mapping>,
    compiled: HashMap<String, (Rules, Spans)>,
}

impl Files {
    pub(crate) fn of(pid: Pid) -> Self {
        Self { pid, mappings: Vec::new(), compiled: HashMap::new() }
    }

    fn read(&mut self) {
        let text = fs::read_to_string(format!("/proc/{}/maps", self.pid)).unwrap();
        let parse = |line: &str| {
            let mut words = line.split_whitespace();
            let (start, end) = words.next()?.split_once('-')?;
            let code = words.next()?.as_bytes()[2] == b'x';
            let number = |text| u64::from_str_radix(text, 16).ok();
            let offset = number(words.next()?)?;
            let path = words.nth(2).unwrap_or("").to_owned();
            code.then_some(Mapping { start: number(start)?, end: number(end)?, offset, path })
        };
        self.mappings = text.lines().filter_map(parse).collect();
    }

    fn mapping(&mut self, address: u64) -> Option<(String, u64)> {
        let find = |all: &[Mapping]| {
            let found = all.iter().find(|mapping| (mapping.start..mapping.end).contains(&address))?;
            Some((found.path.clone(), address - found.start + found.offset))
        };
        find(&self.mappings).or_else(|| {
            self.read();
            find(&self.mappings)
        })
    }

    /// Whether code may be there, and where it is: its file and the offset in it.
    pub(crate) fn place(&mut self, address: u64) -> Option<(String, u64)> {
        self.mapping(address)
    }

    /// The rule of an address; `None` where no file is.
    pub(crate) fn rule(&mut self, address: u64) -> Option<Rule> {
        let (path, offset) = self.mapping(address)?;
        if !path.starts_with('/') {
            return None;
        }
        let (rules, spans) = self.compiled.entry(path.clone()).or_insert_with(|| {
            let (elf, _) = Elf::parse(fs::read(&path).unwrap()).unwrap();
            let (mut rules, mut spans) = (Rules::default(), Spans::default());
            compile(&elf, &mut rules, &mut spans);
            (rules, spans)
        });
        let span = spans.0.get(&(offset >> SPAN_BITS));
        let number = span.map_or(0, |(rows, lines)| search(lines, *rows, (offset & 0x3fff) as u32));
        Some(rules.list()[usize::from(number)])
    }
}
