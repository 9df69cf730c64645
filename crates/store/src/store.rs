//! The store: a folder of partitions, its writer, and what is open.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock, Weak};
use std::time::{Duration, Instant};

use profile::Profile;

use crate::append::Writer;
use crate::clock::Clock;
use crate::open::{Interval, OpenIntervals};
use crate::partition::{Found, Partition, first_time, lock, read, remove_files, set_aside, write};
use crate::retention::{Limits, now};

/// Where the store lies, and how much it keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The folder; made when it is not there.
    pub path: PathBuf,
    /// Data older than this is dropped.
    pub max_age: Duration,
    /// The folder never grows past this many bytes: damaged files are dropped first, then older data.
    pub max_bytes: u64,
    /// Bytes that stay free on the file system: older data is dropped first, then nothing is written.
    pub min_free_bytes: u64,
    /// How much time one file spans. Whole files are dropped.
    pub partition: Duration,
}

/// Why a store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder cannot be made.
    #[error("create the folder of the store {path}; choose one with `path` or --storage.path that can be written to")]
    CreateFolder {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The folder cannot be listed or written to.
    #[error("use the folder of the store {path}; choose one with `path` or --storage.path that can be written to")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Another process writes to it.
    #[error("the store {path} is in use by another process; stop it or choose another path")]
    InUse {
        /// The folder.
        path: PathBuf,
    },
}

/// The embedded profile database. A clone is another handle to the same store.
#[derive(Clone)]
pub struct Store {
    pub(crate) inner: Arc<Inner>,
}

/// A handle that does not keep the store open.
#[derive(Clone)]
pub struct WeakStore(Weak<Inner>);

pub(crate) struct Inner {
    pub(crate) path: PathBuf,
    pub(crate) limits: RwLock<Limits>,
    /// Taken first of all locks.
    pub(crate) writer: Mutex<Option<Writer>>,
    /// Taken last of all locks, and never while the disk is waited for.
    pub(crate) state: RwLock<State>,
    pub(crate) counts: Counts,
    /// Bytes of the files that were set aside.
    pub(crate) aside_bytes: AtomicU64,
    /// What went wrong last with writing; cleared by the next success.
    pub(crate) message: Mutex<Option<String>>,
    /// Bytes of dictionaries of older partitions that are kept in memory.
    pub(crate) cache_bytes: usize,
    pub(crate) clock: Mutex<Clock>,
    /// Held for as long as the store is open.
    lock: Mutex<File>,
}

/// What queries see, changed as a whole: a window becomes visible when its open interval disappears.
pub(crate) struct State {
    /// Oldest first.
    pub(crate) partitions: Vec<Arc<Partition>>,
    pub(crate) open: OpenIntervals,
}

#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) queries: AtomicU64,
    pub(crate) failed_windows: AtomicU64,
    pub(crate) dropped_partitions: AtomicU64,
    pub(crate) damaged_files: AtomicU64,
}

/// The state of the store in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// The folder.
    pub path: PathBuf,
    /// Bytes on disk, those of damaged files too.
    pub bytes: u64,
    /// The configured limit of them.
    pub max_bytes: u64,
    /// The configured age limit.
    pub max_age: Duration,
    /// Time of the oldest profile, Unix milliseconds.
    pub oldest_ms: Option<i64>,
    /// Time of the newest profile, Unix milliseconds.
    pub newest_ms: Option<i64>,
    /// Files.
    pub partitions: u64,
    /// Appends that are kept.
    pub windows: u64,
    /// Series in the newest file.
    pub series: u64,
    /// Appends that failed since the start; their profiles are lost to the store.
    pub failed_windows: u64,
    /// Files dropped since the start because of age, size or free space.
    pub dropped_partitions: u64,
    /// Files set aside since the start because they could not be read.
    pub damaged_files: u64,
    /// Bytes of memory that indexes and dictionaries take, about.
    pub memory: u64,
    /// What is wrong with writing now, and what to do.
    pub message: Option<String>,
}

