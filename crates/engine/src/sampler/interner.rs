//! From records to stacks: which file each address lies in, and which node the stack is.

use std::collections::BTreeMap;
use std::sync::Arc;

use abi::rows::{VDSO_DEV, file_tag};
use abi::{ADDRESS_EXACT, FilePath, Mapping, SampleHead, SampleRecord, WalkEnd, mapping_flag, sample_flag};
use crossbeam_channel::Sender;
use hashbrown::{HashMap, HashSet};

use crate::command::SessionId;
use crate::files::{Closed, FileCounts, Opening, most_open};
use crate::frame::{Frame, Space, SpaceKind};
use crate::opener::{FileKey, OpenRequest};
use crate::rows::{PAUSE, RowRequest};
use crate::session::SessionState;
use crate::stacks::{Appended, Node, ROOT, Stacks};

use super::files::{FileTable, Sampled};
use super::path::Paths;
use super::processes::Processes;

/// Slots of the table of stacks seen lately; a power of two.
const RECENT: usize = 8192;
/// With more processes, or when there is no room for more stacks, all intervals end early and everything is forgotten.
const MOST_PROCESSES: usize = 50_000;
/// What a frame takes here and at the namer with its name, and what a node does: measured on builds of C++ and on databases.
const FRAME_BYTES: usize = 256;
const NODE_BYTES: usize = 56;
/// Paths that wait for their file's sample.
const MOST_HINTS: usize = 1024;

pub(crate) struct Interner {
    stacks: Stacks,
    paths: Paths,
    /// Hash of a record's payload and process → its stack. One that was not seen lately is built again.
    recent: Vec<(u64, Node)>,
    files: FileTable,
    counts: FileCounts,
    /// Paths that came before the sample which needs them.
    hints: HashMap<FileKey, String>,
    /// How many files were not reached, as of when these were looked for.
    unreached: u64,
    /// Processes that run code which they made themselves, and those of them that nobody was told of yet.
    own_code: (HashSet<u32>, Vec<u32>),
    opener: Sender<OpenRequest>,
    rows: Sender<RowRequest>,
    /// When the last sample was taken, by the clock of wishes.
    seconds: u32,
    /// Frames, nodes and processes that the namer knows.
    known: (usize, usize),
    known_processes: usize,
    restarted: bool,
    /// Whether it was said in this turn that there are too many new files.
    warned: bool,
}

impl Interner {
    pub(crate) fn new(opener: Sender<OpenRequest>, rows: Sender<RowRequest>, counts: FileCounts) -> Self {
        Self {
            stacks: Stacks::new(),
            paths: Paths::new(),
            recent: vec![(0, ROOT); RECENT],
            files: FileTable::new(most_open()),
            counts,
            hints: HashMap::new(),
            unreached: 0,
            own_code: Default::default(),
            opener,
            rows,
            seconds: 0,
            known: (0, 0),
            known_processes: 0,
            restarted: true,
            warned: false,
        }
    }

    /// Keeps the path of a file for when a sample asks for the file.
    pub(crate) fn name_hint(&mut self, path: FilePath) {
        let key = FileKey { ino: path.ino, dev: path.dev, version: path.version };
        if !self.files.wants_path(&key) {
            return;
        }
        // A hint is used at once or never.
        if self.hints.len() >= MOST_HINTS {
            self.hints.clear();
        }
        self.hints.insert(key, path.path);
    }

    /// The stack of a record.
    pub(crate) fn stack(&mut self, record: &SampleRecord<'_>, process: u32) -> Node {
        self.seconds = (record.head.ktime / 1_000_000_000) as u32;
        let hash = fingerprint(record.payload, process);
        let slot = hash as usize & (RECENT - 1);
        if self.recent[slot].0 == hash {
            return self.recent[slot].1;
        }
        let node = self.build(record, process);
        self.recent[slot] = (hash, node);
        node
    }

