//! One file of the store: its windows, and what of it is in memory.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use rusqlite::{Connection, params};

use crate::codec::{Damaged, compress};
use crate::dictionary::{Dictionary, Mark};
use crate::range::TimeRange;
use crate::schema;
use crate::series::SeriesTable;
use crate::window::Window;

mod error;
mod files;
mod load;
mod table;

pub(crate) use self::error::FileError;
use self::files::{beside, file_name};
pub(crate) use self::files::{first_time, remove_files, set_aside};
use self::table::{Slot, Table};

/// What a file in the folder turned out to be.
pub(crate) enum Found {
    Ours(Arc<Partition>),
    /// Created but never filled: nothing is lost with it.
    Empty,
    /// Written by a newer version.
    Newer(i64),
    Unreadable(String),
}

/// A file of the store.
///
/// Locks are taken in the order series, dictionary, reader, the store's state; the writer holds the first two while it
/// appends, for as long as the disk takes. So nobody who holds the state may ask for one of them.
pub(crate) struct Partition {
    pub(crate) path: PathBuf,
    /// The number in its name.
    pub(crate) first_time: i64,
    /// The last window that queries may see. Written under the lock of the store's state.
    committed: AtomicI64,
    min_time: AtomicI64,
    max_time: AtomicI64,
    bytes: AtomicU64,
    windows: AtomicU64,
    series_count: AtomicU64,
    /// When a query last used it, as a count of queries.
    pub(crate) last_used: AtomicU64,
    removed: AtomicBool,
    series: Table<SeriesTable>,
    dictionary: Table<Dictionary>,
    reader: Mutex<Option<Connection>>,
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

/// The columns of a window that a query asks for.
#[derive(Clone, Copy)]
pub(crate) enum Columns {
    Entries,
    EntriesAndSamples,
}

impl Partition {
    fn new(path: PathBuf, first_time: i64) -> Self {
        Self {
            path,
            first_time,
            committed: AtomicI64::new(0),
            min_time: AtomicI64::new(i64::MAX),
            max_time: AtomicI64::new(i64::MIN),
            bytes: AtomicU64::new(0),
            windows: AtomicU64::new(0),
            series_count: AtomicU64::new(0),
            last_used: AtomicU64::new(0),
            removed: AtomicBool::new(false),
            series: Table::new(SeriesTable::heap),
            dictionary: Table::new(Dictionary::heap),
            reader: Mutex::new(None),
        }
    }

    /// Makes a new file for windows from `time` on, in Unix milliseconds.
    pub(crate) fn create(folder: &Path, time: i64, checkpoint_pages: u64) -> Result<(Self, Connection), FileError> {
        let mut time = time.max(0);
        let mut path = folder.join(file_name(time));
        while path.exists() {
            time += 1;
            path = folder.join(file_name(time));
        }
        let made = schema::create(&path, checkpoint_pages);
        if made.is_err() {
            remove_files(&path);
        }
        let partition = Self::new(path, time);
        *partition.series.write() = Some(SeriesTable::default());
        *partition.dictionary.write() = Some(Dictionary::new());
        let connection = made?;
        partition.measure();
        Ok((partition, connection))
    }

    /// Looks at a file; `first_time` is the number in its name.
    pub(crate) fn examine(path: PathBuf, first_time: i64) -> Found {
        let partition = Self::new(path, first_time);
        match partition.read_summary() {
            Ok(Summary { application_id: 0, tables: 0, .. }) => Found::Empty,
            Ok(Summary { application_id, .. }) if application_id != schema::APPLICATION_ID => {
                Found::Unreadable("it was not made by pyrope".to_owned())
            }
            Ok(Summary { version, .. }) if version > schema::VERSION => Found::Newer(version),
            Ok(_) => {
                partition.measure();
                Found::Ours(Arc::new(partition))
            }
            Err(error) => Found::Unreadable(error.to_string()),
        }
    }

