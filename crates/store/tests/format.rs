//! Files of every released format stay readable.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod common;

use std::fs;
use std::path::PathBuf;

use common::*;
use pyrope_store::{Store, TimeRange};

/// When the kept files were measured: a day in 2001.
const TIME: i64 = 1_000_000_000_000;

fn kept(version: u32) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("testdata/v{version}.sqlite"))
}

fn fill(store: &Store) {
    store.append(interval(1), &[profile("cart", TIME, "main;read 10, main 5"), profile("db", TIME, "run 7")]).unwrap();
    store.append(interval(2), &[profile("cart", TIME + 15 * SECOND, "main;read 1, main;write 2")]).unwrap();
}

/// All of time, so that the kept files are not dropped for their age.
fn keep_all(folder: &std::path::Path) -> Store {
    Store::open(pyrope_store::Config { max_age: std::time::Duration::from_secs(1 << 40), ..config(folder) }).unwrap()
}

#[test]
fn a_file_of_version_1_is_read_and_written_on() {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(kept(1), folder.path().join(format!("profiles-{TIME:013}.sqlite"))).unwrap();
    let store = keep_all(folder.path());
    let range = TimeRange { start: TIME, end: TIME + 60 * SECOND };
    assert_eq!(folded(&store, "{}", range), "main 5\nmain;read 11\nmain;write 2\nrun 7\n");
    assert_eq!(folded(&store, r#"{service_name="db"}"#, range), "run 7\n");
    store.append(interval(3), &[profile("cart", TIME + 30 * SECOND, "main;write 40")]).unwrap();
    assert_eq!(folded(&store, "{}", range), "main 5\nmain;read 11\nmain;write 42\nrun 7\n");
    assert_eq!((store.stats().partitions, store.stats().windows), (1, 3));
}

/// Makes the kept file of the present version when there is none: for a new version, run the tests once and commit it.
#[test]
fn the_present_version_has_its_kept_file() {
    let folder = tempfile::tempdir().unwrap();
    let store = keep_all(folder.path());
    fill(&store);
    let path = fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().path());
    let path = path.into_iter().find(|path| path.extension().is_some_and(|extension| extension == "sqlite")).unwrap();
    drop(store);
    let connection = rusqlite::Connection::open(&path).unwrap();
    let version: u32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
    connection.pragma_update(None, "journal_mode", "DELETE").unwrap();
    drop(connection);
    if !kept(version).exists() {
        fs::copy(&path, kept(version)).unwrap();
        panic!("version {version} has no kept file; {} was made, commit it", kept(version).display());
    }
    // The schema is what the document draws.
    let schema = |path: &std::path::Path| {
        let connection = rusqlite::Connection::open(path).unwrap();
        let mut statement =
            connection.prepare("SELECT sql FROM sqlite_schema WHERE sql NOT NULL ORDER BY name").unwrap();
        let rows = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
        rows.map(|row| row.unwrap().split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>()
    };
    assert_eq!(schema(&path), schema(&kept(version)));
    let document = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/format/store.md")).unwrap();
    let document = document.split_whitespace().collect::<Vec<_>>().join(" ");
    for table in schema(&path) {
        assert!(document.contains(&table), "docs/format/store.md does not draw {table}");
    }
}
