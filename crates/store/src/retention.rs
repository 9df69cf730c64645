//! What is dropped, and when: whole files, oldest first.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use crate::partition::{Partition, read, write};
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
        let mut writer = crate::partition::lock(&self.inner.writer);
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
        let oldest_kept = now.saturating_sub(i64::try_from(limits.max_age.as_millis()).unwrap_or(i64::MAX));
        let mut lost_newest = false;
        loop {
            let partitions = read(&self.state).partitions.clone();
            let [oldest, newer @ ..] = &partitions[..] else { break };
            if oldest.span().is_none_or(|(_, max)| max < oldest_kept) {
                lost_newest |= newer.is_empty();
                self.drop_partition(oldest, "it is older than max_age");
                continue;
            }
            if newer.is_empty() {
                break;
            }
            let bytes: u64 = partitions.iter().map(|partition| partition.bytes()).sum();
            if bytes.saturating_add(limits.headroom()) > limits.max_bytes {
                self.drop_partition(oldest, "the store has reached max_bytes");
            } else if free_bytes(&self.path).is_ok_and(|free| free < limits.min_free_bytes) {
                self.drop_partition(oldest, "the file system has less than min_free_bytes free");
            } else {
                break;
            }
        }
        self.drop_damaged(oldest_kept);
        lost_newest
    }

    /// Drops the oldest file unless it is the only one.
    pub(crate) fn drop_oldest(&self, reason: &str) -> bool {
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

    /// Files that were set aside go when their data would have gone.
    fn drop_damaged(&self, oldest_kept: i64) {
        let Ok(files) = fs::read_dir(&self.path) else { return };
        for file in files.flatten() {
            let is_damaged = file.file_name().to_str().is_some_and(|name| name.ends_with(".sqlite.damaged"));
            let modified = file.metadata().and_then(|metadata| metadata.modified()).ok();
            let modified = modified.and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok());
            if is_damaged && modified.is_some_and(|time| (time.as_millis() as i64) < oldest_kept) {
                crate::partition::remove_files(&file.path());
            }
        }
    }
}
