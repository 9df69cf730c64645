//! What can be wrong with a file.

use std::io;

use crate::codec::Damaged;

/// Why a partition could not be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    #[error(transparent)]
    Damaged(#[from] Damaged),
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl FileError {
    /// Whether the file itself is at fault, and will be the next time as well.
    pub(crate) fn is_damage(&self) -> bool {
        match self {
            Self::Damaged(_) => true,
            Self::Sqlite(error) => {
                matches!(
                error.sqlite_error_code(),
                Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase)
            ) || matches!(error, rusqlite::Error::InvalidColumnType(..))
                // "no such table": the file was emptied or is another program's.
                || matches!(error, rusqlite::Error::SqlInputError { .. })
            }
            Self::Io(_) => false,
        }
    }

    /// Whether there was no room to write.
    pub(crate) fn is_full(&self) -> bool {
        match self {
            Self::Sqlite(error) => error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull),
            Self::Io(error) => error.kind() == io::ErrorKind::StorageFull,
            Self::Damaged(_) => false,
        }
    }
}