    fn read_summary(&self) -> Result<Summary, FileError> {
        let connection = schema::open_reader(&self.path)?;
        let number = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, Option<i64>>(0));
        let application_id = number("PRAGMA application_id")?.unwrap_or(0);
        let version = number("PRAGMA user_version")?.unwrap_or(0);
        let tables = number("SELECT count(*) FROM sqlite_schema")?.unwrap_or(0);
        if application_id == schema::APPLICATION_ID && version <= schema::VERSION {
            let windows = number("SELECT count(*) FROM windows")?.unwrap_or(0);
            self.windows.store(windows as u64, Ordering::Relaxed);
            self.series_count.store(number("SELECT count(*) FROM series")?.unwrap_or(0) as u64, Ordering::Relaxed);
            if let (Some(last), Some(min), Some(max)) = (
                number("SELECT max(id) FROM windows")?,
                number("SELECT min(min_time) FROM windows")?,
                number("SELECT max(max_time) FROM windows")?,
            ) {
                self.committed.store(last, Ordering::Release);
                self.min_time.store(min, Ordering::Relaxed);
                self.max_time.store(max, Ordering::Relaxed);
            }
        }
        Ok(Summary { application_id, version, tables })
    }

    pub(crate) fn open_writer(&self, checkpoint_pages: u64) -> Result<Connection, FileError> {
        Ok(schema::open_writer(&self.path, checkpoint_pages)?)
    }

    pub(crate) fn committed(&self) -> i64 {
        self.committed.load(Ordering::Acquire)
    }