    /// Has the files of a record opened.
    pub(crate) fn see(&mut self, record: &SampleRecord<'_>, process: u32) {
        self.seconds = (record.head.ktime / 1_000_000_000) as u32;
        for mapping in record.mappings {
            self.space(mapping, record.head, process);
        }
    }

    /// Whether the unwind rows of a file are there, or on their way.
    pub(crate) fn rows_come(&self, key: &FileKey) -> bool {
        key.dev == VDSO_DEV || self.files.rows_come(key)
    }

    fn build(&mut self, record: &SampleRecord<'_>, process: u32) -> Node {
        let mut spaces = [Space::KERNEL; abi::MAX_MAPPINGS];
        for (space, mapping) in spaces.iter_mut().zip(record.mappings) {
            *space = self.space(mapping, record.head, process);
        }
        let in_syscall = record.head.flags & sample_flag::IN_SYSCALL != 0;
        let mut path = self.paths.begin(process);
        let mut last = 0;
        let runs = record.user_runs();
        let inner = runs[0].len();
        let user = runs.into_iter().flatten().rev();
        for (depth, address) in (0..record.user.len()).rev().zip(user) {
            if depth + 1 == inner && record.head.left_out > 0 {
                path.push(&mut self.stacks, Frame { space: Space::LEFT_OUT, address: 0 });
            }
            if is_vsyscall(*address) {
                path.push(&mut self.stacks, Frame { space: Space::VSYSCALL, address: address & 0xfff });
                continue;
            }
            // A return address may be the first of another function: its call is the byte before.
            let returned = if depth > 0 { address & ADDRESS_EXACT == 0 } else { in_syscall };
            let address = (address & !ADDRESS_EXACT).wrapping_sub(u64::from(returned));
            let inside = |mapping: &Mapping| (mapping.start..mapping.end).contains(&address);
            if !record.mappings.get(last).is_some_and(inside) {
                last = record.mappings.iter().position(inside).unwrap_or(usize::MAX);
            }
            let frame = match record.mappings.get(last) {
                Some(mapping) if spaces[last] != Space::process(process) => {
                    Frame { space: spaces[last], address: address - mapping.start + mapping.offset }
                }
                _ => Frame { space: Space::process(process), address },
            };
            path.push(&mut self.stacks, frame);
        }
        for (depth, address) in record.kernel.iter().enumerate().rev() {
            // Where the page stands, the kernel's own walk of a fault lists the user's place too.
            if is_vsyscall(*address) {
                continue;
            }
            let address = address.wrapping_sub(u64::from(depth > 0));
            path.push(&mut self.stacks, Frame { space: Space::KERNEL, address });
        }
        path.node()
    }

    fn space(&mut self, mapping: &Mapping, head: &SampleHead, process: u32) -> Space {
        let tgid = head.tgid;
        if mapping.flags & mapping_flag::VDSO != 0 {
            // A 32-bit program has another one than we.
            let is_ours = usize::from(head.end) != WalkEnd::Compat as usize;
            return if is_ours { Space::VDSO } else { Space::process(process) };
        }
        if mapping.flags & mapping_flag::FILE == 0 {
            if self.own_code.0.insert(process) {
                self.own_code.1.push(process);
            }
            return Space::process(process);
        }
        let key = FileKey { ino: mapping.ino, dev: mapping.dev, version: mapping.version };
        let known = self.files.sampled(&key, self.seconds);
        if known.as_ref().is_some_and(|known| known.ask) {
            self.ask_for_rows(key);
        }
        let open = match known {
            Some(Sampled { number, open: None, .. }) => return Space::file(number),
            Some(Sampled { number, open: Some(wish), .. }) => {
                // Stacks that are known have its number of before.
                self.recent.fill((0, ROOT));
                Some((number, wish))
            }
            None => self.files.add(key, self.seconds),
        };
        // Without room, and with a full queue, there is a storm of new files: this one stays without names until it is
        // seen again.
        let Some((file, wish)) = open else { return self.not_asked(tgid, process) };
        let path = self.hints.remove(&key);
        let request = OpenRequest { file, key, tgid, start: mapping.start, end: mapping.end, path, wish };
        if let Err(error) = self.opener.try_send(request) {
            self.files.withdraw(&key);
            // The kernel side does not send it again.
            if let Some(path) = error.into_inner().path {
                self.hints.insert(key, path);
            }
            return self.not_asked(tgid, process);
        }
        Space::file(file)
    }

