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

/// What a session asks of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SymbolWish {
    /// The folder, if somebody chose one.
    pub folder: Option<PathBuf>,
    /// Tables of how many files.
    pub files: u32,
}

impl SymbolWish {
    /// That of the specification, in a folder that somebody else chooses.
    pub const SPECIFIED: Self = Self { folder: None, files: 2048 };
}

impl SymbolCache {
    /// This one as sessions ask for it: in the folder of the first that chose one, and with the most files.
    pub(crate) fn as_asked<'w>(&self, wishes: impl Iterator<Item = &'w SymbolWish> + Clone) -> Self {
        let folder = wishes.clone().find_map(|wish| wish.folder.clone());
        let files = wishes.map(|wish| u64::from(wish.files)).max();
        Self { folder: folder.unwrap_or_else(|| self.folder.clone()), files: files.unwrap_or(self.files), ..*self }
    }
}

/// Tables that were asked for on disk, shared with whoever shows them.
#[derive(Clone, Debug, Default)]
pub struct SymbolCounts {
    /// Those on disk.
    pub disk: Counts,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_sessions_the_first_folder_and_the_largest_number_count() {
        let given = SymbolCache { folder: "/a".into(), bytes: 9, files: 2048 };
        let wish = |folder: Option<&str>, files| SymbolWish { folder: folder.map(PathBuf::from), files };
        assert_eq!(given.as_asked([].iter()), given);
        let asked = given.as_asked([wish(None, 5), wish(Some("/b"), 7), wish(Some("/c"), 6)].iter());
        assert_eq!(asked, SymbolCache { folder: "/b".into(), bytes: 9, files: 7 });
    }
}
