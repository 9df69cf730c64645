//! The maps of unwind rows.

use abi::rows::{FILES_IN_BUCKET, Line, Rule, Table};
use engine::kernel::{KernelError, RowMaps};
use libbpf_rs::{MapCore as _, MapFlags, MapHandle, Object};
use zerocopy::{FromBytes as _, Immutable, IntoBytes};

use crate::loaded::map_named;

pub(crate) struct Rows {
    rows: MapHandle,
    spans: MapHandle,
    rules: MapHandle,
    tables: MapHandle,
    file_tables: MapHandle,
    recent: MapHandle,
}

impl Rows {
    pub(crate) fn of(object: &Object) -> Result<Self, KernelError> {
        let map = |name| map_named(object, name);
        Ok(Self {
            rows: map("rows")?,
            spans: map("spans")?,
            rules: map("rules")?,
            tables: map("tables")?,
            file_tables: map("file_tables")?,
            recent: map("recent_rules")?,
        })
    }
}

/// Writes elements that follow each other, in one system call.
fn set_all<T: IntoBytes + Immutable>(map: &MapHandle, first: u32, values: &[T]) -> Result<(), KernelError> {
    if values.is_empty() {
        return Ok(());
    }
    let keys: Vec<u32> = (first..).take(values.len()).collect();
    map.update_batch(keys.as_bytes(), values.as_bytes(), values.len() as u32, MapFlags::ANY, MapFlags::ANY)
        .map_err(|error| failed(map, &error))
}

fn set<T: IntoBytes + Immutable + ?Sized>(map: &MapHandle, key: u32, value: &T) -> Result<(), KernelError> {
    map.update(&key.to_ne_bytes(), value.as_bytes(), MapFlags::ANY).map_err(|error| failed(map, &error))
}

fn get(map: &MapHandle, key: u32) -> Option<Line> {
    let bytes = map.lookup(&key.to_ne_bytes(), MapFlags::ANY).ok()??;
    Line::read_from_bytes(&bytes).ok()
}

fn failed(map: &MapHandle, error: &libbpf_rs::Error) -> KernelError {
    KernelError::new(format!("cannot write to the BPF map {}: {error:#}", map.name().display()))
}

impl RowMaps for Rows {
    fn lines(&self) -> u32 {
        self.rows.max_entries()
    }

    fn pointer_lines(&self) -> u32 {
        self.spans.max_entries()
    }

    fn set_lines(&mut self, first: u32, lines: &[Line]) -> Result<(), KernelError> {
        set_all(&self.rows, first, lines)
    }

    fn set_pointers(&mut self, first: u32, lines: &[Line]) -> Result<(), KernelError> {
        set_all(&self.spans, first, lines)
    }

    fn line(&self, at: u32) -> Option<Line> {
        get(&self.rows, at)
    }

    fn pointers(&self, at: u32) -> Option<Line> {
        get(&self.spans, at)
    }

    fn set_rules(&mut self, first: u32, rules: &[Rule]) -> Result<(), KernelError> {
        set_all(&self.rules, first, rules)
    }

    fn set_table(&mut self, place: u32, table: &Table) -> Result<(), KernelError> {
        set(&self.tables, place, table)
    }

    fn set_bucket(&mut self, bucket: u32, files: &[u64; FILES_IN_BUCKET]) -> Result<(), KernelError> {
        set(&self.file_tables, bucket, files)
    }

    fn clear_recent(&mut self) -> Result<(), KernelError> {
        set_all(&self.recent, 0, &vec![0_u64; self.recent.max_entries() as usize])
    }
}