    /// The rows of this file made room for others and are needed again.
    fn ask_for_rows(&self, key: FileKey) {
        let Some(wish) = self.files.wish(&key) else { return };
        if self.rows.try_send(RowRequest::Again(key, Arc::clone(wish))).is_err() {
            // The thread is behind, or there is none.
            wish.ask_from(self.seconds + PAUSE);
        }
    }

    fn not_asked(&mut self, tgid: u32, process: u32) -> Space {
        self.counts.count(Opening::NotAsked);
        if !std::mem::replace(&mut self.warned, true) {
            tracing::warn!(
                pid = tgid,
                "too many new files at once; some are not opened now, and their code has no names"
            );
        }
        Space::process(process)
    }

    /// These stacks are in an interval; `over` if it has ended. Their files are in use.
    pub(crate) fn mark_files(&mut self, stacks: impl Iterator<Item = Node>, over: bool) {
        let (mut last, mut gone) = (None, Vec::new());
        for frame in self.stacks.frames_of(stacks) {
            if last != Some(frame.space)
                && let SpaceKind::File(number) = frame.space.kind()
                && let Some(key) = self.files.mark(number, over, self.seconds)
            {
                gone.push(key);
            }
            last = Some(frame.space);
        }
        for key in gone {
            self.ask_for_rows(key);
        }
    }

    /// Whether there are so many files that some are to be forgotten now.
    pub(crate) fn is_crowded(&self) -> bool {
        self.files.is_crowded()
    }

    /// A minute is over.
    pub(crate) fn next_turn(&mut self) {
        self.files.next_turn();
        self.warned = false;
    }

    /// The files to forget.
    pub(crate) fn to_forget(&self) -> Vec<(u64, Closed)> {
        self.files.to_forget()
    }

    /// The namer closes these. Gives the tags of those that are no longer known.
    pub(crate) fn forget(&mut self, files: &[(u64, Closed)]) -> Vec<u64> {
        let mut tags = Vec::new();
        for (number, reason) in files {
            tags.extend(self.files.forget(*number).map(tag));
            self.counts.count_closed(*reason);
        }
        tags
    }

    /// Numbers of processes that are new in running code which they made themselves.
    pub(crate) fn own_code(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.own_code.1)
    }

    /// The tags of files that turned out not to be reached.
    pub(crate) fn unreached(&mut self) -> Vec<u64> {
        let unreached = self.counts.openings(Opening::Unreached);
        if std::mem::replace(&mut self.unreached, unreached) == unreached {
            return Vec::new();
        }
        self.files.unreached().into_iter().map(tag).collect()
    }

    /// What the namer lacks.
    pub(crate) fn appended(&self) -> Appended {
        let known = if self.restarted { (0, 0) } else { self.known };
        Appended { restart: self.restarted, ..self.stacks.since(known) }
    }

    pub(crate) fn processes_known(&self) -> usize {
        if self.restarted { 0 } else { self.known_processes }
    }

    /// How much there is now, for [`mark_synced`](Self::mark_synced).
    pub(crate) fn synced(&self) -> (usize, usize) {
        self.stacks.len()
    }

    /// The namer knows this much now.
    pub(crate) fn mark_synced(&mut self, stacks: (usize, usize), processes: usize) {
        self.known = stacks;
        self.known_processes = processes;
        self.restarted = false;
    }

    /// Whether there is so much that it is time to begin anew.
    pub(crate) fn is_full(&self, processes: &Processes, most_bytes: usize) -> bool {
        let (frames, nodes) = self.stacks.len();
        frames * FRAME_BYTES + nodes * NODE_BYTES >= most_bytes || processes.len() >= MOST_PROCESSES
    }

    /// Forgets all stacks and processes. No window may hold any.
    pub(crate) fn restart(&mut self, processes: &mut Processes, sessions: &mut BTreeMap<SessionId, SessionState>) {
        let (frames, nodes) = self.stacks.len();
        tracing::debug!(frames, nodes, processes = processes.len(), "forgetting old stacks");
        self.stacks = Stacks::new();
        self.recent.fill((0, ROOT));
        self.paths.clear();
        self.own_code = Default::default();
        self.restarted = true;
        processes.renumber();
        for session in sessions.values_mut() {
            session.renumber();
        }
    }
}