/// The file in the folder that says who writes to it.
const LOCK: &str = "lock";
/// About one older partition of a busy host.
const CACHE_BYTES: usize = 8 << 20;

impl Store {
    /// Opens the store and makes it when there is none.
    ///
    /// A file that is damaged or not ours is renamed to `*.damaged` with a warning, and counted; it never prevents the
    /// start.
    pub fn open(config: Config) -> Result<Self, OpenError> {
        let Config { path, max_age, max_bytes, min_free_bytes, partition } = config;
        fs::create_dir_all(&path).map_err(|source| OpenError::CreateFolder { path: path.clone(), source })?;
        let in_folder = |source| OpenError::Folder { path: path.clone(), source };
        let held = match File::create(path.join(LOCK)).map_err(in_folder).map(|file| (file.try_lock(), file))? {
            (Ok(()), held) => held,
            (Err(TryLockError::WouldBlock), _) => return Err(OpenError::InUse { path }),
            (Err(TryLockError::Error(source)), _) => return Err(in_folder(source)),
        };
        let counts = Counts::default();
        let partitions = find_partitions(&path, &counts).map_err(in_folder)?;
        let newest = partitions.iter().filter_map(|partition| Some(partition.span()?.1)).max();
        let inner = Inner {
            path,
            limits: RwLock::new(Limits { max_age, max_bytes, min_free_bytes, partition }),
            writer: Mutex::new(None),
            state: RwLock::new(State { partitions, open: OpenIntervals::default() }),
            counts,
            aside_bytes: AtomicU64::new(0),
            message: Mutex::new(None),
            cache_bytes: CACHE_BYTES,
            clock: Mutex::new(Clock::new(newest, now(), Instant::now())),
            lock: Mutex::new(held),
        };
        inner.measure_aside();
        Ok(Self { inner: Arc::new(inner) })
    }

    /// A handle that does not keep it open.
    pub fn downgrade(&self) -> WeakStore {
        WeakStore(Arc::downgrade(&self.inner))
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// How long data is kept.
    pub fn max_age(&self) -> Duration {
        read(&self.inner.limits).max_age
    }

    /// Changes the limits of a store that is open. The path of `config` is not looked at.
    pub fn set_limits(&self, config: &Config) {
        *write(&self.inner.limits) = Limits {
            max_age: config.max_age,
            max_bytes: config.max_bytes,
            min_free_bytes: config.min_free_bytes,
            partition: config.partition,
        };
    }

    /// Shows queries what `interval` has collected until now, instead of what was shown of it before.
    ///
    /// [`append`](Self::append) of the same interval takes its place in one step. What comes after that is ignored.
    pub fn set_open(&self, interval: Interval, profiles: Vec<Arc<Profile>>) {
        write(&self.inner.state).open.set(interval, profiles);
    }

    /// Drops what `source` has open; it has ended.
    pub fn forget(&self, source: u64) {
        write(&self.inner.state).open.forget(source);
    }

    /// The state in numbers. Does not wait for a window that is being written.
    pub fn stats(&self) -> Stats {
        let inner = &*self.inner;
        let limits = *read(&inner.limits);
        let message = lock(&inner.message).clone();
        let state = read(&inner.state);
        let spans = || state.partitions.iter().filter_map(|partition| partition.span());
        let open = state.open.profiles();
        let open_times = || open.iter().map(|profile| profile.time_nanos.div_euclid(1_000_000));
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Stats {
            path: inner.path.clone(),
            bytes: state.partitions.iter().map(|partition| partition.bytes()).sum::<u64>() + count(&inner.aside_bytes),
            max_bytes: limits.max_bytes,
            max_age: limits.max_age,
            oldest_ms: spans().map(|(min, _)| min).chain(open_times()).min(),
            newest_ms: spans().map(|(_, max)| max).chain(open_times()).max(),
            partitions: state.partitions.len() as u64,
            windows: state.partitions.iter().map(|partition| partition.windows()).sum(),
            series: state.partitions.last().map_or(0, |partition| partition.series_count()),
            failed_windows: count(&inner.counts.failed_windows),
            dropped_partitions: count(&inner.counts.dropped_partitions),
            damaged_files: count(&inner.counts.damaged_files),
            memory: state.partitions.iter().map(|partition| partition.heap() as u64).sum(),
            message,
        }
    }
}

impl WeakStore {
    /// The store, unless it is closed or about to be.
    pub fn upgrade(&self) -> Option<Store> {
        self.0.upgrade().map(|inner| Store { inner })
    }
}

impl Inner {
    /// Makes the folder again after somebody has removed it. Called with the writer locked.
    pub(crate) fn find_folder(&self, writer: &mut Option<Writer>) -> io::Result<()> {
        let mut held = lock(&self.lock);
        let (ours, there) = (held.metadata()?, fs::metadata(self.path.join(LOCK)));
        if there.is_ok_and(|there| (there.dev(), there.ino()) == (ours.dev(), ours.ino())) {
            return Ok(());
        }
        tracing::warn!(path = %self.path.display(), "the folder of the store was removed; it begins anew");
        *writer = None;
        let gone = std::mem::take(&mut write(&self.state).partitions);
        drop(gone);
        fs::create_dir_all(&self.path)?;
        let file = File::create(self.path.join(LOCK))?;
        file.try_lock().map_err(io::Error::from)?;
        *held = file;
        Ok(())
    }
}

/// Writes nothing that was not written already; folds the log of the last file into it.
impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(writer) = lock(&self.writer).take() {
            writer.close();
        }
    }
}

