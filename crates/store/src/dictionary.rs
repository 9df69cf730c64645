//! What the samples of a partition are made of: strings, mappings, functions, frames, and the trie of stacks.

use std::hash::{BuildHasher, Hash};
use std::sync::Arc;

use hashbrown::{DefaultHashBuilder, HashMap, HashTable, hash_table::Entry};

use crate::codec::{Damaged, Reader, put};
use crate::strings::Strings;

/// The most nodes and frames of a partition; what comes after belongs into the next one. This bounds the memory of a
/// dictionary to about 20 MB.
pub(crate) const MAX_NODES: usize = 1 << 19;
pub(crate) const MAX_FRAMES: usize = 1 << 18;

/// The root of the trie: the empty stack.
pub(crate) const ROOT: u32 = 0;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Mapping {
    pub(crate) file: u32,
    pub(crate) build_id: u32,
    pub(crate) kernel: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Function {
    pub(crate) name: u32,
    pub(crate) file: u32,
    pub(crate) start_line: u32,
}

/// A frame; mapping and function are their id + 1, or 0 for none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Frame {
    pub(crate) mapping: u32,
    pub(crate) function: u32,
    /// The line when it has a function, else the address.
    pub(crate) place: u64,
    pub(crate) inlined: bool,
}

pub(crate) struct Dictionary {
    pub(crate) strings: Strings,
    pub(crate) mappings: Vec<Mapping>,
    pub(crate) functions: Vec<Function>,
    pub(crate) frames: Vec<Frame>,
    /// The trie by node: its parent, which is smaller, and its frame. Node 0 is the root; its frame means nothing.
    pub(crate) parents: Vec<u32>,
    pub(crate) node_frames: Vec<u32>,
    index: Option<Index>,
}

/// Finds ids by value; needed only to write.
struct Index {
    mappings: HashTable<u32>,
    functions: HashTable<u32>,
    frames: HashTable<u32>,
    nodes: NodeIndex,
    shared: HashMap<SharedFunction, Kept>,
    hasher: DefaultHashBuilder,
}

/// Finds the child of a node. Where stacks part, most of what follows is new and has one child: that one is found
/// without a hash, and is added by writing to the end of a list.
struct NodeIndex {
    /// The first child of each node, or [`ROOT`].
    first: Vec<u32>,
    /// Every other child, by parent and frame.
    later: HashTable<u32>,
}

/// A function by the addresses of its shared texts: one window after the other brings the same ones, and comparing
/// addresses is several times cheaper than hashing long names.
#[derive(PartialEq, Eq, Hash)]
struct SharedFunction {
    name: usize,
    file: usize,
    start_line: u32,
}

/// The id of a shared function, and its texts: while they are held, their addresses cannot become those of others.
struct Kept {
    id: u32,
    _texts: [Arc<str>; 2],
}

/// How many shared functions are remembered: less than 1 MB.
const MAX_SHARED: usize = 8192;

/// How long the lists were at some moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    strings: usize,
    mappings: usize,
    functions: usize,
    frames: usize,
    nodes: usize,
}

fn node_hash(parent: u32, frame: u32) -> u64 {
    let key = u64::from(parent) << 32 | u64::from(frame);
    let product = u128::from(key ^ 0x9e37_79b9_7f4a_7c15) * 0xa076_1d64_78bd_642f_u128;
    (product >> 64) as u64 ^ product as u64
}

fn intern<T: Copy + PartialEq + Hash>(
    table: &mut HashTable<u32>,
    list: &mut Vec<T>,
    hasher: &DefaultHashBuilder,
    value: T,
) -> u32 {
    let hash = hasher.hash_one(value);
    if let Some(id) = table.find(hash, |id| list[*id as usize] == value) {
        return *id;
    }
    let id = list.len() as u32;
    list.push(value);
    table.insert_unique(hash, id, |id| hasher.hash_one(list[*id as usize]));
    id
}

fn index_of<T: Copy + Hash>(list: &[T], hasher: &DefaultHashBuilder) -> HashTable<u32> {
    let mut table = HashTable::with_capacity(list.len());
    for (id, value) in list.iter().enumerate() {
        table.insert_unique(hasher.hash_one(value), id as u32, |id| hasher.hash_one(list[*id as usize]));
    }
    table
}

impl Dictionary {
    pub(crate) fn new() -> Self {
        Self {
            strings: Strings::new(),
            mappings: Vec::new(),
            functions: Vec::new(),
            frames: Vec::new(),
            parents: vec![ROOT],
            node_frames: vec![0],
            index: None,
        }
    }

    pub(crate) fn nodes(&self) -> usize {
        self.parents.len()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.nodes() >= MAX_NODES || self.frames.len() >= MAX_FRAMES
    }

    /// Bytes on the heap, about.
    pub(crate) fn heap(&self) -> usize {
        let index = self.index.as_ref().map_or(0, |index| {
            5 * (index.mappings.capacity()
                + index.functions.capacity()
                + index.frames.capacity()
                + index.nodes.later.capacity())
                + 4 * index.nodes.first.capacity()
                + 72 * index.shared.capacity()
        });
        self.strings.heap()
            + 12 * self.mappings.capacity()
            + 12 * self.functions.capacity()
            + 24 * self.frames.capacity()
            + 8 * self.parents.capacity()
            + index
    }