fn tag(key: FileKey) -> u64 {
    file_tag(key.ino, key.dev, key.version)
}

/// Whether an address lies in the page that the kernel keeps for old programs' system calls. Nothing returns into it.
fn is_vsyscall(address: u64) -> bool {
    (address | ADDRESS_EXACT) >> 12 == 0xffff_ffff_ff60_0000 >> 12
}

/// A hash of all the words of a payload. Two different stacks of one process collide once in 2^64.
fn fingerprint(payload: &[u8], process: u32) -> u64 {
    const MIX: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut hash = u64::from(process).wrapping_add(1).wrapping_mul(MIX);
    for word in payload.as_chunks::<8>().0 {
        let product = u128::from(hash ^ u64::from_ne_bytes(*word)) * u128::from(MIX);
        hash = (product as u64) ^ (product >> 64) as u64 ^ hash.rotate_left(23);
    }
    hash | 1
}

#[cfg(test)]
mod tests {
    use crossbeam_channel::bounded;
    use zerocopy::FromZeros as _;

    use super::*;

    #[test]
    fn the_page_for_old_system_calls_is_told_apart_from_user_and_kernel() {
        let ((opener, _opened), (rows, _asked)) = (bounded(1), bounded(1));
        let mut interner = Interner::new(opener, rows, FileCounts::default());
        let head = SampleHead { user_frames: 2, kernel_frames: 2, ..SampleHead::new_zeroed() };
        let (user, kernel) = ([0xffff_ffff_ff60_0400, 0x1005], [0xffff_ffff_8100_0000, 0xffff_ffff_ff60_0400]);
        let record = SampleRecord { head: &head, kernel: &kernel, user: &user, mappings: &[], payload: &[] };
        let node = interner.stack(&record, 0);
        let frames: Vec<_> = interner.stacks.frames_of([node].into_iter()).collect();
        let expected = [
            Frame { space: Space::KERNEL, address: kernel[0] },
            Frame { space: Space::VSYSCALL, address: 0x400 },
            Frame { space: Space::process(0), address: 0x1004 },
        ];
        assert_eq!(frames, expected);
    }

    #[test]
    fn the_vdso_of_a_32_bit_program_is_its_own() {
        let ((opener, _opened), (rows, _asked)) = (bounded(1), bounded(1));
        let mut interner = Interner::new(opener, rows, FileCounts::default());
        let mut space_of = |end: WalkEnd, process| {
            let head = SampleHead { end: end as u8, mappings: 1, user_frames: 1, ..SampleHead::new_zeroed() };
            let flags = mapping_flag::VDSO;
            let mappings = [Mapping { start: 0x1000, end: 0x3000, flags, ..Mapping::new_zeroed() }];
            let user = [0x1004];
            let record = SampleRecord { head: &head, kernel: &[], user: &user, mappings: &mappings, payload: &[] };
            let node = interner.stack(&record, process);
            interner.stacks.frames_of([node].into_iter()).map(|frame| frame.space).collect::<Vec<_>>()
        };
        assert_eq!(space_of(WalkEnd::Root, 0), [Space::VDSO]);
        assert_eq!(space_of(WalkEnd::Compat, 1), [Space::process(1)]);
    }
}
