//! What perf captured: registers, bytes of the stack, and what was mapped where.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use anyhow::Context as _;
use linux_perf_data::linux_perf_event_reader::{EventRecord, Regs, SampleRecord};
use linux_perf_data::{PerfFileReader, PerfFileRecord};
use regex::Regex;

/// perf's numbers of the registers, by their numbers in DWARF. Source: linux/arch/x86/include/uapi/asm/perf_regs.h.
const GENERAL: [u64; 16] = [0, 3, 2, 1, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23];
const INSTRUCTION_POINTER: u64 = 8;

/// A mapping of code.
#[derive(Clone)]
pub(super) struct Mapping {
    pub(super) end: u64,
    pub(super) offset: u64,
    pub(super) path: String,
}

/// What a process has mapped as code, by address.
#[derive(Clone, Default)]
pub(super) struct Space {
    maps: BTreeMap<u64, Mapping>,
    /// Other than any earlier one of the process.
    pub(super) version: u64,
}

impl Space {
    /// The mapping of an address, and where it begins.
    pub(super) fn find(&self, address: u64) -> Option<(u64, &Mapping)> {
        let (start, mapping) = self.maps.range(..=address).next_back()?;
        (address < mapping.end).then_some((*start, mapping))
    }

    pub(super) fn mappings(&self) -> impl Iterator<Item = (u64, &Mapping)> {
        self.maps.iter().map(|(start, mapping)| (*start, mapping))
    }

    fn map(&mut self, start: u64, mapping: Mapping) {
        let overlapped = |at: &u64, old: &Mapping| *at < mapping.end && start < old.end;
        self.maps.retain(|at, old| !overlapped(at, old));
        self.maps.insert(start, mapping);
        self.version += 1;
    }
}

/// A thread as it was interrupted.
pub(super) struct Sample<'a> {
    pub(super) pid: i32,
    pub(super) pc: u64,
    /// The general registers by their DWARF numbers.
    pub(super) general: [u64; 16],
    stack: Cow<'a, [u8]>,
}

impl Sample<'_> {
    /// A word of the part of the stack that was captured.
    pub(super) fn word(&self, address: u64) -> Option<u64> {
        let at = usize::try_from(address.checked_sub(self.general[7])?).ok()?;
        let bytes = self.stack.get(at..at.checked_add(8)?)?;
        Some(u64::from_le_bytes(bytes.try_into().ok()?))
    }
}

/// Shows each sample of processes that have code of a file whose path matches.
pub(super) fn read(file: &Path, paths: &str, mut show: impl FnMut(&Sample<'_>, &Space)) -> anyhow::Result<()> {
    let wanted = Regex::new(&format!("^(?:{paths})$")).context("the pattern of a program")?;
    let reader = BufReader::new(File::open(file)?);
    let PerfFileReader { mut perf_file, mut record_iter } = PerfFileReader::parse_file(reader)?;
    let mut spaces: HashMap<i32, Space> = HashMap::new();
    while let Some(record) = record_iter.next_record(&mut perf_file)? {
        let PerfFileRecord::EventRecord { record, .. } = record else { continue };
        match record.parse() {
            // Protection 4 is PROT_EXEC.
            Ok(EventRecord::Mmap2(map)) if map.protection & 4 != 0 => {
                let path = String::from_utf8_lossy(&map.path.as_slice()).trim_end_matches('\0').to_owned();
                let mapping = Mapping { end: map.address + map.length, offset: map.page_offset, path };
                spaces.entry(map.pid).or_default().map(map.address, mapping);
            }
            Ok(EventRecord::Fork(fork)) if fork.pid != fork.ppid => {
                let space = spaces.get(&fork.ppid).cloned().unwrap_or_default();
                let version = spaces.get(&fork.pid).map_or(0, |old| old.version) + space.version + 1;
                spaces.insert(fork.pid, Space { version, ..space });
            }
            Ok(EventRecord::Comm(comm)) if comm.is_execve => {
                let space = spaces.entry(comm.pid).or_default();
                space.maps.clear();
                space.version += 1;
            }
            Ok(EventRecord::Sample(record)) => {
                let Some(sample) = sample(&record) else { continue };
                let Some(space) = spaces.get(&sample.pid) else { continue };
                if space.mappings().any(|(_, mapping)| wanted.is_match(&mapping.path)) {
                    show(&sample, space);
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// The user's part of a sample; a kernel thread has none.
fn sample<'a>(record: &SampleRecord<'a>) -> Option<Sample<'a>> {
    let (registers, (stack, size)) = (record.user_regs.as_ref()?, record.user_stack?);
    let register = |number| Regs::get(registers, number);
    let mut general = [0; 16];
    for (value, number) in general.iter_mut().zip(GENERAL) {
        *value = register(number)?;
    }
    let stack = match stack.as_slice() {
        Cow::Borrowed(bytes) => Cow::Borrowed(bytes.get(..size as usize).unwrap_or(bytes)),
        Cow::Owned(mut bytes) => {
            bytes.truncate(size as usize);
            Cow::Owned(bytes)
        }
    };
    Some(Sample { pid: record.pid?, pc: register(INSTRUCTION_POINTER)?, general, stack })
}
