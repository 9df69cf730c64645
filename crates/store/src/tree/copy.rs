//! Frames from one dictionary to another.

use crate::dictionary::{Dictionary, Frame, Function, Mapping};
use crate::ingest::{address_name, named};

const ABSENT: u32 = u32::MAX;

/// Takes frames from one dictionary to another, each once.
pub(super) struct Copier {
    frames: Vec<u32>,
}

impl Copier {
    pub(super) fn new(from: &Dictionary) -> Self {
        Self { frames: vec![ABSENT; from.frames.len()] }
    }

    pub(super) fn frame(&mut self, to: &mut Dictionary, from: &Dictionary, id: u32) -> u32 {
        if self.frames[id as usize] == ABSENT {
            let frame = from.frames[id as usize];
            let mapping = frame.mapping.checked_sub(1).map_or(0, |mapping| {
                let mapping = from.mappings[mapping as usize];
                let file = to.strings.intern(from.strings.get(mapping.file));
                let build_id = to.strings.intern(from.strings.get(mapping.build_id));
                1 + to.mapping(Mapping { file, build_id, kernel: mapping.kernel })
            });
            let function = frame.function.checked_sub(1).map_or(0, |function| {
                let function = from.functions[function as usize];
                let name = to.strings.intern(from.strings.get(function.name));
                let file = to.strings.intern(from.strings.get(function.file));
                1 + to.function(Function { name, file, start_line: function.start_line })
            });
            self.frames[id as usize] = to.frame(Frame { mapping, function, ..frame });
        }
        self.frames[id as usize]
    }

    pub(super) fn name(&mut self, to: &mut Dictionary, from: &Dictionary, id: u32) -> u32 {
        if self.frames[id as usize] == ABSENT {
            let frame = from.frames[id as usize];
            self.frames[id as usize] = match frame.function.checked_sub(1) {
                Some(function) => named(to, from.strings.get(from.functions[function as usize].name)),
                None => {
                    let mapping = frame.mapping.checked_sub(1).map(|mapping| from.mappings[mapping as usize]);
                    let file = mapping.map_or("", |mapping| from.strings.get(mapping.file));
                    named(to, &address_name(file, frame.place))
                }
            };
        }
        self.frames[id as usize]
    }
}
