//! The tables of a partition from its file.

use profile::ProfileType;

use crate::codec::{Damaged, decompress};
use crate::dictionary::Dictionary;
use crate::partition::{FileError, Partition};
use crate::series::{Series, SeriesTable};

impl Partition {
    pub(super) fn load_series(&self) -> Result<SeriesTable, FileError> {
        self.with_reader(|connection| {
            let mut table = SeriesTable::default();
            let mut list = connection.prepare("SELECT id, profile_type FROM series ORDER BY id")?;
            let mut labels = connection.prepare("SELECT name, value FROM labels WHERE series = ?")?;
            let mut rows = list.query([])?;
            while let Some(row) = rows.next()? {
                let id: u32 = row.get(0)?;
                let profile_type = row.get_ref(1)?.as_str().map_err(|_| Damaged("series"))?;
                let profile_type = ProfileType::parse(profile_type).map_err(|_| Damaged("series"))?;
                let pairs = labels.query_map([id], |row| Ok((row.get(0)?, row.get(1)?)))?;
                let pairs = pairs.collect::<rusqlite::Result<Vec<(String, String)>>>()?;
                let pairs = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()));
                if table.intern(Series::new(pairs, profile_type)) != id {
                    return Err(Damaged("series").into());
                }
            }
            Ok(table)
        })
    }

    pub(super) fn load_dictionary(&self) -> Result<Dictionary, FileError> {
        self.with_reader(|connection| {
            let mut dictionary = Dictionary::new();
            let mut growth = Vec::new();
            let mut statement = connection.prepare("SELECT growth FROM windows ORDER BY id")?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let blob = row.get_ref(0)?.as_blob().map_err(|_| Damaged("dictionary"))?;
                decompress(blob, &mut growth, "dictionary")?;
                dictionary.grow(&growth)?;
            }
            Ok(dictionary)
        })
    }
}