    fn index(&mut self) -> &mut Index {
        if self.index.is_none() {
            let hasher = DefaultHashBuilder::default();
            let mut nodes = NodeIndex { first: vec![ROOT; self.parents.len()], later: HashTable::new() };
            let hash = |id: &u32| node_hash(self.parents[*id as usize], self.node_frames[*id as usize]);
            for id in 1..self.parents.len() as u32 {
                match &mut nodes.first[self.parents[id as usize] as usize] {
                    first if *first == ROOT => *first = id,
                    _ => _ = nodes.later.insert_unique(hash(&id), id, hash),
                }
            }
            self.index = Some(Index {
                mappings: index_of(&self.mappings, &hasher),
                functions: index_of(&self.functions, &hasher),
                frames: index_of(&self.frames, &hasher),
                nodes,
                shared: HashMap::new(),
                hasher,
            });
        }
        self.index.as_mut().expect("made above")
    }

    pub(crate) fn mapping(&mut self, mapping: Mapping) -> u32 {
        self.index();
        let index = self.index.as_mut().expect("made above");
        intern(&mut index.mappings, &mut self.mappings, &index.hasher, mapping)
    }

    pub(crate) fn function(&mut self, function: Function) -> u32 {
        self.index();
        let index = self.index.as_mut().expect("made above");
        intern(&mut index.functions, &mut self.functions, &index.hasher, function)
    }

    /// The id of a function of a profile.
    pub(crate) fn shared_function(&mut self, function: &profile::Function) -> u32 {
        let start_line = u32::try_from(function.start_line).unwrap_or(0);
        let address = |text: &Arc<str>| text.as_ptr().addr();
        let key = SharedFunction { name: address(&function.name), file: address(&function.filename), start_line };
        if let Some(known) = self.index().shared.get(&key) {
            return known.id;
        }
        let name = self.strings.intern(&function.name);
        let file = self.strings.intern(&function.filename);
        let id = self.function(Function { name, file, start_line });
        let shared = &mut self.index().shared;
        if shared.len() >= MAX_SHARED {
            shared.clear();
        }
        shared.insert(key, Kept { id, _texts: [function.name.clone(), function.filename.clone()] });
        id
    }

    pub(crate) fn frame(&mut self, frame: Frame) -> u32 {
        self.index();
        let index = self.index.as_mut().expect("made above");
        intern(&mut index.frames, &mut self.frames, &index.hasher, frame)
    }

    /// The node of the stack `parent` with `frame` called from its leaf.
    pub(crate) fn child(&mut self, parent: u32, frame: u32) -> u32 {
        self.index();
        let Self { parents, node_frames, index, .. } = self;
        let NodeIndex { first, later } = &mut index.as_mut().expect("made above").nodes;
        let id = parents.len() as u32;
        match first[parent as usize] {
            ROOT => first[parent as usize] = id,
            child if node_frames[child as usize] == frame => return child,
            _ => {
                let same = |id: &u32| node_frames[*id as usize] == frame && parents[*id as usize] == parent;
                let hash = |id: &u32| node_hash(parents[*id as usize], node_frames[*id as usize]);
                match later.entry(node_hash(parent, frame), same, hash) {
                    Entry::Occupied(found) => return *found.get(),
                    Entry::Vacant(free) => _ = free.insert(id),
                }
            }
        }
        parents.push(parent);
        node_frames.push(frame);
        first.push(ROOT);
        id
    }

    /// Forgets what only writing needs.
    pub(crate) fn drop_index(&mut self) {
        self.index = None;
        self.strings.drop_index();
    }

    pub(crate) fn mark(&self) -> Mark {
        Mark {
            strings: self.strings.len(),
            mappings: self.mappings.len(),
            functions: self.functions.len(),
            frames: self.frames.len(),
            nodes: self.nodes(),
        }
    }

    /// What was added since `mark`, as the format's growth blob before compression.
    pub(crate) fn growth(&self, mark: &Mark) -> Vec<u8> {
        let mut out = Vec::new();
        put(&mut out, (self.strings.len() - mark.strings) as u64);
        let new_strings = || (mark.strings..self.strings.len()).map(|id| self.strings.get(id as u32));
        for text in new_strings() {
            put(&mut out, text.len() as u64);
        }
        for text in new_strings() {
            out.extend_from_slice(text.as_bytes());
        }
        put(&mut out, (self.mappings.len() - mark.mappings) as u64);
        for mapping in &self.mappings[mark.mappings..] {
            put(&mut out, u64::from(mapping.file));
            put(&mut out, u64::from(mapping.build_id));
            put(&mut out, u64::from(mapping.kernel));
        }
        put(&mut out, (self.functions.len() - mark.functions) as u64);
        for function in &self.functions[mark.functions..] {
            put(&mut out, u64::from(function.name));
            put(&mut out, u64::from(function.file));
            put(&mut out, u64::from(function.start_line));
        }
        put(&mut out, (self.frames.len() - mark.frames) as u64);
        for frame in &self.frames[mark.frames..] {
            put(&mut out, u64::from(frame.mapping));
            put(&mut out, u64::from(frame.function));
            put(&mut out, frame.place);
            put(&mut out, u64::from(frame.inlined));
        }
        put(&mut out, (self.nodes() - mark.nodes) as u64);
        for id in mark.nodes..self.nodes() {
            put(&mut out, id as u64 - u64::from(self.parents[id]));
            put(&mut out, u64::from(self.node_frames[id]));
        }
        out
    }

