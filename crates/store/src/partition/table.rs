//! A table that may be in memory.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{RwLock, RwLockWriteGuard};

use crate::partition::{FileError, read, write};

/// A table of a partition, while it is in memory. How much memory that is can be asked without its lock, which is held
/// for as long as the disk takes.
pub(super) struct Table<T> {
    slot: RwLock<Option<T>>,
    weigh: fn(&T) -> usize,
    heap: AtomicUsize,
}

/// A table held for writing; weighed again when it is let go.
pub(crate) struct Slot<'a, T> {
    table: &'a Table<T>,
    guard: RwLockWriteGuard<'a, Option<T>>,
}

impl<T> Table<T> {
    /// One that is not in memory. `weigh` says how many bytes it takes there, about.
    pub(super) fn new(weigh: fn(&T) -> usize) -> Self {
        Self { slot: RwLock::new(None), weigh, heap: AtomicUsize::new(0) }
    }

    /// Bytes that it takes in memory, about. Takes no lock.
    pub(super) fn heap(&self) -> usize {
        self.heap.load(Ordering::Relaxed)
    }

    pub(super) fn write(&self) -> Slot<'_, T> {
        Slot { table: self, guard: write(&self.slot) }
    }

    /// The table for writing, loaded if need be.
    pub(super) fn loaded(&self, load: impl FnOnce() -> Result<T, FileError>) -> Result<Slot<'_, T>, FileError> {
        let mut slot = self.write();
        if slot.is_none() {
            *slot = Some(load()?);
        }
        Ok(slot)
    }

    /// Calls `then` with the table, loaded if need be.
    pub(super) fn with<R>(
        &self,
        load: impl Fn() -> Result<T, FileError>,
        then: impl FnOnce(&T) -> R,
    ) -> Result<R, FileError> {
        loop {
            if let Some(table) = &*read(&self.slot) {
                return Ok(then(table));
            }
            drop(self.loaded(&load)?);
        }
    }
}

impl<T> Deref for Slot<'_, T> {
    type Target = Option<T>;

    fn deref(&self) -> &Option<T> {
        &self.guard
    }
}

impl<T> DerefMut for Slot<'_, T> {
    fn deref_mut(&mut self) -> &mut Option<T> {
        &mut self.guard
    }
}

impl<T> Drop for Slot<'_, T> {
    fn drop(&mut self) {
        let heap = self.guard.as_ref().map_or(0, self.table.weigh);
        self.table.heap.store(heap, Ordering::Relaxed);
    }
}
