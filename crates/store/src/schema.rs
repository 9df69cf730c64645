//! The SQLite side of a partition: how connections are opened and what tables there are.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

/// `pyrp`, big endian.
pub(crate) const APPLICATION_ID: i64 = 0x7079_7270;
/// The version of `docs/format/store.md` that is written, and the newest that is read.
pub(crate) const VERSION: i64 = 1;

pub(crate) const PAGE_BYTES: u64 = 1024;

const TABLES: &str = "
CREATE TABLE series  (id INTEGER PRIMARY KEY, profile_type TEXT NOT NULL);
CREATE TABLE labels  (series INTEGER NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL,
                      PRIMARY KEY (series, name)) WITHOUT ROWID;
CREATE TABLE windows (id INTEGER PRIMARY KEY, min_time INTEGER NOT NULL, max_time INTEGER NOT NULL,
                      entries BLOB NOT NULL, samples BLOB NOT NULL, growth BLOB NOT NULL);
";

/// Makes the file with its tables, on disk before this returns.
pub(crate) fn create(path: &Path, checkpoint_pages: u64) -> rusqlite::Result<Connection> {
    let connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?;
    connection.pragma_update(None, "page_size", PAGE_BYTES as i64)?;
    prepare_writer(&connection, checkpoint_pages)?;
    connection.execute_batch(&format!(
        "BEGIN; {TABLES} PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION}; COMMIT;"
    ))?;
    connection.pragma_update(None, "wal_checkpoint", "TRUNCATE")?;
    Ok(connection)
}

/// Opens a file of ours to write on.
pub(crate) fn open_writer(path: &Path, checkpoint_pages: u64) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    prepare_writer(&connection, checkpoint_pages)?;
    Ok(connection)
}

fn prepare_writer(connection: &Connection, checkpoint_pages: u64) -> rusqlite::Result<()> {
    connection.busy_timeout(Duration::from_secs(2))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "cache_size", -512)?;
    connection.pragma_update(None, "wal_autocheckpoint", checkpoint_pages as i64)?;
    connection.pragma_update(None, "journal_size_limit", (checkpoint_pages * PAGE_BYTES) as i64)
}

/// Opens a file for queries. Read and write mode, because SQLite needs it to recover a file whose writer was killed.
pub(crate) fn open_reader(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.busy_timeout(Duration::from_secs(2))?;
    connection.pragma_update(None, "cache_size", -256)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

/// Folds the log into the file and leaves WAL mode, so that nothing lies beside a file that is no longer written.
/// A reader in the midst of it only means that the log stays until the next start.
pub(crate) fn close(connection: Connection) {
    let folded = connection
        .pragma_update(None, "wal_checkpoint", "TRUNCATE")
        .and_then(|()| connection.pragma_update(None, "journal_mode", "DELETE"));
    if let Err(error) = folded {
        tracing::debug!(error = %error, "the log of a closed partition stays");
    }
}