/// The partitions in `folder`, oldest first.
fn find_partitions(folder: &Path, counts: &Counts) -> io::Result<Vec<Arc<Partition>>> {
    let mut partitions = Vec::new();
    for file in fs::read_dir(folder)? {
        let path = file?.path();
        let Some(time) = path.file_name().and_then(|name| name.to_str()).and_then(first_time) else { continue };
        match Partition::examine(path.clone(), time) {
            Found::Ours(partition) => partitions.push(partition),
            Found::Empty => remove_files(&path),
            Found::Newer(version) => tracing::warn!(
                path = %path.display(), version,
                "a file of the store was written by a newer pyrope; it is left alone and not shown"
            ),
            Found::Unreadable(reason) => {
                counts.damaged_files.fetch_add(1, Ordering::Relaxed);
                match set_aside(&path) {
                    Ok(aside) => tracing::warn!(
                        path = %path.display(), aside = %aside.display(), reason,
                        "a file of the store cannot be read; it was set aside and its profiles are missing"
                    ),
                    Err(error) => tracing::warn!(
                        path = %path.display(), error = %error, reason,
                        "a file of the store cannot be read nor renamed; its profiles are missing"
                    ),
                }
            }
        }
    }
    partitions.sort_by_key(|partition| partition.first_time);
    Ok(partitions)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;

    use profile::{Labels, ProfileBuilder, ProfileType};

    use super::*;

    #[test]
    fn the_numbers_are_had_while_a_window_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let (max_age, partition) = (Duration::MAX, Duration::from_secs(3600));
        let config = Config { path: folder.path().into(), max_age, max_bytes: 1 << 30, min_free_bytes: 0, partition };
        let store = Store::open(config).unwrap();
        let mut builder = ProfileBuilder::new();
        builder.add(&[], 7);
        let profile = Arc::new(builder.finish(Labels::empty(), ProfileType::cpu("process_cpu")));
        store.append(Interval { source: 1, number: 1 }, &[profile]).unwrap();

        // What the writer holds for as long as the disk takes.
        let partition = read(&store.inner.state).partitions[0].clone();
        let tables = partition.tables_mut().unwrap();
        let (sender, stats) = mpsc::sync_channel(1);
        let asked = store.clone();
        let asks = thread::Builder::new().spawn(move || _ = sender.send(asked.stats())).unwrap();
        let stats = stats.recv_timeout(Duration::from_secs(20)).expect("an answer while the tables are held");
        assert_eq!((stats.windows, stats.series), (1, 1));
        assert!(stats.memory > 0);
        drop(tables);
        asks.join().unwrap();
    }
}
