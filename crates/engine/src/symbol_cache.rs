//! Where tables of symbols are kept between runs, and what became of that.

use std::path::PathBuf;

use cache::Counts;

/// A folder for tables of symbols.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SymbolCache {
    /// The folder. It is made if it is not there.
    pub folder: PathBuf,
    /// How many bytes all tables may take.
    pub bytes: u64,
    /// How many files there may be.
    pub files: u64,
}

/// Tables that were asked for on disk, and tables that are open, shared with whoever shows them.
#[derive(Clone, Debug, Default)]
pub struct SymbolCounts {
    /// Those on disk.
    pub disk: Counts,
}