    /// Appends a growth blob; every reference in it is checked.
    pub(crate) fn grow(&mut self, bytes: &[u8]) -> Result<(), Damaged> {
        self.index = None;
        let mut reader = Reader::new(bytes, "dictionary");
        let count = reader.count(1)?;
        let mut lengths = Vec::with_capacity(count);
        for _ in 0..count {
            lengths.push(reader.small()? as usize);
        }
        for len in lengths {
            let text = std::str::from_utf8(reader.bytes(len)?).map_err(|_| reader.damaged())?;
            if !self.strings.push(text) {
                return Err(reader.damaged());
            }
        }
        let below = |id: u32, len: usize| if (id as usize) < len { Ok(id) } else { Err(Damaged("dictionary")) };
        let strings = self.strings.len();
        for _ in 0..reader.count(3)? {
            let file = below(reader.small()?, strings)?;
            let build_id = below(reader.small()?, strings)?;
            self.mappings.push(Mapping { file, build_id, kernel: reader.number()? != 0 });
        }
        for _ in 0..reader.count(3)? {
            let name = below(reader.small()?, strings)?;
            let file = below(reader.small()?, strings)?;
            self.functions.push(Function { name, file, start_line: reader.small()? });
        }
        for _ in 0..reader.count(4)? {
            let mapping = below(reader.small()?, self.mappings.len() + 1)?;
            let function = below(reader.small()?, self.functions.len() + 1)?;
            self.frames.push(Frame { mapping, function, place: reader.number()?, inlined: reader.number()? != 0 });
        }
        let count = reader.count(2)?;
        self.parents.reserve(count);
        self.node_frames.reserve(count);
        for _ in 0..count {
            let id = u32::try_from(self.parents.len()).map_err(|_| reader.damaged())?;
            let distance = reader.small()?;
            let parent = id.checked_sub(distance).filter(|parent| *parent < id).ok_or(reader.damaged())?;
            let frame = below(reader.small()?, self.frames.len())?;
            self.parents.push(parent);
            self.node_frames.push(frame);
        }
        reader.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled() -> Dictionary {
        let mut dictionary = Dictionary::new();
        let name = dictionary.strings.intern("main");
        let file = dictionary.strings.intern("größe.c");
        let mapping = dictionary.mapping(Mapping { file, build_id: 0, kernel: true });
        let function = dictionary.function(Function { name, file, start_line: 7 });
        let named = Frame { mapping: mapping + 1, function: function + 1, place: 9, inlined: true };
        let named = dictionary.frame(named);
        let unknown = dictionary.frame(Frame { mapping: 0, function: 0, place: u64::MAX, inlined: false });
        let outer = dictionary.child(ROOT, unknown);
        dictionary.child(outer, named);
        dictionary
    }

    #[test]
    fn growth_rebuilds_the_dictionary_and_interning_goes_on() {
        let mut first = filled();
        let whole = first.growth(&Dictionary::new().mark());
        let mark = first.mark();
        let frame = first.frame(Frame { mapping: 0, function: 1, place: 3, inlined: false });
        let node = first.child(ROOT, frame);
        let more = first.growth(&mark);

        let mut second = Dictionary::new();
        second.grow(&whole).unwrap();
        second.grow(&more).unwrap();
        assert_eq!(second.growth(&Dictionary::new().mark()), first.growth(&Dictionary::new().mark()));
        assert_eq!(second.frame(Frame { mapping: 0, function: 1, place: 3, inlined: false }), frame);
        assert_eq!(second.child(ROOT, frame), node);
        assert_eq!(second.strings.intern("main"), 1);
    }

    #[test]
    fn every_damaged_byte_is_an_error_or_a_valid_dictionary() {
        let whole = filled().growth(&Dictionary::new().mark());
        for at in 0..whole.len() {
            for byte in [0, 1, 0x7f, 0x80, 0xff] {
                let mut bytes = whole.clone();
                bytes[at] = byte;
                let mut dictionary = Dictionary::new();
                if dictionary.grow(&bytes).is_ok() {
                    for id in 1..dictionary.nodes() {
                        assert!((dictionary.parents[id] as usize) < id);
                        assert!((dictionary.node_frames[id] as usize) < dictionary.frames.len());
                    }
                }
            }
            assert!(Dictionary::new().grow(&whole[..at]).is_err());
        }
    }
}
