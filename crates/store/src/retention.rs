//! What is dropped, and when: whole files, oldest first.

use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};

use crate::aside::{self, Aside};
use crate::partition::{Partition, lock, read, remove_files, write};
use crate::schema::PAGE_BYTES;
use crate::store::{Inner, Store};

/// How much is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) max_age: Duration,
    pub(crate) max_bytes: u64,
    pub(crate) min_free_bytes: u64,
    pub(crate) partition: Duration,
}

impl Limits {
    /// A file that has this many bytes is full: so dropping one loses at most an eighth.
    pub(crate) fn partition_bytes(&self) -> u64 {
        self.max_bytes / 8
    }

    /// Bytes that are left for the next window, so that it does not take the store past its limit.
    fn headroom(&self) -> u64 {
        (self.max_bytes / 16).min(16 << 20)
    }

    /// Pages in the log after which it is folded into the file: 1 MiB, less for a small store.
    pub(crate) fn checkpoint_pages(&self) -> u64 {
        (self.max_bytes / 64 / PAGE_BYTES).clamp(16, 1024)
    }
}

/// Milliseconds of Unix time.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Bytes that we could write on the file system of `path`.
pub(crate) fn free_bytes(path: &Path) -> io::Result<u64> {
    let stat = rustix::fs::statvfs(path)?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

impl Store {
    /// Drops what is too old or too much. [`append`](Store::append) does the same; this is for a store to which nothing
    /// is appended for long.
    pub fn maintain(&self) {
        let mut writer = lock(&self.inner.writer);
        let idle = self.inner.retain(now());
        if idle {
            *writer = None;
        }
    }
}

impl Inner {
    /// Drops by age, size and free space; true when the file that is written to was dropped as well. Called with the
    /// writer locked.
    pub(crate) fn retain(&self, now: i64) -> bool {
        let limits = *read(&self.limits);
        let now = lock(&self.clock).now(now, Instant::now());
        let oldest_kept = now.saturating_sub(i64::try_from(limits.max_age.as_millis()).unwrap_or(i64::MAX));
        let mut lost_newest = false;
        let mut aside = aside::files(&self.path);
        while aside.front().is_some_and(|file| file.modified < oldest_kept) {
            drop_aside(&mut aside, "it is older than max_age");
        }
        loop {
            let partitions = read(&self.state).partitions.clone();
            // All are looked at: one that a clock ahead of time wrote says nothing of those behind it.
            let is_old = |(at, partition): &(usize, &Arc<Partition>)| match partition.span() {
                Some((_, max)) => max < oldest_kept,
                None => *at == 0,
            };
            if let Some((at, old)) = partitions.iter().enumerate().find(is_old) {
                lost_newest |= at + 1 == partitions.len();
                self.drop_partition(old, "it is older than max_age");
                continue;
            }
            let bytes = partitions.iter().map(|partition| partition.bytes()).sum::<u64>() + aside::bytes(&aside);
            let reason = if bytes.saturating_add(limits.headroom()) > limits.max_bytes {
                "the store has reached max_bytes"
            } else if free_bytes(&self.path).is_ok_and(|free| free < limits.min_free_bytes) {
                "the file system has less than min_free_bytes free"
            } else {
                break;
            };
            // What nobody can see goes before what queries show.
            if drop_aside(&mut aside, reason) {
                continue;
            }
            let [oldest, _, ..] = &partitions[..] else { break };
            self.drop_partition(oldest, reason);
        }
        self.aside_bytes.store(aside::bytes(&aside), Ordering::Relaxed);
        lost_newest
    }

    /// Drops the oldest damaged file, or else the oldest partition unless it is the only one.
    pub(crate) fn drop_oldest(&self, reason: &str) -> bool {
        if drop_aside(&mut aside::files(&self.path), reason) {
            return true;
        }
        let partitions = read(&self.state).partitions.clone();
        match &partitions[..] {
            [oldest, _, ..] => {
                self.drop_partition(oldest, reason);
                true
            }
            _ => false,
        }
    }

    fn drop_partition(&self, partition: &Arc<Partition>, reason: &str) {
        tracing::info!(path = %partition.path.display(), reason, "a file of the store was dropped");
        write(&self.state).partitions.retain(|other| !Arc::ptr_eq(other, partition));
        self.counts.dropped_partitions.fetch_add(1, Ordering::Relaxed);
        partition.remove();
    }

    /// Finds out how much was set aside.
    pub(crate) fn measure_aside(&self) {
        self.aside_bytes.store(aside::bytes(&aside::files(&self.path)), Ordering::Relaxed);
    }
}

/// Deletes the first of the damaged files; false when there is none that can be deleted.
fn drop_aside(files: &mut VecDeque<Aside>, reason: &str) -> bool {
    while let Some(file) = files.pop_front() {
        remove_files(&file.path);
        if !file.path.exists() {
            tracing::info!(path = %file.path.display(), reason, "a damaged file of the store was dropped");
            return true;
        }
    }
    false
}