    /// Least and greatest time of its entries, in Unix milliseconds; none without windows.
    pub(crate) fn span(&self) -> Option<(i64, i64)> {
        let span = (self.min_time.load(Ordering::Relaxed), self.max_time.load(Ordering::Relaxed));
        (span.0 <= span.1).then_some(span)
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn windows(&self) -> u64 {
        self.windows.load(Ordering::Relaxed)
    }

    pub(crate) fn series_count(&self) -> u64 {
        self.series_count.load(Ordering::Relaxed)
    }

    /// Whether its file was deleted or set aside, so that failing to read it means nothing.
    pub(crate) fn is_removed(&self) -> bool {
        self.removed.load(Ordering::Acquire)
    }

    /// Reads the size of the file and its log from the file system.
    pub(crate) fn measure(&self) {
        let bytes = ["", "-wal", "-shm"].iter().filter_map(|suffix| fs::metadata(beside(&self.path, suffix)).ok());
        self.bytes.store(bytes.map(|file| file.len()).sum(), Ordering::Relaxed);
    }

    /// Writes a window in one transaction with what is new since `mark` and series `first_series`. Gives its id, which
    /// queries do not see before [`publish`](Self::publish).
    pub(crate) fn write_window(
        &self,
        connection: &mut Connection,
        window: &Window,
        dictionary: &Dictionary,
        mark: &Mark,
        series: &SeriesTable,
        first_series: usize,
    ) -> Result<i64, FileError> {
        let (entries, samples) = window.encode();
        let entries = compress(&entries)?;
        let samples = compress(&samples)?;
        let growth = compress(&dictionary.growth(mark))?;
        let transaction = connection.transaction()?;
        {
            let mut add_series = transaction.prepare_cached("INSERT INTO series (id, profile_type) VALUES (?, ?)")?;
            let mut add_label =
                transaction.prepare_cached("INSERT INTO labels (series, name, value) VALUES (?, ?, ?)")?;
            for (id, series) in series.since(first_series) {
                add_series.execute(params![id, series.profile_type.id()])?;
                for (name, value) in series.written_labels() {
                    add_label.execute(params![id, name, value])?;
                }
            }
        }
        let id = self.committed() + 1;
        transaction
            .prepare_cached(
                "INSERT INTO windows (id, min_time, max_time, entries, samples, growth) VALUES (?, ?, ?, ?, ?, ?)",
            )?
            .execute(params![id, window.min_time(), window.max_time(), entries, samples, growth])?;
        transaction.commit()?;
        Ok(id)
    }

    /// Makes a written window visible. Called under the lock of the store's state.
    pub(crate) fn publish(&self, id: i64, window: &Window, series: usize) {
        self.min_time.fetch_min(window.min_time(), Ordering::Relaxed);
        self.max_time.fetch_max(window.max_time(), Ordering::Relaxed);
        self.windows.fetch_add(1, Ordering::Relaxed);
        self.series_count.store(series as u64, Ordering::Relaxed);
        self.committed.store(id, Ordering::Release);
    }

    /// Both tables, loaded, for the writer.
    pub(crate) fn tables_mut(&self) -> Result<(Slot<'_, SeriesTable>, Slot<'_, Dictionary>), FileError> {
        let series = self.series.loaded(|| self.load_series())?;
        let dictionary = self.dictionary.loaded(|| self.load_dictionary())?;
        Ok((series, dictionary))
    }

    /// Calls `then` with the series.
    pub(crate) fn with_series<R>(&self, then: impl FnOnce(&SeriesTable) -> R) -> Result<R, FileError> {
        self.series.with(|| self.load_series(), then)
    }

    /// Calls `then` with the dictionary.
    pub(crate) fn with_dictionary<R>(&self, then: impl FnOnce(&Dictionary) -> R) -> Result<R, FileError> {
        self.dictionary.with(|| self.load_dictionary(), then)
    }

    /// Calls `each` with the windows up to `last` that may have entries in `range`: the least time of a window, its
    /// entries blob, and its samples blob, which is empty when not asked for. Both are still compressed.
    pub(crate) fn for_each_window(
        &self,
        last: i64,
        range: TimeRange,
        columns: Columns,
        mut each: impl FnMut(i64, &[u8], &[u8]) -> Result<(), Damaged>,
    ) -> Result<(), FileError> {
        let sql = match columns {
            Columns::Entries => {
                "SELECT min_time, entries FROM windows WHERE id <= ? AND max_time >= ? AND min_time <= ? ORDER BY id"
            }
            Columns::EntriesAndSamples => {
                "SELECT min_time, entries, samples FROM windows WHERE id <= ? AND max_time >= ? AND min_time <= ? ORDER BY id"
            }
        };
        self.with_reader(|connection| {
            let mut statement = connection.prepare_cached(sql)?;
            let mut rows = statement.query(params![last, range.start, range.end])?;
            while let Some(row) = rows.next()? {
                let samples = match columns {
                    Columns::Entries => &[],
                    Columns::EntriesAndSamples => row.get_ref(2)?.as_blob().map_err(|_| Damaged("window"))?,
                };
                each(row.get(0)?, row.get_ref(1)?.as_blob().map_err(|_| Damaged("window"))?, samples)?;
            }
            Ok(())
        })
    }

    fn with_reader<R>(&self, then: impl FnOnce(&Connection) -> Result<R, FileError>) -> Result<R, FileError> {
        let mut reader = lock(&self.reader);
        let connection = match &*reader {
            Some(connection) => connection,
            None => reader.insert(schema::open_reader(&self.path)?),
        };
        let result = then(connection);
        if result.is_err() {
            *reader = None;
        }
        result
    }

    /// Bytes that its tables take in memory, about. Takes no lock.
    pub(crate) fn heap(&self) -> usize {
        self.dictionary.heap() + self.series.heap()
    }

    /// Forgets what is in memory; it is read again when needed.
    pub(crate) fn unload(&self) {
        *self.series.write() = None;
        *self.dictionary.write() = None;
        *lock(&self.reader) = None;
    }

    /// Forgets what only the writer needs.
    pub(crate) fn unload_index(&self) {
        if let Some(dictionary) = &mut *self.dictionary.write() {
            dictionary.drop_index();
        }
    }

    /// Deletes its files. Queries in the midst of it finish on what they have open.
    pub(crate) fn remove(&self) {
        self.removed.store(true, Ordering::Release);
        self.unload();
        remove_files(&self.path);
    }

    /// Renames its file so that it is not opened again, and gives the new path.
    pub(crate) fn set_aside(&self) -> io::Result<PathBuf> {
        self.removed.store(true, Ordering::Release);
        self.unload();
        set_aside(&self.path)
    }
}

struct Summary {
    application_id: i64,
    version: i64,
    tables: i64,
}
